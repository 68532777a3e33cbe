package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// tilesOfLayer reads what is published of a layer, as the store has it.
func tilesOfLayer(t *testing.T, dir, slug string) map[string]*raster.Raster {
	t.Helper()
	ctx := t.Context()
	db, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	l, err := findLayer(ctx, db, slug)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*raster.Raster{}
	for z := range 25 {
		for kind := range rasterbase.Kind(2) {
			p := store.ListParams{RevisionKey: store.RevisionKey{Layer: l.ID, Revision: l.Published}, Kind: kind, Z: z}
			for tile, err := range db.Tiles().List(ctx, p) {
				if err != nil {
					t.Fatal(err)
				}
				tile.Layer, tile.Revision = 0, 0
				all[fmt.Sprintf("%+v", tile.TileKey)] = tile.Raster
			}
		}
	}
	return all
}

// A backup of a server that parses has the layers that are finished, and a
// parse that goes on where the restored store is served, to the same tiles.
func TestBackupOfAServerThatParses(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	dir := t.TempDir()
	elevation, err := filepath.Abs("../../demo/storm_lake_elevation.tif")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := output(dir, "import", elevation); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := start(t, dir, "serve", "--addr", "127.0.0.1:0")
	p.until(t, "rasterbase is at ")
	importing := exec.Command("rasterbase", "import", bigRaster(t, dir))
	importing.Dir = dir
	stderr, err := importing.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := importing.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "creating tiles (") {
	}
	if out, err := output(dir, "backup", "during"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := output(dir, "layers", "delete", "storm-lake-elevation", "--yes"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for lines.Scan() {
	}
	if err := importing.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := p.stop(); err != nil {
		t.Fatalf("%v: %s", err, p.stderr)
	}
	if out, err := output(dir, "restore", "during", "--data", "new"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	q := start(t, dir, "serve", "--addr", "127.0.0.1:0", "--data", "new")
	base := strings.TrimSuffix(q.until(t, "rasterbase is at "), "/")
	getPage(t, base+"/tiles/storm-lake-elevation/12/759/1456.png").Body.Close()
	waitForLayer(t, filepath.Join(dir, "new"), "big")
	if err := q.stop(); err != nil {
		t.Fatalf("%v: %s", err, q.stderr)
	}
	want, got := tilesOfLayer(t, filepath.Join(dir, "rasterbase-data"), "big"), tilesOfLayer(t, filepath.Join(dir, "new"), "big")
	for k := range want {
		if !raster.Equal(got[k], want[k]) {
			t.Errorf("tile %s is another", k)
		}
	}
	if len(got) != len(want) || len(want) < 100 {
		t.Errorf("there are %d tiles, and %d in the restored store", len(want), len(got))
	}
	out, err := output(dir, "--data", "new", "layers", "log", "big")
	if err != nil || !strings.Contains(out, "attempt 1 goes on") {
		t.Errorf("the parse has not gone on: %v\n%s", err, out)
	}
}

// waitForLayer waits until the latest parse of a layer has finished.
func waitForLayer(t *testing.T, dir, slug string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	db, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	l, err := findLayer(ctx, db, slug)
	for err == nil {
		var parse *rasterbase.Parse
		err = db.Catalog().View(ctx, func(tx store.Tx) (err error) { parse, err = tx.Parses().Latest(ctx, l.ID); return err })
		if err == nil && parse.Status == rasterbase.Finished {
			return
		}
		if err == nil && parse.Status.Ended() {
			t.Fatalf("the parse ended as %s: %s", parse.Status, parse.Error)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(err)
}

// A backup that is killed leaves no folder that could be taken for one.
func TestKilledBackup(t *testing.T) {
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "rasterbase-data"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	id, err := db.Sources().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const size = 400 << 20
	if _, err := db.Sources().Put(t.Context(), id, "x.tif", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	// A file of nothing but holes takes no room, and time to be copied.
	if err := os.Truncate(filepath.Join(dir, "rasterbase-data", "sources", id, "x.tif"), size); err != nil {
		t.Fatal(err)
	}
	err = db.Catalog().Update(t.Context(), func(tx store.Tx) error {
		return tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: "x", Source: rasterbase.Source{ID: id, Name: "x.tif", Size: size}})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, signal := range []os.Signal{os.Kill, os.Interrupt} {
		cmd := exec.Command("rasterbase", "backup", "out")
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		copying := filepath.Join(dir, "out.partial", "sources", id, "x.tif")
		for begun := false; !begun; time.Sleep(time.Millisecond) {
			info, err := os.Stat(copying)
			begun = err == nil && info.Size() > 0
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatalf("the backup ended before %v", signal)
		}
		if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
			t.Errorf("%v left a backup", signal)
		}
		_, err := os.Stat(filepath.Join(dir, "out.partial"))
		if left := err == nil; left != (signal == os.Kill) {
			t.Errorf("after %v the partial folder is there: %v", signal, left)
		}
		if err := os.RemoveAll(filepath.Join(dir, "out.partial")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProgressOfABackup(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var out strings.Builder
	p := copyProgress{progress{w: &out, name: "backup", now: func() time.Time { return now }, told: now}}
	for i := range 25 {
		p.show(sqlite.BackupProgress{Stage: sqlite.CopyingFiles, Done: int64(i) << 20, Planned: 25 << 20})
		now = now.Add(time.Second)
	}
	if want := "backup: copying files (10.0 MiB of 25.0 MiB)\nbackup: copying files (20.0 MiB of 25.0 MiB)\n"; out.String() != want {
		t.Errorf("%s", out.String())
	}
}
