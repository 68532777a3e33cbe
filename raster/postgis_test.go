package raster_test

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// recorded is testdata/postgis.json: rasters that PostGIS made, and what it
// says of them. testdata/postgis.sql makes the file.
type recorded struct {
	Cases []struct {
		Name     string
		WKB      string
		Metadata struct {
			SRID, Width, Height, NumBands int
			UpperLeftX, UpperLeftY        float64
			ScaleX, ScaleY, SkewX, SkewY  float64
		}
		Bands []struct {
			PixelType   string
			NodataValue *rasterbase.Float
			Values      [][]*rasterbase.Float // nil: nodata, with a flag for the whole band
		}
	}
}

func readRecorded(t testing.TB) recorded {
	t.Helper()
	b, err := os.ReadFile("testdata/postgis.json")
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Cases) == 0 {
		t.Fatal("no recorded cases")
	}
	return r
}

func TestReadsWhatPostGISMakes(t *testing.T) {
	for _, c := range readRecorded(t).Cases {
		t.Run(c.Name, func(t *testing.T) {
			r, err := raster.ParseHexWKB(c.WKB)
			if err != nil {
				t.Fatal(err)
			}
			m := c.Metadata
			want := rasterbase.Grid{
				Width: m.Width, Height: m.Height, OriginX: m.UpperLeftX, OriginY: m.UpperLeftY,
				ScaleX: m.ScaleX, ScaleY: m.ScaleY, SkewX: m.SkewX, SkewY: m.SkewY,
			}
			got := r.Metadata()
			if got.Grid != want || got.SRID != m.SRID || len(got.Bands) != m.NumBands {
				t.Fatalf("metadata is %+v, PostGIS says %+v", got, m)
			}
			for i, b := range c.Bands {
				if p := got.Bands[i].PixelType.PostGIS(); p != b.PixelType {
					t.Errorf("band %d has pixel type %s, PostGIS says %s", i+1, p, b.PixelType)
				}
				if !sameNodata(got.Bands[i].Nodata, b.NodataValue) {
					t.Errorf("band %d has nodata %v, PostGIS says %v", i+1, got.Bands[i].Nodata, b.NodataValue)
				}
				for row, values := range b.Values {
					for col, v := range values {
						want := r.Bands[i].Nodata
						if v != nil {
							want = float64(*v)
						}
						if got := r.Bands[i].Pixels.At(row*r.Width + col); !same(got, want) {
							t.Errorf("band %d, row %d, column %d is %v, PostGIS says %v", i+1, row, col, got, want)
						}
					}
				}
			}
		})
	}
}

// What PostGIS makes is written back byte for byte, but for the flag that says
// that a whole band is nodata, which is written as pixels.
func TestWritesWhatPostGISMakes(t *testing.T) {
	for _, c := range readRecorded(t).Cases {
		t.Run(c.Name, func(t *testing.T) {
			r, err := raster.ParseHexWKB(c.WKB)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.HexWKB()
			if err != nil {
				t.Fatal(err)
			}
			want := c.WKB
			if c.Name == "whole band is nodata" {
				want = strings.Replace(want, "6609000500050005000500", "4609000900090009000900", 1)
			}
			if got != want {
				t.Errorf("wrote\n%s, PostGIS has\n%s", got, want)
			}
		})
	}
}

func TestReadsBigEndian(t *testing.T) {
	for _, c := range readRecorded(t).Cases {
		t.Run(c.Name, func(t *testing.T) {
			r, err := raster.ParseHexWKB(c.WKB)
			if err != nil {
				t.Fatal(err)
			}
			big, err := raster.ParseWKB(bigEndian(r))
			if err != nil {
				t.Fatal(err)
			}
			if !raster.Equal(big, r) {
				t.Errorf("big-endian bytes give %+v, little-endian ones %+v", big, r)
			}
		})
	}
}

// A big-endian raster that PostGIS took as it is: ST_DumpValues of it says
// {{1,2},{258,-2}}, nodata -9999.
func TestReadsBigEndianLikePostGIS(t *testing.T) {
	const wkb = "00" + "0000" + "0001" +
		"3ff0000000000000" + "bff0000000000000" + // scale
		"4024000000000000" + "4034000000000000" + // upper left
		"0000000000000000" + "0000000000000000" +
		"000010e6" + "0002" + "0002" +
		"45" + "d8f1" + "0001" + "0002" + "0102" + "fffe"
	b, err := hex.DecodeString(wkb)
	if err != nil {
		t.Fatal(err)
	}
	r, err := raster.ParseWKB(b)
	if err != nil {
		t.Fatal(err)
	}
	want := raster.New(rasterbase.Grid{Width: 2, Height: 2, OriginX: 10, OriginY: 20, ScaleX: 1, ScaleY: -1}, 4326, rasterbase.Int16)
	want.Bands[0] = raster.Band{Type: rasterbase.Int16, HasNodata: true, Nodata: -9999, Pixels: raster.Slice[int16]{1, 2, 258, -2}}
	if !raster.Equal(r, want) {
		t.Errorf("got %+v", r)
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func sameNodata(a, b *rasterbase.Float) bool {
	if a == nil || b == nil {
		return a == b
	}
	return same(float64(*a), float64(*b))
}
