package picture_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/legend/picture"
)

func Example() {
	l := &rasterbase.Legend{Title: "Land cover", Entries: []rasterbase.Entry{
		{Semantics: rasterbase.Semantics{Name: "Forest"}, Expression: "1", Color: rasterbase.Color{G: 0x80, A: 0xff}},
		{Semantics: rasterbase.Semantics{Name: "Water"}, Expression: "2", Color: rasterbase.Color{B: 0xff, A: 0xff}},
	}}
	shown, err := picture.Of(l, nil)
	if err != nil {
		panic(err)
	}
	svg, err := picture.SVG(shown, picture.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println(bytes.Contains(svg, []byte("<title>Land cover</title><desc>Forest; Water</desc>")))
	// Output: true
}

func entry(name, expression string, c uint32) rasterbase.Entry {
	return rasterbase.Entry{
		Semantics: rasterbase.Semantics{Name: name}, Expression: expression,
		Color: rasterbase.Color{R: uint8(c >> 16), G: uint8(c >> 8), B: uint8(c), A: 0xff},
	}
}

func many(n int) *rasterbase.Legend {
	l := &rasterbase.Legend{Title: fmt.Sprint(n, " classes")}
	for i := range n {
		l.Entries = append(l.Entries, entry(fmt.Sprint("Class ", i), fmt.Sprint(i), uint32(i*2654435761)>>8))
	}
	return l
}

func num(v float64) *float64 { return &v }

// samples are legends of all kinds.
func samples() map[string]*rasterbase.Legend {
	clear, glass := entry("Glass", "7", 0x2166ac), entry("Clear", "8", 0)
	glass.Color.A, clear.Color.A = 0, 0x60
	chinese := entry("水域", "5", 0x2166ac)
	chinese.Code = "51"
	return map[string]*rasterbase.Legend{
		"cover": {Title: "Land cover 2021", Entries: []rasterbase.Entry{
			entry("Tree cover", "10", 0x006400), entry("Shrubland", "20", 0xffbb22), entry("Grassland", "30", 0xffff4c),
			entry("Cropland", "40", 0xf096ff), entry("Built-up", "50", 0xfa0000), entry("Snow and ice", "70", 0xf0f0f0),
			entry("Permanent water bodies, rivers and reservoirs that carry water in every month of the year", "80", 0x0064c8),
			entry("Mangroves", "95", 0x00cf75), glass, clear,
		}},
		"scripts": {Title: "Покров земли / Κάλυψη", Entries: []rasterbase.Entry{
			chinese, entry("غابة", "6", 0x1b7837), entry("Wald – Größe ≤ 5 m²", "x <= 5", 0x1b7837), entry("Water 水 body 🌊", "9", 0x0000ff),
		}},
		"long":      {Title: strings.Repeat("A very long title that ", 10), Entries: []rasterbase.Entry{entry(strings.Repeat("Donaudampfschifffahrt", 9), "1", 0x808080)}},
		"forty":     many(40),
		"thousands": many(5000),
		"none":      {Title: "Nothing"},
		"viridis":   {Title: "Elevation", Gradient: &rasterbase.Gradient{Colormap: "viridis", Min: num(-12), Max: num(4321)}},
		"relative":  {Title: "Temperature", Gradient: &rasterbase.Gradient{Colormap: "rdbu_r"}},
		"half":      {Title: "From zero", Gradient: &rasterbase.Gradient{Colormap: "terrain", Min: num(0)}},
		"accent":    {Title: "Zones", Gradient: &rasterbase.Gradient{Colormap: "accent", Min: num(0), Max: num(8)}},
		"stops": {Title: "Depth", Gradient: &rasterbase.Gradient{Interpolation: rasterbase.Linear, Stops: []rasterbase.Stop{
			{At: 0, Color: rasterbase.Color{R: 255, G: 255, B: 255, A: 0}}, {At: 20, Color: rasterbase.Color{G: 120, B: 255, A: 255}, Name: "Shelf"}, {At: 200, Color: rasterbase.Color{B: 60, A: 255}, Name: "Deep sea"},
		}}},
		"steps": {Title: "Slope", Gradient: &rasterbase.Gradient{Interpolation: rasterbase.Discrete, Stops: []rasterbase.Stop{
			{At: 5, Color: rasterbase.Color{G: 200, A: 255}}, {At: 15, Color: rasterbase.Color{R: 240, G: 200, A: 255}, Name: "steep"}, {At: math.Inf(1), Color: rasterbase.Color{R: 200, A: 255}},
		}}},
		"exact":  {Title: "Codes", Gradient: &rasterbase.Gradient{Interpolation: rasterbase.Exact, Stops: []rasterbase.Stop{{At: 5, Color: rasterbase.Color{G: 200, A: 255}}, {At: 7.25, Color: rasterbase.Color{R: 200, A: 255}}}}},
		"narrow": {Gradient: &rasterbase.Gradient{Colormap: "magma", Min: num(1000000.1), Max: num(1000000.2)}},
		"point":  {Gradient: &rasterbase.Gradient{Colormap: "magma", Min: num(5), Max: num(5)}},
		"wide":   {Gradient: &rasterbase.Gradient{Colormap: "inferno", Min: num(-1e300), Max: num(1e300)}},
		"tiny":   {Gradient: &rasterbase.Gradient{Colormap: "inferno", Min: num(1e-12), Max: num(5e-12)}},
	}
}

var metres = &rasterbase.Band{Unit: "m", Scale: 0.1, Offset: 0}

// Every legend makes a picture of each kind that can be read, of a bounded size.
// RASTERBASE_TEST_PICTURES is a folder to look at them in.
func TestPictures(t *testing.T) {
	white := color.NRGBA{}
	dark := color.NRGBA{0x18, 0x20, 0x28, 0xff}
	for name, l := range samples() {
		for _, o := range []struct {
			name    string
			options picture.Options
		}{{"", picture.Options{}}, {"@2x", picture.Options{Scale: 2}}, {"-clear", picture.Options{Background: &white}}, {"-dark", picture.Options{Background: &dark}}} {
			shown, err := picture.Of(l, metres)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			b, err := picture.PNG(shown, o.options)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			img, err := png.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if size := img.Bounds().Size(); size.X > 2000 || size.Y > 1500 || size.X < 20 || size.Y < 20 {
				t.Errorf("%s%s: %v", name, o.name, size)
			}
			svg, err := picture.SVG(shown, o.options)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			checkSVG(t, svg)
			if folder := os.Getenv("RASTERBASE_TEST_PICTURES"); folder != "" {
				keep(t, filepath.Join(folder, name+o.name+".png"), b)
				keep(t, filepath.Join(folder, name+o.name+".svg"), svg)
			}
		}
	}
}

func keep(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkSVG reads an SVG and gives its texts. It has shapes alone.
func checkSVG(t interface {
	Helper()
	Fatalf(string, ...any)
}, svg []byte) (texts []string) {
	t.Helper()
	known := " svg title desc rect path g text linearGradient stop pattern tspan "
	d := xml.NewDecoder(bytes.NewReader(svg))
	in, role := "", ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		switch e := token.(type) {
		case xml.StartElement:
			if in = e.Name.Local; !strings.Contains(known, " "+in+" ") {
				t.Fatalf("element %s", in)
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" || a.Name.Local == "style" {
					t.Fatalf("attribute %s of %s", a.Name.Local, in)
				}
				if in == "svg" && a.Name.Local == "role" {
					role = a.Value
				}
			}
		case xml.CharData:
			switch in {
			case "text":
				texts = append(texts, string(e))
			case "tspan":
				texts[len(texts)-1] += string(e)
			}
		case xml.EndElement:
			in = ""
		}
	}
	if role != "img" || !bytes.Contains(svg, []byte("<title>")) {
		t.Fatalf("no role or no title: %.300s", svg)
	}
	return texts
}

