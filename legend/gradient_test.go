package legend_test

import (
	"errors"
	"image/color"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// mixExactly is a + (b-a)*(v-low)/(high-low) in rational numbers, rounded to the
// nearest, up from the half. The second is what else is right: within 1e-9 of a
// half, floating point may come out on either side.
func mixExactly(a, b uint8, low, high, v float64) (uint8, uint8) {
	rat := func(f float64) *big.Rat { return new(big.Rat).SetFloat64(f) }
	t := new(big.Rat).Quo(new(big.Rat).Sub(rat(v), rat(low)), new(big.Rat).Sub(rat(high), rat(low)))
	m, _ := t.Mul(t, rat(float64(b)-float64(a))).Add(t, rat(float64(a))).Float64()
	return uint8(math.Floor(m + 0.5 - 1e-9)), uint8(math.Floor(m + 0.5 + 1e-9))
}

// shade is the meaning of a gradient of absolute stops, stop by stop.
func shade(g *rasterbase.Gradient, v float64, float32s bool) (color.NRGBA, color.NRGBA) {
	at := func(s rasterbase.Stop) float64 {
		if float32s && !math.IsInf(float64(float32(s.At)), 0) {
			return float64(float32(s.At))
		}
		return s.At
	}
	both := func(c rasterbase.Color) (color.NRGBA, color.NRGBA) { return color.NRGBA(c), color.NRGBA(c) }
	switch g.Interpolation {
	case rasterbase.Discrete:
		for _, s := range g.Stops {
			if at(s) >= v {
				return both(s.Color)
			}
		}
		return both(rasterbase.Color{})
	case rasterbase.Exact:
		for _, s := range slices.Backward(g.Stops) {
			if at(s) == v {
				return both(s.Color)
			}
		}
		return both(rasterbase.Color{})
	}
	for i, s := range slices.Backward(g.Stops) {
		switch {
		case at(s) > v:
			continue
		case at(s) == v || i == len(g.Stops)-1:
			return both(s.Color)
		}
		n := g.Stops[i+1]
		var lo, hi color.NRGBA
		lo.R, hi.R = mixExactly(s.Color.R, n.Color.R, at(s), at(n), v)
		lo.G, hi.G = mixExactly(s.Color.G, n.Color.G, at(s), at(n), v)
		lo.B, hi.B = mixExactly(s.Color.B, n.Color.B, at(s), at(n), v)
		lo.A, hi.A = mixExactly(s.Color.A, n.Color.A, at(s), at(n), v)
		return lo, hi
	}
	return both(g.Stops[0].Color)
}

func between(a, b, c color.NRGBA) bool {
	return a.R <= b.R && b.R <= c.R && a.G <= b.G && b.G <= c.G && a.B <= b.B && b.B <= c.B && a.A <= b.A && b.A <= c.A
}

func genColor(t *rapid.T) rasterbase.Color {
	b := rapid.Uint8()
	return rasterbase.Color{R: b.Draw(t, "r"), G: b.Draw(t, "g"), B: b.Draw(t, "b"), A: b.Draw(t, "a")}
}

var stopPlaces = []float64{0, 10, 100, 4000, 4000, -1, -32768, 0.1, 0.30000000000000004, 2.5, 255, 65535, 1e-40, 1e9, 1e300, -1e300, math.MaxFloat64, 16777217}

func TestGradientEqualsStopsOneByOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		g := &rasterbase.Gradient{Interpolation: rapid.SampledFrom([]rasterbase.Interpolation{
			rasterbase.Linear, rasterbase.Linear, rasterbase.Discrete, rasterbase.Exact, "",
		}).Draw(rt, "interpolation")}
		places := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(stopPlaces), rapid.Float64Range(-1e6, 1e6)), 1, 8).Draw(rt, "places")
		slices.Sort(places)
		for _, at := range places {
			g.Stops = append(g.Stops, rasterbase.Stop{At: at, Color: genColor(rt)})
		}
		pt := rapid.SampledFrom(rasterbase.PixelTypes).Draw(rt, "type")
		m, err := legend.Compile(&rasterbase.Legend{Gradient: g}, pt)
		if err != nil {
			rt.Fatal(err)
		}
		lo, hi := pt.Range()
		values := append(rapid.SliceOfN(rapid.Float64Range(lo/2, hi/2), 4, 4).Draw(rt, "values"), places...)
		values = append(values, places[0]/2+places[len(places)-1]/2, lo, hi, 0)
		for _, v := range values {
			next, before := math.Nextafter(v, math.Inf(1)), math.Nextafter(v, math.Inf(-1))
			next32 := float64(math.Nextafter32(float32(v), float32(math.Inf(1))))
			for _, v := range []float64{v, next, before, next32, math.Round(v), math.Copysign(v, -1)} {
				if pt == rasterbase.Float32 {
					v = float64(float32(v))
				}
				if !pt.Holds(v) || v-v != 0 {
					continue
				}
				low, high := shade(g, v, pt == rasterbase.Float32)
				if got := m.At(v); !between(low, got, high) {
					rt.Fatalf("%v of %v: %v gets %v, want %v", g.Interpolation, pt, v, got, low)
				}
			}
		}
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			if got := m.At(v); got != (color.NRGBA{}) {
				rt.Fatalf("%v gets %v", v, got)
			}
		}
	})
}

