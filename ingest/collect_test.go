package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/internal/tempdir"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// kept keeps a file of some bytes as a source.
func kept(t *testing.T, st store.Store, name string, size int) string {
	t.Helper()
	id, err := st.Sources().Create(t.Context())
	if err == nil {
		_, err = st.Sources().Put(t.Context(), id, name, bytes.NewReader(make([]byte, size)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func sourceIDs(t *testing.T, st store.Store) map[string]bool {
	t.Helper()
	list, err := st.Sources().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, s := range list {
		ids[s.ID] = true
	}
	return ids
}

// What nothing refers to is deleted, and nothing else.
func TestCollect(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		ctx, st, work := t.Context(), at(t, place), t.TempDir()
		var log bytes.Buffer
		o := opener(wavy(rasterbase.Uint8, 1, 300, 200, nil, 5))
		parserWith := func(grace time.Duration) *ingest.Parser {
			return ingest.New(ingest.Config{Store: st, Opener: o, WorkDir: work, SourceGrace: grace, Log: slog.New(slog.NewTextHandler(&log, nil))})
		}
		layer, err := parserWith(0).Import(ctx, ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		orphan := kept(t, st, "a.tif", 1000)
		sending, late := kept(t, st, "b.tif", 200), kept(t, st, "c.tif", 30)
		made, over := kept(t, st, "d.tif", 4000), kept(t, st, "e.tif", 50000)
		ended := &rasterbase.Parse{Layer: layer.ID, Status: rasterbase.Failed}
		update(t, st, func(tx store.Tx) error {
			now := time.Now()
			return errors.Join(
				tx.Exports().Create(ctx, &rasterbase.Export{Owner: "forever"}),
				tx.Exports().Create(ctx, &rasterbase.Export{Owner: "made", Source: made, Expires: now.Add(time.Hour)}),
				tx.Exports().Create(ctx, &rasterbase.Export{Owner: "over", Source: over, Expires: now.Add(-time.Second)}),
				tx.Exports().Create(ctx, &rasterbase.Export{Owner: "failed", Expires: now.Add(-time.Second)}),
				tx.Uploads().Create(ctx, &rasterbase.Upload{ID: "sending", Source: sending, Name: "b.tif", Size: 400, Expires: now.Add(time.Hour)}),
				tx.Uploads().Create(ctx, &rasterbase.Upload{ID: "late", Source: late, Name: "c.tif", Size: 30, Expires: now.Add(-time.Second)}))
		})
		update(t, st, func(tx store.Tx) error {
			if err := tx.Parses().Create(ctx, ended); err != nil {
				return err
			}
			_, err := tx.Parses().Chunks().Put(ctx, ended.ID, store.Chunk{Stage: 1, Number: 2})
			return err
		})
		live, err := tempdir.Make(work, "rasterbase-gdal-")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = live.Remove() }()
		dead := filepath.Join(work, "rasterbase-tiled-1")
		if err := os.Mkdir(dead, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dead, "tiled.tif"), make([]byte, 5), 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-2 * time.Hour)
		for _, path := range []string{filepath.Join(dead, "tiled.tif"), dead, live.Path} {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}

		got, err := parserWith(0).Collect(ctx)
		if want := (ingest.Collected{Uploads: 1, Exports: 2, Sources: 2, Parses: 1, Folders: 1, Bytes: 50035}); err != nil || got != want {
			t.Errorf("deleted was %+v, want %+v, %v", got, want, err)
		}
		for _, attribute := range []string{"level=INFO", "uploads=1", "exports=2", "sources=2", "parses=1", "folders=1", "bytes=50035"} {
			if !strings.Contains(log.String(), attribute) {
				t.Errorf("the log has no %s: %s", attribute, &log)
			}
		}
		// A source that was made a moment ago may be about to get its layer.
		if ids := sourceIDs(t, st); !ids[orphan] || ids[late] {
			t.Errorf("the sources are %v", ids)
		}
		got, err = parserWith(time.Nanosecond).Collect(ctx)
		if want := (ingest.Collected{Sources: 1, Bytes: 1000}); err != nil || got != want {
			t.Errorf("deleted was %+v, want %+v, %v", got, want, err)
		}
		if ids := sourceIDs(t, st); len(ids) != 3 || !ids[layer.Source.ID] || !ids[sending] || !ids[made] {
			t.Errorf("the sources are %v", ids)
		}
		update(t, st, func(tx store.Tx) error { // reads only
			if noted, err := tx.Parses().Chunks().Parses(ctx); err != nil || len(noted) > 0 {
				t.Errorf("parses %v still have chunks, %v", noted, err)
			}
			if left, err := tx.Exports().List(ctx, ""); err != nil || len(left) != 2 || left[0].Owner != "made" || left[1].Owner != "forever" {
				t.Errorf("the exports are %v, %v", left, err)
			}
			_, err := tx.Uploads().Get(ctx, "sending")
			return err
		})
		if _, err := os.Stat(live.Path); err != nil {
			t.Error(err)
		}
	})
}

// An upload whose time ends while a layer is made of it belongs to one of the
// two: a layer never refers to a file that was deleted.
func TestUploadsAreAdoptedOrCollected(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		ctx, st := t.Context(), at(t, place)
		p := ingest.New(ingest.Config{Store: st, Opener: opener(wavy(rasterbase.Uint8, 1, 300, 200, nil, 5)), SourceGrace: time.Nanosecond})
		for i := range 12 {
			source := kept(t, st, "raster.syn", 10)
			u := &rasterbase.Upload{ID: fmt.Sprint("upload", i), Source: source, Name: "raster.syn", Size: 10, Expires: time.Now().Add(time.Duration(i) * time.Millisecond)}
			update(t, st, func(tx store.Tx) error { return tx.Uploads().Create(ctx, u) })
			var wg sync.WaitGroup
			l := rasterbase.Layer{Name: "made of an upload"}
			var adopting error
			wg.Go(func() { _, adopting = p.Create(ctx, &l, rasterbase.SourceFrom{Upload: u.ID}) })
			wg.Go(func() {
				for !time.Now().After(u.Expires) {
					time.Sleep(100 * time.Microsecond)
				}
				if _, err := p.Collect(ctx); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			if _, err := p.Collect(ctx); err != nil {
				t.Error(err)
			}
			there := sourceIDs(t, st)[source]
			if adopted := adopting == nil; adopted != there {
				t.Errorf("made a layer: %v (%v), its file is there: %v", adopted, adopting, there)
			}
			if adopting == nil {
				if err := p.Delete(ctx, l.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// Servers on one store queue one collection an hour together.
func TestCollectionIsQueuedOnce(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		ctx := t.Context()
		var wg sync.WaitGroup
		var servers []*ingest.Parser
		var stores []store.Store
		for range 3 {
			st := at(t, place)
			stores, servers = append(stores, st), append(servers, ingest.New(ingest.Config{Store: st}))
		}
		for range 2 {
			for _, p := range servers {
				wg.Go(func() {
					if err := p.QueueCollection(ctx); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			runner := jobs.NewRunner(stores[0], nil)
			servers[0].Register(runner)
			if err := runner.RunDue(ctx, "collect"); err != nil {
				t.Fatal(err)
			}
			update(t, stores[1], func(tx store.Tx) error { // reads only
				list, err := tx.Jobs().ListGroup(ctx, "collect", nil, 0)
				if len(list) != 1 || list[0].State != store.JobDone {
					t.Errorf("there are %d jobs of it: %+v", len(list), list)
				}
				return err
			})
		}
	})
}

// diskUsed is how many bytes a store takes: all files of a folder, all tables of
// a database with their indexes.
func diskUsed(t *testing.T, place string) (size int64) {
	t.Helper()
	if strings.HasPrefix(place, "postgres://") {
		c, err := pgx.Connect(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(context.Background()) }()
		// PostgreSQL's own catalogs have some hundred dead rows for each table that
		// is made and dropped until autovacuum comes: as many for a large raster as
		// for this small one.
		if err := c.QueryRow(t.Context(), `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')`).Scan(&size); err != nil {
			t.Fatal(err)
		}
		return size
	}
	err := filepath.WalkDir(place, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return size
}

// Ten re-parses in a row, faster than the time that readers of a replaced
// revision have, leave at most 2.2 revisions on the disk.
func TestTenReparsesLeaveLittleDisk(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		ctx, st := t.Context(), at(t, place)
		noise := wavy(rasterbase.Float32, 1, 1900, 1900, nil, 100)
		noise.Value = func(_, col, row int) float64 { return float64(noiseAt(col, row)) }
		p := ingest.New(ingest.Config{Store: st, Opener: &rastertest.Opener{Sources: map[string]rastertest.Source{"noise.syn": noise}}})
		empty := diskUsed(t, place)
		layer, err := p.Import(ctx, ingest.Request{Source: fileNamed(t, "noise.syn")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		one := diskUsed(t, place) - empty
		for range 10 {
			ticket, err := p.Reparse(ctx, layer.ID)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Run(ctx, ticket, nil); err != nil {
				t.Fatal(err)
			}
			stored, err := st.Tiles().Revisions(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if len(stored) > 2 {
				t.Errorf("stored are %v", stored)
			}
		}
		after := diskUsed(t, place) - empty
		t.Logf("one revision takes %d bytes, after ten re-parses there are %d: %.2f revisions", one, after, float64(after)/float64(one))
		if float64(after) > 2.2*float64(one) {
			t.Errorf("%d bytes are used, more than 2.2 times %d", after, one)
		}
	})
}
