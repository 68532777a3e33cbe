package legend

import (
	"image/color"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
)

// MaxStops is the largest number of stops of a gradient.
const MaxStops = 1 << 14

// Fit gives a legend whose relative gradient has Min and Max: from low and high
// where it names none, which are most often a layer's smallest and largest value.
// Legends of entries, and gradients that are not relative, are returned as they
// are. The legend given is not changed.
func Fit(l *rasterbase.Legend, low, high float64) *rasterbase.Legend {
	g := l.Gradient
	if g == nil || !relative(g) || g.Min != nil && g.Max != nil {
		return l
	}
	fitted, out := *g, *l
	if fitted.Min == nil {
		fitted.Min = &low
	}
	if fitted.Max == nil {
		fitted.Max = &high
	}
	out.Gradient = &fitted
	return &out
}

func relative(g *rasterbase.Gradient) bool { return g.Relative || g.Colormap != "" }

// Stops gives the stops of a gradient at values of pixels, rising, and how the
// values between them are coloured: for pictures and files. Those of a named
// colormap are as [Named] gives them. A relative gradient without Min and Max is
// an error, and so is what [Validate] refuses.
func Stops(g *rasterbase.Gradient) ([]rasterbase.Stop, rasterbase.Interpolation, error) {
	if err := validateGradient(g); err != nil {
		return nil, "", err
	}
	mode := g.Interpolation
	if mode == "" {
		mode = rasterbase.Linear
	}
	if !relative(g) {
		return slices.Clone(g.Stops), mode, nil
	}
	if g.Min == nil || g.Max == nil {
		return nil, "", notFitted()
	}
	low, high, stops := *g.Min, *g.Max, slices.Clone(g.Stops)
	if g.Colormap != "" {
		name := g.Colormap
		if low > high {
			low, high, name = high, low, reverseName(name)
		}
		var err error
		if stops, err = Named(name); err != nil {
			return nil, "", err
		}
		if len(stops) < fullColormap {
			mode = rasterbase.Discrete
		}
	}
	for i := range stops {
		stops[i].At = place(low, high, stops[i].At)
	}
	if low > high {
		slices.Reverse(stops)
		if mode == rasterbase.Discrete {
			stops = turnAround(stops)
		}
	}
	return stops, mode, nil
}

// turnAround makes discrete stops of such that colour the values from theirs on,
// up to the next one. What lies below the first had no colour.
func turnAround(stops []rasterbase.Stop) []rasterbase.Stop {
	below := func(v float64) float64 { return math.Nextafter(v, math.Inf(-1)) }
	out := []rasterbase.Stop{{At: below(stops[0].At)}}
	for i, s := range stops {
		s.At = math.Inf(1)
		if i+1 < len(stops) {
			s.At = below(stops[i+1].At)
		}
		out = append(out, s)
	}
	return out
}

// place is the value at a share of the range from low to high.
func place(low, high, share float64) float64 {
	switch span := high - low; {
	case share == 1:
		return high
	case math.IsInf(span, 0):
		return low*(1-share) + high*share
	default:
		return low + float64(share*span)
	}
}

func notFitted() error {
	return rasterbase.Errorf(rasterbase.Invalid, "the gradient is relative and has no range").
		WithHint("give its smallest and largest value").WithField("range")
}

// validateGradient checks what can be checked without a layer. Its errors have
// the code invalid and the field colormap_name, stops, interpolation or range.
func validateGradient(g *rasterbase.Gradient) error {
	switch g.Interpolation {
	case "", rasterbase.Linear, rasterbase.Discrete, rasterbase.Exact:
	default:
		return rasterbase.Errorf(rasterbase.Invalid, "%.40q is not an interpolation", string(g.Interpolation)).
			WithHint("one of linear, discrete, exact").WithField("interpolation")
	}
	for _, v := range []*float64{g.Min, g.Max} {
		if v != nil && *v-*v != 0 {
			return rasterbase.Errorf(rasterbase.Invalid, "the range of the gradient ends at %v", *v).WithField("range")
		}
	}
	if g.Colormap != "" {
		if len(g.Stops) > 0 {
			return rasterbase.Errorf(rasterbase.Invalid, "the gradient has the colormap %.40q and stops of its own", g.Colormap).
				WithHint("give one of the two").WithField("stops")
		}
		if g.Interpolation == rasterbase.Exact {
			return rasterbase.Errorf(rasterbase.Invalid, "the colormap %.40q has no exact values", g.Colormap).
				WithHint("its interpolation can be left out").WithField("interpolation")
		}
		_, err := Colors(g.Colormap)
		return err
	}
	return validateStops(g)
}

