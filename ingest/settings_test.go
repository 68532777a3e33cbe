package ingest_test

import (
	"errors"
	"math"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
)

func TestCheckSettings(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name  string
		s     rasterbase.Settings
		field string // at fault; empty: none
	}{
		{"none", rasterbase.Settings{}, ""},
		{"all", rasterbase.Settings{Datatype: rasterbase.RankOrdered, SRID: 26912, Nodata: &nan, MaxZoom: intPtr(0), NextLower: true,
			NoPyramid: true, Resampling: rasterbase.Nearest, TileSize: 512, Subdataset: "air temperature"}, ""},
		{"blending numbers", rasterbase.Settings{Datatype: rasterbase.Continuous, Resampling: rasterbase.Cubic}, ""},
		{"blending what the file decides", rasterbase.Settings{Resampling: rasterbase.Bilinear}, ""},
		{"deepest zoom", rasterbase.Settings{MaxZoom: intPtr(24)}, ""},
		{"unknown datatype", rasterbase.Settings{Datatype: "classes"}, "type"},
		{"negative srid", rasterbase.Settings{SRID: -1}, "srid"},
		{"huge srid", rasterbase.Settings{SRID: 1 << 30}, "srid"},
		{"negative zoom", rasterbase.Settings{MaxZoom: intPtr(-1)}, "max-zoom"},
		{"too deep", rasterbase.Settings{MaxZoom: intPtr(99)}, "max-zoom"},
		{"unknown resampling", rasterbase.Settings{Resampling: "lanczos"}, "resampling"},
		{"blending classes", rasterbase.Settings{Datatype: rasterbase.Categorical, Resampling: rasterbase.Bilinear}, "resampling"},
		{"blending ranks", rasterbase.Settings{Datatype: rasterbase.RankOrdered, Resampling: rasterbase.Cubic}, "resampling"},
		{"small tiles", rasterbase.Settings{TileSize: 32}, "tilesize"},
		{"odd tiles", rasterbase.Settings{TileSize: 257}, "tilesize"},
		{"large tiles", rasterbase.Settings{TileSize: 2048}, "tilesize"},
		{"negative tiles", rasterbase.Settings{TileSize: -256}, "tilesize"},
		{"odd subdataset", rasterbase.Settings{Subdataset: "a\x00b"}, "subdataset"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := ingest.CheckSettings(c.s)
			e, _ := errors.AsType[*rasterbase.Error](err)
			if c.field == "" && err != nil || c.field != "" && (e == nil || e.Code != rasterbase.Invalid || e.Field != c.field) {
				t.Errorf("%+v", err)
			}
		})
	}
}
