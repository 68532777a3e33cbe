package ingest_test

import (
	"context"
	"iter"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// swift makes an empty store whose queue does not wait long.
func swift(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{
		Heartbeat: 20 * time.Millisecond, Poll: 20 * time.Millisecond, Backoff: time.Millisecond,
	})
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

// fileNamed makes a file for an opener that looks at its name only.
func fileNamed(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("not looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wavy is a source with holes: waves, rounded for whole numbers, in UTM.
func wavy(p rasterbase.PixelType, bands, width, height int, nodata *rasterbase.Float, classes int) rastertest.Source {
	s := rastertest.Source{
		SRID: 32632,
		Grid: rasterbase.Grid{OriginX: 400_000, OriginY: 5_600_000, ScaleX: 100, ScaleY: -100, Width: width, Height: height},
	}
	for range bands {
		s.Bands = append(s.Bands, ingest.BandInfo{PixelType: p, Nodata: nodata, Scale: 1})
	}
	hole := func(col, row int) bool {
		return (col/9*7+row/5*3)%6 == 0 || col > width*3/4 && row < height/3
	}
	s.Value = func(band, col, row int) float64 {
		if nodata != nil && hole(col, row) {
			return float64(*nodata)
		}
		v := float64(classes) * (0.5 + 0.499*math.Sin(float64(col)*0.21+float64(band))*math.Cos(float64(row)*0.17))
		if !p.IsFloat() || classes < 20 {
			v = math.Floor(v)
		}
		return v
	}
	if nodata == nil {
		s.Mask = func(_, col, row int) bool { return !hole(col, row) }
	}
	return s
}

func opener(s rastertest.Source) *rastertest.Opener {
	return &rastertest.Opener{Sources: map[string]rastertest.Source{"raster.syn": s}}
}

// everything is all that a parse leaves in a store, in a form to compare.
type everything struct {
	rev   rasterbase.Revision
	tiles []store.Tile
	pages []store.SummaryPage
}

// levels are the kinds and zooms of a revision.
func levels(rev *rasterbase.Revision) iter.Seq2[rasterbase.Kind, int] {
	return func(yield func(rasterbase.Kind, int) bool) {
		if !yield(rasterbase.Base, 0) || !rev.HasPyramid {
			return
		}
		for z := rev.MaxZoom; z >= 0; z-- {
			if !yield(rasterbase.Pyramid, z) {
				return
			}
		}
	}
}

func contents(t testing.TB, st store.Store, id rasterbase.LayerID) everything {
	t.Helper()
	ctx := context.Background()
	var all everything
	err := st.Catalog().View(ctx, func(tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, id)
		if err != nil {
			return err
		}
		rev, err := tx.Revisions().Get(ctx, l.Published)
		if err != nil {
			return err
		}
		all.rev = *rev
		for kind, z := range levels(rev) {
			for depth := 0; depth < 4; depth++ {
				for p, err := range tx.Revisions().Summaries(ctx, store.SummaryQuery{Revision: rev.ID, Kind: kind, Z: z, Depth: depth}) {
					if err != nil {
						return err
					}
					all.pages = append(all.pages, p)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	key := store.RevisionKey{Layer: id, Revision: all.rev.ID}
	for kind, z := range levels(&all.rev) {
		for tile, err := range st.Tiles().List(ctx, store.ListParams{RevisionKey: key, Kind: kind, Z: z}) {
			if err != nil {
				t.Fatal(err)
			}
			all.tiles = append(all.tiles, tile)
		}
	}
	return all
}

// drain runs what is in the queue until nothing waits any more.
func drain(t testing.TB, st store.Store, p *ingest.Parser) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := jobs.NewRunner(st, nil)
	p.Register(r)
	var waiting []*store.Job
	err := st.Catalog().View(ctx, func(tx store.Tx) (err error) {
		waiting, err = tx.Jobs().List(ctx, []store.JobState{store.JobWaiting, store.JobRunning}, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range waiting {
		if time.Until(j.NotBefore) > 10*time.Second {
			continue // of a published revision that was replaced: it has its time
		}
		if got, err := r.RunOne(ctx, j.ID); err != nil {
			t.Fatalf("job %d (%s): %v", j.ID, j.Kind, err)
		} else if got.State == store.JobFailed {
			t.Errorf("job %d (%s) failed: %s", j.ID, j.Kind, got.Error)
		}
	}
}

// latest is a layer's newest parse with its log.
func latest(t testing.TB, st store.Store, id rasterbase.LayerID) (*rasterbase.Parse, []rasterbase.LogLine) {
	t.Helper()
	var p *rasterbase.Parse
	var lines []rasterbase.LogLine
	err := st.Catalog().View(context.Background(), func(tx store.Tx) (err error) {
		if p, err = tx.Parses().Latest(context.Background(), id); err != nil {
			return err
		}
		lines, err = tx.Parses().Lines(context.Background(), p.ID, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, lines
}

// revisions are all of a layer's, whatever their state.
func revisions(t testing.TB, st store.Store, id rasterbase.LayerID) (list []*rasterbase.Revision) {
	t.Helper()
	err := st.Catalog().View(context.Background(), func(tx store.Tx) (err error) {
		list, err = tx.Revisions().List(context.Background(), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
