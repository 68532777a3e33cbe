package legend_test

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/legend"
)

func Example() {
	l, err := legend.ParseJSON("Depth", []byte(`[
		{"name": "Water", "expression": "x < 0", "color": "navy", "code": "1"},
		{"name": "Shore", "expression": 0, "color": "#FFEECC", "code": 2}]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	colors, err := legend.Compile(l, rasterbase.Int16)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(colors.At(-7), colors.At(0), colors.At(1))
	l.Entries[0].Expression = "x <"
	fmt.Println(legend.Validate(l))
	// Output:
	// {0 0 128 255} {255 238 204 255} {0 0 0 0}
	// entry 1 (Water): expression "x <": column 4: expected a number, a name or "(", found the end of the formula
}

// paint is the meaning of a legend: entries one by one, the last match wins.
func paint(t testing.TB, l *rasterbase.Legend, pt rasterbase.PixelType, v float64) color.NRGBA {
	var c color.NRGBA
	for _, e := range l.Entries {
		f, err := algebra.Parse(e.Expression, algebra.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if pt == rasterbase.Float32 {
			f = f.Float32()
		}
		match := false
		if n, ok := f.Number(); ok {
			match = n == v || pt == rasterbase.Float32 && float32(n) == float32(v)
		} else {
			r, valid := f.Eval([]algebra.Value{algebra.Of(v)})
			match = valid && r != 0
		}
		if match {
			c = color.NRGBA(e.Color)
		}
	}
	return c
}

func genExpression(t *rapid.T) string {
	n := func() string {
		return rapid.SampledFrom([]string{"0", "1", "2", "3", "5", "254", "255", "-1", "0.1", "2.5", "-3.25", "70000", "1e6", "-32768", "1e300"}).Draw(t, "n")
	}
	op := func() string { return rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op") }
	switch rapid.IntRange(0, 7).Draw(t, "form") {
	case 0, 1, 2:
		return n()
	case 3:
		return "x " + op() + " " + n()
	case 4:
		return fmt.Sprintf("(%s < x) & (x <= %s)", n(), n())
	case 5:
		return fmt.Sprintf("!(x %s %s) | x %s %s", op(), n(), op(), n())
	case 6:
		return fmt.Sprintf("abs(x) %s %s", op(), n())
	}
	return "x - " + n()
}

func TestCompiledColorEqualsPaintedEntries(t *testing.T) {
	t.Parallel()
	values := []float64{0, 1, 2, 3, 4, 5, 6, 100, 253, 254, 255, -1, -2, 0.1, 2.5, -3.25, 69999, 70000, 70001, 1e6,
		-32768, -32767, 32767, 65535, math.MaxFloat32, -math.MaxFloat32, math.Copysign(0, -1), 1e-40}
	rapid.Check(t, func(rt *rapid.T) {
		l := &rasterbase.Legend{}
		for i := range rapid.IntRange(0, 12).Draw(rt, "entries") {
			l.Entries = append(l.Entries, rasterbase.Entry{
				Expression: genExpression(rt), Color: rasterbase.Color{R: uint8(i), G: 7, A: 255},
			})
		}
		pt := rapid.SampledFrom(rasterbase.PixelTypes).Draw(rt, "type")
		m, err := legend.Compile(l, pt)
		if err != nil {
			rt.Fatal(err)
		}
		for _, v := range values {
			for _, v := range []float64{v, math.Nextafter(v, 1e308), math.Nextafter(v, -1e308)} {
				if pt == rasterbase.Float32 {
					v = float64(float32(v))
				}
				if !pt.Holds(v) || math.IsInf(v, 0) {
					continue
				}
				if got, want := m.At(v), paint(t, l, pt, v); got != want {
					rt.Fatalf("%v: %v gets %v, want %v; entries %v", pt, v, got, want, l.Entries)
				}
			}
		}
	})
}

func TestCompileForms(t *testing.T) {
	t.Parallel()
	make := func(expressions ...string) *rasterbase.Legend {
		l := &rasterbase.Legend{}
		for _, e := range expressions {
			l.Entries = append(l.Entries, rasterbase.Entry{Expression: e, Color: rasterbase.Color{R: 9, A: 255}})
		}
		return l
	}
	tests := []struct {
		name  string
		l     *rasterbase.Legend
		pt    rasterbase.PixelType
		table int
		steps int
	}{
		{"numbers of bytes", make("3", "7"), rasterbase.Uint8, 5, 0},
		{"conditions of bytes", make("x >= 10"), rasterbase.Uint8, 246, 0},
		{"16 bits, trimmed", make("x > 100 & x < 200"), rasterbase.Int16, 99, 0},
		{"32 bits, numbers", make("1000000", "1000010"), rasterbase.Int32, 11, 0},
		{"32 bits, numbers far apart", make("0", "1000010"), rasterbase.Int32, 0, 5},
		{"32 bits, condition", make("0", "x > 5"), rasterbase.Int32, 0, 4},
		{"float, whole numbers", make("1", "2"), rasterbase.Float32, 3, 0},
		{"float, fractions too", make("1", "2.5", "4"), rasterbase.Float64, 0, 7},
		{"float, negative numbers", make("-1", "2"), rasterbase.Float32, 0, 5},
		{"no entries", make(), rasterbase.Uint8, 0, 0},
	}
	for _, tt := range tests {
		m, err := legend.Compile(tt.l, tt.pt)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		steps := 0
		if m.Steps != nil {
			steps = len(m.Steps.Colors)
		}
		if len(m.Table) != tt.table || steps != tt.steps || m.Func != nil {
			t.Errorf("%s: a table of %d, %d steps and func %v; want %d and %d", tt.name, len(m.Table), steps, m.Func != nil, tt.table, tt.steps)
		}
	}
}

func TestLargeLegends(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 255, 256, 257, 5000} {
		l := &rasterbase.Legend{}
		for i := range n {
			e := fmt.Sprintf("(%d <= x) & (x < %d)", i, i+2)
			l.Entries = append(l.Entries, rasterbase.Entry{Expression: e, Color: rasterbase.Color{R: uint8(i), G: uint8(i >> 8), A: 255}})
		}
		for _, pt := range []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Uint16, rasterbase.Float32} {
			m, err := legend.Compile(l, pt)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < n; i++ {
				want := color.NRGBA{uint8(i), uint8(i >> 8), 0, 255}
				if pt.Holds(float64(i)) && m.At(float64(i)) != want {
					t.Fatalf("%d entries, %v: %d gets %v", n, pt, i, m.At(float64(i)))
				}
			}
		}
	}
}

func TestValidateNamesEntryAndColumn(t *testing.T) {
	t.Parallel()
	for expression, column := range map[string]int{"x >": 4, "": 1, "1 + 1": 1, "y": 1, "x < 1 & z": 9, "1e999": 1, "TRUE": 1} {
		l := &rasterbase.Legend{Entries: []rasterbase.Entry{{Expression: "1"}, {Expression: expression, Semantics: rasterbase.Semantics{Name: "Ice"}}}}
		err := legend.Validate(l)
		se, ok := errors.AsType[*algebra.SyntaxError](err)
		if !ok || se.Column != column || !strings.Contains(err.Error(), "entry 2 (Ice)") || rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%q: %v", expression, err)
		}
	}
}

func TestGrey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		min, max, v float64
		pt          rasterbase.PixelType
		want        uint8
	}{
		{0, 255, 77, rasterbase.Uint8, 77},
		{10, 20, 10, rasterbase.Uint8, 0},
		{10, 20, 20, rasterbase.Uint8, 255},
		{10, 20, 5, rasterbase.Uint8, 0},
		{10, 20, 200, rasterbase.Uint8, 255},
		{10, 20, 15, rasterbase.Int16, 128},
		{-1000, 1000, -1000, rasterbase.Int16, 0},
		{-1000, 1000, -2000, rasterbase.Int16, 0},
		{0, 1, 0.5, rasterbase.Float32, 128},
		{0, 1, 1, rasterbase.Float32, 255},
		{0, 1, -3, rasterbase.Float64, 0},
		{5, 5, 5, rasterbase.Uint8, 128},
		{5, 5, 9, rasterbase.Float32, 128},
		{math.NaN(), 5, 9, rasterbase.Float32, 128},
	}
	for _, tt := range tests {
		got := legend.Grey(tt.min, tt.max, tt.pt).At(tt.v)
		if want := (color.NRGBA{tt.want, tt.want, tt.want, 255}); got != want {
			t.Errorf("%v to %v, %v: %v gets %v, want %v", tt.min, tt.max, tt.pt, tt.v, got, want)
		}
	}
}

func TestFromClasses(t *testing.T) {
	t.Parallel()
	red, black, clear := rasterbase.Color{R: 255, A: 255}, rasterbase.Color{A: 255}, rasterbase.Color{R: 3}
	names := func(classes ...rasterbase.Class) string {
		l, ok := legend.FromClasses("t", classes)
		out := fmt.Sprint(ok)
		for _, e := range l.Entries {
			out += " " + e.Semantics.Name + "=" + e.Expression
		}
		return out
	}
	tests := []struct {
		name, got, want string
	}{
		{"no colour", names(rasterbase.Class{Value: 1, Name: "a"}), "false"},
		{"nothing", names(), "false"},
		{"named", names(rasterbase.Class{Value: 1, Name: "a", Color: &red}, rasterbase.Class{Value: 2, Color: &black},
			rasterbase.Class{Value: 3, Color: &clear}, rasterbase.Class{Value: 4, Color: &red},
			rasterbase.Class{Value: 5, Name: "b", Color: &black}, rasterbase.Class{Value: 6, Name: "c"}), "true a=1 4=4 b=5"},
		{"no names", names(rasterbase.Class{Value: 0, Color: &black}, rasterbase.Class{Value: 2.5, Color: &red}), "true 0=0 2.5=2.5"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %s; want %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestPresent(t *testing.T) {
	t.Parallel()
	l := &rasterbase.Legend{Title: "t"}
	for _, e := range []string{"1", "2", "x > 100", "x < 0", "0.1"} {
		l.Entries = append(l.Entries, rasterbase.Entry{Expression: e})
	}
	got := ""
	for _, e := range legend.Present(l, []rasterbase.ValueCount{{Value: float64(float32(0.1))}, {Value: 2}, {Value: 101}}).Entries {
		got += e.Expression + "; "
	}
	if want := "2; x > 100; 0.1; "; got != want || len(l.Entries) != 5 {
		t.Errorf("got %s; want %s", got, want)
	}
}

func TestParseColor(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"red": "#FF0000", " RebeccaPurple ": "#663399", "aliceblue": "#F0F8FF", "yellowgreen": "#9ACD32", "tan": "#D2B48C",
		"transparent": "#00000000", "#abc": "#AABBCC", "ffffff": "#FFFFFF", "#01020304": "#01020304",
		"": "", "reddish": "", "rgb(1,2,3)": "", "red f": "", "f0f8ff antiquewhite": "", strings.Repeat("f", 1<<20): "",
	} {
		c, err := legend.ParseColor(s)
		if (err != nil) != (want == "") || err == nil && c.String() != want {
			t.Errorf("%.30q: %v, %v; want %q", s, c, err, want)
		}
	}
}

func BenchmarkCompile5000(b *testing.B) {
	l := &rasterbase.Legend{}
	for i := range 5000 {
		l.Entries = append(l.Entries, rasterbase.Entry{Expression: fmt.Sprintf("(%d <= x) & (x < %d.5)", i, i), Color: rasterbase.Color{A: 255}})
	}
	for b.Loop() {
		if _, err := legend.Compile(l, rasterbase.Float32); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkColor(b *testing.B) {
	for _, pt := range []rasterbase.PixelType{rasterbase.Int16, rasterbase.Float32} {
		for _, n := range []int{10, 5000} {
			l := &rasterbase.Legend{}
			for i := range n {
				l.Entries = append(l.Entries, rasterbase.Entry{Expression: fmt.Sprintf("(%d <= x) & (x < %d)", i, i+1), Color: rasterbase.Color{A: 255, G: uint8(i), B: uint8(i >> 8)}})
			}
			m, err := legend.Compile(l, pt)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%v, %d entries", pt, n), func(b *testing.B) {
				v := 0.0
				for b.Loop() {
					if v += float64(n) * 0.618034; v >= float64(n) {
						v -= float64(n)
					}
					if pt == rasterbase.Int16 {
						v = math.Floor(v)
					}
					m.At(v)
				}
			})
		}
	}
}

func BenchmarkNamed(b *testing.B) {
	for b.Loop() {
		if _, err := legend.Named("turbid_r"); err != nil {
			b.Fatal(err)
		}
	}
}
