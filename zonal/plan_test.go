package zonal_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/zonal"
)

// watched notes what is read of a layer.
type watched struct {
	*coverage.Layer
	st           store.Store
	tiles, pages atomic.Int64
	onRead       func()
}

func (w *watched) ReadTiles(ctx context.Context, l coverage.Level, at []coverage.TileAddress, bands []int) ([]*raster.Raster, error) {
	w.tiles.Add(int64(len(at)))
	if w.onRead != nil {
		w.onRead()
	}
	return w.Layer.ReadTiles(ctx, l, at, bands)
}

func (w *watched) Summaries(ctx context.Context, q coverage.SummaryQuery) ([]store.SummaryPage, error) {
	pages, err := w.Layer.Summaries(ctx, q)
	w.pages.Add(int64(len(pages)))
	return pages, err
}

// small is a layer of 1,100 x 1,000 pixels in tiles of 16: its summaries are 5 x 4
// pages, and one page of them.
func small(t testing.TB, d rasterbase.Datatype, value func(band, x, y int) (float64, bool)) *watched {
	t.Helper()
	st := openStore(t)
	return &watched{st: st, Layer: addLayer(t, st, testlayer.Spec{
		Layer: rasterbase.Layer{Name: "small tiles"}, Datatype: d, NoPyramid: true, TileSize: 16, MaxZoom: 9,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}, X: 3000, Y: 3000, Width: 1100, Height: 1000, Value: value,
	})}
}

func noisy(_, x, y int) (float64, bool) { return float64((x*x + 3*y*y) % 7), true }

// disc is a round polygon in pixels of a grid.
func disc(g rasterbase.Grid, x, y, radius float64) orb.Polygon {
	ring := make(orb.Ring, 120)
	for i := range ring {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / 120)
		ring[i][0], ring[i][1] = g.World(x+radius*cos, y+radius*sin)
	}
	return orb.Polygon{append(ring, ring[0])}
}

func in(d coverage.Description) zonal.Placement { return zonal.Placement{CRS: d.CRS} }

// The tiles that are read are those that the edge passes through: four for each tile's
// side of the radius in each direction, twice, and no others.
func TestTilesReadAreThoseOfTheEdge(t *testing.T) {
	cov := small(t, rasterbase.Categorical, noisy)
	d := cov.Describe()
	for _, radius := range []float64{30, 60, 120, 240, 480} {
		cov.tiles.Store(0)
		cov.pages.Store(0)
		r, err := zonal.ValueCount(t.Context(), cov, disc(d.Grid, 550, 500, radius), zonal.Options{Placement: in(d), Query: zonal.Query{Stats: zonal.Moments}})
		if err != nil {
			t.Fatal(err)
		}
		if most := int64(8*radius/16) + 8; r.Made.TilesRead > most || cov.tiles.Load() != r.Made.TilesRead {
			t.Errorf("radius %v: %d tiles read, %d of them said; the edge passes through %d at most", radius, cov.tiles.Load(), r.Made.TilesRead, most)
		}
		area := math.Pi * radius * radius / 256
		if tiles := float64(r.Made.TilesRead + r.Made.SummaryTiles); tiles < area || tiles > area+8*radius/16+8 {
			t.Errorf("radius %v: %v tiles in all, for %v by its area", radius, tiles, area)
		}
		if r.Made.PixelsRead != 256*r.Made.TilesRead || r.Made.SummaryPages == 0 || r.Made.SummaryPages > cov.pages.Load() || !r.Made.Exact {
			t.Errorf("radius %v: %+v, of %d pages", radius, r.Made, cov.pages.Load())
		}
	}
}

// Pages that lie inside are not looked into.
func TestPagesInsideAreTakenWhole(t *testing.T) {
	cov := small(t, rasterbase.Categorical, noisy)
	d := cov.Describe()
	box := func(x1, y1, x2, y2 float64) orb.Geometry {
		var b orb.Bound
		b.Min[0], b.Max[1] = d.Grid.World(x1, y1)
		b.Max[0], b.Min[1] = d.Grid.World(x2, y2)
		return b
	}
	for _, tt := range []struct {
		name  string
		g     orb.Geometry
		pages int64 // that say something of it
		tiles int64
	}{
		{"all", nil, 1, 0},
		{"all and more", box(-50, -50, 1200, 1100), 1, 0},
		{"four pages and tiles round them", box(250, 250, 774, 774), 1 + 12, 4 * 33},
		{"tiles of a page", box(290, 290, 398, 398), 1, 4 * 6},
	} {
		cov.pages.Store(0)
		r, err := zonal.ValueCount(t.Context(), cov, tt.g, zonal.Options{Placement: in(d)})
		if err != nil {
			t.Fatal(err)
		}
		if r.Made.TilesRead != tt.tiles || r.Made.SummaryPages != tt.pages {
			t.Errorf("%s: %+v, and should be %d tiles read, and %d pages", tt.name, r.Made, tt.tiles, tt.pages)
		}
		// The page of the top is always read; others that lie between are read as well.
		if n := cov.pages.Load(); n > 2*tt.pages+1 {
			t.Errorf("%s: %d pages were read, and %d needed", tt.name, n, tt.pages)
		}
	}
}

