// Package tempdir makes temporary folders that tell whether their owner lives:
// a lock on the folder ends with its process, however that ends, so that what a
// killed process left can be told from what another one works in, also when the
// processes see the same disk from different containers.
package tempdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Dir is a temporary folder of this process.
type Dir struct {
	Path string
	lock *os.File // nil where folders cannot be locked
}

// Make makes a folder whose name begins with a prefix, in a parent folder; empty:
// the system's for temporary files.
func Make(parent, prefix string) (*Dir, error) {
	for range 100 {
		path, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return nil, err
		}
		f, err := take(path)
		switch {
		case errors.Is(err, errTaken) || errors.Is(err, fs.ErrNotExist):
			continue // somebody took it for one that a killed process left
		case err != nil: // this disk has no locks, and its folders only grow old
			return &Dir{Path: path}, nil //nolint:nilerr // as good as it gets
		}
		return &Dir{Path: path, lock: f}, nil
	}
	return nil, fmt.Errorf("make a temporary folder %s: others take it away", prefix)
}

// Remove removes the folder with all that is in it. Removing it again is not an
// error.
func (d *Dir) Remove() error {
	err := os.RemoveAll(d.Path)
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
		d.lock = nil
	}
	return err
}

// errTaken says that another process has the folder.
var errTaken = errors.New("the folder is in use")

// take opens and locks a file or folder, and makes sure that it is still the one
// of its name.
func take(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	locked, err := f.Stat()
	if err == nil {
		var named fs.FileInfo
		if named, err = os.Lstat(path); err == nil && !os.SameFile(locked, named) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Collected says what was removed.
type Collected struct {
	Entries int
	Bytes   int64
}

// Collect removes the folders and files in a parent folder (empty: the system's
// for temporary files) whose names begin with one of the prefixes, that belong to
// this user, that no living process has locked, and in which nothing has changed
// since a moment. What cannot be removed is left, with an error that names it.
// Where folders cannot be locked nothing is removed.
func Collect(parent string, prefixes []string, since time.Time) (c Collected, err error) {
	if parent == "" {
		parent = os.TempDir()
	}
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("look for temporary folders: %w", err)
	}
	var failed []error
	for _, e := range entries {
		if !hasPrefix(e.Name(), prefixes) || e.Type()&^fs.ModeDir != 0 {
			continue
		}
		removed, size, err := collect(filepath.Join(parent, e.Name()), since)
		if err != nil {
			failed = append(failed, err)
		}
		if removed {
			c.Entries++
			c.Bytes += size
		}
	}
	return c, errors.Join(failed...)
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// collect removes one folder or file if nobody has it.
func collect(path string, since time.Time) (removed bool, size int64, err error) {
	info, err := os.Lstat(path)
	if err != nil || !ours(info) {
		return false, 0, nil //nolint:nilerr // it is gone, or not for us to see
	}
	f, err := take(path)
	if err != nil {
		return false, 0, nil //nolint:nilerr // somebody has it, or nobody can tell
	}
	defer f.Close()
	changed, size, err := measure(path)
	if err != nil || changed.After(since) {
		return false, 0, err
	}
	if err := os.RemoveAll(path); err != nil {
		return false, 0, fmt.Errorf("remove what a killed process left: %w", err)
	}
	return true, size, nil
}

// measure tells when anything in a folder changed last, and how many bytes its
// files have.
func measure(path string) (changed time.Time, size int64, err error) {
	err = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.ModTime().After(changed) {
			changed = info.ModTime()
		}
		if info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return time.Now(), 0, nil // somebody is at work in it
	}
	return changed, size, err
}
