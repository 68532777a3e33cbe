package ingest_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// What workers leave that die at a bad moment is put in order.
func TestReconcile(t *testing.T) {
	st := swift(t)
	ctx := t.Context()
	p := parser(t, st, opener(wavy(rasterbase.Uint8, 1, 300, 200, nil, 5)))
	layer, err := p.Import(ctx, ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	served := layer.Published

	// A revision that no record names, with tiles; tiles that no revision
	// names; and a parse without a job.
	lost := &rasterbase.Revision{Layer: layer.ID, TileSize: 256, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}}
	dead := &rasterbase.Parse{Layer: layer.ID, Status: rasterbase.Tiling}
	update(t, st, func(tx store.Tx) error {
		if err := tx.Revisions().Create(ctx, lost); err != nil {
			return err
		}
		return tx.Parses().Create(ctx, dead)
	})
	nowhere := &rasterbase.Revision{ID: lost.ID + 100, Layer: layer.ID + 100, TileSize: 256, Bands: lost.Bands}
	for _, rev := range []*rasterbase.Revision{lost, nowhere} {
		if err := st.Tiles().Create(ctx, rev); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Reconcile(ctx); err != nil {
		t.Fatal(err)
	}
	runner := jobs.NewRunner(st, nil)
	p.Register(runner)
	if err := runner.RunDue(ctx, "drop"); err != nil {
		t.Fatal(err)
	}
	stored, err := st.Tiles().Revisions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) != 1 || stored[0].Revision != served {
		t.Errorf("stored are %v, only revision %d is served", stored, served)
	}
	update(t, st, func(tx store.Tx) error { // reads only
		got, err := tx.Parses().Get(ctx, dead.ID)
		if err != nil {
			return err
		}
		if got.Status != rasterbase.Failed || got.Error == "" || got.Ended.IsZero() {
			t.Errorf("the dead parse is %+v", got)
		}
		l, err := tx.Layers().Get(ctx, layer.ID)
		if err == nil && l.Published != served {
			t.Errorf("revision %d is served, before %d", l.Published, served)
		}
		return err
	})
}

// Without a server, too, replaced revisions and deleted sources go away.
func TestReparsesLeaveNoHeapOfRevisions(t *testing.T) {
	st := swift(t)
	ctx := t.Context()
	p := parser(t, st, opener(wavy(rasterbase.Uint8, 1, 300, 200, nil, 5)))
	layer, err := p.Import(ctx, ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ticket, err := p.Reparse(ctx, layer.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Run(ctx, ticket, nil); err != nil {
			t.Fatal(err)
		}
	}
	// The grace of the replaced ones is a matter of seconds: once over, the
	// next command takes them away.
	runner := jobs.NewRunner(st, nil)
	p.Register(runner)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err := runner.RunDue(ctx, "drop"); err != nil {
			t.Fatal(err)
		}
		stored, err := st.Tiles().Revisions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(stored) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still stored are %v", stored)
		}
	}
	if err := p.Delete(ctx, layer.ID); err != nil {
		t.Fatal(err)
	}
	nothingStored(t, st)
	if left, err := st.Sources().List(ctx); err != nil || len(left) > 0 {
		t.Errorf("sources left: %v %v", left, err)
	}
}

// A build that cannot open files leaves parses to workers that can.
func TestWithoutAnOpener(t *testing.T) {
	st := swift(t)
	ctx := t.Context()
	able := parser(t, st, opener(wavy(rasterbase.Uint8, 1, 300, 200, nil, 5)))
	ticket, err := able.Add(ctx, ingest.Request{Source: fileNamed(t, "raster.syn")})
	if err != nil {
		t.Fatal(err)
	}
	unable := parser(t, st, nil)
	if _, err := unable.Add(ctx, ingest.Request{Source: fileNamed(t, "raster.syn")}); rasterbase.CodeOf(err) != rasterbase.Unsupported {
		t.Errorf("adding ends with %v", err)
	}
	runner := jobs.NewRunner(st, nil)
	unable.Register(runner)
	if err := runner.RunDue(ctx, "parse", "drop"); err != nil {
		t.Fatal(err)
	}
	job := jobOf(t, st, ticket)
	if job.State != store.JobWaiting || job.Attempt != 0 {
		t.Errorf("the job is %+v", job)
	}
	if _, err := able.Run(ctx, ticket, nil); err != nil {
		t.Error(err)
	}
}

