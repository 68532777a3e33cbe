package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// A worker shares nothing with whoever adds a layer but the database.
func TestAWorkerParsesWhatOthersAdd(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	url := pgtest.Database(t)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := postgis.Migrate(t.Context(), pool, postgis.Options{}); err != nil {
		t.Fatal(err)
	}
	db, err := postgis.New(t.Context(), pool, postgis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()

	t.Setenv("RASTER_DATABASE_URL", url)
	worker := start(t, t.TempDir(), "worker")
	worker.until(t, "rasterbase works on the jobs of ")

	dir, raster := t.TempDir(), demo.Rasters()[0]
	if err := unpack(raster, dir); err != nil {
		t.Fatal(err)
	}
	parser := ingest.New(ingest.Config{Store: db, Opener: gdal.Opener{}})
	defer parser.Close()
	ticket, err := parser.Add(t.Context(), ingest.Request{Source: filepath.Join(dir, raster.File)})
	if err != nil {
		t.Fatal(err)
	}
	var parse *rasterbase.Parse
	for end := time.Now().Add(time.Minute); parse == nil || !parse.Status.Ended(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the parse is %+v after a minute", parse)
		}
		if err := db.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
			parse, err = tx.Parses().Get(t.Context(), ticket.Parse)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if parse.Status != rasterbase.Finished {
		t.Errorf("the parse ended as %s: %s", parse.Status, parse.Error)
	}
	if err := worker.stop(); err != nil {
		t.Errorf("the worker ended with %v:\n%s", err, worker.stderr)
	}
}
