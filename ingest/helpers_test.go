package ingest_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// TestMain lets this program be the child that opens a file, or a worker that
// is killed.
func TestMain(m *testing.M) {
	gdalchild.Main()
	if place := os.Getenv(workerPlace); place != "" {
		os.Exit(workUntilKilled(place))
	}
	os.Exit(pgtest.M{M: m}.Run())
}

// open makes an empty store.
func open(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func parser(t testing.TB, st store.Store, o ingest.Opener) *ingest.Parser {
	t.Helper()
	return ingest.New(ingest.Config{Store: st, Opener: o, WorkDir: t.TempDir()})
}

// imported imports a file, opened in this process, and opens its coverage.
func imported(t testing.TB, st store.Store, r ingest.Request) *coverage.Layer {
	t.Helper()
	l, err := parser(t, st, gdal.Opener{}).Import(context.Background(), r, nil)
	if err != nil {
		t.Fatalf("import %s: %v", r.Source, err)
	}
	c, err := coverage.OpenLayer(context.Background(), st, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// window reads a window of a coverage.
func window(t testing.TB, c coverage.Coverage, r coverage.WindowRequest) *raster.Raster {
	t.Helper()
	w, err := c.Window(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// testdata is the folder with real rasters of every kind; without it a test is
// skipped.
func testdata(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("RASTERBASE_TESTDATA")
	if dir == "" {
		t.Skip("RASTERBASE_TESTDATA names no folder with real rasters")
	}
	return dir
}

// read reads all of a file through GDAL.
func read(t testing.TB, path string) (ingest.Info, *ingest.Block) {
	t.Helper()
	d, err := gdal.Opener{}.Open(context.Background(), path, ingest.OpenOptions{})
	if err != nil {
		t.Fatalf("open %s: %v", filepath.Base(path), err)
	}
	defer d.Close()
	g := d.Info().Grid
	b, err := d.Read(context.Background(), ingest.Window{Width: g.Width, Height: g.Height}, nil)
	if err != nil {
		t.Fatalf("read %s: %v", filepath.Base(path), err)
	}
	return d.Info(), b
}

func intPtr(v int) *int { return &v }

// nothingStored makes sure that no tile is in the store.
func nothingStored(t testing.TB, st store.Store) {
	t.Helper()
	keys, err := st.Tiles().Revisions(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) > 0 {
		t.Errorf("tiles of %v are left", keys)
	}
}
