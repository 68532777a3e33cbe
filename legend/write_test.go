package legend_test

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// classes is a legend as analysts make them: ranges that touch, the last one
// closed.
var classes = rasterbase.Legend{Title: "Classes", Entries: []rasterbase.Entry{
	{Semantics: rasterbase.Semantics{Name: "low"}, Expression: "(0 <= x) & (x < 10)", Color: rasterbase.Color{R: 1, A: 255}},
	{Semantics: rasterbase.Semantics{Name: "high, and dry"}, Expression: "(10 <= x) & (x <= 20)", Color: rasterbase.Color{G: 2, A: 9}},
}}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	water := rasterbase.Legend{Title: "Water", Entries: []rasterbase.Entry{
		{Semantics: rasterbase.Semantics{Name: "Deep, cold", Description: "far out"}, Expression: "2", Color: rasterbase.Color{B: 255, A: 255}, Code: "b"},
		{Semantics: rasterbase.Semantics{Name: "<Shore>"}, Expression: "1", Color: rasterbase.Color{R: 255, A: 128}, Code: "a"},
	}}
	depth := rasterbase.Legend{Gradient: &rasterbase.Gradient{Interpolation: rasterbase.Linear, Stops: []rasterbase.Stop{
		{At: 0, Color: rasterbase.Color{R: 255, A: 255}, Name: "shore"}, {At: 10, Color: rasterbase.Color{B: 255, A: 255}},
	}}}
	shares := rasterbase.Legend{Gradient: &rasterbase.Gradient{Interpolation: rasterbase.Linear, Relative: true, Stops: []rasterbase.Stop{
		{At: 0, Color: rasterbase.Color{R: 255, A: 255}}, {At: 0.07, Color: rasterbase.Color{B: 255, A: 255}},
	}}}
	tests := []struct {
		name, file, want string
		l                rasterbase.Legend
	}{
		{"values", "a.csv", "value,color,name,code,description\n1,#FF000080,<Shore>,a,\n2,#0000FF,\"Deep, cold\",b,far out\n", water},
		{"values", "a.CLR", "1 255 0 0 128 <Shore>\n2 0 0 255 255 Deep, cold\n", water},
		{"values", "a.txt", "# QGIS Generated Color Map Export File\nINTERPOLATION:EXACT\n1,255,0,0,128,<Shore>\n2,0,0,255,255,Deep; cold\n", water},
		{"values", "a.json", `[{"name":"<Shore>","expression":"1","color":"#FF000080","code":"a"},` +
			`{"name":"Deep, cold","expression":"2","color":"#0000FF","code":"b","description":"far out"}]` + "\n", water},
		{"ranges", "a.csv", "expression,color,name\n(0 <= x) & (x < 10),#010000,low\n(10 <= x) & (x <= 20),#00020009,\"high, and dry\"\n", classes},
		{"ranges", "a.txt", "# QGIS Generated Color Map Export File\nINTERPOLATION:DISCRETE\n-1.401298464324817e-45,0,0,0,0,-1.401298464324817e-45\n" +
			"9.999999046325684,1,0,0,255,low\n20,0,2,0,9,high; and dry\n", classes},
		{"ranges", "a.clr", "# INTERPOLATION:INTERPOLATED\n-1.401298464324817e-45 0 0 0 0\n0 1 0 0 255 low\n9.999999046325684 1 0 0 255\n" +
			"10 0 2 0 9 high, and dry\n20 0 2 0 9\n20.000001907348633 0 0 0 0\n", classes},
		{"gradient", "a.csv", "stop,color,name,interpolation\n0,#FF0000,shore,linear\n10,#0000FF,,\n", depth},
		{"gradient", "a.clr", "# INTERPOLATION:INTERPOLATED\n0 255 0 0 255 shore\n10 0 0 255 255\n", depth},
		{"gradient", "a.txt", "# QGIS Generated Color Map Export File\nINTERPOLATION:INTERPOLATED\n0,255,0,0,255,shore\n10,0,0,255,255,10\n", depth},
		{"shares", "a.clr", "# INTERPOLATION:INTERPOLATED\n0% 255 0 0 255\n7% 0 0 255 255\n", shares},
		{"shares", "a.csv", "stop,color,name,interpolation\n0%,#FF0000,,linear\n7%,#0000FF,,\n", shares},
	}
	for _, tt := range tests {
		b, err := legend.WriteFile(tt.file, &tt.l)
		if err != nil || string(b) != tt.want {
			t.Errorf("%s as %s: %v\ngot  %s\nwant %s", tt.name, tt.file, err, b, tt.want)
		}
	}
}