// Tiles with one value, or without any, need no pixels, inside or on the edge.
func TestTilesThatAreAlikeAreNotRead(t *testing.T) {
	for name, value := range map[string]func(band, x, y int) (float64, bool){
		"one value": testlayer.Constant(5),
		"empty but for a corner": func(_, x, y int) (float64, bool) {
			return 5, x < 16 && y < 16
		},
	} {
		cov := small(t, rasterbase.Categorical, value)
		d := cov.Describe()
		for _, rule := range []footprint.Rule{footprint.Centre, footprint.Fraction} {
			p := in(d)
			p.Rule = rule
			r, err := zonal.ValueCount(t.Context(), cov, disc(d.Grid, 550, 500, 301.7), zonal.Options{Placement: p, Query: zonal.Query{Stats: zonal.Moments}})
			if err != nil {
				t.Fatal(err)
			}
			b := r.Bands[0]
			if r.Made.TilesRead != 0 {
				t.Errorf("%s, %s: %d tiles were read", name, rule, r.Made.TilesRead)
			}
			// A polygon of 120 sides is a little smaller than the disc round it.
			if n, area := b.Valid+b.Nodata, math.Pi*301.7*301.7; math.Abs(n-area) > 0.001*area {
				t.Errorf("%s, %s: %v pixels, and should be about %v", name, rule, n, area)
			}
		}
	}
}

// What summaries do not know is read, and the answer is the same however much of it
// they know.
func TestWhatSummariesDoNotKnowIsRead(t *testing.T) {
	cov := small(t, rasterbase.Continuous, noisy)
	d := cov.Describe()
	g := disc(d.Grid, 400, 480, 300)
	for name, q := range map[string]zonal.Query{
		"moments":                      {Group: zonal.NoGroup, Stats: zonal.Moments},
		"histogram":                    {Group: zonal.Histogram, Range: &[2]float64{0, 7}, Bins: 7},
		"a range within that of tiles": {Group: zonal.Histogram, Range: &[2]float64{2, 4}, Bins: 2},
		"own range":                    {Stats: zonal.Moments},
		"values":                       {Group: zonal.ByValue},
		"quantiles":                    {Group: zonal.NoGroup, Stats: zonal.Quantiles, Percentiles: []float64{10}},
		"classes":                      {Group: zonal.ByClass, Classes: &zonal.Classes{N: 2, Of: func(v float64) int { return int(v)%3 - 1 }}},
	} {
		with, err := zonal.ValueCount(t.Context(), cov, g, zonal.Options{Placement: in(d), Query: q})
		if err != nil {
			t.Fatal(err)
		}
		without, err := zonal.ValueCount(t.Context(), plain{cov.Layer}, g, zonal.Options{Placement: in(d), Query: q})
		if err != nil {
			t.Fatal(err)
		}
		a, b := with.Bands[0], without.Bands[0]
		if a.Valid != b.Valid || len(a.Counts) != len(b.Counts) || a.Unclassed != b.Unclassed {
			t.Errorf("%s: %+v with summaries, and %+v without", name, a, b)
		}
		for i := range a.Counts {
			if a.Counts[i] != b.Counts[i] {
				t.Errorf("%s: %+v with summaries, and %+v without", name, a.Counts[i], b.Counts[i])
			}
		}
		if s := a.Statistics; s != nil && (s.Sum != b.Statistics.Sum || math.Abs(s.Std-b.Statistics.Std) > 1e-9 || s.Min != b.Statistics.Min) {
			t.Errorf("%s: %+v with summaries, and %+v without", name, *s, *b.Statistics)
		}
		if few := with.Made.TilesRead < without.Made.TilesRead/2; few != (name == "moments") && name != "own range" {
			t.Errorf("%s: %+v with summaries, and %+v without", name, with.Made, without.Made)
		}
	}
}

