package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// BackupOptions adjusts [Backup] and [Restore]. The zero value is right for most.
type BackupOptions struct {
	// Progress, when set, is told how far it is: every few megabytes, and once a
	// file.
	Progress func(BackupProgress)

	pinAtOnce int // 0: the constant; for tests
}

// BackupStage says what is being done.
type BackupStage string

// The stages. Files are copied before the catalog and after it.
const (
	CopyingFiles   BackupStage = "copying files"
	CopyingCatalog BackupStage = "copying the catalog"
	CheckingBackup BackupStage = "checking"
)

// BackupProgress says how far a backup is.
type BackupProgress struct {
	Stage   BackupStage
	Started time.Time
	Done    int64 // bytes, of all stages
	Planned int64 // bytes, as far as is known by now; at least Done
}

// BackupReport says what a backup holds.
type BackupReport struct {
	Layers    int
	Revisions int // whose tiles are there: published ones and those being built
	Sources   int // of layers and of uploads
	Files     int
	Bytes     int64
	Created   time.Time // the moment whose catalog it has
	Took      time.Duration
}

// What a backup is called until it is whole.
const partialSuffix = ".partial"

// Backup copies the store in a folder into another one, dest, which must not
// exist or be empty. The store may be served, parsed into and deleted from
// meanwhile, by any number of processes: the copy is the catalog of one moment
// with every tile, source and upload that it refers to. A parse that was under
// way goes on in a restored store where it was; its jobs are waiting there, and so
// are those of exports. Exports that have finished are left out with their files:
// they can be made again.
//
// The folder of the copy is laid out as that of a store, with a list of its
// files and their checksums; [Restore] makes a store of it. It comes into being
// under another name, dest.partial, is synced and checked, and renamed when it is
// whole: what is called dest is a complete backup. An error leaves nothing
// behind, a killed process dest.partial.
//
// The error has code not_found when there is no store in dir, conflict when dest
// is in use, unsupported when a newer version of rasterbase wrote the store, and
// too_large when the disk of dest is full.
func Backup(ctx context.Context, dir, dest string, o BackupOptions) (_ *BackupReport, err error) {
	start := time.Now()
	b := &backup{tell: o.Progress, began: start, pinAtOnce: cmp.Or(o.pinAtOnce, pinAtOnce),
		copied: map[store.RevisionKey]bool{}, sources: map[string]string{}, listed: map[string]manifestFile{}}
	if b.dir, b.dest, err = backupFolders(dir, dest); err != nil {
		return nil, err
	}
	if err := b.makePartial(); err != nil {
		return nil, err
	}
	if err := b.run(ctx); err != nil {
		return nil, errors.Join(b.failed(err, "copying the store in "+b.dir), os.RemoveAll(b.partial))
	}
	if err := b.name(); err != nil {
		return nil, b.failed(err, "naming the backup")
	}
	b.report.Took = time.Since(start)
	return &b.report, nil
}

// name gives a backup that is whole its name. When it cannot have it, nothing is
// left.
func (b *backup) name() error {
	if err := os.Rename(b.partial, b.dest); err != nil {
		return errors.Join(err, os.RemoveAll(b.partial))
	}
	if err := syncDir(filepath.Dir(b.dest)); err != nil {
		return errors.Join(err, os.RemoveAll(b.dest))
	}
	return nil
}

// backupFolders makes both names absolute and refuses those that cannot be
// meant.
func backupFolders(dir, dest string) (from, to string, err error) {
	if from, err = filepath.Abs(dir); err != nil {
		return "", "", fmt.Errorf("finding the folder of the store: %w", err)
	}
	if to, err = filepath.Abs(dest); err != nil {
		return "", "", fmt.Errorf("finding the folder of the backup: %w", err)
	}
	if _, err := os.Stat(filepath.Join(from, catalogName)); err != nil {
		return "", "", rasterbase.Errorf(rasterbase.NotFound, "there is no store in %s", dir).WithField("data")
	}
	if to == from || strings.HasPrefix(to, from+string(filepath.Separator)) {
		return "", "", rasterbase.Errorf(rasterbase.Invalid, "the backup %s would be in the store itself", dest).
			WithHint("name a folder elsewhere, best on another disk")
	}
	return from, to, nil
}

// backup is one run.
type backup struct {
	dir, dest, partial string
	tell               func(BackupProgress)
	began              time.Time
	stage              BackupStage
	done, planned      int64
	pinAtOnce          int

	copied  map[store.RevisionKey]bool // published revisions
	sources map[string]string          // what files they had, by id
	listed  map[string]manifestFile    // by path
	report  BackupReport
}

// makePartial makes the folder that is filled.
func (b *backup) makePartial() error {
	switch empty, err := isEmptyFolder(b.dest); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return rasterbase.Errorf(rasterbase.Invalid, "the folder of the backup: %w", err)
	case !empty:
		return rasterbase.Errorf(rasterbase.Conflict, "%s is not empty", b.dest).
			WithHint("name a folder that is not there yet, for instance with the date in its name")
	default:
		// It goes now, because in the end it may turn out that it cannot.
		if err := os.Remove(b.dest); err != nil {
			return rasterbase.Errorf(rasterbase.Invalid, "%s cannot be replaced: %w", b.dest, err).
				WithHint("name a folder in it that is not there yet")
		}
	}
	b.partial = b.dest + partialSuffix
	if err := os.MkdirAll(filepath.Dir(b.partial), 0o755); err != nil {
		return b.failed(err, "making the folder of the backup")
	}
	err := os.Mkdir(b.partial, 0o700) // the catalog has what not everybody may read
	if errors.Is(err, fs.ErrExist) {
		return rasterbase.Errorf(rasterbase.Conflict, "%s is there already: a backup is being made, or was killed", b.partial).
			WithHint("delete it if no backup is being made there")
	}
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Join(b.partial, tilesFolder, goneFolder), 0o755),
			os.Mkdir(filepath.Join(b.partial, sourcesFolder), 0o755))
	}
	if err != nil {
		return b.failed(err, "making the folder of the backup")
	}
	return nil
}

