package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase/store"
)

// sources keeps each source as a folder of files.
type sources struct {
	db  *DB
	dir string
}

// tempPrefix begins the name of a file that is still being written. Names of
// files of a source cannot begin with a dot.
const tempPrefix = ".writing-"

// Create makes a new folder.
func (s *sources) Create(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	id := strings.ToLower(rand.Text())
	if err := os.Mkdir(filepath.Join(s.dir, id), 0o755); err != nil {
		return "", s.db.storageError(err, "making a source")
	}
	return id, s.db.storageError(syncDir(s.dir), "making a source")
}

// Put writes under another name, syncs, and renames.
func (s *sources) Put(ctx context.Context, id, name string, r io.Reader) (size int64, err error) {
	dir, err := s.folder(id)
	if err != nil {
		return 0, err
	}
	if err := store.CheckFileName(name); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return 0, s.db.storageError(err, "writing %s", name)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // there is an error already, and a rest is harmless
		}
	}()
	size, err = io.Copy(f, contextReader{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, s.db.storageError(err, "writing %s", name)
	}
	if err = os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return 0, s.db.storageError(err, "writing %s", name)
	}
	return size, s.db.storageError(syncDir(dir), "writing %s", name)
}

// contextReader fails once its context is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

// sourceFile is an os.File that knows its size.
type sourceFile struct {
	*os.File
	size int64
}

func (f sourceFile) Size() int64 { return f.size }

// Open opens a file.
func (s *sources) Open(ctx context.Context, id, name string) (store.SourceFile, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := s.folder(id)
	if err != nil {
		return nil, err
	}
	if err := store.CheckFileName(name); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, store.NotFound("source %s has no file %q", id, name)
	}
	if err != nil {
		return nil, s.db.storageError(err, "opening %s", name)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(s.db.storageError(err, "opening %s", name), f.Close())
	}
	return sourceFile{f, info.Size()}, nil
}

// Local gives the folder itself.
func (s *sources) Local(ctx context.Context, id string) (string, func(), error) {
	if err := ctx.Err(); err != nil {
		return "", nil, err
	}
	dir, err := s.folder(id)
	return dir, func() {}, err
}

// Files lists what is written whole.
func (s *sources) Files(ctx context.Context, id string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := s.folder(id)
	if err != nil {
		return nil, err
	}
	return s.names(dir, func(e fs.DirEntry) bool { return !e.IsDir() && store.CheckFileName(e.Name()) == nil })
}

// Delete removes the folder.
func (s *sources) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !validSourceID(id) {
		return nil // there cannot be one
	}
	return s.db.storageError(os.RemoveAll(filepath.Join(s.dir, id)), "deleting source %s", id)
}

// List lists the folders.
func (s *sources) List(ctx context.Context) ([]store.StoredSource, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ids, err := s.names(s.dir, func(e fs.DirEntry) bool { return e.IsDir() && validSourceID(e.Name()) })
	if err != nil {
		return nil, err
	}
	var list []store.StoredSource
	for _, id := range ids {
		changed, err := lastChange(filepath.Join(s.dir, id))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, s.db.storageError(err, "listing source %s", id)
		}
		list = append(list, store.StoredSource{ID: id, Changed: changed})
	}
	return list, nil
}

// lastChange is when a folder or a file in it was last written to.
func lastChange(dir string) (time.Time, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return time.Time{}, err
	}
	newest := info.ModTime()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return time.Time{}, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // renamed or deleted meanwhile
		}
		if err != nil {
			return time.Time{}, err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, nil
}

// names lists the entries of a folder that are wanted, sorted.
func (s *sources) names(dir string, want func(fs.DirEntry) bool) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, s.db.storageError(err, "listing %s", dir)
	}
	var names []string
	for _, e := range entries {
		if want(e) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// folder gives the folder of a source that exists.
func (s *sources) folder(id string) (string, error) {
	dir := filepath.Join(s.dir, id)
	if validSourceID(id) {
		info, err := os.Stat(dir)
		if err == nil && info.IsDir() {
			return dir, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", s.db.storageError(err, "finding source %s", id)
		}
	}
	return "", store.NotFound("there is no source %q", id)
}

// validSourceID reports whether id has the form that Create gives.
func validSourceID(id string) bool {
	return id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
