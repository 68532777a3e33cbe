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

// Restore puts what [Backup] has made into the folder of a store, dest, which
// must not exist or be empty. From its begin to its end [Open] and other
// restores refuse the folder; what comes into it all the same is left alone. The
// backup is checked before: the catalog as SQLite does it, that all tiles and
// sources are there that it refers to, and while they are copied the checksum of
// every file. The backup is not changed. An error leaves nothing behind; after a
// kill the same call starts anew, and Open refuses the folder until then.
//
// The folder is made for its owner only: the catalog has what not everybody may
// read. One that is there stays as it is.
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
	c, err := r.claim()
	if err != nil {
		return nil, err
	}
	if err := r.restoreInto(ctx, c, m); err != nil {
		return nil, errors.Join(err, c.takeBack())
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
	return inUse(b.dest)
}

// restoreInto checks the backup, which can take long, and copies it into a
// folder that is claimed.
func (b *backup) restoreInto(ctx context.Context, c *claim, m *manifest) error {
	for _, f := range m.Files {
		b.planned += f.Size
	}
	b.at(CheckingBackup)
	if err := checkCatalogSum(ctx, b.dir, m); err != nil {
		return fmt.Errorf("checking %s: %w", b.dir, err)
	}
	if err := checkBackup(ctx, b.dir, m, &b.report); err != nil {
		return fmt.Errorf("checking %s: %w", b.dir, err)
	}
	if err := c.begin(); err != nil {
		return b.failed(err, "writing to the folder of the store")
	}
	if err := b.restore(ctx, m); err != nil {
		return err
	}
	if err := c.end(); err != nil {
		return b.failed(err, "ending the restore")
	}
	return nil
}

// restore copies all files, the catalog last.
func (b *backup) restore(ctx context.Context, m *manifest) error {
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
