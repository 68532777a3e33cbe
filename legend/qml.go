package legend

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// readQML reads the raster renderer of a QGIS style file: paletteEntry elements
// of a paletted renderer, or the items of a colour ramp that is exact or
// discrete.
func readQML(b []byte) ([]rasterbase.Entry, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	q := qmlReader{below: math.Inf(-1)}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return q.entries, q.renderer()
		}
		if err != nil {
			return nil, fmt.Errorf("read the style's XML: %w", err)
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if err := q.element(start); err != nil {
			line, _ := d.InputPos()
			return nil, rasterbase.Errorf(rasterbase.CodeOf(err), "line %d: %w", line, err)
		}
	}
}

type qmlReader struct {
	entries []rasterbase.Entry
	kind    string // of the renderer
	ramp    string // the kind of colour ramp: EXACT or DISCRETE; empty outside of one
	below   float64
}

func (q *qmlReader) renderer() error {
	if q.kind == "paletted" || q.kind == "singlebandpseudocolor" {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Invalid, "the style has no paletted or pseudocolor raster renderer")
}

func (q *qmlReader) element(e xml.StartElement) error {
	attr := map[string]string{}
	for _, a := range e.Attr {
		attr[a.Name.Local] = a.Value
	}
	switch e.Name.Local {
	case "rasterrenderer":
		q.kind = attr["type"]
	case "paletteEntry":
		return q.add(attr)
	case "colorrampshader":
		q.ramp = strings.ToUpper(attr["colorRampType"])
		if q.ramp != "EXACT" && q.ramp != "DISCRETE" {
			return rasterbase.Errorf(rasterbase.Unsupported, "the colour ramp is of the type %.40q", attr["colorRampType"]).
				WithHint("save the style with exact or discrete interpolation")
		}
	case "item":
		if q.ramp != "" {
			return q.add(attr)
		}
	}
	return nil
}

// add makes an entry of a value, a colour, an alpha and a label. A value of a
// discrete ramp is the upper end, included, of what it colours.
func (q *qmlReader) add(attr map[string]string) error {
	c, err := qmlColor(attr)
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(attr["value"], 64)
	last := q.ramp == "DISCRETE" && math.IsInf(v, 1)
	if err != nil || v-v != 0 && !last {
		return rasterbase.Errorf(rasterbase.Invalid, "%.40q is not a number", attr["value"])
	}
	item := entry(v, attr["label"], c)
	if q.ramp == "DISCRETE" {
		item.Expression = upTo(q.below, v)
		q.below = v
	}
	q.entries = append(q.entries, item)
	return nil
}

// upTo is the condition for what lies above one number and up to another.
func upTo(below, v float64) string {
	switch low, high := math.IsInf(below, -1), math.IsInf(v, 1); {
	case low && high:
		return "x < INF"
	case low:
		return "x <= " + formatNumber(v)
	case high:
		return formatNumber(below) + " < x"
	}
	return fmt.Sprintf("(%s < x) & (x <= %s)", formatNumber(below), formatNumber(v))
}

func qmlColor(attr map[string]string) (rasterbase.Color, error) {
	c, err := ParseColor(attr["color"])
	if err != nil || attr["alpha"] == "" {
		return c, err
	}
	a, err := strconv.ParseUint(attr["alpha"], 10, 8)
	if err != nil {
		return c, rasterbase.Errorf(rasterbase.Invalid, "alpha %.20q is not a number of 0 to 255", attr["alpha"])
	}
	c.A = uint8(a)
	return c, nil
}
