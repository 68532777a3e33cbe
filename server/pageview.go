package server

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// layerView is a layer as the page shows it, ready to print.
type layerView struct {
	ID          rasterbase.LayerID
	Name        string
	FileName    string
	Description string
	Attribution string
	License     string
	Datatype    rasterbase.Datatype
	MaxZoom     int
	Pixels      string
	Bands       int
	Shown       bool // has map tiles
	Colors      bool // others can be chosen
	Status      string
	StatusClass string
	Percent     string
	Problem     string
	Path        string // of its metadata
	TilePath    string
	TileURL     string
	LegendPath  string // of its legend as JSON; empty: it has none
	PicturePath string // of what explains its colours
	Legend      *legendView
}

// legendView is entries, or a gradient from Low to High, or a note.
type legendView struct {
	Key       string
	Title     string
	Entries   []entryView
	More      []entryView // folded at first
	Gradient  []stopView
	Low, High string
	Unit      string
	Cut       string // which values lie outside of Low and High
	Band      string // which of several bands is drawn
	Note      string
}

// All is the number of entries.
func (v *legendView) All() int { return len(v.Entries) + len(v.More) }

type entryView struct{ Name, Code, Color, Alpha string }

type stopView struct{ Offset, Color, Alpha string }

// Legends with more entries than foldFrom show only the first of them until
// they are unfolded.
const (
	foldFrom  = 10
	firstShow = 8
)

// view prepares a layer for the page; drawn is nil when it is not drawn.
func (k known) view(root string, drawn *drawnLayer) layerView {
	l := k.layer
	v := layerView{
		ID: l.ID, Name: l.Name, FileName: l.Source.Name, Description: l.Description,
		Attribution: l.Attribution, License: l.License, Path: layerPath(l.ID),
	}
	if v.Name == "" {
		v.Name = l.Slug
	}
	v.status(k.state(), k.rev != nil)
	if drawn == nil {
		if k.rev != nil && v.Status == "" {
			v.Status = "parsed without map tiles"
		}
		return v
	}
	v.Shown = true
	v.Datatype, v.MaxZoom, v.Bands = drawn.Datatype, drawn.MaxZoom, len(drawn.Bands)
	if drawn.BaseError == nil {
		v.Pixels = thousands(drawn.Grid.Width) + " × " + thousands(drawn.Grid.Height)
	}
	v.TilePath = tilePath(l.ID, "png", nil)
	v.TileURL = root + "/" + v.TilePath
	if k.legend != nil {
		v.LegendPath = legendPath(k.legend.ID)
	}
	v.PicturePath = fmt.Sprintf("legend.png?layer=%d", l.ID)
	v.Legend = k.legendView(drawn)
	v.Colors = drawn.style.colormap != nil
	return v
}

// status says how the newest parse is doing, unless it simply finished.
func (v *layerView) status(p parseJSON, published bool) {
	if p.Status == rasterbase.Finished || p.Status == rasterbase.Unparsed && published {
		return
	}
	v.Status, v.Problem = string(p.Status), p.Error
	switch {
	case p.Status == rasterbase.Failed:
		v.StatusClass = "failed"
	case !p.Status.Ended() && p.Status != rasterbase.Unparsed:
		v.StatusClass = "busy"
		if p.Percent > 0 {
			v.Percent = fmt.Sprintf("%.0f %%", math.Floor(p.Percent))
		}
	}
	if published {
		v.Status = "newest parse: " + v.Status
	}
}

// legendView explains the colours that the tiles have.
func (k known) legendView(drawn *drawnLayer) *legendView {
	st := drawn.style
	v := &legendView{Key: strconv.FormatInt(int64(k.layer.ID), 10)}
	if st.colormap == nil {
		v.Note = "In its own colours"
		return v
	}
	band := drawn.Bands[0]
	if n := len(drawn.Bands); n > 1 {
		v.Band = fmt.Sprintf("band 1 of %d", n)
		if text := strings.TrimSpace(band.Description); text != "" {
			v.Band += ": " + text
		}
	}
	switch {
	case st.legend != nil && st.legend.Gradient != nil:
		v.Title = st.legend.Title
		v.explainGradient(st, band)
	case st.legend != nil:
		v.explain(st.legend, band, k.legend != nil)
		if st.legend.Title != k.layer.Name {
			v.Title = st.legend.Title
		}
	case band.Count == 0 && k.rev != nil:
		v.Note = "No valid pixels"
	case band.Min == band.Max && k.rev != nil:
		v.Note = "Every pixel is " + measure(band, band.Min)
	default:
		v.Gradient = []stopView{{"0", "#000000", "1"}, {"1", "#ffffff", "1"}}
		v.Low, v.High, v.Unit = number(unscaled(band, st.grey.low)), number(unscaled(band, st.grey.high)), band.Unit
		if st.grey.cut && k.rev != nil {
			v.Cut = fmt.Sprintf("The range of nearly all pixels; values reach from %s to %s",
				number(unscaled(band, band.Min)), measure(band, band.Max))
		}
	}
	return v
}

