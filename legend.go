package rasterbase

import (
	"encoding/hex"
	"fmt"
	"image/color"
	"math"
	"strings"
	"time"
)

// Legend colours values, by entries or by a gradient. It can be shared by any
// number of layers.
type Legend struct {
	ID       LegendID
	Title    string // unique in any case
	Entries  []Entry
	Gradient *Gradient // not nil: there are no entries
	Updated  time.Time
}

// Entry colours the values that match its expression. Entries are painted in
// order, so that the last one that matches wins. An entry can stand in several
// legends: what is changed of it in one, but for its code, shows in all.
type Entry struct {
	ID         EntryID // 0: not stored yet
	Semantics  Semantics
	Expression string // a number, or a formula over x: "5", "(-3.0 < x) & (x <= 1)"
	Color      Color
	Code       string // its place in the legend, as the user writes it
}

// Semantics is a meaning that entries of many legends share, found by its name.
type Semantics struct {
	ID          SemanticsID
	Name        string
	Description string
	Keyword     string
}

// Gradient colours a range of values continuously, by the stops of its own or by
// those of a named colormap.
type Gradient struct {
	Colormap      string // such as "viridis", or "viridis_r" for the reverse; then there are no Stops
	Stops         []Stop // in rising order of At
	Interpolation Interpolation
	// Relative says that At is a share, 0 to 1, of the range from Min to Max. A
	// named colormap is relative in any case.
	Relative bool
	// Min and Max are where relative stops begin and end; nil: at the layer's own
	// smallest and largest value.
	Min, Max *float64
}

// Stop is a colour at a place of a gradient.
type Stop struct {
	At    float64
	Color Color
	Name  string // shown beside it; empty: At is shown
}

// Interpolation says how the values between stops are coloured.
type Interpolation string

// The interpolations, as colour files of GDAL and QGIS know them.
const (
	// Linear mixes the colours of the two stops that a value lies between; values
	// beyond the ends take the colour of the nearer end.
	Linear Interpolation = "linear"
	// Discrete gives a value the colour of the first stop that is not below it;
	// values above the last stop have none.
	Discrete Interpolation = "discrete"
	// Exact colours the values of the stops alone.
	Exact Interpolation = "exact"
)

// UserColormap is a colormap that somebody keeps for themselves, to draw tiles by
// it without making a legend for all.
type UserColormap struct {
	Owner   string // the name of a principal
	Name    string // unique among the owner's, in any case
	JSON    []byte // as it was given, in the form of the colormap parameter
	Updated time.Time
}

// Color is a colour with straight (not premultiplied) alpha.
type Color color.NRGBA

// String is #RRGGBB, or #RRGGBBAA when not opaque.
func (c Color) String() string {
	if c.A == 0xff {
		return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B)
	}
	return fmt.Sprintf("#%02X%02X%02X%02X", c.R, c.G, c.B, c.A)
}

// ParseColor reads #RGB, #RRGGBB or #RRGGBBAA; the mark may be left out.
func ParseColor(s string) (Color, error) {
	h := strings.TrimPrefix(strings.TrimSpace(s), "#")
	if len(h) == 3 {
		h = string([]byte{h[0], h[0], h[1], h[1], h[2], h[2]})
	}
	if len(h) == 6 {
		h += "ff"
	}
	b, err := hex.DecodeString(h)
	if err != nil || len(b) != 4 {
		return Color{}, Errorf(Invalid, "%q is not a colour", s).WithHint("write #RGB, #RRGGBB or #RRGGBBAA")
	}
	return Color{b[0], b[1], b[2], b[3]}, nil
}

// MarshalText writes the colour as [Color.String] does.
func (c Color) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what [ParseColor] reads.
func (c *Color) UnmarshalText(b []byte) error {
	p, err := ParseColor(string(b))
	if err != nil {
		return err
	}
	*c = p
	return nil
}

// Colormap is a compiled legend: it gives every pixel value a colour. Looked up
// in this order: Table for whole numbers inside it, then the first of Steps,
// Ramp and Func that is not nil; a value that has no colour then is transparent,
// and so are NaN and the infinities. The zero value colours nothing. A colormap
// is not changed after it was made and can be shared.
type Colormap struct {
	First int           // the value that Table starts with
	Table []color.NRGBA // colours of First, First+1, ...: at most 65,536
	Steps *Steps
	Ramp  *Ramp
	Func  func(v float64) color.NRGBA
}

// Ramp colours a range of values by steps of equal width: Colors[0] begins at
// Min, the last ends at Max. Values outside take the colour of the nearer end.
type Ramp struct {
	Min, Max float64
	Colors   []color.NRGBA
}

// At is the colour of a valid pixel's value.
func (m *Colormap) At(v float64) color.NRGBA {
	if v-v != 0 {
		return color.NRGBA{}
	}
	if len(m.Table) > 0 {
		if i := v - float64(m.First); i >= 0 && i < float64(len(m.Table)) && v == math.Trunc(v) {
			return m.Table[int(i)]
		}
	}
	switch {
	case m.Steps != nil:
		return m.Steps.At(v)
	case m.Ramp != nil:
		return m.Ramp.At(v)
	case m.Func != nil:
		return m.Func(v)
	}
	return color.NRGBA{}
}

// At is the colour of a value; NaN is transparent.
func (r *Ramp) At(v float64) color.NRGBA {
	if math.IsNaN(v) || len(r.Colors) == 0 {
		return color.NRGBA{}
	}
	return r.Colors[r.Index(v)]
}

// Index is the step that a value falls into.
func (r *Ramp) Index(v float64) int {
	n := len(r.Colors)
	if !(r.Max > r.Min) {
		return 0
	}
	f := (v - r.Min) / (r.Max - r.Min) * float64(n)
	switch {
	case !(f > 0):
		return 0
	case f >= float64(n):
		return n - 1
	}
	return int(f)
}
