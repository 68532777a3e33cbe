package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func revision(t *testing.T, s store.Store, id rasterbase.RevisionID) *rasterbase.Revision {
	t.Helper()
	return get(t, s, func(tx store.Tx) (*rasterbase.Revision, error) { return tx.Revisions().Get(t.Context(), id) })
}

// flatRevision is a revision without pointers and clocks, to be printed and
// compared.
func flatRevision(r *rasterbase.Revision) any {
	f := *r
	out := []any{f.Created.UnixMilli(), f.PublishedAt.UnixMilli()}
	f.Created, f.PublishedAt = time.Time{}, time.Time{}
	f.Bands = nil
	for _, b := range r.Bands {
		nodata := "none"
		if b.Nodata != nil {
			nodata = fmt.Sprint(*b.Nodata)
		}
		for _, c := range b.Classes {
			color := "none"
			if c.Color != nil {
				color = c.Color.String()
			}
			out = append(out, c.Value, c.Name, color)
		}
		b.Nodata, b.Classes = nil, nil
		out = append(out, nodata, b)
	}
	st := f.Settings
	if st.Nodata != nil {
		out = append(out, fmt.Sprint(*st.Nodata))
	}
	f.Settings.Nodata, f.Settings.MaxZoom = nil, nil
	return append(out, f)
}

func fullRevision(layer rasterbase.LayerID) *rasterbase.Revision {
	nan := math.NaN()
	return &rasterbase.Revision{
		Layer: layer, Datatype: rasterbase.Categorical, DatatypeReason: "it has a colour table",
		CRS:  rasterbase.CRS{SRID: 910003, Name: "Größe", WKT: `LOCAL_CS["x"]`},
		Grid: rasterbase.Grid{Width: 1e6, Height: 3, OriginX: 0.1, OriginY: -1e-300, ScaleX: 1.0 / 3, ScaleY: -2, SkewX: 5, SkewY: 6},

		TileSize: 512, HasPyramid: true, MaxZoom: 14, Resampling: rasterbase.Nearest,
		BaseValidity: true, PyramidValidity: true,
		Bounds:   rasterbase.Bounds{West: 179.5, South: -85.0511, East: -179.5, North: nan},
		Settings: rasterbase.Settings{Nodata: &nan, TileSize: 512},
		Bands: []rasterbase.Band{
			{PixelType: rasterbase.Uint8, Nodata: rasterbase.FloatPtr(0), Scale: 1, Count: 1 << 40, Min: 1, Max: 11,
				Histogram: rasterbase.Histogram{Values: []rasterbase.ValueCount{{Value: 1, Count: 5}, {Value: 11, Count: 6}}},
				Classes: []rasterbase.Class{{Value: 1, Name: "水", Color: &rasterbase.Color{R: 1, G: 2, B: 3, A: 4}},
					{Value: 11, Name: "ice"}}},
			{PixelType: rasterbase.Float32, Nodata: rasterbase.FloatPtr(nan), Description: "d", ColorInterp: "gray", Unit: "m",
				Scale: 0.1, Offset: -3, Min: -1.5, Max: 1e300, Mean: math.Inf(1), Std: math.Inf(1),
				Histogram: rasterbase.Histogram{Min: -1.5, Max: 3, Bins: []int64{1, 0, 2}}},
			{PixelType: rasterbase.Float64, Nodata: rasterbase.FloatPtr(math.Inf(-1)), Scale: 1},
		},
		SourceChecksum: "sha256:11", Driver: "GTiff", BaseTiles: 7, PyramidTiles: 1 << 33,
	}
}

