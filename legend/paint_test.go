package legend_test

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/legend"
)

// condition is an expression with what it means, told without package algebra.
type condition struct {
	text      string
	constants []float64
	match     func(v float64, round func(float64) float64) bool
}

var comparisons = map[string]func(a, b float64) bool{
	"<":  func(a, b float64) bool { return a < b },
	"<=": func(a, b float64) bool { return a <= b },
	">":  func(a, b float64) bool { return a > b },
	">=": func(a, b float64) bool { return a >= b },
	"==": func(a, b float64) bool { return a == b },
	"!=": func(a, b float64) bool { return a != b },
}

func genCondition(t *rapid.T) condition {
	number := func() (float64, string) {
		v := rapid.OneOf(
			rapid.SampledFrom([]float64{0, 1, 2, 3, 127, 128, 254, 255, 256, -1, -128, -129, 32767, -32768, 65535, 65536, 0.1, 0.3, 2.5, 16777217, 1e300, -1e300, 1e-40}),
			rapid.Map(rapid.IntRange(-300, 300), func(i int) float64 { return float64(i) }),
			rapid.Float64Range(-10, 10),
		).Draw(t, "number")
		return v, strconv.FormatFloat(v, 'g', -1, 64)
	}
	op := func(names ...string) string { return rapid.SampledFrom(names).Draw(t, "op") }
	a, at := number()
	switch rapid.IntRange(0, 5).Draw(t, "form") {
	case 0, 1:
		return condition{at, []float64{a}, func(v float64, r func(float64) float64) bool { return v == r(a) }}
	case 2:
		o := op("<", "<=", ">", ">=", "==", "!=")
		return condition{"x " + o + " " + at, []float64{a}, func(v float64, r func(float64) float64) bool { return comparisons[o](v, r(a)) }}
	case 3:
		b, bt := number()
		lo, hi := op("<", "<="), op("<", "<=")
		return condition{fmt.Sprintf("(%s %s x) & (x %s %s)", at, lo, hi, bt), []float64{a, b},
			func(v float64, r func(float64) float64) bool {
				return comparisons[lo](r(a), v) && comparisons[hi](v, r(b))
			}}
	case 4:
		b, bt := number()
		o, p := op("<", ">="), op("==", "!=", ">")
		return condition{fmt.Sprintf("!(x %s %s) | x %s %s", o, at, p, bt), []float64{a, b},
			func(v float64, r func(float64) float64) bool {
				return !comparisons[o](v, r(a)) || comparisons[p](v, r(b))
			}}
	}
	o := op("<", "<=", ">")
	return condition{"abs(x) " + o + " " + at, []float64{a, -a}, func(v float64, r func(float64) float64) bool { return comparisons[o](math.Abs(v), r(a)) }}
}

// near are the values that a type can hold around v.
func near(pt rasterbase.PixelType, v float64) []float64 {
	candidates := []float64{v, math.Nextafter(v, math.Inf(1)), math.Nextafter(v, math.Inf(-1)), math.Floor(v), math.Ceil(v), v + 1, v - 1}
	if pt == rasterbase.Float32 {
		f := float32(v)
		candidates = append(candidates, float64(math.Nextafter32(f, float32(math.Inf(1)))), float64(math.Nextafter32(f, float32(math.Inf(-1)))))
	}
	var out []float64
	for _, c := range candidates {
		if pt == rasterbase.Float32 {
			c = float64(float32(c))
		}
		if c-c == 0 && pt.Holds(c) {
			out = append(out, c)
		}
	}
	return out
}

// The colour of every value is that of the last entry that matches, found by
// trying one after the other; the classifier names that entry.
func TestColorsEqualEntriesTriedOneByOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		pt := rapid.SampledFrom(rasterbase.PixelTypes).Draw(rt, "type")
		round := func(v float64) float64 { return v }
		if pt == rasterbase.Float32 {
			round = func(v float64) float64 { return float64(float32(v)) }
		}
		l := &rasterbase.Legend{}
		var conditions []condition
		lo, hi := pt.Range()
		values := append(near(pt, lo), near(pt, hi)...)
		for i := range rapid.IntRange(0, 15).Draw(rt, "entries") {
			c := genCondition(rt)
			conditions = append(conditions, c)
			l.Entries = append(l.Entries, rasterbase.Entry{Expression: c.text, Color: rasterbase.Color{R: uint8(i), G: 7, A: 255}})
			for _, v := range c.constants {
				values = append(values, near(pt, v)...)
			}
		}
		m, err := legend.Compile(l, pt)
		if err != nil {
			rt.Fatal(err)
		}
		c, err := legend.Classify(l, pt)
		if err != nil {
			rt.Fatal(err)
		}
		for _, v := range values {
			entry, want := -1, color.NRGBA{}
			for i, c := range conditions {
				if c.match(v, round) {
					entry, want = i, color.NRGBA(l.Entries[i].Color)
				}
			}
			if got := m.At(v); got != want || c.Entry(v) != entry {
				rt.Fatalf("%v: %v gets %v of entry %d, want %v of %d: %s", pt, v, got, c.Entry(v), want, entry, expressions(l))
			}
		}
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			if m.At(v) != (color.NRGBA{}) || c.Entry(v) != -1 {
				rt.Fatalf("%v has a colour", v)
			}
		}
	})
}