// A relative gradient is the one with its stops moved into the range; turned
// around when the range is.
func TestRelativeGradient(t *testing.T) {
	t.Parallel()
	red, green, blue := rasterbase.Color{R: 255, A: 255}, rasterbase.Color{G: 255, A: 255}, rasterbase.Color{B: 255, A: 255}
	stops := []rasterbase.Stop{{At: 0, Color: red}, {At: 0.25, Color: green}, {At: 1, Color: blue}}
	tests := []struct {
		mode     rasterbase.Interpolation
		min, max float64
		v        float64
		want     string
	}{
		{"linear", 0, 100, -5, "#FF0000"},
		{"linear", 0, 100, 0, "#FF0000"},
		{"linear", 0, 100, 12.5, "#808000"},
		{"linear", 0, 100, 25, "#00FF00"},
		{"linear", 0, 100, 101, "#0000FF"},
		{"linear", 100, 0, 100, "#FF0000"},
		{"linear", 100, 0, 75, "#00FF00"},
		{"linear", 100, 0, -1, "#0000FF"},
		{"linear", 7, 7, 7, "#00AA55"}, // the colour at half
		{"linear", 7, 7, 900, "#00AA55"},
		{"linear", -1.7e308, 1.7e308, 0, "#00AA55"},
		{"discrete", 0, 100, 0, "#FF0000"},
		{"discrete", 0, 100, 0.1, "#00FF00"},
		{"discrete", 0, 100, 25, "#00FF00"},
		{"discrete", 0, 100, 25.5, "#0000FF"},
		{"discrete", 0, 100, 100, "#0000FF"},
		{"discrete", 0, 100, 100.5, "#00000000"},
		{"discrete", 100, 0, 100, "#FF0000"},
		{"discrete", 100, 0, 101, "#FF0000"},
		{"discrete", 100, 0, 99.5, "#00FF00"},
		{"discrete", 100, 0, 75, "#00FF00"},
		{"discrete", 100, 0, 74.5, "#0000FF"},
		{"discrete", 100, 0, 0, "#0000FF"},
		{"discrete", 100, 0, -0.5, "#00000000"},
		{"discrete", 7, 7, 8, "#0000FF"},
		{"exact", 0, 100, 25, "#00FF00"},
		{"exact", 100, 0, 25, "#00000000"},
		{"exact", 100, 0, 75, "#00FF00"},
		{"exact", 100, 0, 76, "#00000000"},
	}
	for _, tt := range tests {
		g := &rasterbase.Gradient{Stops: stops, Interpolation: tt.mode, Relative: true}
		l := legend.Fit(&rasterbase.Legend{Gradient: g}, tt.min, tt.max)
		m, err := legend.Compile(l, rasterbase.Float64)
		if err != nil {
			t.Fatal(err)
		}
		if got := rasterbase.Color(m.At(tt.v)).String(); got != tt.want {
			t.Errorf("%s, %v to %v: %v gets %s, want %s", tt.mode, tt.min, tt.max, tt.v, got, tt.want)
		}
		if g.Min != nil || g.Max != nil {
			t.Fatal("Fit changed the legend that it was given")
		}
		checkStops(t, l.Gradient, m)
	}
}

