package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// A real segmentation fault in the process that reads a file is a failed attempt
// of that parse, which is tried again and then fails for good, with a reason. One
// that does not come back at each attempt does not keep a parse from its end.
// Another parse beside it and the server's answers go on as if nothing had
// happened, and nothing is left.
func TestASegmentationFaultHurtsNobodyElse(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	translate := tool(t, "gdal_translate")
	binary := filepath.Join(t.TempDir(), "rasterbase-crashtest")
	if out, err := exec.Command("go", "build", "-tags", "crashtest", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files := t.TempDir()
	healthy := filepath.Join(files, "healthy.tif")
	writeTiled(t, healthy, 3000)
	for name, at := range map[string]string{"bad": "row 2500", "moody": "read 60"} {
		cmd := exec.Command(translate, "-q", "-co", "TILED=YES", "-co", "COMPRESS=DEFLATE", "-mo", "RASTERBASE_CRASH="+at, healthy, filepath.Join(files, name+".tif"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	dir, temp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("RASTER_TILESIZE", "64")
	demo, err := filepath.Abs("../../demo/storm_lake_elevation.tif")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := output(dir, "import", demo); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// A core could be written if the program did not forbid it.
	p := startBinary(t, "sh", dir, "-c", `ulimit -c unlimited; exec "$0" serve --addr 127.0.0.1:0 --workers 2`, binary)
	base := strings.TrimSuffix(p.until(t, "rasterbase is at "), "/")
	stop := keepAsking(t, base+"/tiles/storm_lake_elevation.tif/12/759/1456.png")

	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "rasterbase-data"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tickets := map[string]rasterbase.Ticket{}
	parser := ingest.New(ingest.Config{Store: st, Opener: gdal.Opener{}, TileSize: 64})
	defer parser.Close()
	for _, name := range []string{"healthy", "bad", "moody"} {
		if tickets[name], err = parser.Add(t.Context(), ingest.Request{Source: filepath.Join(files, name+".tif")}); err != nil {
			t.Fatal(err)
		}
	}
	bad, lines := parseEnd(t, st, tickets["bad"])
	const reason = "bad.tif: the GDAL process crashed (segmentation fault, SIGSEGV) while reading "
	if bad.Status != rasterbase.Failed || !strings.Contains(bad.Error, reason) || strings.Contains(bad.Error, "goroutine") || strings.Contains(bad.Error, files) {
		t.Errorf("the parse is %s: %s", bad.Status, bad.Error)
	}
	if n := strings.Count(lines, "attempt failed, will be tried again: "); n < 2 || strings.Count(lines, reason) < 3 || !strings.Contains(lines, "\nfailed: ") {
		t.Errorf("%d attempts failed before the last one:\n%s", n, lines)
	}
	for _, name := range []string{"healthy", "moody"} {
		parse, lines := parseEnd(t, st, tickets[name])
		if parse.Status != rasterbase.Finished || strings.Contains(lines, "crashed") != (name == "moody") {
			t.Errorf("%s is %s: %s\n%s", name, parse.Status, parse.Error, lines)
		}
	}
	samePixels(t, st, tickets["healthy"].Layer, tickets["moody"].Layer)
	if asked := stop(); asked < 10 {
		t.Errorf("the server was asked only %d times", asked)
	}
	if err := p.stop(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, p.stderr)
	}
	for _, folder := range []string{dir, temp, "."} {
		nothingOfACrash(t, folder, folder == temp)
	}
}

// tool finds a program of GDAL's.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
		t.Fatalf("%s is missing, and RASTERBASE_TEST_REQUIRE asks for gdal", name)
	}
	t.Skip(err)
	return ""
}

// writeTiled writes a GeoTIFF of so many pixels a side, of several pages of
// tiles, in UTM.
func writeTiled(t *testing.T, path string, side int) {
	t.Helper()
	r := raster.New(rasterbase.Grid{Width: side, Height: side, OriginX: 500000, OriginY: 5000000, ScaleX: 30, ScaleY: -30}, 32633, rasterbase.Int16)
	pixels := r.Bands[0].Pixels.(raster.Slice[int16])
	for i := range pixels {
		pixels[i] = int16(1000 * math.Sin(float64(i%side)/90) * math.Cos(float64(i/side)/70))
	}
	if err := gdal.Write(context.Background(), path, r, gdal.WriteOptions{Options: []string{"TILED=YES"}}); err != nil {
		t.Fatal(err)
	}
}

// keepAsking asks for a tile all the time; each answer has to be one. Stop tells
// how many there were.
func keepAsking(t *testing.T, url string) (stop func() int) {
	t.Helper()
	over, asked := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { asked <- n }()
		for {
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
			}
			resp, err := http.Get(url)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("a tile: %s", resp.Status)
			}
			n++
		}
	}()
	return func() int {
		close(over)
		return <-asked
	}
}

// parseEnd waits until a parse has ended, and gives it with its log.
func parseEnd(t *testing.T, st store.Store, ticket rasterbase.Ticket) (parse *rasterbase.Parse, log string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := st.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
			if parse, err = tx.Parses().Get(t.Context(), ticket.Parse); err != nil || !parse.Status.Ended() {
				return err
			}
			lines, err := tx.Parses().Lines(t.Context(), ticket.Parse, 0)
			for _, l := range lines {
				log += l.Text + "\n"
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if parse.Status.Ended() {
			return parse, log
		}
		if time.Now().After(end) {
			t.Fatalf("the parse is %+v", parse)
		}
	}
}

// samePixels compares the base tiles of two layers.
func samePixels(t *testing.T, st store.Store, a, b rasterbase.LayerID) {
	t.Helper()
	tiles := func(id rasterbase.LayerID) (all []store.Tile) {
		var layer *rasterbase.Layer
		err := st.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
			layer, err = tx.Layers().Get(t.Context(), id)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		key := store.RevisionKey{Layer: id, Revision: layer.Published}
		for tile, err := range st.Tiles().List(t.Context(), store.ListParams{RevisionKey: key, Kind: rasterbase.Base}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, tile)
		}
		return all
	}
	x, y := tiles(a), tiles(b)
	if len(x) == 0 || len(x) != len(y) {
		t.Fatalf("%d tiles and %d", len(x), len(y))
	}
	for i := range x {
		if x[i].X != y[i].X || x[i].Y != y[i].Y || !raster.Equal(x[i].Raster, y[i].Raster) {
			t.Fatalf("tile %d/%d differs", x[i].X, x[i].Y)
		}
	}
}

// nothingOfACrash looks for core dumps in a folder, and for anything at all in
// one that has to be empty.
func nothingOfACrash(t *testing.T, folder string, empty bool) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case path == folder:
			return nil
		case empty:
			return fmt.Errorf("%s is left", path)
		case d.Type().IsRegular() && (d.Name() == "core" || strings.HasPrefix(d.Name(), "core.")):
			return fmt.Errorf("there is a core dump: %s", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
