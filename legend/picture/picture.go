// Package picture draws legends, as PNG and as SVG: swatches with names for
// entries, a bar with ticks at its ends and at round numbers for colours that run
// into each other.
//
// Text in an SVG is drawn by whoever shows it, in any script. A PNG has the Go
// fonts, which know the Latin, Greek and Cyrillic scripts: words in others are left
// out, and where no word is left, an entry is called by its code or its expression.
package picture

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// Legend is what a picture shows, from top to bottom.
type Legend struct {
	Title    string
	Unit     string // of the numbers at the bar
	Bar      *Bar
	Swatches []Swatch
	Notes    []string
}

// Swatch is a colour and what it means.
type Swatch struct {
	Color rasterbase.Color
	Name  string
	Other string // in place of a name that cannot be drawn
}

// Bar is colours over a range of numbers.
type Bar struct {
	// Color is the colour at a share of the range, 0 to 1.
	Color func(share float64) rasterbase.Color
	// Low and High are the numbers at the ends; those at the ticks between are round.
	Low, High float64
	// LowName and HighName stand at the ends in place of numbers.
	LowName, HighName string
	Plain             bool // there are no numbers
	// More says that values beyond the ends are shown in the colours of the ends,
	// which have points then.
	More bool
}

// Options say how a legend is drawn. The zero value is dark text on white.
type Options struct {
	Scale      float64      // dots a pixel; 0: 1
	Background *color.NRGBA // nil: white; a transparent one is none
	Text       *color.NRGBA // nil: dark or light, as the background needs it
}

// MaxSwatches is the largest number of swatches in a picture; a line below them
// says how many were left out.
const MaxSwatches = 96

// Of is what a picture of a legend shows. The band is the one that is drawn with
// it, which gives the unit and what stored values mean; nil: none. A relative
// gradient without a range has no numbers.
func Of(l *rasterbase.Legend, band *rasterbase.Band) (Legend, error) {
	out := Legend{Title: l.Title}
	if l.Gradient != nil {
		return out, out.gradient(l, band)
	}
	for _, e := range legend.Order(l).Entries {
		s := Swatch{Color: e.Color, Name: strings.TrimSpace(e.Semantics.Name), Other: strings.TrimSpace(e.Code)}
		if s.Other == "" {
			s.Other = e.Expression
		}
		if s.Name == "" {
			s.Name = e.Expression
		}
		out.Swatches = append(out.Swatches, s)
	}
	if len(out.Swatches) == 0 {
		out.Notes = []string{"No entries"}
	}
	return out, nil
}

// gradient adds a bar, or swatches where colours do not run into each other.
func (out *Legend) gradient(l *rasterbase.Legend, band *rasterbase.Band) error {
	g := l.Gradient
	open := (g.Relative || g.Colormap != "") && (g.Min == nil || g.Max == nil)
	fitted := l
	if open {
		low, high := 0.0, 1.0
		if g.Min != nil {
			low, high = *g.Min, *g.Min+1
		}
		if g.Max != nil {
			low, high = *g.Max-1, *g.Max
		}
		fitted = legend.Fit(l, low, high)
	}
	stops, mode, err := legend.Stops(fitted.Gradient)
	if err != nil {
		return err
	}
	real := func(v float64) float64 { return v }
	if band != nil {
		out.Unit, real = band.Unit, func(v float64) float64 { return Unscaled(*band, v) }
	}
	last := len(stops) - 1
	low, high := stops[0].At, stops[last].At
	colors, err := legend.Compile(fitted, rasterbase.Float64)
	if err != nil {
		return err
	}
	switch {
	case low >= high && mode == rasterbase.Linear:
		out.stops([]rasterbase.Stop{{At: low, Color: rasterbase.Color(colors.At(low)), Name: stops[last].Name}}, mode, real)
		return nil
	case mode != rasterbase.Linear && !open || low >= high:
		if g.Colormap != "" && last > 0 {
			stops = slices.Insert(stops, 0, rasterbase.Stop{At: low - (high-low)/float64(last)})
		}
		out.stops(stops, mode, real)
		return nil
	}
	if mode == rasterbase.Discrete && last > 0 { // the first colour begins one step below its stop
		low -= (high - low) / float64(last)
	}
	more := !open && mode == rasterbase.Linear
	if band != nil && band.Count > 0 {
		more = more && (band.Min < low || band.Max > high)
	}
	out.Bar = &Bar{
		Low: real(low), High: real(high), More: more,
		Color: func(share float64) rasterbase.Color {
			return rasterbase.Color(colors.At(low*(1-share) + high*share))
		},
	}
	if open {
		out.Bar.LowName, out.Bar.HighName = endName(g.Min, "min", real), endName(g.Max, "max", real)
		out.Unit = ""
	}
	for _, s := range stops {
		if s.Name != "" {
			out.Swatches = append(out.Swatches, Swatch{Color: s.Color, Name: s.Name, Other: Number(real(s.At))})
		}
	}
	return nil
}

// endName is the number at an end, or the word for one that is not known.
func endName(v *float64, word string, real func(float64) float64) string {
	if v == nil {
		return word
	}
	return Number(real(*v))
}

// stops adds a swatch for each stop.
func (out *Legend) stops(stops []rasterbase.Stop, mode rasterbase.Interpolation, real func(float64) float64) {
	unit := func(v float64) string { return strings.TrimSpace(Number(real(v)) + " " + out.Unit) }
	for i, s := range stops {
		if s.Color.A == 0 && s.Name == "" {
			continue
		}
		other := unit(s.At)
		switch {
		case mode == rasterbase.Exact || mode == rasterbase.Linear:
		case math.IsInf(s.At, 1) && i > 0:
			other = "above " + unit(stops[i-1].At)
		case math.IsInf(s.At, 1):
			other = "all values"
		case i > 0:
			other = Number(real(stops[i-1].At)) + " to " + other
		default:
			other = "up to " + other
		}
		sw := Swatch{Color: s.Color, Name: s.Name, Other: other}
		if sw.Name == "" {
			sw.Name = other
		}
		out.Swatches = append(out.Swatches, sw)
	}
	out.Unit = ""
}

// Colors is the picture of a colormap: its colours from the first to the last,
// without text beside them.
func Colors(colors []rasterbase.Color) Legend {
	return Legend{Bar: &Bar{Color: func(share float64) rasterbase.Color {
		return colors[max(0, min(len(colors)-1, int(share*float64(len(colors)))))]
	}, Plain: true}}
}

// Unscaled is what a stored value of a band means.
func Unscaled(b rasterbase.Band, v float64) float64 {
	if b.Scale == 0 || b.Scale == 1 && b.Offset == 0 {
		return v
	}
	return v*b.Scale + b.Offset
}