func TestWriteFileErrors(t *testing.T) {
	t.Parallel()
	odd := classes
	odd.Entries = append(slices.Clone(odd.Entries), rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "odd"}, Expression: "x * x > 7"})
	named := rasterbase.Legend{Gradient: &rasterbase.Gradient{Colormap: "viridis"}}
	half := named
	low := 1.
	half.Gradient = &rasterbase.Gradient{Colormap: "viridis", Min: &low}
	for _, tt := range []struct {
		file, text string
		l          rasterbase.Legend
	}{
		{"a.clr", `entry 3 (odd): the formula "x * x > 7"`, odd},
		{"a.txt", `entry 3 (odd)`, odd},
		{"a.qml", `entry 3 (odd)`, odd},
		{"a.qml", "own range", named},
		{"a.txt", "own range", named},
		{"a.clr", "own range", half},
		{"a.sld", `".sld" is not that of a legend`, classes},
		{"a", "is not that of a legend", classes},
		{"a.json", "column 4", rasterbase.Legend{Entries: []rasterbase.Entry{{Expression: "x >"}}}},
		{"a.clr", "matches no value", rasterbase.Legend{Entries: []rasterbase.Entry{{Expression: "(0 <= x) & (x < 0)"}}}},
		{"a.qml", "matches no value", rasterbase.Legend{}},
	} {
		_, err := legend.WriteFile(tt.file, &tt.l)
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got %v; want %q in it", tt.file, err, tt.text)
		}
		if c := rasterbase.CodeOf(err); c != rasterbase.Invalid && c != rasterbase.Unsupported {
			t.Errorf("%s: code %q", tt.file, c)
		}
	}
	for _, file := range []string{"a.json", "a.csv"} { // hold everything
		for _, l := range []rasterbase.Legend{odd, named, half} {
			if _, err := legend.WriteFile(file, &l); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// TestReadOptions reads what gdaldem interpolates.
func TestReadOptions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, content string
		mode          rasterbase.Interpolation
		want          string
	}{
		{"a.clr", "10 0 0 255\n0 255 0 0\n", rasterbase.Linear, "a: linear; 0=#FF0000; 10=#0000FF"},
		{"a.clr", "10 0 0 255\n0 255 0 0\n", rasterbase.Discrete, "a: x <= 0=#FF0000/x <= 0; (0 < x) & (x <= 10)=#0000FF/(0 < x) & (x <= 10)"},
		{"a.clr", "10% 0 0 255\n0% 255 0 0\n", rasterbase.Discrete, "a: discrete relative; 0=#FF0000; 0.1=#0000FF"},
		{"a.txt", "INTERPOLATION:EXACT\n10 0 0 255\n", rasterbase.Linear, "a: 10=#0000FF/10"},
		{"a.csv", "value,color,name\n10,blue,\n0,red,dry\n", rasterbase.Linear, "a: linear; 0=#FF0000/dry; 10=#0000FF"},
		{"a.csv", "expression,color\nx < 5,blue\n", rasterbase.Linear, "a: x < 5=#0000FF/x < 5"},
		{"a.csv", "stop,color\n1,blue\n", rasterbase.Exact, "a: exact; 1=#0000FF"},
	} {
		l, err := legend.ReadFileWith(tt.name, []byte(tt.content), legend.ReadOptions{Interpolation: tt.mode})
		if err != nil || describe(l) != tt.want {
			t.Errorf("%s %q as %s: %v\ngot  %s\nwant %s", tt.name, tt.content, tt.mode, err, describe(l), tt.want)
		}
	}
	_, err := legend.ReadFileWith("a.clr", nil, legend.ReadOptions{Interpolation: "soft"})
	if rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("soft: %v", err)
	}
}

