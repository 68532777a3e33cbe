package zonal_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/zonal"
)

// tiny is a layer of 40 x 40 pixels in tiles of 16.
func tiny(t *testing.T, d rasterbase.Datatype) coverage.Coverage {
	t.Helper()
	return addLayer(t, openStore(t), testlayer.Spec{
		Layer: rasterbase.Layer{Name: "tiny"}, Datatype: d, NoPyramid: true, TileSize: 16, MaxZoom: 9,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}, X: 3000, Y: 3000, Width: 40, Height: 40, Value: noisy,
	})
}

// So many values that they cannot be counted are kept, also where several batches of
// zones are first looked at for what they would read.
func TestManyValuesOfManyZones(t *testing.T) {
	cov := addLayer(t, openStore(t), testlayer.Spec{
		Layer: rasterbase.Layer{Name: "numbered"}, Datatype: rasterbase.Categorical, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint32}},
		TileSize: 64, MaxZoom: 6, X: 100, Y: 100, Width: 300, Height: 300, NoPyramid: true,
		Value: func(_, x, y int) (float64, bool) { return float64(x*300 + y), true },
	})
	d := cov.Describe()
	zones := []orb.Geometry{nil}
	for range 4096 {
		zones = append(zones, disc(d.Grid, 10, 10, 2))
	}
	z, err := zonal.Place(t.Context(), d, in(d), zones)
	if err != nil {
		t.Fatal(err)
	}
	for _, most := range []int64{0, 100_000} {
		got, err := zonal.Count(t.Context(), cov, z, zonal.Query{Group: zonal.NoGroup, Stats: zonal.Variety, MaxPixels: most})
		if err != nil {
			t.Fatalf("at most %d pixels: %v", most, err)
		}
		if n := got[0].Bands[0].Statistics.Unique; n != 300*300 {
			t.Errorf("%d values", n)
		}
	}
}

// Where the whole is one of several zones it has the bins of a zone, wherever it stands
// among them.
func TestTheWholeAmongZones(t *testing.T) {
	cov := tiny(t, rasterbase.Continuous)
	d := cov.Describe()
	zones := make([]orb.Geometry, 4097)
	for i := range zones[:4096] {
		zones[i] = disc(d.Grid, 10, 10, 2)
	}
	for _, all := range [][]orb.Geometry{zones[4095:], zones} { // the last one is the whole
		z, err := zonal.Place(t.Context(), d, in(d), all)
		if err != nil {
			t.Fatal(err)
		}
		got, err := zonal.Count(t.Context(), cov, z, zonal.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got[len(all)-1].Bands[0].Counts); n != 10 {
			t.Errorf("of %d zones the whole has %d bins", len(all), n)
		}
	}
}

func TestNoBandsNamed(t *testing.T) {
	cov := tiny(t, rasterbase.Categorical)
	got, err := zonal.ValueCount(t.Context(), cov, nil, zonal.Options{Query: zonal.Query{Bands: []int{}}})
	if err != nil || len(got.Bands) != 1 || got.Bands[0].Valid != 40*40 {
		t.Errorf("%+v: %v", got, err)
	}
}

// vast is a coverage without summaries that has more tiles than can be counted.
type vast struct{ coverage.Coverage }

func (v vast) Describe() coverage.Description {
	d := v.Coverage.Describe()
	d.Grid.Width, d.Grid.Height = 1<<16, 1<<24
	return d
}

func TestLookingForTilesStops(t *testing.T) {
	cov := vast{plain{tiny(t, rasterbase.Continuous)}}
	z, err := zonal.Place(t.Context(), cov.Describe(), in(cov.Describe()), []orb.Geometry{nil})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = zonal.Count(ctx, cov, z, zonal.Query{Group: zonal.ByValue})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