// checkStops compares what Stops gives with the compiled gradient.
func checkStops(t *testing.T, g *rasterbase.Gradient, m *rasterbase.Colormap) {
	t.Helper()
	stops, mode, err := legend.Stops(g)
	if err != nil {
		t.Fatal(err)
	}
	if *g.Min == *g.Max {
		return
	}
	absolute := &rasterbase.Legend{Gradient: &rasterbase.Gradient{Stops: stops, Interpolation: mode}}
	other, err := legend.Compile(absolute, rasterbase.Float64)
	if err != nil {
		t.Fatal(err)
	}
	for v := -10.0; v <= 110; v += 0.5 {
		if m.At(v) != other.At(v) {
			t.Errorf("%s, %v to %v: %v has %v, by its stops %v", mode, *g.Min, *g.Max, v, m.At(v), other.At(v))
			return
		}
	}
}

func TestNamedGradient(t *testing.T) {
	t.Parallel()
	viridis, err := legend.Colors("viridis")
	if err != nil {
		t.Fatal(err)
	}
	for _, pt := range rasterbase.PixelTypes {
		lo, hi := 0.0, 200.0
		if pt == rasterbase.Bit1 || pt == rasterbase.Uint2 || pt == rasterbase.Uint4 {
			lo, hi = 0, 3
		}
		g := &rasterbase.Gradient{Colormap: "Viridis"}
		m, err := legend.Compile(legend.Fit(&rasterbase.Legend{Gradient: g}, lo, hi), pt)
		if err != nil {
			t.Fatal(err)
		}
		back, err := legend.Compile(&rasterbase.Legend{Gradient: &rasterbase.Gradient{Colormap: "viridis_r", Min: &hi, Max: &lo}}, pt)
		if err != nil {
			t.Fatal(err)
		}
		for v := -300.0; v < 300; v += 0.25 {
			if !pt.Holds(v) {
				continue
			}
			want := viridis[int(math.Max(0, math.Min(255, math.Floor((v-lo)/(hi-lo)*256))))]
			if got := m.At(v); got != color.NRGBA(want) || back.At(v) != got {
				t.Fatalf("%v: %v gets %v and %v, want %v", pt, v, got, back.At(v), want)
			}
		}
	}
}

func TestNamedGradientOverOddRanges(t *testing.T) {
	t.Parallel()
	tests := []struct{ min, max, v, share float64 }{
		{5, 5, 5, 0.5}, {5, 5, -80, 0.5},
		{-1.7e308, 1.7e308, 0, 0.5}, {-1.7e308, 1.7e308, 1.7e308, 1}, {-1.7e308, 1.7e308, -1e308, 0.2059},
		{0, 5e-324, 5e-324, 1}, {0, 5e-324, 0, 0},
	}
	magma, err := legend.Colors("magma")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		g := &rasterbase.Gradient{Colormap: "magma", Min: &tt.min, Max: &tt.max}
		m, err := legend.Compile(&rasterbase.Legend{Gradient: g}, rasterbase.Float64)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := m.At(tt.v), magma[min(255, int(tt.share*256))]; got != color.NRGBA(want) {
			t.Errorf("%v to %v: %v gets %v, want %v", tt.min, tt.max, tt.v, got, want)
		}
	}
}