// drawLegend draws a legend that all forms can hold, the numbers of which are
// multiples of unit.
func drawLegend(rt *rapid.T, unit float64) *rasterbase.Legend {
	colors := rapid.Custom(func(rt *rapid.T) rasterbase.Color {
		b := rapid.Byte()
		return rasterbase.Color{R: b.Draw(rt, "r"), G: b.Draw(rt, "g"), B: b.Draw(rt, "b"), A: rapid.SampledFrom([]byte{255, 255, 128, 1}).Draw(rt, "a")}
	})
	number := rapid.Custom(func(rt *rapid.T) float64 { return float64(rapid.IntRange(-40, 300).Draw(rt, "n")) * unit })
	l := &rasterbase.Legend{Title: "t"}
	if rapid.Bool().Draw(rt, "gradient") {
		l.Gradient = &rasterbase.Gradient{Interpolation: rapid.SampledFrom([]rasterbase.Interpolation{rasterbase.Linear, rasterbase.Discrete, rasterbase.Exact}).Draw(rt, "mode")}
		places := rapid.SliceOfN(number, 1, 6).Draw(rt, "places")
		slices.Sort(places)
		for i, at := range places {
			l.Gradient.Stops = append(l.Gradient.Stops, rasterbase.Stop{At: at, Color: colors.Draw(rt, "color"), Name: fmt.Sprint("stop ", i)})
		}
		if l.Gradient.Interpolation == rasterbase.Discrete && rapid.Bool().Draw(rt, "open") {
			l.Gradient.Stops[len(places)-1].At = math.Inf(1)
		}
		return l
	}
	for i := range rapid.IntRange(1, 6).Draw(rt, "entries") {
		a, b := number.Draw(rt, "a"), number.Draw(rt, "b")
		expression := fmt.Sprint(a)
		switch rapid.IntRange(0, 4).Draw(rt, "kind") {
		case 0:
			expression = fmt.Sprintf("(%v <= x) & (x < %v)", min(a, b), max(a, b))
		case 1:
			expression = fmt.Sprintf("(%v < x) & (x <= %v)", min(a, b), max(a, b))
		case 2:
			expression = fmt.Sprintf("x %s %v", rapid.SampledFrom([]string{"<", "<=", ">", ">=", "!="}).Draw(rt, "op"), a)
		}
		l.Entries = append(l.Entries, rasterbase.Entry{
			Semantics: rasterbase.Semantics{Name: fmt.Sprintf("entry %d, <&>\"é\"", i)}, Expression: expression, Color: colors.Draw(rt, "color"),
			Code: rapid.SampledFrom([]string{"", fmt.Sprint(9 - i)}).Draw(rt, "code"),
		})
	}
	return l
}

// TestFilesKeepColors writes legends and reads them again: each value has the
// colour that it had.
func TestFilesKeepColors(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		// Numbers of 64 bits are not looked at between two of 32 bits, see WriteFile.
		unit := rapid.SampledFrom([]float64{1, 0.25, 0.1}).Draw(rt, "unit")
		l := drawLegend(rt, unit)
		types := []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Int32, rasterbase.Float32}
		if unit != 0.1 {
			types = append(types, rasterbase.Float64)
		}
		for _, ext := range []string{".json", ".csv", ".clr", ".txt", ".qml"} {
			b, err := legend.WriteFile("t"+ext, l)
			if err != nil {
				if strings.Contains(err.Error(), "matches no value") {
					continue
				}
				rt.Fatalf("%s: %v", ext, err)
			}
			back, err := legend.ReadFile("t"+ext, b)
			if err != nil {
				rt.Fatalf("%s: %v\n%s", ext, err, b)
			}
			for _, pixel := range types {
				sameColors(rt, l, back, pixel, unit, ext+"\n"+string(b))
			}
		}
	})
}

