package store

import (
	"math"
	"testing"

	"github.com/rasterbase/rasterbase"
)

func TestOutdatedLayers(t *testing.T) {
	number := func(v float64) *float64 { return &v }
	was := rasterbase.Settings{Nodata: number(-1), Resampling: rasterbase.Cubic}
	for name, c := range map[string]struct {
		is, was  rasterbase.Settings
		tileSize int // of the revision; 256 is in force
		checksum string
		want     bool
	}{
		"as it was":                     {rasterbase.Settings{Nodata: number(-1), Resampling: rasterbase.Cubic}, was, 256, "a", false},
		"another nodata":                {rasterbase.Settings{Nodata: number(-2), Resampling: rasterbase.Cubic}, was, 256, "a", true},
		"none any more":                 {rasterbase.Settings{Resampling: rasterbase.Cubic}, was, 256, "a", true},
		"NaN as it was":                 {rasterbase.Settings{Nodata: number(math.NaN())}, rasterbase.Settings{Nodata: number(math.NaN())}, 256, "a", false},
		"NaN now":                       {rasterbase.Settings{Nodata: number(math.NaN())}, rasterbase.Settings{Nodata: number(0)}, 256, "a", true},
		"another size in force":         {rasterbase.Settings{}, rasterbase.Settings{}, 512, "a", true},
		"a size of its own":             {rasterbase.Settings{TileSize: 512}, rasterbase.Settings{TileSize: 512}, 512, "a", false},
		"a size of its own now":         {rasterbase.Settings{TileSize: 512}, rasterbase.Settings{}, 256, "a", true},
		"a size of its own no more":     {rasterbase.Settings{}, rasterbase.Settings{TileSize: 256}, 256, "a", false},
		"another size of its own":       {rasterbase.Settings{TileSize: 128}, rasterbase.Settings{TileSize: 512}, 512, "a", true},
		"another file, not parsed yet":  {was, was, 256, "b", true},
		"the zoom below, not the above": {rasterbase.Settings{NextLower: true}, rasterbase.Settings{}, 256, "a", true},
	} {
		l := &rasterbase.Layer{Settings: c.is, Source: rasterbase.Source{Checksum: "a"}}
		r := &rasterbase.Revision{Settings: c.was, TileSize: c.tileSize, SourceChecksum: c.checksum}
		if got := outdated(l, r, 256); got != c.want {
			t.Errorf("%s: outdated is %v", name, got)
		}
	}
}