func validateStops(g *rasterbase.Gradient) error {
	fail := func(format string, args ...any) *rasterbase.Error {
		return rasterbase.Errorf(rasterbase.Invalid, format, args...).WithField("stops")
	}
	switch n := len(g.Stops); {
	case n == 0:
		return fail("the gradient has neither stops nor a colormap")
	case n > MaxStops:
		return rasterbase.Errorf(rasterbase.TooLarge, "the gradient has %d stops", n).
			WithHint("at most %d are allowed", MaxStops).WithField("stops")
	}
	for i, s := range g.Stops {
		open := g.Interpolation == rasterbase.Discrete && !g.Relative && i == len(g.Stops)-1 && math.IsInf(s.At, 1)
		switch {
		case s.At-s.At != 0 && !open:
			return fail("stop %d is at %v", i+1, s.At).WithHint("only the last one of a discrete gradient may be at inf")
		case g.Relative && (s.At < 0 || s.At > 1):
			return fail("stop %d is at %v", i+1, s.At).WithHint("stops of a relative gradient are at 0 to 1")
		case i > 0 && s.At < g.Stops[i-1].At:
			return fail("stop %d, at %v, is below the one before it, at %v", i+1, s.At, g.Stops[i-1].At).
				WithHint("write stops from the smallest value to the largest")
		}
	}
	return nil
}

// middle is the colour at half of a relative gradient, for all values when its
// range is a single one.
func middle(g *rasterbase.Gradient) rasterbase.Color {
	r := &ramp{}
	for _, s := range g.Stops {
		r.at, r.colors = append(r.at, s.At), append(r.colors, s.Color)
	}
	if g.Interpolation == rasterbase.Discrete {
		return rasterbase.Color(r.discrete(false).At(0.5))
	}
	return r.linear(0.5)
}

// equalSteps colours a range by a named colormap as matplotlib does: as many
// equal steps as it has colours, each with its lower end.
func equalSteps(m *rasterbase.Colormap, colors []rasterbase.Color, low, high float64) {
	if low > high {
		slices.Reverse(colors)
		low, high = high, low
	}
	if low == high {
		colors = colors[len(colors)/2:][:1]
	}
	if !math.IsInf(high-low, 0) {
		m.Ramp = &rasterbase.Ramp{Min: low, Max: high, Colors: toNRGBA(colors...)}
		return
	}
	b := stepBuilder{colors: colors[:1:1]}
	for i, c := range colors[1:] {
		b.add(place(low, high, float64(i+1)/float64(len(colors))), c)
	}
	m.Steps = b.steps()
}

// compileGradient makes the colormap of a gradient.
func compileGradient(g *rasterbase.Gradient, t rasterbase.PixelType) (*rasterbase.Colormap, error) {
	if err := validateGradient(g); err != nil {
		return nil, err
	}
	if relative(g) && (g.Min == nil || g.Max == nil) {
		return nil, notFitted()
	}
	m := &rasterbase.Colormap{}
	r := &ramp{}
	switch {
	case g.Colormap != "":
		colors, err := Colors(g.Colormap)
		if err != nil {
			return nil, err
		}
		equalSteps(m, colors, *g.Min, *g.Max)
	case g.Interpolation == rasterbase.Exact:
		return compileRules(newRamp(g, t == rasterbase.Float32).rules(), t)
	case g.Relative && *g.Min == *g.Max:
		m.Steps = rasterbase.NewSteps(nil, toNRGBA(middle(g)))
	case g.Interpolation == rasterbase.Discrete:
		r = newRamp(g, t == rasterbase.Float32)
		m.Steps = r.discrete(g.Relative && *g.Min > *g.Max)
	default:
		r = newRamp(g, t == rasterbase.Float32)
		if m.Steps = r.steps(); m.Steps == nil {
			m.Func = func(v float64) color.NRGBA { return color.NRGBA(r.linear(v)) }
		}
	}
	if t.IsFloat() || t.Size() > 2 {
		return m, nil
	}
	lo, hi := t.Range()
	table := make([]color.NRGBA, int(hi-lo)+1)
	for i := range table {
		table[i] = m.At(lo + float64(i))
	}
	out := &rasterbase.Colormap{}
	out.First, out.Table = trim(int(lo), table)
	return out, nil
}