// The histogram that a layer keeps of all its pixels is given without reading any,
// with statistics or not.
func TestTheHistogramThatIsKept(t *testing.T) {
	cov := small(t, rasterbase.Continuous, noisy)
	for _, stats := range []zonal.Stats{0, zonal.Moments} {
		r, err := zonal.ValueCount(t.Context(), cov, nil, zonal.Options{Query: zonal.Query{Stats: stats, MaxPixels: 1}})
		if err != nil {
			t.Fatal(err)
		}
		b, sum := r.Bands[0], 0.0
		for _, row := range b.Counts {
			sum += row.Count
		}
		if len(b.Counts) != 256 || b.Counts[0].Low != 0 || b.Counts[255].High != 6 || sum != 1100*1000 || b.Valid != sum || b.Nodata != 0 || b.Unclassed != 0 || b.Group != zonal.Histogram {
			t.Errorf("%d bins of %v pixels: %+v", len(b.Counts), sum, b)
		}
		if r.Made.TilesRead != 0 || r.Made.SummaryTiles != 69*63 || (stats != 0) != (b.Statistics != nil) {
			t.Errorf("made: %+v", r.Made)
		}
	}
}

// Too much to read is refused before anything is, also where zones are worked on in
// several batches or passes.
func TestPixelsThatMayNotBeRead(t *testing.T) {
	cov := small(t, rasterbase.Continuous, noisy)
	d := cov.Describe()
	many := make([]orb.Geometry, 5000)
	for i := range many {
		many[i] = disc(d.Grid, 20+float64(i%100)*10, 20+float64(i/100)*18, 4)
	}
	for _, tt := range []struct {
		name string
		g    []orb.Geometry
		q    zonal.Query
	}{
		{"quantiles", []orb.Geometry{disc(d.Grid, 500, 500, 300)}, zonal.Query{Group: zonal.NoGroup, Stats: zonal.Quantiles, MaxPixels: 200_000}},
		{"a histogram in two passes", []orb.Geometry{disc(d.Grid, 500, 500, 300)}, zonal.Query{MaxPixels: 200_000}},
		{"many zones", many, zonal.Query{Group: zonal.NoGroup, Stats: zonal.Moments, MaxPixels: 900_000}},
	} {
		z, err := zonal.Place(t.Context(), d, in(d), tt.g)
		if err != nil {
			t.Fatal(err)
		}
		cov.tiles.Store(0)
		_, err = zonal.Count(t.Context(), cov, z, tt.q)
		if rasterbase.CodeOf(err) != rasterbase.TooLarge || cov.tiles.Load() != 0 {
			t.Errorf("%s: %v, after %d tiles", tt.name, err, cov.tiles.Load())
		}
		tt.q.MaxPixels = 3_000_000
		if _, err := zonal.Count(t.Context(), cov, z, tt.q); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if len(tt.g) > 4096 { // a cross-tabulation too, which has all of its pixels read
			cov.tiles.Store(0)
			_, err := zonal.CrossTab(t.Context(), cov, z, zonal.Query{Bands: []int{0, 0}, MaxPixels: 900_000})
			if rasterbase.CodeOf(err) != rasterbase.TooLarge || cov.tiles.Load() != 0 {
				t.Errorf("pairs: %v, after %d tiles", err, cov.tiles.Load())
			}
			if _, err := zonal.CrossTab(t.Context(), cov, z, zonal.Query{Bands: []int{0, 0}, MaxPixels: 3_000_000}); err != nil {
				t.Errorf("pairs: %v", err)
			}
		}
	}
}

