package server_test

import (
	"fmt"
	"image/color"
	"net/http"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/server"
)

// classes is stripes with other values, each in an equal part of tiles 33|34.
func classes(name string, datatype rasterbase.Datatype, values ...float64) testlayer.Spec {
	s := stripes(name, nil)
	s.Datatype = datatype
	s.Bands = []rasterbase.Band{{PixelType: rasterbase.Int32, Nodata: rasterbase.FloatPtr(-1)}}
	s.Value = func(_, x, _ int) (float64, bool) { return values[x*len(values)/512], true }
	return s
}

// column is the colour of a place of a class layer's upper tiles.
func column(t *testing.T, h http.Handler, slug string, x int) color.NRGBA {
	t.Helper()
	return at(wantPNG(t, get(t, h, fmt.Sprintf("/tiles/%s/6/%d/22.png", slug, 33+x/256))), x%256, 5)
}

func isGrey(c color.NRGBA) bool { return c.R == c.G && c.G == c.B }

func TestClassesWithoutALegendHaveColours(t *testing.T) {
	st := newStore(t)
	codes := []float64{7011, 7012, 7292, 7299, 8001, 9001, 9002, 9022}
	add(t, st, classes("Vegetation", rasterbase.Categorical, codes...))
	add(t, st, classes("Water", rasterbase.Mask, 0, 1))
	add(t, st, classes("Ranks", rasterbase.RankOrdered, 1, 2, 3))
	s := newServer(t, server.Config{Store: st})
	page := get(t, s, "/").Body.String()
	seen := map[color.NRGBA]float64{}
	for i, code := range codes {
		c := column(t, s, "vegetation", 512*i/len(codes)+3)
		if other, ok := seen[c]; ok || isGrey(c) || c.A != 255 {
			t.Errorf("%v is %v, as is %v", code, c, other)
		}
		seen[c] = code
		entry := fmt.Sprintf(`fill="%s" fill-opacity="1"/></svg><span><bdi>%v</bdi>`, rasterbase.Color(c), code)
		if !strings.Contains(page, entry) {
			t.Errorf("the page does not say that %v is %s", code, rasterbase.Color(c))
		}
	}
	if dry, wet := column(t, s, "water", 0), column(t, s, "water", 300); !isGrey(dry) || dry.A != 255 || dry.R < 200 || isGrey(wet) {
		t.Errorf("the mask is drawn %v and %v", dry, wet)
	}
	if c := column(t, s, "ranks", 0); isGrey(c) {
		t.Errorf("the first rank is drawn %v", c)
	}
}

func TestTooManyClassesAreGrey(t *testing.T) {
	st := newStore(t)
	spec := classes("Parcels", rasterbase.Categorical, 0)
	spec.Value = func(_, x, _ int) (float64, bool) { return float64(x), true }
	add(t, st, spec)
	s := newServer(t, server.Config{Store: st})
	for _, x := range []int{0, 256, 511} {
		if c := column(t, s, "parcels", x); !isGrey(c) || abs(int(c.R)-x/2) > 2 {
			t.Errorf("value %d is drawn %v", x, c)
		}
	}
}

// A stretch is what the ramp on the page says and what the tiles show.
func TestStretch(t *testing.T) {
	// Values rise from 0 to 200 over the rows of 6/32/22, but for some pixels of
	// the first row.
	strays := func(n int, v float64) func(_, x, y int) (float64, bool) {
		return func(_, x, y int) (float64, bool) {
			if y == 0 && x < n {
				return v, true
			}
			return 200 * float64(y) / 255, true
		}
	}
	for name, c := range map[string]struct {
		value     func(band, x, y int) (float64, bool)
		low, high string // of the ramp
		cut       bool
		grey      int // of 200; -1: no pixel is 200
	}{
		"none":                      {strays(0, 0), "0", "200", false, 255},
		"within ten times":          {strays(1, 1500), "0", "1500", false, 34},
		"one far above":             {strays(1, 20000), "4", "227.2", true, 224},
		"one far below":             {strays(3, -9000), "-8.561", "196", true, 255},
		"so far that all is one":    {strays(1, 1e6), "0", "3906", true, 13},
		"many zeros and some tails": {func(_, x, y int) (float64, bool) { return float64(x % 100 / 99 * (y * 40)), true }, "0", "10200", false, -1},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			spec := ramp("Elevation")
			spec.Value = c.value
			add(t, st, spec)
			s := newServer(t, server.Config{Store: st})
			page := get(t, s, "/").Body.String()
			if cut := strings.Contains(page, "The range of nearly all pixels"); cut != c.cut {
				t.Errorf("cut is %v: %s", cut, figcaption(page))
			}
			if !strings.Contains(page, fmt.Sprintf("Colours from %s to %s", c.low, c.high)) {
				t.Errorf("the ramp is %s", figcaption(page))
			}
			if got := at(wantPNG(t, get(t, s, "/tiles/elevation/6/32/22.png")), 200, 255); c.grey >= 0 && (!isGrey(got) || abs(int(got.R)-c.grey) > 1) {
				t.Errorf("200 is drawn %v, want %d; the ramp is %s", got, c.grey, figcaption(page))
			}
		})
	}
}