// lostAndFound is what a file system puts into a folder itself.
const lostAndFound = "lost+found"

// isEmptyFolder tells whether nothing is in a folder but what a file system
// puts there itself.
func isEmptyFolder(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.Name() != lostAndFound {
			return false, nil
		}
	}
	return true, nil
}

// How many revisions and sources are held open at once, and how often a moment
// is looked for in which none of them is being deleted.
const (
	pinAtOnce  = 64
	manyRounds = 10
	manyTries  = 50
	tryPause   = 20 * time.Millisecond
)

// run fills the partial folder. Most files are copied first, so that the catalog
// of the copy is that of the end of a long backup. What is not there yet when the
// catalog is read is held open at once, which takes milliseconds, so that it can
// be copied whatever becomes of it.
func (b *backup) run(ctx context.Context) error {
	for range manyRounds {
		left, err := b.copyMost(ctx)
		if err != nil {
			return err
		}
		if left <= b.pinAtOnce {
			break
		}
	}
	s, pins, err := b.moment(ctx)
	if err != nil {
		return err
	}
	defer func() { pins.close() }()
	err = b.copyCatalog(ctx, s)
	if err = errors.Join(err, s.close()); err != nil {
		return err
	}
	for _, p := range pins {
		if err := b.copyPin(ctx, p); err != nil {
			return err
		}
	}
	b.report.Created = s.at
	return b.finish(ctx, s)
}

// copyMost copies what the catalog refers to now and is not copied yet, and
// tells how much that was: what is left to be done is that again, at most. What
// is deleted meanwhile is left out.
func (b *backup) copyMost(ctx context.Context) (found int, err error) {
	s, err := readMoment(ctx, b.dir)
	if err != nil {
		return 0, err
	}
	if err := s.close(); err != nil {
		return 0, err
	}
	b.expect(s)
	missing := 0
	for _, k := range s.published {
		if !b.copied[k] {
			missing++
		}
	}
	for _, id := range s.sources {
		if _, ok := b.sources[id]; !ok {
			missing++
		}
	}
	if missing <= b.pinAtOnce {
		return missing, nil
	}
	for _, k := range s.published {
		if b.copied[k] {
			continue
		}
		if err := b.copyNow(ctx, func() (pins, error) { return b.pinRevision(ctx, k, false) }); err != nil {
			return 0, err
		}
	}
	for _, id := range s.sources {
		if _, ok := b.sources[id]; ok {
			continue
		}
		if err := b.copyNow(ctx, func() (pins, error) { return b.pinSource(id) }); err != nil {
			return 0, err
		}
	}
	return missing, nil
}

// copyNow holds something and copies it. What is gone is left out.
func (b *backup) copyNow(ctx context.Context, hold func() (pins, error)) (err error) {
	p, err := hold()
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { p.close() }()
	for _, one := range p {
		if err := b.copyPin(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

// moment gives the catalog of a moment, which is held, with everything that it
// refers to and is not copied yet. The caller closes both.
func (b *backup) moment(ctx context.Context) (*moment, pins, error) {
	var last error
	for range manyTries {
		s, err := readMoment(ctx, b.dir)
		if err != nil {
			return nil, nil, err
		}
		held, err := b.pinAll(ctx, s)
		if err == nil {
			b.expect(s)
			return s, held, nil
		}
		held.close()
		last = err
		if err := errors.Join(s.close(), ctx.Err()); err != nil {
			return nil, nil, err
		}
		if !errors.Is(last, errGone) {
			return nil, nil, last
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(tryPause):
		}
	}
	return nil, nil, rasterbase.Errorf(rasterbase.Busy, "the catalog refers to what is not there, at each of %d tries: %w", manyTries, last).
		WithHint("try again when fewer layers are deleted; if none are, the store has lost a file: parse or delete the layer that it belongs to")
}

// expect updates what there is to do.
func (b *backup) expect(s *moment) {
	b.planned = b.done + s.catalogBytes
	for _, k := range append(append([]store.RevisionKey{}, s.published...), s.building...) {
		if !b.copied[k] {
			b.planned += sizeOf(filepath.Join(b.dir, tilesFolder, tileFileName(k)))
		}
	}
	for _, id := range append(append([]string{}, s.sources...), s.uploads...) {
		if _, ok := b.sources[id]; ok {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(b.dir, sourcesFolder, id))
		if err != nil {
			continue // whoever copies it will see
		}
		for _, e := range entries {
			b.planned += sizeOf(filepath.Join(b.dir, sourcesFolder, id, e.Name()))
		}
	}
}

// sizeOf is the size of a file; 0 when there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// at tells what is being done now.
func (b *backup) at(s BackupStage) {
	b.stage = s
	b.advance(0)
}

// advance counts bytes.
func (b *backup) advance(n int64) {
	b.done += n
	b.planned = max(b.planned, b.done)
	if b.tell != nil {
		b.tell(BackupProgress{Stage: b.stage, Started: b.began, Done: b.done, Planned: b.planned})
	}
}

// failed adds the way out to an error of a file.
func (b *backup) failed(err error, doing string) error {
	if isDiskFull(err) {
		return rasterbase.Errorf(rasterbase.TooLarge, "%s: %w", doing, err).WithHint("free some space on the disk of %s", b.dest)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
