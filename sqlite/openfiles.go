package sqlite

import (
	"container/list"
	"context"
	"errors"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rasterbase/rasterbase/store"
)

// openFiles keeps a bounded number of tile files open, the least recently used
// ones being closed first. Files in use are never closed, so that the bound
// can be exceeded for a while.
type openFiles struct {
	limit int

	mu     sync.Mutex
	idle   sync.Cond // signalled when a use of a file ends
	files  map[store.RevisionKey]*list.Element
	recent *list.List                 // of *tileFile; the front was used last
	taken  map[store.RevisionKey]bool // somebody has the file for himself
	closed bool
}

var errClosed = errors.New("the store is closed")

func newOpenFiles(limit int) *openFiles {
	o := &openFiles{limit: limit, files: map[store.RevisionKey]*list.Element{}, recent: list.New(),
		taken: map[store.RevisionKey]bool{}}
	o.idle.L = &o.mu
	return o
}

// acquire gives the open file of a revision, to be released.
func (o *openFiles) acquire(ctx context.Context, k store.RevisionKey, path string) (*tileFile, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.wait(ctx, func() bool { return !o.taken[k] }); err != nil {
		return nil, err
	}
	if o.closed {
		return nil, errClosed
	}
	if e := o.files[k]; e != nil {
		o.recent.MoveToFront(e)
		f := e.Value.(*tileFile)
		f.refs++
		return f, nil
	}
	// Opening takes well under a millisecond; doing it under the lock keeps a
	// file from being opened twice.
	f, err := openTileFile(ctx, k, path)
	if err != nil {
		return nil, err
	}
	f.refs = 1
	o.files[k] = o.recent.PushFront(f)
	o.evict()
	return f, nil
}

// wait returns when the condition is met. The caller has the lock, which is
// given up meanwhile.
func (o *openFiles) wait(ctx context.Context, met func() bool) error {
	if met() {
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.idle.Broadcast()
	})
	defer stop()
	for !met() {
		if err := ctx.Err(); err != nil {
			return err
		}
		o.idle.Wait()
	}
	return nil
}

// evict closes the files that are too many. The caller has the lock.
func (o *openFiles) evict() {
	for e := o.recent.Back(); e != nil && o.recent.Len() > o.limit; {
		before := e.Prev()
		if f := e.Value.(*tileFile); f.refs == 0 {
			o.remove(f)
			_ = f.close() // what was written is committed; there is nobody to tell
		}
		e = before
	}
}

// remove takes a file out, so that the next one who asks opens it anew. The
// caller has the lock.
func (o *openFiles) remove(f *tileFile) {
	if e := o.files[f.key]; e != nil && e.Value == f {
		delete(o.files, f.key)
		o.recent.Remove(e)
	}
	f.gone = true
}

// release ends a use; the last user of a file that was taken out closes it.
func (o *openFiles) release(f *tileFile) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	f.refs--
	o.idle.Broadcast()
	if f.gone && f.refs == 0 {
		return f.close()
	}
	return nil
}

// forget takes a file out that its user still holds.
func (o *openFiles) forget(f *tileFile) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.remove(f)
}

// drop takes a revision's file out and closes it, at once if nobody uses it.
func (o *openFiles) drop(k store.RevisionKey) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.files[k]
	if e == nil {
		return nil
	}
	f := e.Value.(*tileFile)
	o.remove(f)
	if f.refs == 0 {
		return f.close()
	}
	return nil
}

// errTaken says that another user of a file has or had it for himself.
var errTaken = errors.New("another user has the file for himself")

// exclusive takes a file out, waits until the caller is its only user, and
// runs fn. Others who ask for the file wait until it is done. The error is
// errTaken, at once, when somebody else was first: he waits for the caller's
// release, and only the file, acquired anew, tells what came of it.
func (o *openFiles) exclusive(ctx context.Context, f *tileFile, fn func() error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.taken[f.key] || f.gone {
		return errTaken
	}
	o.taken[f.key] = true
	o.remove(f)
	defer func() {
		delete(o.taken, f.key)
		o.idle.Broadcast()
	}()
	if err := o.wait(ctx, func() bool { return f.refs == 1 }); err != nil {
		return err
	}
	o.mu.Unlock()
	defer o.mu.Lock()
	return fn()
}

func (o *openFiles) closeAll() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	var errs []error
	for e := o.recent.Front(); e != nil; e = o.recent.Front() {
		f := e.Value.(*tileFile)
		o.remove(f)
		if f.refs == 0 {
			errs = append(errs, f.close())
		}
	}
	return errors.Join(errs...)
}

func isBusy(err error) bool {
	c := resultCode(err)
	return c == sqlite3.SQLITE_BUSY || c == sqlite3.SQLITE_LOCKED
}