func TestGradientErrors(t *testing.T) {
	t.Parallel()
	nan, one := math.NaN(), 1.0
	stop := func(at float64) rasterbase.Stop { return rasterbase.Stop{At: at} }
	tests := []struct {
		g           rasterbase.Gradient
		field, text string
	}{
		{rasterbase.Gradient{}, "stops", "neither"},
		{rasterbase.Gradient{Colormap: "viridis"}, "range", "relative"},
		{rasterbase.Gradient{Colormap: "viridis", Min: &one}, "range", "relative"},
		{rasterbase.Gradient{Colormap: "viridis", Min: &nan, Max: &one}, "range", "NaN"},
		{rasterbase.Gradient{Colormap: "viridiss", Min: &one, Max: &one}, "colormap_name", "viridis"},
		{rasterbase.Gradient{Colormap: "viridis", Stops: []rasterbase.Stop{stop(1)}}, "stops", "one of the two"},
		{rasterbase.Gradient{Colormap: "viridis", Interpolation: "exact"}, "interpolation", "exact"},
		{rasterbase.Gradient{Stops: []rasterbase.Stop{stop(1)}, Interpolation: "cubic"}, "interpolation", "cubic"},
		{rasterbase.Gradient{Stops: []rasterbase.Stop{stop(1)}, Relative: true}, "range", "relative"},
		{rasterbase.Gradient{Stops: []rasterbase.Stop{stop(1.5)}, Relative: true}, "stops", "0 to 1"},
		{rasterbase.Gradient{Stops: []rasterbase.Stop{stop(2), stop(1)}}, "stops", "below the one before"},
		{rasterbase.Gradient{Stops: []rasterbase.Stop{stop(nan)}}, "stops", "NaN"},
		{rasterbase.Gradient{Stops: []rasterbase.Stop{stop(math.Inf(1))}}, "stops", "Inf"},
		{rasterbase.Gradient{Stops: []rasterbase.Stop{stop(math.Inf(1)), stop(math.Inf(1))}, Interpolation: "discrete"}, "stops", "Inf"},
		{rasterbase.Gradient{Stops: make([]rasterbase.Stop, legend.MaxStops+1)}, "stops", "at most"},
	}
	for _, tt := range tests {
		_, err := legend.Compile(&rasterbase.Legend{Gradient: &tt.g}, rasterbase.Float32)
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || e.Field != tt.field || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%+v: %v", tt.g, err)
		}
	}
	both := &rasterbase.Legend{Gradient: &rasterbase.Gradient{Colormap: "jet"}, Entries: []rasterbase.Entry{{Expression: "1"}}}
	if err := legend.Validate(both); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("entries and a gradient: %v", err)
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	own := 3.0
	l := &rasterbase.Legend{Gradient: &rasterbase.Gradient{Colormap: "ice", Max: &own}}
	if g := legend.Fit(l, 1, 9).Gradient; *g.Min != 1 || *g.Max != 3 {
		t.Errorf("got %v to %v", *g.Min, *g.Max)
	}
	for _, l := range []*rasterbase.Legend{
		{Entries: []rasterbase.Entry{{Expression: "1"}}},
		{Gradient: &rasterbase.Gradient{Stops: []rasterbase.Stop{{At: 1}}}},
		{Gradient: &rasterbase.Gradient{Colormap: "ice", Min: &own, Max: &own}},
	} {
		if legend.Fit(l, 1, 9) != l {
			t.Errorf("%+v was changed", l)
		}
	}
}

// Very many stops exceed the steps that a colormap has keys for.
func TestGradientOfManyStops(t *testing.T) {
	t.Parallel()
	g := &rasterbase.Gradient{}
	for i := range legend.MaxStops {
		g.Stops = append(g.Stops, rasterbase.Stop{At: float64(i), Color: rasterbase.Color{R: uint8(i % 2 * 255), A: 255}})
	}
	m, err := legend.Compile(&rasterbase.Legend{Gradient: g}, rasterbase.Float32)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{0, 0.5, 1, 8000.25, 16383, 20000} {
		low, high := shade(g, v, true)
		if got := m.At(v); !between(low, got, high) {
			t.Errorf("%v gets %v, want %v", v, got, low)
		}
	}
}

func BenchmarkCompileGradient(b *testing.B) {
	g := &rasterbase.Gradient{}
	for i, at := range []float64{0, 10, 100, 4000} {
		g.Stops = append(g.Stops, rasterbase.Stop{At: at, Color: rasterbase.Color{R: uint8(80 * i), G: uint8(255 - 60*i), B: uint8(i % 2 * 200), A: 255}})
	}
	for _, pt := range []rasterbase.PixelType{rasterbase.Int16, rasterbase.Float32} {
		b.Run(pt.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := legend.Compile(&rasterbase.Legend{Gradient: g}, pt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
