package legend

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// qmlModes are how QGIS styles name the interpolations. An empty one is how
// styles of QGIS 1 were drawn.
var qmlModes = map[string]rasterbase.Interpolation{
	"": rasterbase.Linear, "INTERPOLATED": rasterbase.Linear, "DISCRETE": rasterbase.Discrete, "EXACT": rasterbase.Exact,
}

// readQML reads the raster renderer of a QGIS style file: paletteEntry elements
// of a paletted renderer, the items of a colour ramp, or the ends of a stretch of
// greys. What the style says of other bands, of the blending and of values that
// are transparent by themselves is not read.
func readQML(b []byte) (*rasterbase.Legend, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	q := qmlReader{opacity: 1, mode: rasterbase.Exact}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return q.legend()
		}
		if err != nil {
			return nil, fmt.Errorf("read the style's XML: %w", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			q.text, q.reads = q.text[:0], slices.Contains(qmlTexts, t.Name.Local)
			err = q.element(t)
		case xml.CharData:
			q.read(t)
		case xml.EndElement:
			q.end(t.Name.Local)
		}
		if err != nil {
			line, _ := d.InputPos()
			return nil, rasterbase.Errorf(rasterbase.CodeOf(err), "line %d: %w", line, err)
		}
	}
}

type qmlReader struct {
	items   []colorItem
	kind    string // of the renderer
	mode    rasterbase.Interpolation
	inRamp  bool // inside of a colour ramp
	clip    bool // nothing is drawn beyond the ends of a linear ramp
	opacity float64
	text    []byte // of the element, at most maxQMLText
	reads   bool   // the element is one of qmlTexts

	gradient, low, high, algorithm string // of greys
}

// qmlTexts are the elements whose text is read: numbers and a name.
var qmlTexts = []string{"minValue", "maxValue", "algorithm"}

// maxQMLText is how much of an element's text is kept, in bytes. One that is as
// long is none of those that are read.
const maxQMLText = 200

// read adds to the text of the element: it comes in pieces.
func (q *qmlReader) read(piece []byte) {
	if q.reads {
		q.text = append(q.text, piece[:min(len(piece), maxQMLText-len(q.text))]...)
	}
}

// qmlRefused are the renderers that draw other things than a band's values.
var qmlRefused = map[string]string{
	"hillshade":           "shades of a relief, which a legend cannot say; ask for hillshade tiles",
	"multibandcolor":      "three bands, which a legend cannot say; ask for the bands with bidx",
	"singlebandcolordata": "pixels that are colours themselves",
	"contour":             "contour lines",
}

func (q *qmlReader) element(e xml.StartElement) error {
	attr := map[string]string{}
	for _, a := range e.Attr {
		attr[a.Name.Local] = a.Value
	}
	switch e.Name.Local {
	case "rasterrenderer":
		q.kind, q.gradient = attr["type"], attr["gradient"]
		if why, ok := qmlRefused[q.kind]; ok {
			return rasterbase.Errorf(rasterbase.Unsupported, "the style's renderer is %s: it draws %s", q.kind, why)
		}
		if v, err := strconv.ParseFloat(attr["opacity"], 64); err == nil && v >= 0 && v <= 1 {
			q.opacity = v
		}
	case "paletteEntry":
		return q.add(attr)
	case "colorrampshader":
		mode, ok := qmlModes[strings.ToUpper(attr["colorRampType"])]
		if !ok {
			return rasterbase.Errorf(rasterbase.Unsupported, "the colour ramp is of the type %.40q", attr["colorRampType"]).
				WithHint("save the style with linear, discrete or exact interpolation")
		}
		q.inRamp, q.mode, q.clip = true, mode, attr["clip"] == "1"
	case "item":
		if q.inRamp {
			return q.add(attr)
		}
	}
	return nil
}

// end reads the text of an element that ends.
func (q *qmlReader) end(name string) {
	text := ""
	if q.reads && len(q.text) < maxQMLText {
		text = strings.TrimSpace(string(q.text))
	}
	switch name {
	case "colorrampshader":
		q.inRamp = false
	case "minValue":
		q.low = text
	case "maxValue":
		q.high = text
	case "algorithm":
		q.algorithm = text
	}
	q.text, q.reads = q.text[:0], false
}

// add makes an item of a value, a colour, an alpha and a label. The attribute
// below is our own: see qmlItem.
func (q *qmlReader) add(attr map[string]string) error {
	c, err := qmlColor(attr)
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(attr["value"]), 64)
	last := q.mode == rasterbase.Discrete && math.IsInf(v, 1)
	if err != nil || v-v != 0 && !last {
		return rasterbase.Errorf(rasterbase.Invalid, "%.40q is not a number", attr["value"])
	}
	i := colorItem{value: v, color: c, name: attr["label"]}
	if end, err := parseNumber(attr["below"]); err == nil && q.mode == rasterbase.Discrete {
		i.value, i.below = end, true
	}
	q.items = append(q.items, i)
	return nil
}

func (q *qmlReader) legend() (*rasterbase.Legend, error) {
	switch q.kind {
	case "paletted", "singlebandpseudocolor":
	case "singlebandgray":
		if err := q.greys(); err != nil {
			return nil, err
		}
	default:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the style has no paletted, pseudocolor or gray raster renderer")
	}
	for i := range q.items {
		c := &q.items[i].color
		c.A = uint8(math.Round(float64(c.A) * q.opacity))
	}
	l, err := newLegend(q.items, q.mode)
	if err == nil && q.clip && l.Gradient != nil {
		l.Gradient.Stops = clipped(l.Gradient.Stops)
	}
	return l, err
}

// greys makes the items of a stretch from black to white.
func (q *qmlReader) greys() error {
	switch q.algorithm {
	case "StretchToMinimumMaximum":
	case "StretchAndClipToMinimumMaximum":
		q.clip = true
	default:
		return rasterbase.Errorf(rasterbase.Unsupported, "the style's greys have the contrast enhancement %.40q", q.algorithm).
			WithHint("save the style with the enhancement that stretches to minimum and maximum")
	}
	low, err := parseNumber(q.low)
	if err != nil {
		return err
	}
	high, err := parseNumber(q.high)
	if err != nil {
		return err
	}
	from, to := rasterbase.Color{A: 0xff}, rasterbase.Color{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
	if q.gradient == "WhiteToBlack" {
		from, to = to, from
	}
	q.mode = rasterbase.Linear
	q.items = []colorItem{{value: low, color: from}, {value: high, color: to}}
	return nil
}

// clipped gives the values beyond the ends of linear stops no colour: the first
// of two stops at one place colours what lies below it. The upper end itself has
// a colour, what follows it among numbers of 32 bits has none.
func clipped(stops []rasterbase.Stop) []rasterbase.Stop {
	if len(stops) == 0 {
		return stops
	}
	none := func(s rasterbase.Stop) rasterbase.Stop {
		s.Color.A, s.Name = 0, ""
		return s
	}
	low, high := stops[0], stops[len(stops)-1]
	out := append([]rasterbase.Stop{none(low)}, stops...)
	high.Name = ""
	if high.At = above32(high.At); high.At-high.At != 0 {
		return out // nothing lies there
	}
	return append(out, high, none(high))
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