func revisionRoundTrip(t *testing.T, s store.Store) {
	before := time.Now().Add(-time.Second)
	r := fullRevision(addLayer(t, s, "x").ID)
	r.State = rasterbase.Published // not the caller's to set
	update(t, s, func(tx store.Tx) error { return tx.Revisions().Create(t.Context(), r) })
	if r.ID == 0 || r.State != rasterbase.Building || r.Created.Before(before) {
		t.Errorf("the new revision is %+v", r)
	}
	wantDeepEqual(t, "the revision", flatRevision(revision(t, s, r.ID)), flatRevision(r))
	r.Bands[0].Count, r.DatatypeReason, r.Datatype, r.MaxZoom = 3, "asked for", rasterbase.Mask, 2
	update(t, s, func(tx store.Tx) error { return tx.Revisions().Update(t.Context(), r) })
	wantDeepEqual(t, "the revision", flatRevision(revision(t, s, r.ID)), flatRevision(r))
}

func revisionPublish(t *testing.T, s store.Store) {
	ctx := t.Context()
	l, other := addLayer(t, s, "x"), addLayer(t, s, "y")
	first, second, third := addRevision(t, s, l.ID), addRevision(t, s, l.ID), addRevision(t, s, l.ID)
	foreign := addRevision(t, s, other.ID)
	publish := func(id rasterbase.RevisionID) (before rasterbase.RevisionID, err error) {
		err = s.Catalog().Update(ctx, func(tx store.Tx) error {
			before, err = tx.Revisions().Publish(ctx, id)
			return err
		})
		return before, err
	}
	states := func() string {
		var out string
		for _, r := range []*rasterbase.Revision{first, second, third, foreign} {
			out += string(revision(t, s, r.ID).State) + " "
		}
		return out + fmt.Sprint(layer(t, s, l.ID).Published, layer(t, s, other.ID).Published)
	}
	wantEqual(t, "the state at first", states(), "building building building building 0 0")
	for _, step := range []struct {
		id, before rasterbase.RevisionID
		want       string
	}{
		{second.ID, 0, fmt.Sprint("building published building building ", second.ID, " 0")},
		{foreign.ID, 0, fmt.Sprint("building published building published ", second.ID, " ", foreign.ID)},
		{third.ID, second.ID, fmt.Sprint("building retired published published ", third.ID, " ", foreign.ID)},
	} {
		before, err := publish(step.id)
		must(t, err)
		wantEqual(t, "the revision before", before, step.before)
		wantEqual(t, "the state", states(), step.want)
	}
	if at := revision(t, s, third.ID).PublishedAt; at.IsZero() || at.Location() != time.UTC {
		t.Errorf("published at %v", at)
	}
	for _, id := range []rasterbase.RevisionID{second.ID, third.ID} {
		_, err := publish(id)
		wantCode(t, err, rasterbase.Conflict)
	}
	wantEqual(t, "the state in the end", states(), fmt.Sprint("building retired published published ", third.ID, " ", foreign.ID))
}

