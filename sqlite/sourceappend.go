package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// syncEvery is how much is added to a file, at most, before it is made durable:
// what a full disk or a crash can take back.
const syncEvery = 16 << 20

// errLocked says that another process or goroutine has a file's lock.
var errLocked = errors.New("the file is locked")

// Append writes to the file itself, under a lock that ends with the process.
func (s *sources) Append(ctx context.Context, id, name string, offset int64, r io.Reader) (size int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	dir, err := s.folder(id)
	if err != nil {
		return 0, err
	}
	if err := store.CheckFileName(name); err != nil {
		return 0, err
	}
	path := filepath.Join(dir, name)
	f, err := lockEnd(path, offset)
	if err != nil {
		return 0, s.appendError(err, id, name)
	}
	defer func() {
		// Unlocked before it is closed: a program that is just being started may
		// have the file open for a moment.
		err = errors.Join(err, s.db.storageError(errors.Join(unlock(f), f.Close()), "writing %s", name))
	}()
	info, err := f.Stat()
	if err != nil {
		return 0, s.db.storageError(err, "writing %s", name)
	}
	if info.Size() != offset {
		return info.Size(), rasterbase.Errorf(rasterbase.Conflict, "%s has %d bytes, not %d", name, info.Size(), offset)
	}
	size, err = extend(f, offset, contextReader{ctx, r})
	if err == nil && offset == 0 {
		err = syncDir(dir)
	}
	if is, statErr := isAt(f, path); statErr == nil && !is {
		return size, s.replaced(dir, id, name)
	}
	if err != nil {
		return size, s.db.storageError(err, "writing %s", name)
	}
	return size, nil
}

// lockEnd opens a file at its end and locks it. One that is not there is made
// if it shall begin.
func lockEnd(path string, offset int64) (*os.File, error) {
	flags := os.O_WRONLY
	if offset == 0 {
		flags |= os.O_CREATE
	}
	for {
		f, err := os.OpenFile(path, flags, 0o644)
		if err != nil {
			return nil, err
		}
		if err := lock(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		is, err := isAt(f, path)
		if err == nil && is {
			if _, err = f.Seek(0, io.SeekEnd); err == nil {
				return f, nil
			}
		}
		if err := errors.Join(err, unlock(f), f.Close()); err != nil {
			return nil, err
		}
		// Put has replaced the file before it was locked.
	}
}

// isAt reports whether an open file is the one at a path.
func isAt(f *os.File, path string) (bool, error) {
	open, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(open, there), err
}

// appendError is the error of a file that cannot be written to at its end.
func (s *sources) appendError(err error, id, name string) error {
	switch {
	case errors.Is(err, errLocked):
		return rasterbase.Errorf(rasterbase.Conflict, "somebody else is adding to %s", name)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := s.folder(id); err != nil {
			return err // the source was deleted meanwhile
		}
		return rasterbase.Errorf(rasterbase.Conflict, "%s has 0 bytes: it is not there", name)
	}
	return s.db.storageError(err, "writing %s", name)
}

// replaced is the error of one whose file is not the one of its name any more.
func (s *sources) replaced(dir, id, name string) error {
	if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
		return store.NotFound("source %s or its file %q was deleted meanwhile", id, name)
	}
	return rasterbase.Errorf(rasterbase.Conflict, "%s was replaced meanwhile", name)
}

// growing is a file that bytes are added to.
type growing interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
}

// extend adds what r has to a file that is size bytes long and makes it
// durable. It returns how long the file is then. What may not be durable is
// taken away again.
func extend(f growing, size int64, r io.Reader) (int64, error) {
	durable := size
	for {
		n, err := io.Copy(f, io.LimitReader(r, syncEvery))
		size += n
		if n > 0 || err != nil {
			if failed := f.Sync(); failed != nil {
				return durable, errors.Join(err, failed, shorten(f, durable))
			}
		}
		durable = size
		if err != nil || n < syncEvery {
			return size, err
		}
	}
}

func shorten(f growing, size int64) error {
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("taking back what may not be durable: %w", err)
	}
	return nil
}
