package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rasterbase/rasterbase"
)

// restoringName is a file that is in the folder of a store from the begin of a
// restore into it to its end. It is locked as long as the restore runs. As long
// as it is empty nothing else was written there.
const restoringName = "restoring"

// claim is the folder of a store while somebody restores into it.
type claim struct {
	dir   string
	made  bool     // the folder was not there
	file  *os.File // the mark, locked; nil once it is given up
	begun bool     // what is in the folder is that of a restore
}

// claim marks the destination, so that neither a server nor another restore
// begins to use it, and looks whether one has before.
func (b *backup) claim() (_ *claim, err error) {
	c := &claim{dir: b.dest, made: !exists(b.dest)}
	if err := makePrivate(b.dest); err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "making the folder of the store: %w", err).WithField("data")
	}
	if c.file, err = lockMark(filepath.Join(b.dest, restoringName)); err != nil {
		if errors.Is(err, errLocked) {
			return nil, rasterbase.Errorf(rasterbase.Conflict, "another backup is being restored into %s right now", b.dest).
				WithHint("wait until it has ended, or name another folder with --data").WithField("data")
		}
		return nil, b.failed(err, "writing to the folder of the store")
	}
	info, err := c.file.Stat()
	if err == nil {
		c.begun = info.Size() > 0 // one that was killed
		err = c.look()
	}
	if err != nil {
		return nil, errors.Join(err, c.takeBack())
	}
	return c, nil
}

// lockMark opens the mark, makes it if it is not there, and locks it.
func lockMark(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := lock(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		is, err := isAt(f, path)
		if err == nil && is {
			return f, nil
		}
		if err := errors.Join(err, unlock(f), f.Close()); err != nil {
			return nil, err
		}
		// Whoever had it locked has ended and taken it away.
	}
}

// look refuses a folder with anything beside the mark that no restore has put
// there. [Open] makes its folders and then looks for the mark, so that one of
// both sees the other.
func (c *claim) look() error {
	if c.begun {
		return nil
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("reading the folder of the store: %w", err)
	}
	for _, e := range entries {
		if e.Name() != restoringName && e.Name() != lostAndFound {
			return inUse(c.dir)
		}
	}
	return nil
}

// begin is called before anything else is written: it looks again, and takes
// away what a restore has left that was killed.
func (c *claim) begin() error {
	if err := c.look(); err != nil {
		return err
	}
	if _, err := c.file.WriteAt([]byte("A backup is being restored into this folder.\n"), 0); err != nil {
		return err
	}
	if err := errors.Join(c.file.Sync(), syncDir(c.dir)); err != nil {
		return err
	}
	had := c.begun
	c.begun = true
	if had {
		return c.clear()
	}
	return nil
}

// clear deletes what a restore writes, but for its mark.
func (c *claim) clear() error {
	var errs []error
	for _, name := range []string{catalogName, catalogName + "-wal", catalogName + "-shm", catalogName + "-journal", tilesFolder, sourcesFolder} {
		errs = append(errs, os.RemoveAll(filepath.Join(c.dir, name)))
	}
	return errors.Join(errs...)
}

// end makes a store of the folder.
func (c *claim) end() error {
	if err := c.unmark(); err != nil {
		return err
	}
	return syncDir(c.dir)
}

// unmark takes the mark away while it is locked, so that whoever waits for the
// lock finds that it is gone. Where an open file cannot be deleted, it is
// emptied before: what is in the folder is nobody's to clear then.
func (c *claim) unmark() error {
	path, f := filepath.Join(c.dir, restoringName), c.file
	c.file = nil
	err := os.Remove(path)
	if err == nil {
		return errors.Join(unlock(f), f.Close())
	}
	if err := errors.Join(f.Truncate(0), f.Sync(), unlock(f), f.Close()); err != nil {
		return err
	}
	if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// takeBack undoes a restore that failed. What is not of a restore is left.
func (c *claim) takeBack() error {
	if c.file == nil {
		return nil // it was made a store
	}
	if c.begun {
		if err := c.clear(); err != nil {
			return errors.Join(err, unlock(c.file), c.file.Close()) // marked still
		}
	}
	if err := c.unmark(); err != nil {
		return err
	}
	if c.made {
		_ = os.Remove(c.dir) // unless somebody has put something there meanwhile
	}
	return nil
}

func inUse(dir string) error {
	return rasterbase.Errorf(rasterbase.Conflict, "%s is in use: a backup is restored into an empty folder only", dir).
		WithHint("name a folder that is not there yet with --data, or move this one away first; stop what serves it before").WithField("data")
}

// checkRestored refuses a folder into which a restore did not end.
func checkRestored(dir string) error {
	if !exists(filepath.Join(dir, restoringName)) {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Conflict, "a backup is being restored into %s, or that was broken off", dir).
		WithHint("wait for it, or run `rasterbase restore` again with the same folders")
}

// makePrivate makes a folder that only its owner can read, unless it is there:
// the catalog has hashes of tokens, and addresses with passwords.
func makePrivate(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