func revisionStates(t *testing.T, s store.Store) {
	ctx := t.Context()
	l := addLayer(t, s, "x")
	r, abandoned := addRevision(t, s, l.ID), addRevision(t, s, l.ID)
	try := func(fn func(store.Revisions) error) error {
		return s.Catalog().Update(ctx, func(tx store.Tx) error { return fn(tx.Revisions()) })
	}
	must(t, try(func(x store.Revisions) error { _, err := x.Publish(ctx, r.ID); return err }))
	for range 2 {
		must(t, try(func(x store.Revisions) error { return x.Retire(ctx, abandoned.ID) }))
	}
	wantEqual(t, "the state", revision(t, s, abandoned.ID).State, rasterbase.Retired)
	for _, id := range []rasterbase.RevisionID{r.ID, abandoned.ID} { // neither is being built
		wantCode(t, try(func(x store.Revisions) error { return x.Update(ctx, &rasterbase.Revision{ID: id, Layer: l.ID}) }), rasterbase.Conflict)
		wantCode(t, try(func(x store.Revisions) error { return x.PutSummaries(ctx, id, []store.SummaryPage{page(0, 0, 0)}) }), rasterbase.Conflict)
		wantCode(t, try(func(x store.Revisions) error { _, err := x.Publish(ctx, id); return err }), rasterbase.Conflict)
	}
	wantEqual(t, "the published revision", layer(t, s, l.ID).Published, r.ID)
	must(t, try(func(x store.Revisions) error { return x.Retire(ctx, r.ID) }))
	wantEqual(t, "the published revision after it was retired", layer(t, s, l.ID).Published, 0)
	ids := func(layer rasterbase.LayerID) (out []rasterbase.RevisionID) {
		for _, r := range get(t, s, func(tx store.Tx) ([]*rasterbase.Revision, error) { return tx.Revisions().List(ctx, layer) }) {
			out = append(out, r.ID)
		}
		return out
	}
	other := addRevision(t, s, addLayer(t, s, "y").ID)
	if got := ids(l.ID); !slices.Equal(got, []rasterbase.RevisionID{r.ID, abandoned.ID}) {
		t.Errorf("the layer's revisions are %v", got)
	}
	if got := ids(0); !slices.Equal(got, []rasterbase.RevisionID{r.ID, abandoned.ID, other.ID}) {
		t.Errorf("all revisions are %v", got)
	}
	for range 2 { // deleting may be repeated
		must(t, try(func(x store.Revisions) error { return x.Delete(ctx, r.ID) }))
	}
	if got := ids(l.ID); !slices.Equal(got, []rasterbase.RevisionID{abandoned.ID}) {
		t.Errorf("the layer's revisions are %v", got)
	}
	must(t, try(func(x store.Revisions) error { return x.Delete(ctx, other.ID) }))
	if again := addRevision(t, s, l.ID); again.ID <= other.ID {
		t.Errorf("the revision %d is given again", again.ID)
	}
}

func revisionsMissing(t *testing.T, s store.Store) {
	ctx := t.Context()
	const none = 999999
	for name, fn := range map[string]func(store.Tx) error{
		"Get":     func(tx store.Tx) error { _, err := tx.Revisions().Get(ctx, none); return err },
		"Update":  func(tx store.Tx) error { return tx.Revisions().Update(ctx, &rasterbase.Revision{ID: none}) },
		"Publish": func(tx store.Tx) error { _, err := tx.Revisions().Publish(ctx, none); return err },
		"Retire":  func(tx store.Tx) error { return tx.Revisions().Retire(ctx, none) },
		"PutSummaries": func(tx store.Tx) error {
			return tx.Revisions().PutSummaries(ctx, none, []store.SummaryPage{page(0, 0, 0)})
		},
	} {
		t.Log(name)
		err := s.Catalog().Update(ctx, fn)
		wantNotExist(t, err)
		wantIs(t, err, store.ErrRevisionGone)
	}
	for name, fn := range map[string]func(store.Tx) error{
		"Create": func(tx store.Tx) error { return tx.Revisions().Create(ctx, &rasterbase.Revision{Layer: none}) },
		"Parse":  func(tx store.Tx) error { return tx.Parses().Create(ctx, &rasterbase.Parse{Layer: none}) },
	} {
		t.Log(name)
		wantNotExist(t, s.Catalog().Update(ctx, fn))
	}
}

func customSRID(t *testing.T, s store.Store) {
	srid := func(wkt string) (n int) {
		update(t, s, func(tx store.Tx) (err error) {
			n, err = tx.Revisions().CustomSRID(t.Context(), rasterbase.CRS{WKT: wkt, Name: "n"})
			return err
		})
		return n
	}
	a, b := srid(`LOCAL_CS["a"]`), srid(`LOCAL_CS["b"]`)
	wantEqual(t, "the first srid", a, rasterbase.FirstCustomSRID)
	wantEqual(t, "the second srid", b, rasterbase.FirstCustomSRID+1)
	wantEqual(t, "the srid of a known WKT", srid(`LOCAL_CS["a"]`), a)
	err := s.Catalog().Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Revisions().CustomSRID(t.Context(), rasterbase.CRS{Name: "no WKT"})
		return err
	})
	wantCode(t, err, rasterbase.Invalid)
}

