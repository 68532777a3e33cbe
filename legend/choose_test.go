package legend_test

import (
	"errors"
	"fmt"
	"image/color"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

func names(l *rasterbase.Legend) string {
	var out []string
	for _, e := range l.Entries {
		out = append(out, e.Semantics.Name)
	}
	return strings.Join(out, " | ")
}

func ExampleSelect() {
	l, err := legend.ParseJSON("Cover", []byte(`[
		{"name": "Water", "expression": "1", "color": "blue", "code": ""},
		{"name": "Ice, snow", "expression": "(1 < x) & (x <= 4)", "color": "white", "code": ""},
		{"name": "Wood", "expression": "5", "color": "green", "code": ""}]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, entries := range []string{"5,1", "ice, snow,WATER", "(1<x)&(x<=4)", "6"} {
		s, err := legend.Select(l, entries)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(names(s))
	}
	// Output:
	// Water | Wood
	// Water | Ice, snow
	// Ice, snow
	// the legend has no entry "6" (give expressions or names of its entries, separated by commas)
}

func TestSelect(t *testing.T) {
	t.Parallel()
	l := &rasterbase.Legend{Title: "t"}
	for _, e := range [][2]string{{"4", "a"}, {"max(x, 3) > 5", "b"}, {"2.50", "c"}, {"4", "again"}, {"x != 7", "4"}, {"9", "ÄRM, b, c"}} {
		l.Entries = append(l.Entries, rasterbase.Entry{Expression: e[0], Semantics: rasterbase.Semantics{Name: e[1]}})
	}
	tests := []struct{ in, want string }{
		{"", ""}, {" , ,", ""},
		{"4", "a | again"}, {"4.0,c", "a | c | again"}, {"2.5", "c"}, {"A", "a"},
		{"max(x, 3) > 5", "b"}, {"max(x,3)>5,4", "a | b | again"}, {"x!=7", "4"},
		{"ärm, b, c", "ÄRM, b, c"}, {"ärm, b, c,a", "a | ÄRM, b, c"}, {"b,c", "b | c"}, {"(4)", "a | again"},
	}
	for _, tt := range tests {
		s, err := legend.Select(l, tt.in)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if got := names(s); got != tt.want || len(l.Entries) != 6 || s.Title != "t" {
			t.Errorf("%q gives %s, want %s", tt.in, got, tt.want)
		}
	}
	for _, in := range []string{"5", "a,d", "max(x, 3", ")", "4 a", strings.Repeat("(", 1<<20), strings.Repeat("4,", 1<<18) + "5", strings.Repeat("4.0,", 1<<14) + "5", strings.Repeat("a", legend.MaxColormapBytes+1)} {
		_, err := legend.Select(l, in)
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || e.Field != "entries" || len(err.Error()) > 300 {
			t.Errorf("%.40q: %v", in, err)
		}
	}
	if _, err := legend.Select(&rasterbase.Legend{Gradient: &rasterbase.Gradient{Colormap: "jet"}}, "4"); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("a gradient: %v", err)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	tests := []struct{ codes, want string }{
		{"2 1 10", "1 2 10"},
		{"1 2 3", "1 2 3"},
		{"b 2 a10 a9 -1 1e1 A", "-1 2 1e1 A a9 a10 b"},
		{"1.10 1.9 1.1", "1.10 1.1 1.9"},
		{"1.1.10 1.1.9 1.1", "1.1 1.1.9 1.1.10"},
		{"3 2 _", "3 2 _"},
		{"a01 a1 a001", "a01 a1 a001"},
		{"a a1", "a a1"}, {"a1 a", "a a1"}, {"1a 1", "1 1a"},
	}
	for _, tt := range tests {
		l := &rasterbase.Legend{}
		for _, c := range strings.Fields(tt.codes) {
			l.Entries = append(l.Entries, rasterbase.Entry{Code: strings.TrimPrefix(c, "_"), Semantics: rasterbase.Semantics{Name: c}})
		}
		if got := strings.ReplaceAll(names(legend.Order(l)), " | ", " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.codes, got, tt.want)
		}
		if got := strings.ReplaceAll(names(l), " | ", " "); got != tt.codes {
			t.Errorf("%s: Order changed the legend", tt.codes)
		}
	}
}

// The order of codes is that of painting, wherever the entries stand.
func TestCodesOrderPainting(t *testing.T) {
	t.Parallel()
	l := &rasterbase.Legend{Entries: []rasterbase.Entry{
		{Expression: "x > 2", Code: "10", Color: rasterbase.Color{R: 1, A: 255}},
		{Expression: "x > 1", Code: "9", Color: rasterbase.Color{R: 2, A: 255}},
	}}
	for _, pt := range []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Float32} {
		m, err := legend.Compile(l, pt)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.At(3); got != (color.NRGBA{1, 0, 0, 255}) {
			t.Errorf("%v: got %v", pt, got)
		}
		c, err := legend.Classify(l, pt)
		if err != nil {
			t.Fatal(err)
		}
		if c.Entry(3) != 0 || c.Entry(2) != 1 || c.Entry(1) != -1 {
			t.Errorf("%v: entries %d, %d, %d", pt, c.Entry(3), c.Entry(2), c.Entry(1))
		}
	}
	out, err := legend.MarshalColormap(l)
	if want := `{"x > 1":[2,0,0,255],"x > 2":[1,0,0,255]}`; err != nil || string(out) != want {
		t.Errorf("got %s, %v", out, err)
	}
}