func svgTexts(t *testing.T, l *rasterbase.Legend, b *rasterbase.Band) []string {
	t.Helper()
	shown, err := picture.Of(l, b)
	if err != nil {
		t.Fatal(err)
	}
	svg, err := picture.SVG(shown, picture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return checkSVG(t, svg)
}

func TestTextsOfPictures(t *testing.T) {
	s := samples()
	for _, test := range []struct {
		name string
		band *rasterbase.Band
		want string
	}{
		{"scripts", nil, "Покров земли / Κάλυψη|水域|غابة|Wald – Größe ≤ 5 m²|Water 水 body 🌊"},
		{"viridis", nil, "Elevation|−12|1000|2000|3000|4321"},
		{"viridis", metres, "Elevation (m)|−1.2|100|200|300|432.1"},
		{"viridis", &rasterbase.Band{Scale: -1}, "Elevation|−4321|−3000|−2000|−1000|12"},
		{"relative", metres, "Temperature|min|max"},
		{"half", nil, "From zero|0|max"},
		{"accent", nil, "Zones|0 to 1|1 to 2|2 to 3|3 to 4|4 to 5|5 to 6|6 to 7|7 to 8"},
		{"stops", nil, "Depth|0|50|100|150|200|Shelf|Deep sea"},
		{"steps", nil, "Slope|up to 5|steep|above 15"},
		{"exact", nil, "Codes|5|7.25"},
		{"narrow", nil, "1,000,000.1|1,000,000.15|1,000,000.2"},
		{"point", nil, "5"},
		{"wide", nil, "−1e300|−5e299|0|5e299|1e300"},
		{"tiny", nil, "1e-12|2e-12|3e-12|4e-12|5e-12"},
		{"none", nil, "Nothing|No entries"},
	} {
		if got := strings.Join(svgTexts(t, s[test.name], test.band), "|"); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	texts := svgTexts(t, s["thousands"], nil)
	if n := len(texts); n != 2+picture.MaxSwatches || texts[n-1] != "and 4,904 more" {
		t.Errorf("%d texts, the last %q", n, texts[n-1])
	}
	long := svgTexts(t, s["long"], nil)
	if len(long) != 4 || !strings.HasSuffix(long[1], "…") || !strings.HasSuffix(long[3], "…") {
		t.Errorf("long texts are not cut: %q", long)
	}
}

// The ends of a bar are told in the picture and to those who do not see it, and
// texts do not run into each other.
func TestTheEndsOfABarAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		low, high float64
		texts     string
		says      string
	}{
		"heights": {1024, 2896, "1024|1500|2000|2500|2896", "Colours from 1024 to 2896"},
		"round":   {0, 1, "0.0|0.2|0.4|0.6|0.8|1.0", "Colours from 0.0 to 1.0"},
		"narrow":  {250.25, 250.75, "250.25|250.4|250.5|250.6|250.75", "Colours from 250.25 to 250.75"},
		"reverse": {255, 0, "0|50|100|150|200|255", "Colours from 0 to 255"},
	} {
		shown := picture.Legend{Bar: &picture.Bar{Low: c.low, High: c.high, Color: func(float64) rasterbase.Color { return rasterbase.Color{A: 255} }}}
		svg, err := picture.SVG(shown, picture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(checkSVG(t, svg), "|"); got != c.texts {
			t.Errorf("%s: %q, want %q", name, got, c.texts)
		}
		if !strings.Contains(string(svg), "<desc>"+c.says+"</desc>") {
			t.Errorf("%s: the description is not %q: %.300s", name, c.says, svg)
		}
	}
}

// What is drawn has the colours of the legend, at every scale.
func TestColorsOfPictures(t *testing.T) {
	count := func(img image.Image, want color.NRGBA) (n int) {
		b := img.Bounds()
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				if color.NRGBAModel.Convert(img.At(x, y)) == want {
					n++
				}
			}
		}
		return n
	}
	shown, err := picture.Of(samples()["cover"], nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, scale := range []float64{1, 1.5, 2, 3} {
		b, err := picture.PNG(shown, picture.Options{Scale: scale})
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range shown.Swatches[:8] {
			if n := count(img, color.NRGBA(s.Color)); float64(n) < 120*scale*scale {
				t.Errorf("at scale %v, %d dots of %s", scale, n, s.Name)
			}
		}
	}
}

