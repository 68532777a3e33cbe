package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// smallBackup is a backup of a store that has one layer.
func smallBackup(t *testing.T) string {
	t.Helper()
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	addLayer(t, openTest(t, dir, Options{}), "restored")
	if _, err := Backup(t.Context(), dir, to, BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	return to
}

func addLayer(t *testing.T, db *DB, name string) {
	t.Helper()
	err := db.Catalog().Update(t.Context(), func(tx store.Tx) error {
		return tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: name})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// layerNames is what a store holds.
func layerNames(t *testing.T, db *DB) (names string) {
	t.Helper()
	err := db.Catalog().View(t.Context(), func(tx store.Tx) error {
		all, _, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
		for _, l := range all {
			names += l.Name + ";"
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// once is a progress that calls fn at the first step of a stage.
func once(stage BackupStage, fn func()) BackupOptions {
	called := false
	return BackupOptions{Progress: func(p BackupProgress) {
		if p.Stage == stage && !called {
			called = true
			fn()
		}
	}}
}

// From its begin on, also while the backup is still being checked, a restore
// keeps servers out of the folder.
func TestNothingIsOpenedWhileRestoring(t *testing.T) {
	from := smallBackup(t)
	for _, stage := range []BackupStage{CheckingBackup, CopyingCatalog} {
		to := filepath.Join(t.TempDir(), "store")
		_, err := Restore(t.Context(), from, to, once(stage, func() {
			db, err := Open(t.Context(), to, Options{})
			if rasterbase.CodeOf(err) != rasterbase.Conflict {
				t.Errorf("while %s it was opened: %v", stage, err)
			}
			if err == nil {
				_ = db.Close()
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if got := layerNames(t, openTest(t, to, Options{})); got != "restored;" {
			t.Errorf("restored was %q", got)
		}
	}
}

// What comes into the folder while the backup is being checked is not touched,
// whoever has put it there.
func TestRestoreLeavesWhatCameMeanwhile(t *testing.T) {
	from, to := smallBackup(t), filepath.Join(t.TempDir(), "store")
	mine := filepath.Join(to, catalogName)
	_, err := Restore(t.Context(), from, to, once(CheckingBackup, func() {
		if err := errors.Join(os.MkdirAll(to, 0o700), os.WriteFile(mine, []byte("mine"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}))
	if rasterbase.CodeOf(err) != rasterbase.Conflict {
		t.Errorf("the error is %v", err)
	}
	if text, err := os.ReadFile(mine); string(text) != "mine" {
		t.Errorf("there are %d other bytes now, %v", len(text), err)
	}
	if exists(filepath.Join(to, restoringName)) {
		t.Error("the folder is still marked")
	}
}

// A store looks for the mark after it has made its folders: a restore that has
// marked the folder between finds it out, or is found out.
func TestOpenLooksAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, restoringName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeFolders(dir); rasterbase.CodeOf(err) != rasterbase.Conflict {
		t.Errorf("the error is %v", err)
	}
}

// Servers and restores that begin at one time: whoever gets the folder keeps it.
func TestOpenAndRestoreTogether(t *testing.T) {
	from := smallBackup(t)
	for round := range 30 {
		to := filepath.Join(t.TempDir(), "store")
		var all sync.WaitGroup
		var db *DB
		restored, failed := 0, make([]error, 2)
		all.Go(func() {
			var err error
			if db, err = Open(t.Context(), to, Options{}); err != nil && rasterbase.CodeOf(err) != rasterbase.Conflict {
				t.Errorf("round %d, opening: %v", round, err)
			}
			if err == nil {
				addLayer(t, db, "served")
			}
		})
		for i := range failed {
			all.Go(func() { _, failed[i] = Restore(t.Context(), from, to, BackupOptions{}) })
		}
		all.Wait()
		for _, err := range failed {
			switch {
			case err == nil:
				restored++
			case rasterbase.CodeOf(err) != rasterbase.Conflict:
				t.Errorf("round %d, restoring: %v", round, err)
			}
		}
		want := strings.Repeat("restored;", restored)
		if db != nil {
			want += "served;"
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
		if restored > 1 {
			t.Fatalf("round %d: restored %d times into one folder", round, restored)
		}
		if want == "" {
			continue // both have seen the other
		}
		if got := layerNames(t, openTest(t, to, Options{})); got != want {
			t.Errorf("round %d: there is %q, not %q", round, got, want)
		}
	}
}

// A second restore into the folder is refused, as long as the first runs and
// after it.
func TestTwoRestores(t *testing.T) {
	from, to := smallBackup(t), filepath.Join(t.TempDir(), "store")
	for _, stage := range []BackupStage{CheckingBackup, CopyingCatalog} {
		to := filepath.Join(to, string(stage))
		_, err := Restore(t.Context(), from, to, once(stage, func() {
			_, err := Restore(t.Context(), from, to, BackupOptions{})
			if rasterbase.CodeOf(err) != rasterbase.Conflict || !strings.Contains(fmt.Sprint(err), "right now") {
				t.Errorf("a second one while %s: %v", stage, err)
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), from, to, BackupOptions{}); rasterbase.CodeOf(err) != rasterbase.Conflict {
			t.Errorf("a second one afterwards: %v", err)
		}
		if got := layerNames(t, openTest(t, to, Options{})); got != "restored;" {
			t.Errorf("restored was %q", got)
		}
	}
}

// A restore that was killed before it wrote anything has nothing in the folder
// to be cleared: what is there is somebody else's.
func TestRestoreKilledBeforeItWrote(t *testing.T) {
	from, to := smallBackup(t), t.TempDir()
	addLayer(t, openTest(t, to, Options{}), "served")
	if err := os.WriteFile(filepath.Join(to, restoringName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), from, to, BackupOptions{}); rasterbase.CodeOf(err) != rasterbase.Conflict {
		t.Errorf("the error is %v", err)
	}
	if got := layerNames(t, openTest(t, to, Options{})); got != "served;" {
		t.Errorf("there is %q", got)
	}
}

// A new data folder is its owner's only, one that was there stays as it is.
func TestFoldersArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders have no such mode there")
	}
	from, parent := smallBackup(t), t.TempDir()
	for _, c := range []struct {
		name string
		make bool
		want os.FileMode
	}{{"new", false, 0o700}, {"there", true, 0o750}} {
		opened, restored := filepath.Join(parent, "o", c.name), filepath.Join(parent, "r", c.name)
		for _, dir := range []string{opened, restored} {
			if c.make {
				if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o750)); err != nil { //nolint:gosec // what is tested
					t.Fatal(err)
				}
			}
		}
		openTest(t, opened, Options{})
		if _, err := Restore(t.Context(), from, restored, BackupOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{opened, restored} {
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != c.want {
				t.Errorf("%s has mode %v, %v", dir, info.Mode(), err)
			}
		}
	}
}

// A backup whose name was taken meanwhile leaves nothing.
func TestBackupCannotBeNamed(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	openTest(t, dir, Options{})
	_, err := Backup(t.Context(), dir, to, once(CheckingBackup, func() {
		if err := os.MkdirAll(filepath.Join(to, "mine"), 0o700); err != nil {
			t.Fatal(err)
		}
	}))
	if err == nil || exists(to+partialSuffix) || !exists(filepath.Join(to, "mine")) {
		t.Errorf("the error is %v; or something is left, or too little", err)
	}
}

// A revision whose mark found room only when its tiles were gone stays gone.
func TestDropOnAFullDisk(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	key := newRevision(t, db)
	tries := 0
	db.tiles.create = func(name string) (*os.File, error) {
		tries++
		if exists(db.tiles.path(key)) { // its tiles are what fills the disk
			return nil, &os.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
		}
		return os.Create(name)
	}
	if err := db.Tiles().Drop(t.Context(), key); err != nil || tries != 2 {
		t.Errorf("after %d tries: %v", tries, err)
	}
	err := db.Tiles().Create(t.Context(), &rasterbase.Revision{ID: key.Revision, Layer: key.Layer})
	if !errors.Is(err, store.ErrRevisionGone) || exists(db.tiles.path(key)) {
		t.Errorf("it was made again: %v", err)
	}
}
