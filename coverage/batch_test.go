package coverage_test

import (
	"errors"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// Tiles that are read together are those that windows read one by one, those that are
// not stored with them.
func TestTilesReadTogetherAreWindows(t *testing.T) {
	st := open(t)
	for name, bands := range map[string]int{"one band": 1, "three": 3, "six": 6} {
		s := spec(bands, nil)
		s.Value = func(band, x, y int) (float64, bool) {
			v, ok := value(band, x, y)
			return v, ok && x < 64 // two tiles of three are empty
		}
		var c coverage.TileReader = layer(t, st, s)
		for _, some := range [][]int{nil, {bands - 1, 0, 0}} {
			at := []coverage.TileAddress{{X: 2, Y: 1}, {X: 0, Y: 0}, {X: 1, Y: 1}, {X: 0, Y: 1}, {X: 2, Y: 1}}
			got, err := c.ReadTiles(t.Context(), coverage.BaseLevel, at, some)
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range at {
				w, err := c.Window(t.Context(), coverage.WindowRequest{
					X: a.X * 64, Y: a.Y * 64, Width: min(64, 150-a.X*64), Height: min(64, 100-a.Y*64), Bands: some,
				})
				if err != nil {
					t.Fatal(err)
				}
				if !raster.Equal(w, got[i]) {
					t.Errorf("%s: tile %v of bands %v is not the window", name, a, some)
				}
			}
		}
	}
}

func TestTilesThatCannotBeReadTogether(t *testing.T) {
	st := open(t)
	c := layer(t, st, spec(1, nil))
	for _, tt := range []struct {
		name  string
		level coverage.Level
		at    coverage.TileAddress
		bands []int
	}{
		{"right of the grid", coverage.BaseLevel, coverage.TileAddress{X: 3}, nil},
		{"above it", coverage.BaseLevel, coverage.TileAddress{Y: -1}, nil},
		{"a zoom beyond the max zoom", coverage.ZoomLevel(4), coverage.TileAddress{}, nil},
		{"a band that is not there", coverage.BaseLevel, coverage.TileAddress{}, []int{1}},
	} {
		if _, err := c.ReadTiles(t.Context(), tt.level, []coverage.TileAddress{tt.at}, tt.bands); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if none, err := c.ReadTiles(t.Context(), coverage.BaseLevel, nil, nil); err != nil || len(none) != 0 {
		t.Errorf("no tiles: %v, %v", none, err)
	}
	rev := c.Revision()
	if err := st.Tiles().Drop(t.Context(), store.RevisionKey{Layer: rev.Layer, Revision: rev.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadTiles(t.Context(), coverage.BaseLevel, []coverage.TileAddress{{}}, nil); !errors.Is(err, store.ErrRevisionGone) {
		t.Errorf("tiles that were dropped: %v", err)
	}
}