// A PNG of names in a script that the fonts lack shows codes, not boxes: it is
// that of the codes.
func TestScriptsThatFontsLack(t *testing.T) {
	draw := func(name string, code string) []byte {
		e := entry(name, "5", 0x2166ac)
		e.Code = code
		shown, err := picture.Of(&rasterbase.Legend{Entries: []rasterbase.Entry{e}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := picture.PNG(shown, picture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, test := range []struct{ name, code, like string }{
		{"水域", "51", "51"},
		{"غابة 2", "", "5"},
		{"森林", "甲", ""},
		{"🌊", "7", "7"},
		{"Water 水 body 🌊", "7", "Water body"},
		{"Wa\u0308lder", "7", "Wälder"},
		{"left\u202eright", "7", "leftright"},
		{"two\nlines\tof", "7", "two lines of"},
	} {
		like := test.like
		if like == "" {
			like = "水"
		}
		if !bytes.Equal(draw(test.name, test.code), draw(like, "")) && test.like != "" {
			t.Errorf("%q is not drawn as %q", test.name, test.like)
		}
	}
}

// Whatever stands in a legend, the pictures can be read and are bounded, and an SVG
// holds no markup of its texts.
func TestAnyTextIsSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &rasterbase.Legend{Title: rapid.String().Draw(t, "title")}
		for range rapid.IntRange(0, 4).Draw(t, "entries") {
			name := rapid.OneOf(rapid.String(), rapid.Just(`</text><script>alert(1)</script>"'&]]>`), rapid.StringN(0, 400, -1)).Draw(t, "name")
			l.Entries = append(l.Entries, entry(name, "1", rapid.Uint32().Draw(t, "color")))
		}
		shown, err := picture.Of(l, nil)
		if err != nil {
			t.Fatal(err)
		}
		svg, err := picture.SVG(shown, picture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		checkSVG(t, svg)
		b, err := picture.PNG(shown, picture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := png.DecodeConfig(bytes.NewReader(b))
		if err != nil || c.Width > 600 || c.Height > 400 {
			t.Fatalf("%+v %v", c, err)
		}
	})
}

// Gradients of any range make pictures.
func TestAnyRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low, high := rapid.Float64().Draw(t, "low"), rapid.Float64().Draw(t, "high")
		shown, err := picture.Of(&rasterbase.Legend{Gradient: &rasterbase.Gradient{Colormap: "viridis", Min: &low, Max: &high}}, nil)
		if low-low != 0 || high-high != 0 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		svg, err := picture.SVG(shown, picture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		texts := checkSVG(t, svg)
		if len(texts) == 0 || len(texts) > 10 || strings.Contains(string(svg), "NaN") || strings.Contains(string(svg), "Inf") {
			t.Fatalf("%v to %v: %q", low, high, texts)
		}
	})
}

func TestColormapsHaveNoText(t *testing.T) {
	colors, err := legend.Colors("viridis")
	if err != nil {
		t.Fatal(err)
	}
	svg, err := picture.SVG(picture.Colors(colors), picture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if texts := checkSVG(t, svg); len(texts) > 0 {
		t.Errorf("%q", texts)
	}
	b, err := picture.PNG(picture.Colors(colors), picture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for x := range img.Bounds().Dx() {
		if got := color.NRGBAModel.Convert(img.At(x, 3)); got != color.NRGBA(colors[x]) {
			t.Fatalf("column %d is %v, want %v", x, got, colors[x])
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 5: "5", -5: "−5", 0.5: "0.5", 1.0 / 3: "0.3333", 1234.5678: "1235", 9999: "9999", 12345: "12,345",
		-1234567: "−1,234,567", 1e-7: "1e-7", 2.5e12: "2.5e12", math.Copysign(0, -1): "0",
	} {
		if got := picture.Number(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	for _, name := range []string{"cover", "viridis", "thousands"} {
		b.Run(name, func(b *testing.B) {
			shown, err := picture.Of(samples()[name], nil)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := picture.PNG(shown, picture.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
