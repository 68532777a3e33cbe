package zonal_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/zonal"
)

// openStore opens an empty store.
func openStore(t testing.TB) *sqlite.DB {
	t.Helper()
	st, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// addLayer publishes a layer and opens it.
func addLayer(t testing.TB, st store.Store, s testlayer.Spec) *coverage.Layer {
	t.Helper()
	l, err := testlayer.Add(context.Background(), st, s)
	if err != nil {
		t.Fatal(err)
	}
	cov, err := coverage.OpenLayer(context.Background(), st, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return cov
}

// plain is a coverage that keeps no summaries, and reads windows alone.
type plain struct{ coverage.Coverage }

func (p plain) Summaries(context.Context, coverage.SummaryQuery) ([]store.SummaryPage, error) {
	return nil, rasterbase.Errorf(rasterbase.Unsupported, "there are no summaries")
}

// patchy has large areas of one value, others of many, and holes in them.
func patchy(band, x, y int) (float64, bool) {
	h := uint64(x)*0x9e3779b97f4a7c15 ^ uint64(y)*0xbf58476d1ce4e5b9 ^ uint64(band)*0x94d049bb133111eb
	h ^= h >> 31
	h *= 0xd6e8feb86659fd93
	h ^= h >> 29
	switch (x/60 + y/50) % 4 {
	case 0:
		return 7, true
	case 1:
		return 0, false
	}
	return float64(h % 90), h>>40%20 != 0
}

// around is a ring of random radius round a place, in pixels of a grid, and at times
// a second one in it.
func around(r *rand.Rand, g rasterbase.Grid, size float64) orb.Polygon {
	x, y := r.Float64()*float64(g.Width), r.Float64()*float64(g.Height)
	var out orb.Polygon
	for _, size := range []float64{size, size / 3}[:1+r.IntN(2)] {
		ring := make(orb.Ring, 3+r.IntN(14))
		for i := range ring {
			sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(len(ring)))
			d := size * (0.4 + 0.6*r.Float64())
			ring[i][0], ring[i][1] = g.World(x+d*cos, y+d*sin)
		}
		out = append(out, append(ring, ring[0]))
	}
	return out
}

// want is what each pixel of a level says, read in one window.
type want struct {
	counts        map[float64]float64
	valid, nodata float64
	sum, m2       float64
	low, high     float64
}

// readPart reads a part of a level in one window.
func readPart(t *testing.T, cov coverage.Coverage, l coverage.Level, part raster.Rect) *raster.Raster {
	t.Helper()
	r, err := cov.Window(t.Context(), coverage.WindowRequest{Level: l, X: part.X, Y: part.Y, Width: part.Width, Height: part.Height})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pixelByPixel counts all pixels of a part of a level that the outline holds.
func pixelByPixel(r *raster.Raster, part raster.Rect, o *footprint.Outline, rule footprint.Rule, band int) want {
	w := want{counts: map[float64]float64{}, low: math.Inf(1), high: math.Inf(-1)}
	each := func(visit func(v, weight float64, valid bool)) {
		o.Spans(rule, part, func(row, from, to int, weight float64) {
			for col := from; col < to; col++ {
				i := (row-part.Y)*part.Width + col - part.X
				visit(r.Bands[band].Pixels.At(i), weight, r.Valid(band, i))
			}
		})
	}
	each(func(v, weight float64, valid bool) {
		if !valid {
			w.nodata += weight
			return
		}
		w.counts[v] += weight
		w.valid += weight
		w.sum += weight * v
		w.low, w.high = min(w.low, v), max(w.high, v)
	})
	each(func(v, weight float64, valid bool) {
		if d := v - w.sum/w.valid; valid {
			w.m2 += weight * d * d
		}
	})
	return w
}

// check compares an answer; fractions are summed in another order.
func (w want) check(b zonal.BandResult) error {
	near := func(what string, got, want float64) error {
		if math.Abs(got-want) > 1e-9*(1+math.Abs(want)) {
			return fmt.Errorf("%s is %v, and should be %v", what, got, want)
		}
		return nil
	}
	if len(b.Counts) != len(w.counts) && b.Group == zonal.ByValue {
		return fmt.Errorf("%d values, and there are %d", len(b.Counts), len(w.counts))
	}
	all := []error{near("valid", b.Valid, w.valid), near("nodata", b.Nodata, w.nodata)}
	for i, row := range b.Counts {
		if b.Group == zonal.ByValue {
			all = append(all, near(fmt.Sprint("the count of ", row.Value), row.Count, w.counts[row.Value]))
			if i > 0 && row.Value <= b.Counts[i-1].Value {
				return fmt.Errorf("values are not in order: %v", b.Counts)
			}
		}
	}
	if s := b.Statistics; s != nil {
		all = append(all, near("count", s.Count, w.valid), near("sum", s.Sum, w.sum))
		if w.valid > 0 {
			all = append(all, near("mean", s.Mean, w.sum/w.valid), near("min", s.Min, w.low), near("max", s.Max, w.high),
				near("variance", s.Variance, w.m2/w.valid))
		} else if !math.IsNaN(s.Mean) || !math.IsNaN(s.Min) {
			return fmt.Errorf("statistics of no pixel: %+v", *s)
		}
	}
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// Whatever the layer is like, and whichever way it is read, the answer is what every
// pixel says.
func TestCountsAreThoseOfPixels(t *testing.T) {
	st := openStore(t)
	nodata := rasterbase.FloatPtr(255)
	for _, c := range []struct {
		name     string
		datatype rasterbase.Datatype
		bands    []rasterbase.Band
		tileSize int
	}{
		{"one band with nodata", rasterbase.Categorical, []rasterbase.Band{{PixelType: rasterbase.Uint8, Nodata: nodata}}, 32},
		{"one band with a validity", rasterbase.RankOrdered, []rasterbase.Band{{PixelType: rasterbase.Uint8}}, 64},
		{"three bands", rasterbase.Continuous, []rasterbase.Band{{PixelType: rasterbase.Int16, Nodata: nodata}, {PixelType: rasterbase.Int16, Nodata: nodata}, {PixelType: rasterbase.Int16, Nodata: nodata}}, 32},
		{"five bands, each with its tiles", rasterbase.Continuous, []rasterbase.Band{{PixelType: rasterbase.Float32}, {PixelType: rasterbase.Float32}, {PixelType: rasterbase.Float32}, {PixelType: rasterbase.Float32}, {PixelType: rasterbase.Float32}}, 32},
	} {
		layer := addLayer(t, st, testlayer.Spec{
			Layer: rasterbase.Layer{Name: c.name}, Datatype: c.datatype, Bands: c.bands, TileSize: c.tileSize, MaxZoom: 3,
			X: 21, Y: 17, Width: 220, Height: 190, Value: patchy,
		})
		last := len(c.bands) - 1
		for _, cov := range []coverage.Coverage{layer, plain{layer}} {
			for _, l := range []coverage.Level{coverage.BaseLevel, coverage.ZoomLevel(3), coverage.ZoomLevel(2)} {
				grid := layer.Describe().LevelGrid(l)
				pixels := readPart(t, cov, l, raster.Rect{Width: grid.Width, Height: grid.Height})
				for _, rule := range []footprint.Rule{footprint.Centre, footprint.Touched, footprint.Fraction} {
					for _, q := range []zonal.Query{
						{Bands: []int{0, last}, Group: zonal.ByValue, Stats: zonal.Moments},
						{Bands: []int{last}, Group: zonal.NoGroup, Stats: zonal.Moments},
					} {
						t.Run(fmt.Sprintf("%s/%T/%v/%s/%s", c.name, cov, l, rule, q.Group), func(t *testing.T) {
							comparePixels(t, cov, pixels, l, rule, q)
						})
					}
				}
			}
		}
	}
}

// comparePixels counts in some zones, and compares with what the pixels of the level are.
func comparePixels(t *testing.T, cov coverage.Coverage, pixels *raster.Raster, l coverage.Level, rule footprint.Rule, q zonal.Query) {
	d := cov.Describe()
	r := rand.New(rand.NewPCG(3, uint64(rule)))
	all := make([]orb.Geometry, 6)
	for i := range all {
		all[i] = around(r, d.Grid, float64(5+r.IntN(120)))
	}
	p := zonal.Placement{Level: l, Rule: rule, CRS: d.CRS}
	z, err := zonal.Place(t.Context(), d, p, all)
	if err != nil {
		t.Fatal(err)
	}
	got, err := zonal.Count(t.Context(), cov, z, q)
	if err != nil {
		t.Fatal(err)
	}
	grid := d.LevelGrid(l)
	part := raster.Rect{Width: grid.Width, Height: grid.Height}
	placer, err := footprint.NewPlacer(t.Context(), grid, footprint.Options{CRS: d.CRS})
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range all {
		o, err := placer.Place(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		for k, band := range q.Bands {
			if err := pixelByPixel(pixels, part, o, rule, band).check(got[i].Bands[k]); err != nil {
				t.Errorf("band %d of %v: %v", band, g, err)
			}
		}
		if outside, _ := o.Outside(rule); got[i].Made.Level != l || got[i].Made.Outside != outside {
			t.Errorf("made: %+v, and %v pixels are outside", got[i].Made, outside)
		}
	}
}

// The same question has the same answer to the last digit, however many workers there
// are, and for one zone as for many.
func TestAnswersDoNotDependOnWorkers(t *testing.T) {
	cov := addLayer(t, openStore(t), testlayer.Spec{
		Layer: rasterbase.Layer{Name: "waves"}, Datatype: rasterbase.Continuous, Bands: []rasterbase.Band{{PixelType: rasterbase.Float32}},
		TileSize: 32, MaxZoom: 5, Width: 400, Height: 360, NoPyramid: true,
		Value: func(_, x, y int) (float64, bool) { return math.Sin(float64(x*y)) / 3, (x+y)%11 != 0 },
	})
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]orb.Geometry, 12)
	for i := range all {
		all[i] = around(r, cov.Describe().Grid, 160)
	}
	place := func(g []orb.Geometry) *zonal.Zones {
		z, err := zonal.Place(t.Context(), cov.Describe(), zonal.Placement{Rule: footprint.Fraction, CRS: cov.Describe().CRS}, g)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	count := func(z *zonal.Zones, workers int) []zonal.Result {
		out, err := zonal.Count(t.Context(), cov, z, zonal.Query{
			Stats: zonal.Moments | zonal.Quantiles | zonal.Variety, Percentiles: []float64{5, 95}, Area: zonal.Hectares, Workers: workers,
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	z := place(all)
	first := count(z, 1)
	same := func(a, b zonal.Result) bool {
		return reflect.DeepEqual(a.Made, b.Made) && fmt.Sprint(a.Bands[0].Counts) == fmt.Sprint(b.Bands[0].Counts) &&
			fmt.Sprint(*a.Bands[0].Statistics) == fmt.Sprint(*b.Bands[0].Statistics)
	}
	for _, workers := range []int{2, 7, 0} {
		for i, again := range count(z, workers) {
			if !same(first[i], again) {
				t.Errorf("zone %d: %d workers have another answer", i, workers)
			}
		}
	}
	for i := range all {
		if one := count(place(all[i:i+1]), 3); !same(first[i], one[0]) {
			t.Errorf("zone %d alone has another answer: %+v %+v, and not %+v %+v", i, one[0].Made, *one[0].Bands[0].Statistics, first[i].Made, *first[i].Bands[0].Statistics)
		}
	}
}

// A whole coverage has its pixels, at each level, however it is read.
func TestWholeCoverages(t *testing.T) {
	st := openStore(t)
	for _, datatype := range []rasterbase.Datatype{rasterbase.Categorical, rasterbase.Continuous} {
		layer := addLayer(t, st, testlayer.Spec{
			Layer: rasterbase.Layer{Name: string(datatype)}, Datatype: datatype, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}},
			TileSize: 32, MaxZoom: 8, X: 3301, Y: 2207, Width: 400, Height: 300, Value: patchy,
		})
		for _, l := range []coverage.Level{coverage.BaseLevel, coverage.ZoomLevel(8), coverage.ZoomLevel(6)} {
			var nodata []float64
			for _, cov := range []coverage.Coverage{layer, plain{layer}} {
				got, err := zonal.ValueCount(t.Context(), cov, nil, zonal.Options{
					Placement: zonal.Placement{Level: l}, Query: zonal.Query{Group: zonal.ByValue, Stats: zonal.Moments},
				})
				if datatype == rasterbase.Continuous && err == nil && got.Made.TilesRead == 0 {
					t.Errorf("values of a continuous coverage are not in summaries: %+v", got.Made)
				}
				if err != nil {
					t.Fatal(err)
				}
				part := raster.Rect{Width: 400, Height: 300}
				if l != coverage.BaseLevel {
					up := 8 - l.Zoom
					part = raster.Rect{X: 3301 >> up, Y: 2207 >> up, Width: 400>>up + 1, Height: 300>>up + 1}
				}
				placer, err := footprint.NewPlacer(t.Context(), layer.Describe().LevelGrid(l), footprint.Options{CRS: layer.Describe().LevelGrid(l).CRS})
				if err != nil {
					t.Fatal(err)
				}
				o, err := placer.Place(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				w := pixelByPixel(readPart(t, layer, l, part), part, o, footprint.Centre, 0)
				if l != coverage.BaseLevel {
					w.nodata = got.Bands[0].Nodata // of what is round it
				}
				if err := w.check(got.Bands[0]); err != nil {
					t.Errorf("%s, %v, %T: %v", datatype, l, cov, err)
				}
				nodata = append(nodata, got.Bands[0].Nodata)
			}
			if nodata[0] != nodata[1] {
				t.Errorf("%s, %v: nodata is %v with summaries, and %v without", datatype, l, nodata[0], nodata[1])
			}
		}
	}
}

// Fractions of pixels that are all valid leave none without a value, not even what
// rounding makes of their sum.
func TestFractionsOfValidPixels(t *testing.T) {
	cov := addLayer(t, openStore(t), testlayer.Spec{
		Layer: rasterbase.Layer{Name: "valid"}, Datatype: rasterbase.Categorical, NoPyramid: true, MaxZoom: 8,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8, Nodata: rasterbase.FloatPtr(255)}}, Width: 300, Height: 300,
		Value: func(band, x, y int) (float64, bool) { v, _ := patchy(band, x, y); return math.Mod(v, 9), true },
	})
	r := rand.New(rand.NewPCG(4, 4))
	d := cov.Describe()
	for range 20 {
		g := wavy(r, d.Grid, 150, 150, 60, 30000)
		o := zonal.Options{Placement: zonal.Placement{Rule: footprint.Fraction, CRS: d.CRS}}
		got, err := zonal.ValueCount(t.Context(), cov, g, o)
		if err != nil {
			t.Fatal(err)
		}
		if b := got.Bands[0]; b.Nodata != 0 || b.Valid < 20000 {
			t.Errorf("%v valid pixels, %v without a value", b.Valid, b.Nodata)
		}
	}
}
