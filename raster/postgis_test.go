package raster_test

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"reflect"
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
		Metadata raster.Metadata
		Bands    []struct {
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
			got := r.Metadata()
			bands := got.Bands
			got.Bands = nil
			if !reflect.DeepEqual(got, c.Metadata) || len(bands) != len(c.Bands) {
				t.Fatalf("metadata is %+v, PostGIS says %+v", got, c.Metadata)
			}
			for i, b := range c.Bands {
				if p := bands[i].PixelType; p != b.PixelType {
					t.Errorf("band %d has pixel type %s, PostGIS says %s", i+1, p, b.PixelType)
				}
				if !sameNodata(bands[i].NodataValue, b.NodataValue) {
					t.Errorf("band %d has nodata %v, PostGIS says %v", i+1, bands[i].NodataValue, b.NodataValue)
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

// What PostGIS makes is written back byte for byte, but for pixels that lie
// below the flag that a whole band is nodata.
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
				want = strings.Replace(want, "6609000500050005000500", "6609000900090009000900", 1)
			}
			if got != want {
				t.Errorf("wrote\n%s, PostGIS has\n%s", got, want)
			}
		})
	}
}

// The flag that a whole band is nodata does not outlive a change of its pixels,
// and a value in an unused nodata field is written back but is no nodata.
func TestWhatTheFormSaysBesides(t *testing.T) {
	head := "01" + "0000" + "0100" + strings.Repeat("00", 48) + "E6100000" + "0200" + "0100"
	r, err := raster.ParseHexWKB(head + "64" + "05" + "0505")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ change, want string }{
		{"", "64050505"}, {"one pixel", "44050507"}, {"and back", "64050505"}, {"nodata", "44060505"}, {"no nodata", "04000505"},
	} {
		b := &r.Bands[0]
		switch c.change {
		case "one pixel":
			b.Pixels.Set(1, 7)
		case "and back":
			b.Pixels.Set(1, 5)
		case "nodata":
			b.Nodata = 6
		case "no nodata":
			b.HasNodata = false
		}
		if got, err := r.HexWKB(); err != nil || got != head+c.want {
			t.Errorf("%s: wrote %s, %v, and not %s", c.change, strings.TrimPrefix(got, head), err, c.want)
		}
	}
	unused, err := raster.ParseHexWKB(head + "04" + "05" + "0105")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unused.HexWKB(); err != nil || got != head+"04050105" || !unused.Valid(0, 1) || unused.Bands[0].Nodata != 0 {
		t.Errorf("with an unused nodata: wrote %s, %v; %+v", got, err, unused.Bands[0])
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