func TestCountingStops(t *testing.T) {
	cov := small(t, rasterbase.Continuous, noisy)
	d := cov.Describe()
	q := zonal.Query{Group: zonal.NoGroup, Stats: zonal.Quantiles, Workers: 1}
	g := disc(d.Grid, 500, 500, 300)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cov.onRead = cancel
	if _, err := zonal.ValueCount(ctx, cov, g, zonal.Options{Placement: in(d), Query: q}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if n := cov.tiles.Load(); n > 64 {
		t.Errorf("%d tiles were read after it was cancelled", n)
	}
	cov.onRead = nil
	rev := cov.Revision()
	if err := cov.st.Tiles().Drop(t.Context(), store.RevisionKey{Layer: rev.Layer, Revision: rev.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := zonal.ValueCount(t.Context(), cov, g, zonal.Options{Placement: in(d), Query: q}); !errors.Is(err, store.ErrRevisionGone) {
		t.Errorf("dropped: %v", err)
	}
}

// Progress goes up to what was planned.
func TestProgressOfCounts(t *testing.T) {
	cov := small(t, rasterbase.Continuous, noisy)
	d := cov.Describe()
	var done, planned int64
	_, err := zonal.ValueCount(t.Context(), cov, disc(d.Grid, 500, 500, 300), zonal.Options{Placement: in(d), Query: zonal.Query{
		Progress: func(n, of int64) {
			if n < done || of < planned || n > of {
				t.Errorf("%d of %d after %d of %d", n, of, done, planned)
			}
			done, planned = n, of
		},
	}})
	if err != nil || done == 0 || done != planned || done != cov.tiles.Load() {
		t.Errorf("%d of %d tiles, %d were read: %v", done, planned, cov.tiles.Load(), err)
	}
}

func TestWhatCannotBeCounted(t *testing.T) {
	cov := small(t, rasterbase.Categorical, noisy)
	d := cov.Describe()
	point := orb.Point{0, 0}
	for _, tt := range []struct {
		name string
		g    orb.Geometry
		p    func(*zonal.Placement)
		q    zonal.Query
		code rasterbase.Code
		says string
	}{
		{"a band that is not there", nil, nil, zonal.Query{Bands: []int{1}}, rasterbase.Invalid, "band 2"},
		{"no classes", nil, nil, zonal.Query{Group: zonal.ByClass}, rasterbase.Invalid, "classes"},
		{"another group", nil, nil, zonal.Query{Group: "colour"}, rasterbase.Invalid, "colour"},
		{"a percentile", nil, nil, zonal.Query{Percentiles: []float64{101}, Stats: zonal.Quantiles}, rasterbase.Invalid, "101"},
		{"no bins", nil, nil, zonal.Query{Group: zonal.Histogram, Bins: -1}, rasterbase.Invalid, "bins"},
		{"a range", nil, nil, zonal.Query{Group: zonal.Histogram, Range: &[2]float64{3, 3}}, rasterbase.Invalid, "range"},
		{"a unit", nil, nil, zonal.Query{Area: "furlongs"}, rasterbase.Invalid, "furlongs"},
		{"a zoom without a pyramid", nil, func(p *zonal.Placement) { p.Level = coverage.ZoomLevel(3) }, zonal.Query{}, rasterbase.NotFound, "pyramid"},
		{"a share of a point", point, func(p *zonal.Placement) { p.Rule = footprint.Fraction }, zonal.Query{}, rasterbase.Invalid, "share"},
		{"vertices", disc(d.Grid, 9, 9, 9), func(p *zonal.Placement) { p.MaxVertices = 100 }, zonal.Query{}, rasterbase.TooLarge, "vertices"},
		{"no number", orb.Point{math.NaN(), 0}, nil, zonal.Query{}, rasterbase.Invalid, "vertex"},
		{"no transform", point, func(p *zonal.Placement) { p.CRS = rasterbase.CRS{SRID: 31370} }, zonal.Query{}, rasterbase.Unsupported, "31370"},
	} {
		p := in(d)
		if tt.p != nil {
			tt.p(&p)
		}
		_, err := zonal.ValueCount(t.Context(), cov, tt.g, zonal.Options{Placement: p, Query: tt.q})
		if rasterbase.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if strings.Contains(err.Error(), "=") { // Go knows no parameters of addresses
			t.Errorf("%s speaks of a parameter: %v", tt.name, err)
		}
	}
	var zone *zonal.ZoneError
	_, err := zonal.Place(t.Context(), d, in(d), []orb.Geometry{point, nil, orb.Point{math.Inf(1), 0}, point})
	if !errors.As(err, &zone) || zone.Index != 2 {
		t.Errorf("the third of four: %v", err)
	}
	other := addLayer(t, openStore(t), testlayer.Spec{
		Layer: rasterbase.Layer{Name: "other"}, Datatype: rasterbase.Mask, NoPyramid: true, MaxZoom: 9,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}, X: 3000, Y: 3000, Width: 64, Height: 64, Value: testlayer.Constant(1),
	})
	z, err := zonal.Place(t.Context(), d, in(d), []orb.Geometry{point})
	if err != nil {
		t.Fatal(err)
	}
	if z.Fits(other.Describe()) || !z.Fits(d) || z.Len() != 1 {
		t.Error("zones fit where they should not, or do not where they should")
	}
	if _, err := zonal.Count(t.Context(), other, z, zonal.Query{}); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("another grid: %v", err)
	}
}