func sameColors(rt *rapid.T, l, back *rasterbase.Legend, pixel rasterbase.PixelType, unit float64, what string) {
	want, err := legend.Compile(l, pixel)
	if err != nil {
		rt.Fatal(err)
	}
	got, err := legend.Compile(back, pixel)
	if err != nil {
		rt.Fatal(err)
	}
	tolerance := 0
	if g := l.Gradient; g != nil && g.Interpolation == rasterbase.Linear {
		tolerance = 1 // stops at one place are taken apart
	}
	for n := -42; n <= 304; n++ {
		v := float64(n) * unit
		f := float32(v)
		values := []float64{
			float64(f), float64(math.Nextafter32(f, 1e9)), float64(math.Nextafter32(f, -1e9)), float64(float32(v + unit/3)),
		}
		if !pixel.IsFloat() {
			values = []float64{math.Trunc(v)}
		}
		for _, v := range values {
			if !pixel.Holds(v) {
				continue
			}
			a, b := want.At(v), got.At(v)
			if !alike(a, b, tolerance) {
				rt.Fatalf("%v %v: %v, was %v; %s", pixel, v, b, a, what)
			}
		}
	}
}

// alike tells whether two colours differ by at most so much in each part.
func alike(a, b color.NRGBA, most int) bool {
	far := func(a, b uint8) bool { return max(a, b)-min(a, b) > uint8(most) }
	return a.A == 0 && b.A == 0 || !far(a.R, b.R) && !far(a.G, b.G) && !far(a.B, b.B) && !far(a.A, b.A)
}

// TestFilesKeepLegends writes and reads what JSON and CSV hold as a whole.
func TestFilesKeepLegends(t *testing.T) {
	t.Parallel()
	low, high := -7.5, 0.1
	for _, g := range []*rasterbase.Gradient{
		{Colormap: "viridis", Interpolation: rasterbase.Linear},
		{Colormap: "magma_r", Interpolation: rasterbase.Linear, Min: &low},
		{Colormap: "tab10", Interpolation: rasterbase.Linear, Min: &low, Max: &high},
		{Relative: true, Interpolation: rasterbase.Discrete, Max: &high, Stops: []rasterbase.Stop{{At: 1. / 3}, {At: 1, Name: "a, b"}}},
		{Interpolation: rasterbase.Discrete, Stops: []rasterbase.Stop{{At: 1e-9}, {At: math.Inf(1)}}},
		{Interpolation: rasterbase.Exact, Stops: []rasterbase.Stop{{At: 5, Color: rasterbase.Color{R: 1, A: 2}}}},
	} {
		for _, ext := range []string{".json", ".csv"} {
			b, err := legend.WriteFile("t"+ext, &rasterbase.Legend{Title: "t", Gradient: g})
			if err != nil {
				t.Errorf("%s: %v", ext, err)
				continue
			}
			back, err := legend.ReadFile("t"+ext, b)
			if err != nil {
				t.Errorf("%s: %v\n%s", ext, err, b)
				continue
			}
			if got, want := describe(back), describe(&rasterbase.Legend{Title: "t", Gradient: g}); got != want {
				t.Errorf("%s: got %s\nwant %s\n%s", ext, got, want, b)
			}
		}
	}
}

// TestSharesKept writes shares in percent and reads the same numbers.
func TestSharesKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		at := rapid.Float64Range(0, 1).Draw(rt, "at")
		l := &rasterbase.Legend{Gradient: &rasterbase.Gradient{Relative: true, Stops: []rasterbase.Stop{{At: at}}}}
		for _, ext := range []string{".csv", ".clr"} {
			b, err := legend.WriteFile("t"+ext, l)
			if err != nil {
				rt.Fatal(err)
			}
			back, err := legend.ReadFile("t"+ext, b)
			if err != nil || back.Gradient.Stops[0].At != at {
				rt.Fatalf("%v: %v\n%s", at, err, b)
			}
		}
	})
}

// ExampleWriteFile turns a CSV file into a style that QGIS loads.
func ExampleWriteFile() {
	l, err := legend.ReadFile("depth.csv", []byte("stop,color,name\n0,white,shore\n50,navy,deep\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := legend.WriteFile("depth.clr", l)
	fmt.Print(string(b), err)
	// Output:
	// # INTERPOLATION:INTERPOLATED
	// 0 255 255 255 255 shore
	// 50 0 0 128 255 deep
	// <nil>
}