// figcaption is the part of the page that explains a ramp.
func figcaption(page string) string {
	_, rest, _ := strings.Cut(page, "<figcaption>")
	text, _, _ := strings.Cut(rest, "</figure>")
	return text
}

func TestValuesAreExplainedInTheirUnit(t *testing.T) {
	for name, c := range map[string]struct {
		band rasterbase.Band
		says []string
	}{
		"scaled":            {rasterbase.Band{Scale: 0.1, Offset: 220, Unit: "K"}, []string{"Colours from 248.7 to 302.1", "<bdi>K</bdi>"}},
		"offset":            {rasterbase.Band{Scale: 1, Offset: -273.15, Unit: "°C"}, []string{"Colours from 13.85 to 547.9", "<bdi>°C</bdi>"}},
		"turned round":      {rasterbase.Band{Scale: -1, Unit: "m"}, []string{"Colours from -287 to -821"}},
		"raw":               {rasterbase.Band{Scale: 1, Unit: "K"}, []string{"Colours from 287 to 821", "<bdi>K</bdi>"}},
		"raw without scale": {rasterbase.Band{}, []string{"Colours from 287 to 821"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			spec := ramp("Temperature")
			c.band.PixelType, c.band.Nodata = rasterbase.Int16, rasterbase.FloatPtr(-1)
			spec.Bands = []rasterbase.Band{c.band}
			spec.Value = func(_, x, _ int) (float64, bool) { return 287 + float64(x*534/255), true }
			add(t, st, spec)
			s := newServer(t, server.Config{Store: st})
			page := get(t, s, "/").Body.String()
			for _, want := range c.says {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not say %q: %s", want, figcaption(page))
				}
			}
			m := decode[struct {
				Revision struct {
					Bands []struct {
						Scale, Offset, Min, Max float64
						Unit                    string
					}
				}
			}](t, get(t, s, "/layers/1")).Revision.Bands[0]
			scale := c.band.Scale
			if scale == 0 {
				scale = 1
			}
			if m.Scale != scale || m.Offset != c.band.Offset || m.Unit != c.band.Unit || m.Min != 287 || m.Max != 821 {
				t.Errorf("metadata %+v", m)
			}
		})
	}
	st := newStore(t)
	spec := ramp("Constant")
	spec.Bands = []rasterbase.Band{{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-1), Scale: 0.5, Offset: 1, Unit: "m"}}
	spec.Value = testlayer.Constant(7)
	add(t, st, spec)
	if page := get(t, newServer(t, server.Config{Store: st}), "/").Body.String(); !strings.Contains(page, "Every pixel is 4.5 m") {
		t.Error("a constant layer is not explained in its unit")
	}
}

func TestThePageSaysWhichBandIsDrawn(t *testing.T) {
	st := newStore(t)
	six := ramp("Six")
	six.Bands = nil
	for range 6 {
		six.Bands = append(six.Bands, rasterbase.Band{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-1)})
	}
	add(t, st, six)
	s := newServer(t, server.Config{Store: st})
	if page := get(t, s, "/").Body.String(); !strings.Contains(page, "band 1 of 6") {
		t.Error("the page does not say that one band of six is drawn")
	}
	photo := ramp("Photo")
	photo.Bands = nil
	for range 3 {
		photo.Bands = append(photo.Bands, rasterbase.Band{PixelType: rasterbase.Uint8})
	}
	other := newStore(t)
	add(t, other, photo)
	add(t, other, ramp("Elevation"))
	page := get(t, newServer(t, server.Config{Store: other}), "/").Body.String()
	if strings.Contains(page, "band 1") || !strings.Contains(page, "In its own colours") {
		t.Error("a band is named where all or the only one are drawn")
	}
}
