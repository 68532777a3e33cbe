package export

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
)

// readme is the text of README.txt: what the file holds, and what it is made of.
func (c Contents) readme(p *Plan, file string) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%s: %s\n", name, oneLine(fmt.Sprintf(format, args...)))
	}
	b.WriteString("Raster export\n=============\n\n")
	line("File", "%s", file)
	if c.Description != "" {
		line("Description", "%s", c.Description)
	}
	date := c.Date
	if date.IsZero() {
		date = time.Now()
	}
	line("Date", "%s", date.UTC().Format(time.RFC3339))
	if c.URL != "" {
		line("URL", "%s", c.URL)
	}
	if c.Formula != "" {
		line("Formula", "%s", c.Formula)
	}
	b.WriteString("\nLayers\n------\n\n")
	for _, in := range c.Inputs {
		text := fmt.Sprintf("%s (id %d)", in.Name, in.Layer)
		if in.Band >= 0 {
			text += ", band " + strconv.Itoa(in.Band+1)
		}
		if in.Variable != "" {
			text = in.Variable + " = " + text
		}
		fmt.Fprintf(&b, "%s\n", oneLine(text))
		for _, said := range [][2]string{{"Licence", in.License}, {"Attribution", in.Attribution}} {
			if said[1] != "" {
				fmt.Fprintf(&b, "    %s: %s\n", said[0], oneLine(said[1]))
			}
		}
	}
	b.WriteString("\nPixels\n------\n\n")
	p.describe(line)
	if c.Area != "" {
		line("Area asked for", "%s", c.Area)
	}
	return b.String()
}

// describe says where the pixels lie and what they are.
func (p *Plan) describe(line func(name, format string, args ...any)) {
	if p.Level.Kind == rasterbase.Pyramid {
		line("Zoom level", "%d", p.Level.Zoom)
	} else {
		line("Zoom level", "none: the source's own pixels")
	}
	g := p.Grid
	west, south, east, north := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i := range 4 {
		x, y := g.World(float64(i%2*g.Width), float64(i/2*g.Height))
		west, east, south, north = min(west, x), max(east, x), min(south, y), max(north, y)
	}
	line("Size", "%d x %d pixels", g.Width, g.Height)
	line("Indexed bounds", "columns %d to %d, rows %d to %d of the level", p.Rect.X, p.Rect.X+g.Width-1, p.Rect.Y, p.Rect.Y+g.Height-1)
	line("Bounding box", "%v, %v, %v, %v (west, south, east, north)", west, south, east, north)
	line("Coordinate reference system", "%s", nameOf(p.CRS))
	line("Pixel type", "%v", p.Type)
	for i, b := range p.Bands {
		text := ""
		if b.Description != "" {
			text += " " + b.Description + ","
		}
		if b.Scale != 0 && (b.Scale != 1 || b.Offset != 0) {
			text += fmt.Sprintf(" true value = value * %v + %v,", b.Scale, b.Offset)
		}
		if b.Unit != "" {
			text += " in " + b.Unit + ","
		}
		if text != "" {
			line(fmt.Sprintf("Band %d", i+1), "%s", strings.TrimSuffix(strings.TrimSpace(text), ","))
		}
	}
}

func nameOf(c rasterbase.CRS) string {
	name := c.Name
	if c.SRID > 0 && c.SRID < rasterbase.FirstCustomSRID {
		name = strings.TrimSpace(fmt.Sprintf("EPSG:%d %s", c.SRID, c.Name))
	}
	if name == "" {
		name = "none"
		if c.WKT != "" {
			name = c.WKT
		}
	}
	return name
}

// oneLine is a text without line breaks, which users' texts can hold.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Legend is what COLORMAP.txt tells.
type Legend struct {
	Lines      []LegendLine
	Continuous bool // colours run into each other between the lines
}

// LegendLine is an entry of a legend, or a value of a colormap.
type LegendLine struct {
	Expression string
	Color      color.NRGBA
	Name       string
}

// LegendOf is a legend's entries, or its stops where they are at values of their own,
// and otherwise values of the colormap that it was compiled to: those of its table that
// have a colour, the beginnings of its steps, and 17 of a ramp.
func LegendOf(l *rasterbase.Legend, m *rasterbase.Colormap) (out Legend) {
	for _, e := range l.Entries {
		out.Lines = append(out.Lines, LegendLine{e.Expression, color.NRGBA(e.Color), e.Semantics.Name})
	}
	g := l.Gradient
	if g == nil {
		return out
	}
	out.Continuous = g.Interpolation != rasterbase.Discrete && g.Interpolation != rasterbase.Exact
	if !g.Relative {
		for _, s := range g.Stops {
			out.Lines = append(out.Lines, LegendLine{number(s.At), color.NRGBA(s.Color), s.Name})
		}
	}
	if len(out.Lines) == 0 {
		out.Lines = colormapLines(m)
	}
	return out
}

// colormapLines are the values of a colormap that have a colour.
func colormapLines(m *rasterbase.Colormap) (out []LegendLine) {
	for i, c := range m.Table {
		if c.A > 0 {
			out = append(out, LegendLine{Expression: strconv.Itoa(m.First + i), Color: c})
		}
	}
	switch {
	case m.Steps != nil:
		for _, at := range m.Steps.Breaks() {
			out = append(out, LegendLine{Expression: number(at), Color: m.Steps.At(at)})
		}
	case m.Ramp != nil:
		const parts = 16
		for i := range parts + 1 {
			at := m.Ramp.Min + (m.Ramp.Max-m.Ramp.Min)*float64(i)/parts
			out = append(out, LegendLine{Expression: number(at), Color: m.Ramp.At(at)})
		}
	}
	return out
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// colormapText is the text of COLORMAP.txt, in the form of django-raster's exports: the
// value or the expression of each entry, red, green, blue, alpha and a name. It is the
// form of QGIS's colour maps, which reads entries of a single value.
func colormapText(l Legend) string {
	var b strings.Builder
	b.WriteString("# Raster Algebra Colormap\nINTERPOLATION: ")
	if l.Continuous {
		b.WriteString("CONTINUOUS\n")
	} else {
		b.WriteString("DISCRETE\n")
	}
	for _, e := range l.Lines {
		fmt.Fprintf(&b, "%s,%d,%d,%d,%d,%s\n", oneLine(e.Expression), e.Color.R, e.Color.G, e.Color.B, e.Color.A, oneLine(cmp.Or(e.Name, e.Expression)))
	}
	return b.String()
}
