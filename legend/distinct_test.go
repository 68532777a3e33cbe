package legend_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

func ExampleDistinct() {
	l := legend.Distinct([]rasterbase.ValueCount{{Value: 0, Count: 900}, {Value: 1, Count: 100}})
	for _, e := range l.Entries {
		fmt.Println(e.Semantics.Name, e.Color)
	}
	// Output:
	// 0 #D9D9D9
	// 1 #E4372D
}

func counted(values ...float64) (out []rasterbase.ValueCount) {
	for _, v := range values {
		out = append(out, rasterbase.ValueCount{Value: v, Count: 1})
	}
	return out
}

func upTo(n int) (values []float64) {
	for v := range n {
		values = append(values, float64(v))
	}
	return values
}

// perceived is the distance of two colours in CIELAB (CIE 15:2004, white D65):
// about 2.3 is what an eye can just tell apart.
func perceived(a, b rasterbase.Color) float64 {
	la, lb := cielab(a), cielab(b)
	return math.Hypot(math.Hypot(la[0]-lb[0], la[1]-lb[1]), la[2]-lb[2])
}

func cielab(c rasterbase.Color) [3]float64 {
	var rgb [3]float64
	for i, b := range []uint8{c.R, c.G, c.B} {
		v := float64(b) / 255
		if rgb[i] = v / 12.92; v > 0.04045 {
			rgb[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124564*rgb[0] + 0.3575761*rgb[1] + 0.1804375*rgb[2]) / 0.95047)
	y := f(0.2126729*rgb[0] + 0.7151522*rgb[1] + 0.0721750*rgb[2])
	z := f((0.0193339*rgb[0] + 0.1191920*rgb[1] + 0.9503041*rgb[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func TestDistinctColoursCanBeToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		apart  float64
	}{
		"mask":            {upTo(2), 50},
		"ten":             {upTo(10), 20},
		"land cover":      {[]float64{11, 12, 21, 22, 23, 24, 31, 41, 42, 43, 51, 52, 71, 72, 73, 74, 81, 82, 90, 95}, 10},
		"vegetation":      {[]float64{7008, 7011, 7078, 7102, 7103, 7113, 7292, 7299, 7300, 8001, 8005, 9001, 9002, 9003, 9018, 9022}, 10},
		"the same modulo": {[]float64{256, 512, 768, 1024, 1280}, 20},
		"fractions":       {[]float64{-2.5, -1, 0.5, 0.25, 1e-40, 1e300}, 15},
		"most":            {upTo(legend.MaxDistinct), 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := legend.Distinct(counted(c.values...))
			if len(l.Entries) != len(c.values) {
				t.Fatalf("%d entries", len(l.Entries))
			}
			for i, e := range l.Entries {
				for _, f := range l.Entries[:i] {
					if d := perceived(e.Color, f.Color); d < c.apart {
						t.Errorf("%s is %s and %s is %s: %.1f apart", f.Expression, f.Color, e.Expression, e.Color, d)
					}
				}
			}
		})
	}
}

// The colours of the compiled legend are one for each value, on any type.
func TestDistinctColoursEveryValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pt := rapid.SampledFrom([]rasterbase.PixelType{rasterbase.Int16, rasterbase.Int32, rasterbase.Float32, rasterbase.Float64}).Draw(t, "type")
		draw := rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.Int16().Draw(t, "v")) })
		if pt.IsFloat() {
			draw = rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.Float32().Draw(t, "v")) + 0 })
		}
		values := rapid.SliceOfNDistinct(draw, 1, legend.MaxDistinct, rapid.ID).Draw(t, "values")
		l := legend.Distinct(counted(values...))
		m, err := legend.Compile(l, pt)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[rasterbase.Color]float64{}
		for i, v := range values {
			c := rasterbase.Color(m.At(v))
			if other, ok := seen[c]; ok || c.A != 0xff || c != l.Entries[i].Color {
				t.Fatalf("%v is %s, which is also %v; its entry is %s", v, c, other, l.Entries[i].Color)
			}
			seen[c] = v
		}
	})
}

// A class keeps its colour when another one appears or goes, but for a few.
func TestDistinctColoursAreStable(t *testing.T) {
	all := []float64{0, 11, 12, 21, 22, 23, 24, 31, 41, 42, 43, 52, 71, 81, 82, 90, 95}
	before := map[string]rasterbase.Color{}
	for _, e := range legend.Distinct(counted(all...)).Entries {
		before[e.Expression] = e.Color
	}
	changed := 0
	for gone := range all {
		rest := append(append([]float64{}, all[:gone]...), all[gone+1:]...)
		for _, e := range legend.Distinct(counted(rest...)).Entries {
			if e.Color != before[e.Expression] {
				changed++
			}
		}
	}
	if most := len(all) * (len(all) - 1) / 4; changed > most {
		t.Errorf("%d colours changed, of %d at most", changed, most)
	}
}

func TestDistinctKnowsItsLimits(t *testing.T) {
	if l := legend.Distinct(nil); l != nil {
		t.Errorf("no values: %+v", l)
	}
	if l := legend.Distinct(counted(upTo(legend.MaxDistinct + 1)...)); l != nil {
		t.Errorf("%d entries", len(l.Entries))
	}
}

func BenchmarkDistinct(b *testing.B) {
	for _, n := range []int{2, 23, legend.MaxDistinct} {
		values := counted(upTo(n)...)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				legend.Distinct(values)
			}
		})
	}
}
