package coverage_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// anyCoverage hides that a coverage is a stored layer.
type anyCoverage struct{ coverage.Coverage }

// Each of many points has the pixel and the values that it has alone, in the
// order asked, at every level, from tiles and from windows.
func TestValuesAtManyPointsAreThoseAtEach(t *testing.T) {
	st := open(t)
	grid := xyz.PixelGrid(3, 64)
	for name, s := range map[string]testlayer.Spec{"one": spec(1, nil), "nodata": spec(2, rasterbase.FloatPtr(-1)), "six": spec(6, nil)} {
		c := layer(t, st, s)
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				r := coverage.PointsRequest{Transformer: crs.Closed{}, CRS: rasterbase.CRS{SRID: 3857}}
				if rapid.Bool().Draw(t, "pyramid") {
					r.Level = coverage.ZoomLevel(rapid.IntRange(0, 6).Draw(t, "zoom"))
				}
				if rapid.Bool().Draw(t, "some bands") {
					r.Bands = rapid.SliceOfN(rapid.IntRange(0, len(s.Bands)-1), 1, 7).Draw(t, "bands")
				}
				degrees := rapid.Bool().Draw(t, "degrees")
				for range rapid.IntRange(0, 20).Draw(t, "points") {
					// Half pixels: edges and middles.
					x, y := grid.World(float64(rapid.IntRange(-20, 1044).Draw(t, "x"))/2, float64(rapid.IntRange(-20, 1044).Draw(t, "y"))/2)
					if degrees {
						x, y = xyz.ToLonLat(x, y)
						r.CRS.SRID = 4326
					}
					if rapid.IntRange(0, 20).Draw(t, "nowhere") == 0 {
						y = math.NaN()
					}
					r.Points = append(r.Points, crs.Point{X: x, Y: y})
				}
				checkValues(t, c, r)
			})
		})
	}
}

// checkValues asks a layer for many points, and for each; and once more as any
// coverage, which has to answer the same.
func checkValues(t *rapid.T, c *coverage.Layer, r coverage.PointsRequest) {
	all, err := coverage.ValuesAt(context.Background(), c, r)
	if err != nil || len(all) != len(r.Points) {
		t.Fatalf("%d points: %v", len(all), err)
	}
	windows, err := coverage.ValuesAt(context.Background(), anyCoverage{c}, r)
	if err != nil || len(windows) != len(r.Points) {
		t.Fatalf("%d points from windows: %v", len(windows), err)
	}
	for i, p := range r.Points {
		at := coverage.PointRequest{Point: p, CRS: r.CRS, Level: r.Level, Bands: r.Bands, Transformer: r.Transformer}
		want, err := coverage.At(context.Background(), c, at)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(all[i], want) || !reflect.DeepEqual(windows[i], want) {
			t.Fatalf("point %d at %v: %+v, from windows %+v, want %+v", i, p, all[i], windows[i], want)
		}
		if i > 0 { // this one reads windows of one pixel
			continue
		}
		if alone, err := coverage.At(context.Background(), anyCoverage{c}, at); err != nil || !reflect.DeepEqual(alone, want) {
			t.Fatalf("the point at %v alone: %+v, want %+v: %v", p, alone, want, err)
		}
	}
}

// counting counts the tiles that are read.
type counting struct {
	store.Store
	reads map[store.TileKey]int
}

func (s counting) Tiles() store.Tiles { return countingTiles{s.Store.Tiles(), s.reads} }

type countingTiles struct {
	store.Tiles
	reads map[store.TileKey]int
}

func (s countingTiles) GetMany(ctx context.Context, keys []store.TileKey) ([]*raster.Raster, error) {
	for _, k := range keys {
		s.reads[k]++
	}
	return s.Tiles.GetMany(ctx, keys)
}

func TestValuesReadEachTileOnce(t *testing.T) {
	st := open(t)
	reads := map[store.TileKey]int{}
	c, err := coverage.OpenLayer(t.Context(), counting{st, reads}, layer(t, st, spec(1, nil)).Layer().ID)
	if err != nil {
		t.Fatal(err)
	}
	d := c.Describe()
	r := coverage.PointsRequest{CRS: d.CRS, Transformer: crs.Closed{}}
	for i := range 20000 {
		x, y := d.Grid.World(float64(i*7919%15000)/100, float64(i*104729%10000)/100)
		r.Points = append(r.Points, crs.Point{X: x, Y: y})
	}
	if _, err := coverage.ValuesAt(t.Context(), c, r); err != nil {
		t.Fatal(err)
	}
	if len(reads) != 6 {
		t.Errorf("%d tiles were read", len(reads))
	}
	for k, n := range reads {
		if n != 1 {
			t.Errorf("%v was read %d times", k, n)
		}
	}
}

func TestValuesThatCannotBeRead(t *testing.T) {
	st := open(t)
	c := layer(t, st, spec(1, nil))
	here := func() []crs.Point {
		x, y := c.Describe().Grid.World(100, 70)
		return []crs.Point{{X: x, Y: y}}
	}()
	mercator := rasterbase.CRS{SRID: 3857}
	for _, tt := range []struct {
		name string
		r    coverage.PointsRequest
		code rasterbase.Code
	}{
		{"no such band", coverage.PointsRequest{CRS: mercator, Bands: []int{1}}, rasterbase.Invalid},
		{"a CRS that is not known", coverage.PointsRequest{CRS: rasterbase.CRS{SRID: 31370}}, rasterbase.Unsupported},
		{"negative zoom", coverage.PointsRequest{CRS: mercator, Level: coverage.ZoomLevel(-1)}, rasterbase.Invalid},
	} {
		tt.r.Transformer = crs.Closed{}
		if _, err := coverage.ValuesAt(t.Context(), c, tt.r); rasterbase.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	r := coverage.PointsRequest{Points: here, CRS: mercator, Transformer: crs.Closed{}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []coverage.Coverage{c, anyCoverage{c}} {
		if _, err := coverage.ValuesAt(ctx, c, r); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	drop(t, st, c)
	if _, err := coverage.ValuesAt(t.Context(), c, r); !errors.Is(err, store.ErrRevisionGone) {
		t.Errorf("a dropped revision: %v", err)
	}
	lossy, err := coverage.OpenLayer(t.Context(), losing{st}, layer(t, st, spec(1, nil)).Layer().ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := coverage.ValuesAt(t.Context(), lossy, r); err == nil || rasterbase.CodeOf(err) != rasterbase.Internal {
		t.Errorf("a lost tile: %v", err)
	}
}