// page makes a summary page with cells of all sorts.
func page(depth, x, y int) store.SummaryPage {
	p := store.SummaryPage{Kind: rasterbase.Pyramid, Z: 9, Depth: depth, X: x, Y: y}
	for i := range 5 {
		p.Cells = append(p.Cells, store.SummaryCell{X: x*store.PageSize + i, Y: y*store.PageSize + 3*i,
			Summary: rasterbase.Summary{Bands: []rasterbase.BandSummary{
				{Valid: int64(i + 1), Mean: 0.1 * float64(i), M2: 1e-17, Min: -3.25, Max: float64(x),
					Counts: []rasterbase.ValueCount{{Value: -3.25, Count: 1}, {Value: -1, Count: 2}, {Value: 1 << 60, Count: 1 << 40}}},
				{Valid: 9, Mean: 2, Min: 1, Max: 3, Counts: []rasterbase.ValueCount{{Value: math.Copysign(0, -1), Count: 4}, {Value: 3, Count: 5}}},
				{Valid: 9, Mean: 2, Min: 1, Max: 3, Counts: []rasterbase.ValueCount{{Value: -7, Count: 4}, {Value: 1 << 53, Count: 5}}},
				{Valid: 9, Mean: math.MaxFloat64, Min: math.SmallestNonzeroFloat64},
				{},
			}}})
	}
	return p
}

func readSummaries(t *testing.T, s store.Store, q store.SummaryQuery) (out []store.SummaryPage) {
	t.Helper()
	view(t, s, func(tx store.Tx) error {
		for p, err := range tx.Revisions().Summaries(t.Context(), q) {
			if err != nil {
				return err
			}
			out = append(out, p)
			if _, err := tx.Revisions().Get(t.Context(), q.Revision); err != nil { // meanwhile
				return err
			}
		}
		return nil
	})
	return out
}

func summaries(t *testing.T, s store.Store) {
	r, other := addRevision(t, s, addLayer(t, s, "x").ID), addRevision(t, s, addLayer(t, s, "y").ID)
	put := func(r *rasterbase.Revision, pages ...store.SummaryPage) {
		t.Helper()
		update(t, s, func(tx store.Tx) error { return tx.Revisions().PutSummaries(t.Context(), r.ID, pages) })
	}
	base := page(0, 2, 1)
	base.Kind, base.Z = rasterbase.Base, 0
	many := store.SummaryPage{Kind: rasterbase.Pyramid, Z: 3}
	counts := make([]rasterbase.ValueCount, rasterbase.MaxDistinct)
	for i := range counts {
		counts[i] = rasterbase.ValueCount{Value: float64(i * 3), Count: int64(i)}
	}
	for i := range store.PageSize * store.PageSize {
		many.Cells = append(many.Cells, store.SummaryCell{X: i % store.PageSize, Y: i / store.PageSize,
			Summary: rasterbase.Summary{Bands: []rasterbase.BandSummary{{Valid: 65536, Counts: counts[:16*i]}}}})
	}
	put(r, page(0, 2, 1), page(1, 0, 0), base, many)
	put(other, page(0, 2, 2))
	q := store.SummaryQuery{Revision: r.ID, Kind: rasterbase.Pyramid, Z: 9}
	wantDeepEqual(t, "a page", readSummaries(t, s, q), []store.SummaryPage{page(0, 2, 1)})
	wantDeepEqual(t, "a deeper page", readSummaries(t, s, store.SummaryQuery{Revision: r.ID, Kind: rasterbase.Pyramid, Z: 9, Depth: 1}), []store.SummaryPage{page(1, 0, 0)})
	wantDeepEqual(t, "a base page", readSummaries(t, s, store.SummaryQuery{Revision: r.ID}), []store.SummaryPage{base})
	wantDeepEqual(t, "a full page", readSummaries(t, s, store.SummaryQuery{Revision: r.ID, Kind: rasterbase.Pyramid, Z: 3}), []store.SummaryPage{many})

	less := page(0, 2, 1)
	less.Cells = less.Cells[:2]
	put(r, less)
	wantDeepEqual(t, "a replaced page", readSummaries(t, s, q), []store.SummaryPage{less})
	less.Cells = []store.SummaryCell{}
	put(r, less)
	wantEqual(t, "number of cells of an empty page", len(readSummaries(t, s, q)[0].Cells), 0)

	outside := page(0, 2, 1)
	outside.Cells[0].X = 0
	err := s.Catalog().Update(t.Context(), func(tx store.Tx) error {
		return tx.Revisions().PutSummaries(t.Context(), r.ID, []store.SummaryPage{outside})
	})
	wantCode(t, err, rasterbase.Invalid)
}

