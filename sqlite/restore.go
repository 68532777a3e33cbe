package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rasterbase/rasterbase"
)

// restoringName is a file that is in the folder of a store until a restore into
// it has ended.
const restoringName = "restoring"

// Restore puts what [Backup] has made into the folder of a store, dest, which
// must not exist or be empty, and which nothing serves. The backup is checked
// before: the catalog as SQLite does it, that all tiles and sources are there
// that it refers to, and while they are copied the checksum of every file.
// The backup is not changed. An error leaves nothing behind; after a kill the
// same call starts anew, and [Open] refuses the folder until then.
//
// The error has code not_found when there is no backup in from, conflict when
// dest is in use, invalid when the backup is damaged, unsupported when a newer
// version of rasterbase made it, and too_large when the disk of dest is full.
func Restore(ctx context.Context, from, dest string, o BackupOptions) (_ *BackupReport, err error) {
	r := &backup{tell: o.Progress, began: time.Now()}
	if r.dir, err = filepath.Abs(from); err != nil {
		return nil, fmt.Errorf("finding the folder of the backup: %w", err)
	}
	if r.dest, err = filepath.Abs(dest); err != nil {
		return nil, fmt.Errorf("finding the folder of the store: %w", err)
	}
	m, err := readManifest(r.dir)
	if err != nil {
		return nil, err
	}
	if err := r.checkRestorable(); err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		r.planned += f.Size
	}
	r.at(CheckingBackup)
	if err := checkCatalogSum(ctx, r.dir, m); err != nil {
		return nil, fmt.Errorf("checking %s: %w", from, err)
	}
	if err := checkBackup(ctx, r.dir, m, &r.report); err != nil {
		return nil, fmt.Errorf("checking %s: %w", from, err)
	}
	if err := r.restore(ctx, m); err != nil {
		return nil, err
	}
	r.report.Created, r.report.Took = m.Created, time.Since(r.began)
	return &r.report, nil
}

// checkCatalogSum compares the checksum of the catalog, before it is believed.
func checkCatalogSum(ctx context.Context, dir string, m *manifest) error {
	for _, f := range m.Files {
		if f.Path != catalogName {
			continue
		}
		have, err := readSum(ctx, filepath.Join(dir, catalogName))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return damaged("%s is missing", catalogName)
		case err != nil:
			return fmt.Errorf("reading the catalog: %w", err)
		case have.SHA256 != f.SHA256 || have.Size != f.Size:
			return damaged("%s is not what was backed up: its checksum is another", catalogName)
		}
		return nil
	}
	return damaged("it has no catalog")
}

// checkRestorable refuses a destination that holds anything but what a restore
// has left that was killed.
func (b *backup) checkRestorable() error {
	empty, err := isEmptyFolder(b.dest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return rasterbase.Errorf(rasterbase.Invalid, "the folder of the store: %w", err).WithField("data")
	case empty || exists(filepath.Join(b.dest, restoringName)):
		return nil
	}
	return rasterbase.Errorf(rasterbase.Conflict, "%s is in use: a backup is restored into an empty folder only", b.dest).
		WithHint("name a folder that is not there yet with --data, or move this one away first; stop what serves it before").WithField("data")
}

// restore copies all files, the catalog last.
func (b *backup) restore(ctx context.Context, m *manifest) (err error) {
	made := !exists(b.dest)
	if err := os.MkdirAll(b.dest, 0o755); err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "making the folder of the store: %w", err).WithField("data")
	}
	marker := filepath.Join(b.dest, restoringName)
	if err := os.WriteFile(marker, []byte("A backup is being restored into this folder.\n"), 0o644); err != nil {
		return b.failed(err, "writing to the folder of the store")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.takeBack(made))
		}
	}()
	if err := b.clear(); err != nil { // what a killed one has left
		return b.failed(err, "clearing the folder of the store")
	}
	for _, dir := range []string{filepath.Join(tilesFolder, goneFolder), sourcesFolder} {
		if err := os.MkdirAll(filepath.Join(b.dest, dir), 0o755); err != nil {
			return b.failed(err, "making the folders of the store")
		}
	}
	var catalog manifestFile
	for _, f := range m.Files {
		if f.Path == catalogName {
			catalog = f
			continue
		}
		b.at(CopyingFiles)
		if err := b.restoreFile(ctx, f); err != nil {
			return err
		}
	}
	b.at(CopyingCatalog)
	if err := b.restoreFile(ctx, catalog); err != nil {
		return err
	}
	if err := syncFolders(b.dest); err != nil {
		return b.failed(err, "syncing the folder of the store")
	}
	if err := errors.Join(os.Remove(marker), syncDir(b.dest)); err != nil {
		return b.failed(err, "ending the restore")
	}
	return nil
}

// restoreFile copies a file and compares its checksum.
func (b *backup) restoreFile(ctx context.Context, f manifestFile) error {
	name := filepath.FromSlash(f.Path)
	in, err := os.Open(filepath.Join(b.dir, name))
	if err != nil {
		return b.failed(err, "reading the backup")
	}
	defer in.Close()
	to := filepath.Join(b.dest, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return b.failed(err, "restoring "+f.Path)
	}
	have, err := writeFile(ctx, in, to, b.advance)
	if err != nil {
		return b.failed(err, "restoring "+f.Path)
	}
	if have.SHA256 != f.SHA256 || have.Size != f.Size {
		return damaged("%s is not what was backed up: its checksum is another", f.Path)
	}
	return nil
}

// clear deletes what a restore writes, but for its mark.
func (b *backup) clear() error {
	var errs []error
	for _, name := range []string{catalogName, catalogName + "-wal", catalogName + "-shm", catalogName + "-journal", tilesFolder, sourcesFolder} {
		errs = append(errs, os.RemoveAll(filepath.Join(b.dest, name)))
	}
	return errors.Join(errs...)
}

// takeBack undoes a restore that failed.
func (b *backup) takeBack(made bool) error {
	err := b.clear()
	if err == nil {
		err = os.Remove(filepath.Join(b.dest, restoringName))
	}
	if err == nil && made {
		err = os.Remove(b.dest)
	}
	return err
}

// checkRestored refuses a folder into which a restore did not end.
func checkRestored(dir string) error {
	if !exists(filepath.Join(dir, restoringName)) {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Conflict, "a backup is being restored into %s, or that was broken off", dir).
		WithHint("wait for it, or run `rasterbase restore` again with the same folders")
}
