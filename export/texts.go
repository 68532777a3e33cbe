package export

import (
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

// LegendLine is an entry of a legend, or a value of a colormap.
type LegendLine struct {
	Expression string
	Color      color.NRGBA
	Name       string
}

// LegendLines are the entries of a legend, or its stops where they are at values of
// their own.
func LegendLines(l *rasterbase.Legend) (out []LegendLine) {
	for _, e := range l.Entries {
		out = append(out, LegendLine{e.Expression, color.NRGBA(e.Color), e.Semantics.Name})
	}
	if g := l.Gradient; g != nil && !g.Relative {
		for _, s := range g.Stops {
			out = append(out, LegendLine{number(s.At), color.NRGBA(s.Color), s.Name})
		}
	}
	return out
}

// ColormapLines are the values of a colormap that have a colour: those of its table,
// the beginnings of its steps, and of a ramp 17 between its ends.
func ColormapLines(m *rasterbase.Colormap) (out []LegendLine) {
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

// colormapText is the text of COLORMAP.txt: a line for each entry. Those of a single
// value are lines of the colour text files of GDAL, which QGIS reads too; the others
// are comments in it.
func colormapText(lines []LegendLine) string {
	var b strings.Builder
	b.WriteString("# value or expression, red, green, blue, alpha, name\n")
	for _, l := range lines {
		c := fmt.Sprintf("%d %d %d %d", l.Color.R, l.Color.G, l.Color.B, l.Color.A)
		v, err := strconv.ParseFloat(strings.TrimSpace(l.Expression), 64)
		if err != nil || v-v != 0 {
			fmt.Fprintf(&b, "# %s\n", oneLine(l.Expression+" "+c+" "+l.Name))
			continue
		}
		fmt.Fprintf(&b, "%s\n", oneLine(number(v)+" "+c+" "+l.Name))
	}
	b.WriteString("nv 0 0 0 0\n")
	return b.String()
}