// explainGradient shows colours that run into each other as a ramp, and others as
// entries.
func (v *legendView) explainGradient(st *style, band rasterbase.Band) {
	stops, interpolation, err := legend.Stops(st.legend.Gradient)
	if err != nil || len(stops) == 0 {
		v.Note = "In the colours of " + st.legend.Title
		return
	}
	low, high := stops[0].At, stops[len(stops)-1].At
	if interpolation == rasterbase.Linear && low < high {
		// The colours of a layer of whole numbers are known at these alone.
		colors, err := legend.Compile(st.legend, rasterbase.Float64)
		if err != nil {
			v.Note = "In the colours of " + st.legend.Title
			return
		}
		const steps = 32
		for i := range steps + 1 {
			share := float64(i) / steps
			color, alpha := paint(rasterbase.Color(colors.At(low*(1-share) + high*share)))
			v.Gradient = append(v.Gradient, stopView{strconv.FormatFloat(share, 'g', -1, 64), color, alpha})
		}
		v.Low, v.High, v.Unit = number(unscaled(band, low)), number(unscaled(band, high)), band.Unit
		return
	}
	for _, stop := range stops {
		name := stop.Name
		if name == "" {
			name = measure(band, stop.At)
			if interpolation == rasterbase.Discrete {
				name = "up to " + name
			}
		}
		color, alpha := paint(stop.Color)
		v.Entries = append(v.Entries, entryView{Name: name, Color: color, Alpha: alpha})
	}
	v.fold()
}

// fold hides the entries of a long legend at first.
func (v *legendView) fold() {
	if len(v.Entries) > foldFrom {
		v.Entries, v.More = v.Entries[:firstShow], v.Entries[firstShow:]
	}
}

// explain lists those entries of a legend that a band has values for.
func (v *legendView) explain(shown *rasterbase.Legend, band rasterbase.Band, given bool) {
	if given && len(band.Histogram.Values) > 0 {
		shown = legend.Present(shown, band.Histogram.Values)
	}
	for _, e := range shown.Entries {
		name := e.Semantics.Name
		if name == "" {
			name = e.Expression
		}
		color, alpha := paint(e.Color)
		v.Entries = append(v.Entries, entryView{Name: name, Code: strings.TrimSpace(e.Code), Color: color, Alpha: alpha})
	}
	v.fold()
	if len(v.Entries) == 0 {
		v.Note = "No value of the layer is in its legend"
	}
}

// unscaled is what a stored value means: in the band's unit, when it has one.
func unscaled(b rasterbase.Band, v float64) float64 {
	if b.Scale == 0 || b.Scale == 1 && b.Offset == 0 {
		return v
	}
	return v*b.Scale + b.Offset
}

// measure writes what a stored value means, with its unit.
func measure(b rasterbase.Band, v float64) string {
	return strings.TrimSpace(number(unscaled(b, v)) + " " + b.Unit)
}

// paint splits a colour into what SVG's fill and fill-opacity take.
func paint(c rasterbase.Color) (color, alpha string) {
	opaque := c
	opaque.A = 0xff
	return opaque.String(), strconv.FormatFloat(float64(c.A)/255, 'g', 3, 64)
}

// number writes a value in about four digits.
func number(v float64) string {
	a := math.Abs(v)
	switch {
	case a != 0 && (a < 1e-3 || a >= 1e8):
		return strconv.FormatFloat(v, 'g', 4, 64)
	case v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	digits := max(0, 3-int(math.Floor(math.Log10(a))))
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// thousands groups digits by thin spaces.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}