// Rasters of many bands are worked through in groups: what comes out is that
// of each band alone.
func TestManyBandsEqualSingleOnes(t *testing.T) {
	const bands = 40 // of 9 bytes a pixel: several groups at both stages
	st := swift(t)
	many := wavy(rasterbase.Float64, bands, 300, 280, rasterbase.FloatPtr(-1), 1000)
	all := synthetic(t, st, many)
	for _, band := range []int{0, 17, bands - 1} {
		single := many
		single.Bands = many.Bands[band : band+1]
		single.Value = func(_, col, row int) float64 { return many.Value(band, col, row) }
		one := synthetic(t, st, single)
		a, b := all.Revision().Bands[band], one.Revision().Bands[0]
		if a.Count != b.Count || a.Min != b.Min || a.Max != b.Max || a.Mean != b.Mean || a.Std != b.Std {
			t.Errorf("band %d has the statistics %+v, alone %+v", band, a, b)
		}
		for z := range all.Revision().MaxZoom + 1 {
			sameBand(t, all, one, z, band)
		}
	}
}

// synthetic parses a source and opens its coverage.
func synthetic(t *testing.T, st store.Store, s rastertest.Source) *coverage.Layer {
	t.Helper()
	l, err := parser(t, st, opener(s)).Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := coverage.OpenLayer(t.Context(), st, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sameBand compares a band of a level, pixels and summaries, with the only
// band of another layer.
func sameBand(t *testing.T, all, one *coverage.Layer, z, band int) {
	t.Helper()
	pages := func(c *coverage.Layer) []store.SummaryPage {
		p, err := c.Summaries(t.Context(), coverage.SummaryQuery{Level: coverage.ZoomLevel(z)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b := pages(all), pages(one)
	if len(a) != len(b) || len(a) == 0 {
		t.Fatalf("zoom %d has %d pages of summaries, alone %d", z, len(a), len(b))
	}
	for i := range b {
		for _, cell := range b[i].Cells {
			k := slices.IndexFunc(a[i].Cells, func(c store.SummaryCell) bool { return c.X == cell.X && c.Y == cell.Y })
			if k < 0 || !reflect.DeepEqual(a[i].Cells[k].Bands[band], cell.Bands[0]) {
				t.Fatalf("zoom %d: tile %d, %d has another summary in band %d than alone", z, cell.X, cell.Y, band)
			}
			w := coverage.WindowRequest{Level: coverage.ZoomLevel(z), X: cell.X * 256, Y: cell.Y * 256, Width: 256, Height: 256}
			mine, err := one.Window(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			w.Bands = []int{band}
			theirs, err := all.Window(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			if !raster.Equal(mine, theirs) {
				t.Fatalf("zoom %d: tile %d, %d has other pixels in band %d than alone", z, cell.X, cell.Y, band)
			}
		}
	}
}

func update(t *testing.T, st store.Store, fn func(store.Tx) error) {
	t.Helper()
	if err := st.Catalog().Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// jobOf is the first job of a parse.
func jobOf(t *testing.T, st store.Store, ticket rasterbase.Ticket) *store.Job {
	t.Helper()
	var list []*store.Job
	err := st.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
		list, err = tx.Jobs().ListGroup(t.Context(), fmt.Sprintf("parse:%d", ticket.Parse), nil, 0)
		return err
	})
	if err != nil || len(list) == 0 {
		t.Fatalf("the parse has %d jobs, %v", len(list), err)
	}
	return list[len(list)-1]
}
