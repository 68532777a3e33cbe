package legend_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

func ExampleParseColormap() {
	l, err := legend.ParseColormap([]byte(`{"x > 2": "#654321", "4": [101, 67, 33, 128]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range l.Entries {
		fmt.Println(e.Expression, e.Color)
	}
	_, err = legend.ParseColormap([]byte(`{"4": "red", "x >": "blue"}`))
	fmt.Println(err)
	// Output:
	// x > 2 #654321
	// 4 #65432180
	// colormap: key "x >": column 4: expected a number, a name or "(", found the end of the formula
}

// show writes a legend in a line.
func show(l *rasterbase.Legend) string {
	var out strings.Builder
	for _, e := range l.Entries {
		fmt.Fprintf(&out, "%s=%v; ", e.Expression, e.Color)
	}
	if g := l.Gradient; g != nil {
		fmt.Fprintf(&out, "%s %s", g.Interpolation, g.Colormap)
		if g.Relative {
			out.WriteString(" relative")
		}
		for i, end := range []*float64{g.Min, g.Max} {
			if end != nil {
				fmt.Fprintf(&out, " %s %v", []string{"from", "to"}[i], *end)
			}
		}
		for _, s := range g.Stops {
			fmt.Fprintf(&out, " | %v %v %s", s.At, s.Color, s.Name)
		}
	}
	return strings.TrimRight(out.String(), "; ")
}

func TestParseColormap(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		// django-raster
		{`{"4": [101, 67, 33, 255]}`, "4=#654321"},
		{`{"4": "654321"}`, "4=#654321"},
		{`{"2": "red", "(x >= 2) & (x < 5)": [0, 0, 0], "1": "#abc"}`, "2=#FF0000; (x >= 2) & (x < 5)=#000000; 1=#AABBCC"},
		{`{"1": "red", "1": "blue"}`, "1=#FF0000; 1=#0000FF"},
		{`{"continuous": "True", "from": [1, 2, 3], "to": "#ffffff", "range": [0, 100]}`,
			"linear  relative from 0 to 100 | 0 #010203  | 1 #FFFFFF"},
		{`{"continuous": true, "from": "red", "over": "lime", "to": "blue"}`,
			"linear  relative | 0 #FF0000  | 0.5 #00FF00  | 1 #0000FF"},
		{`{"continuous": true}`, "linear  relative | 0 #000000  | 1 #FFFFFF"},
		{`{"from": "red", "range": [9, null]}`, "linear  relative from 9 | 0 #FF0000  | 1 #FFFFFF"},
		// TiTiler
		{`{"1": [254, 240, 217, 255], "2": [179, 0, 0, 255]}`, "1=#FEF0D9; 2=#B30000"},
		{`[[[0, 1.5], [255, 0, 0, 255]], [[1.5, 300], "blue"]]`, "(0 <= x) & (x < 1.5)=#FF0000; (1.5 <= x) & (x < 300)=#0000FF"},
		{`[[[null, -1e20], [1, 2, 3]], [[1e-9, null], [1, 2, 3, 0]]]`, "x < -1e+20=#010203; x >= 1e-09=#01020300"},
		// ours
		{`{"stops": [[0, "red"], [10, [0, 0, 255], "deep"]]}`, "linear  | 0 #FF0000  | 10 #0000FF deep"},
		{`{"stops": [{"at": -1.5, "color": "red", "name": "a"}, {"color": "red", "at": "inf"}], "interpolation": "Discrete"}`,
			"discrete  | -1.5 #FF0000 a | +Inf #FF0000"},
		{`{"stops": [[0, "red"], [1, "blue"]], "range": [5, 2]}`, "linear  relative from 5 to 2 | 0 #FF0000  | 1 #0000FF"},
		{`{"stops": [[0, "red"]], "relative": true, "interpolation": "exact"}`, "exact  relative | 0 #FF0000"},
		{`{"colormap_name": "viridis_r"}`, "linear viridis_r"},
		{` {"colormap_name": "Ice", "range": [null, 3e2]} `, "linear Ice to 300"},
		{`[{"name": "Earth", "expression": "1", "color": "#FFF", "code": "1"}]`, "1=#FFFFFF"},
	}
	for _, tt := range tests {
		l, err := legend.ParseColormap([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := show(l); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.in, got, tt.want)
		}
		out, err := legend.MarshalColormap(l)
		if err != nil {
			t.Error(err)
			continue
		}
		again, err := legend.ParseColormap(out)
		if err != nil || show(again) != show(l) {
			t.Errorf("%s was written as %s, %v", tt.in, out, err)
		}
	}
}

func TestParseColormapErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, text string }{
		{``, "too early"}, {`{`, "too early"}, {`{}`, "expected colours"}, {`[]`, "expected colours"}, {`null`, "expected colours"}, {`4`, "expected colours"},
		{`"red"`, "expected colours"}, {`{"4": "red"} x`, "byte"}, {`{4: "red"}`, "cannot be read"}, {`{'4': 'red'}`, "cannot be read"},
		{`{"4": "reddish"}`, `key "4": "reddish" is not a colour`},
		{`{"4": [1, 2]}`, `key "4"`}, {`{"4": [1, 2, 3, 4, 5]}`, `key "4"`}, {`{"4": [1, 2, 256]}`, "256"},
		{`{"4": [1, 2, -1]}`, "-1"}, {`{"4": [1, 2, 0.5]}`, "0.5"}, {`{"4": [1, 2, "3"]}`, `"3"`}, {`{"4": [1, 2, 1e999]}`, "1e999"},
		{`{"4": null}`, "null"}, {`{"4": {"r": 1}}`, "an object"}, {`{"4": true}`, "true"}, {`{"4": 654321}`, "654321"},
		{`{"": "red"}`, `key ""`}, {`{"y > 1": "red"}`, `key "y > 1": column 1`}, {`{"1e999": "red"}`, `key "1e999"`},
		{`{"4": "red", "range": [0, 1]}`, `key "4" has no place`},
		{`{"stops": [[0, "red"]], "range": [0, 1], "range": [0, 2]}`, `key "range" stands twice`},
		{`{"continuous": false}`, "neither stops"}, {`{"continuous": null}`, "neither stops"},
		{`{"from": "red", "stops": [[0, "red"]]}`, "cannot stand beside"},
		{`{"from": "redd"}`, `key "from"`}, {`{"from": "red", "range": [0]}`, `key "range"`}, {`{"from": "red", "range": ["a", 1]}`, `key "range"`},
		{`{"stops": []}`, "neither stops"}, {`{"stops": {}}`, `key "stops"`}, {`{"stops": [[0]]}`, "stop 1"}, {`{"stops": [[0, "red", 5]]}`, "stop 1"},
		{`{"stops": [["a", "red"]]}`, "stop 1"}, {`{"stops": [{"at": 1, "colour": "red"}]}`, `key "colour"`}, {`{"stops": [{"at": 1}]}`, "null is not a colour"},
		{`{"stops": [[2, "red"], [1, "red"]]}`, "below the one before"}, {`{"stops": [[2, "red"]], "range": [0, 1]}`, "0 to 1"},
		{`{"stops": [[0, "red"]], "relative": 1}`, `key "relative"`}, {`{"stops": [[0, "red"]], "relative": false, "range": [0, 1]}`, "no meaning"},
		{`{"stops": [["inf", "red"]]}`, "Inf"}, {`{"stops": [[0, "red"]], "interpolation": "cubic"}`, "cubic"},
		{`{"stops": [[0, "red"]], "interpolation": 3}`, `3`},
		{`{"colormap_name": "virids"}`, "viridis"}, {`{"colormap_name": 5}`, `key "colormap_name"`}, {`{"colormap_name": "jet", "interpolation": "exact"}`, "exact"},
		{`[1]`, "interval 1"}, {`[[[0, 1], "red", 3]]`, "interval 1"}, {`[[[0], "red"]]`, "interval 1"}, {`[[[1, 1], "red"]]`, "not below"},
		{`[[[null, null], "red"]]`, "both ends"}, {`[[["0", 1], "red"]]`, "interval 1"}, {`[{"expression": "x", "color": "redd"}]`, "entry 1"},
		{`[{"color": "red"}]`, "entry 1"},
		{strings.Repeat("[", 100000), "nested"}, {strings.Repeat(`{"a":`, 100000), "nested"},
		{strings.Repeat(" ", legend.MaxColormapBytes+1), "bytes"},
		{`{"` + strings.Repeat("x", 10000) + `": "red"}`, `key "xxx`},
	}
	for _, tt := range tests {
		_, err := legend.ParseColormap([]byte(tt.in))
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || e.Field != "colormap" || e.Code != rasterbase.Invalid && e.Code != rasterbase.TooLarge ||
			!strings.Contains(err.Error(), tt.text) || len(err.Error()) > 500 {
			t.Errorf("%.100s: %.600v; want %q in it", tt.in, err, tt.text)
		}
	}
}

func TestGradientJSON(t *testing.T) {
	t.Parallel()
	in := `{"title":"Depth","stops":[{"at":0,"color":"#FFFFFF","name":"shore"},{"at":50,"color":"#00008080"}],"interpolation":"linear"}`
	l, err := legend.ParseJSON("", []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if l.Title != "Depth" || show(l) != "linear  | 0 #FFFFFF shore | 50 #00008080" {
		t.Errorf("read %q as %s", l.Title, show(l))
	}
	if out, err := legend.MarshalJSON(l); err != nil || string(out) != in {
		t.Errorf("got %s, %v", out, err)
	}
	low := -3.5
	named := &rasterbase.Legend{Title: "T", Gradient: &rasterbase.Gradient{Colormap: "ice", Min: &low, Interpolation: "linear"}}
	out, err := legend.MarshalJSON(named)
	if want := `{"title":"T","colormap_name":"ice","interpolation":"linear","range":[-3.5,null]}`; err != nil || string(out) != want {
		t.Errorf("got %s, %v", out, err)
	}
	if again, err := legend.ParseJSON("", out); err != nil || !reflect.DeepEqual(again, named) {
		t.Errorf("got %+v, %v", again, err)
	}
}

func FuzzParseColormap(f *testing.F) {
	for _, s := range []string{
		`{"4": [101, 67, 33, 255], "x > 2": "#654321"}`, `[[[0, 1.5], [255, 0, 0, 255]], [[1.5, null], "blue"]]`,
		`{"continuous": true, "from": "red", "over": [0, 0, 0], "to": "#00F", "range": [0, 100]}`,
		`{"stops": [[0, "red"], {"at": 10, "color": "blue", "name": "deep"}], "interpolation": "discrete"}`,
		`{"colormap_name": "viridis", "range": [null, 100]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := legend.ParseColormap(b)
		if err != nil {
			if e, ok := errors.AsType[*rasterbase.Error](err); !ok || e.Field != "colormap" {
				t.Fatalf("%#v", err)
			}
			return
		}
		out, err := legend.MarshalColormap(l)
		if err != nil {
			t.Fatal(err)
		}
		again, err := legend.ParseColormap(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if show(legend.Order(l)) != show(again) {
			t.Fatalf("%s was written as %s", show(l), show(again))
		}
		for _, pt := range []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Float32} {
			m, err := legend.Compile(legend.Fit(l, 0, 200), pt)
			if err != nil {
				t.Fatal(err)
			}
			m.At(7)
		}
	})
}