func summaryBoxes(t *testing.T, s store.Store) {
	r := addRevision(t, s, addLayer(t, s, "x").ID)
	const side = 9
	var pages []store.SummaryPage
	for i := range side * side {
		pages = append(pages, store.SummaryPage{Kind: rasterbase.Pyramid, Z: 9, X: i / side, Y: i % side})
	}
	update(t, s, func(tx store.Tx) error { return tx.Revisions().PutSummaries(t.Context(), r.ID, pages) })
	for _, box := range []*store.PageBox{
		nil,
		{MinX: 0, MinY: 0, MaxX: 0, MaxY: 0},
		{MinX: 3, MinY: 2, MaxX: 5, MaxY: 4},
		{MinX: 0, MinY: 0, MaxX: 8, MaxY: 0},
		{MinX: 0, MinY: 3, MaxX: 0, MaxY: 8},
		{MinX: 8, MinY: 8, MaxX: 99, MaxY: 99},
		{MinX: -5, MinY: -5, MaxX: 1, MaxY: 1},
		{MinX: 20, MinY: 20, MaxX: 30, MaxY: 30},
		{MinX: 5, MinY: 5, MaxX: 4, MaxY: 4},
	} {
		var want []string
		for y := range side {
			for x := range side {
				if box == nil || x >= box.MinX && y >= box.MinY && x <= box.MaxX && y <= box.MaxY {
					want = append(want, fmt.Sprint(x, " ", y))
				}
			}
		}
		var got []string
		for _, p := range readSummaries(t, s, store.SummaryQuery{Revision: r.ID, Kind: rasterbase.Pyramid, Z: 9, Pages: box}) {
			got = append(got, fmt.Sprint(p.X, " ", p.Y))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the box %v has pages %q, not %q", box, got, want)
		}
	}
	view(t, s, func(tx store.Tx) error {
		for range tx.Revisions().Summaries(t.Context(), store.SummaryQuery{Revision: r.ID, Kind: rasterbase.Pyramid, Z: 9}) {
			break // reading can be left
		}
		return nil
	})
}

// summariesGone: no summaries would be taken for an empty raster.
func summariesGone(t *testing.T, s store.Store) {
	r := addRevision(t, s, addLayer(t, s, "x").ID)
	wantEqual(t, "number of pages", len(readSummaries(t, s, store.SummaryQuery{Revision: r.ID})), 0)
	update(t, s, func(tx store.Tx) error {
		if err := tx.Revisions().PutSummaries(t.Context(), r.ID, []store.SummaryPage{page(0, 0, 0)}); err != nil {
			return err
		}
		return tx.Revisions().Delete(t.Context(), r.ID)
	})
	var got error
	view(t, s, func(tx store.Tx) error {
		for _, err := range tx.Revisions().Summaries(t.Context(), store.SummaryQuery{Revision: r.ID, Kind: rasterbase.Pyramid, Z: 9}) {
			got = errors.Join(got, err)
		}
		return nil
	})
	wantIs(t, got, store.ErrRevisionGone)
}