// Legends of many entries: each value at a boundary, just below and just above.
func TestBoundariesOfManyEntries(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 255, 256, 257, 5000} {
		l := &rasterbase.Legend{}
		for i := range n {
			l.Entries = append(l.Entries, rasterbase.Entry{
				Expression: fmt.Sprintf("(%d.5 <= x) & (x < %d.5)", i, i+1), Color: rasterbase.Color{R: uint8(i), G: uint8(i >> 8), B: 1, A: 255},
			})
		}
		colorOf := func(i int) color.NRGBA {
			if i < 0 || i >= n {
				return color.NRGBA{}
			}
			return color.NRGBA{uint8(i), uint8(i >> 8), 1, 255}
		}
		for _, pt := range []rasterbase.PixelType{rasterbase.Int16, rasterbase.Int32, rasterbase.Float32, rasterbase.Float64} {
			m, err := legend.Compile(l, pt)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n + 1 {
				v := float64(i) + 0.5
				checks := map[float64]int{v: i, math.Nextafter(v, 0): i - 1, math.Nextafter(v, 1e9): i, float64(i): i - 1}
				switch {
				case !pt.IsFloat():
					checks = map[float64]int{float64(i): i - 1}
				case pt == rasterbase.Float32:
					checks = map[float64]int{v: i, float64(math.Nextafter32(float32(v), 0)): i - 1, float64(math.Nextafter32(float32(v), 1e9)): i}
				}
				for v, want := range checks {
					if got := m.At(v); got != colorOf(want) {
						t.Fatalf("%d entries, %v: %v gets %v, want %v", n, pt, v, got, colorOf(want))
					}
				}
			}
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{"5", "x <= 1", "(-3.0 < x) & (x <= 1)", "abs(x) > 2", "!(x == 1) | x != 7", "x ^ 2 < 1e300", "x < INF", "x == NULL", "x*x<0", "sin(x ^ 0.5) > 0", strings.Repeat("sin(", 60) + "x" + strings.Repeat(")", 60)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l := &rasterbase.Legend{Entries: []rasterbase.Entry{{Expression: s, Color: rasterbase.Color{R: 9, A: 255}}}}
		err := legend.Validate(l)
		if err != nil {
			if c := rasterbase.CodeOf(err); c != rasterbase.Invalid {
				t.Fatalf("code %q: %v", c, err)
			}
			return
		}
		for _, pt := range []rasterbase.PixelType{rasterbase.Int8, rasterbase.Int32, rasterbase.Float32} {
			m, err := legend.Compile(l, pt)
			if err != nil {
				if pt == rasterbase.Int8 || rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "too much work") {
					t.Fatalf("valid, but not compiled: %v", err)
				}
				continue
			}
			many := &rasterbase.Legend{}
			for range 401 {
				many.Entries = append(many.Entries, l.Entries...)
			}
			if m, err := legend.Compile(many, pt); err == nil && m.Func != nil && !simple(s) {
				t.Fatalf("401 formulas %q are evaluated for each pixel of %v", s, pt)
			}
			c, err := legend.Classify(l, pt)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range []float64{-3, 0, 1, 2.5, 100} {
				if pt.Holds(v) && (m.At(v).A != 0) != (c.Entry(v) == 0) {
					t.Fatalf("%v: %v has colour %v and entry %d", pt, v, m.At(v), c.Entry(v))
				}
			}
		}
	})
}

func FuzzParseColor(f *testing.F) {
	for _, s := range []string{"red", "#abc", "#01020304", "transparent", "ffffff", " RebeccaPurple "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := legend.ParseColor(s)
		if err != nil {
			if e, ok := errors.AsType[*rasterbase.Error](err); !ok || e.Field != "color" {
				t.Fatalf("%#v", err)
			}
			return
		}
		if again, err := legend.ParseColor(c.String()); err != nil || again != c {
			t.Fatalf("%q is %v, and that is %v, %v", s, c, again, err)
		}
	})
}

// simple reports whether an expression is a number, or only compares x with
// constants.
func simple(s string) bool {
	f, err := algebra.Parse(s, algebra.Options{Names: []string{"x"}})
	if err != nil {
		return false
	}
	_, ok := f.Breaks()
	return ok
}
