package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math"
	"net/http"
	"strings"
	"weak"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/render"
)

// style is how a revision's pixels become a picture, resolved from what a layer
// is and what a request asks.
type style struct {
	tag     string // names all that a tile depends on, but for its place, size and format
	version string // the v= of addresses

	bands     []int             // of the revision, that are read
	scales    []scale           // that make real values of those read; nil: they stay as stored
	algorithm algorithm         // that makes something else of the first one; empty: none
	about     []rasterbase.Band // what is drawn then, for a GeoTIFF
	drawn     []int             // places among those read
	colormap  *rasterbase.Colormap
	rescale   [][2]float64 // per drawn band; nil: as they are

	legend *rasterbase.Legend // that colours, given or made; nil: none
	grey   *stretch           // nil: not in grey
	counts *legend.Classifier // of the legend's entries, where they are counted
}

// styleRef finds the tag of a style by what it is made of, without reading a
// legend whole for each tile. It keeps none of that from being freed: anybody can
// make as many queries as they like. Two are equal only if they were made of the
// same things, though these are gone by now.
type styleRef struct {
	of     weak.Pointer[subject]
	legend weak.Pointer[rasterbase.Legend]
	d      weak.Pointer[drawing]
	values bool
}

// styleRefCost is the memory that a reference and the tag take, roughly.
func styleRefCost(styleRef, string) int64 { return 400 }

// styleCost is the memory that a style takes, roughly.
func styleCost(_ string, st *style) int64 {
	cost := 2000 + legendCost(st.legend)
	if m := st.colormap; m != nil {
		cost += 4 * int64(len(m.Table))
		if m.Steps != nil {
			cost += 12 * int64(len(m.Steps.Colors))
		}
		if m.Ramp != nil {
			cost += 4 * int64(len(m.Ramp.Colors))
		}
		if m.Func != nil {
			cost += legendCost(st.legend) // its formulas
		}
	}
	if st.counts != nil {
		cost += legendCost(st.legend)
	}
	for _, b := range st.about {
		cost += 300 + 16*int64(len(b.Histogram.Values)) + 8*int64(len(b.Histogram.Bins))
	}
	return cost
}

// legendCost is the memory that a legend takes, roughly.
func legendCost(lg *rasterbase.Legend) int64 {
	if lg == nil {
		return 0
	}
	bytes := 500 + len(lg.Title)
	for i := range lg.Entries {
		e := &lg.Entries[i]
		bytes += 200 + len(e.Expression) + len(e.Code) + len(e.Semantics.Name) + len(e.Semantics.Description) + len(e.Semantics.Keyword)
	}
	if lg.Gradient != nil {
		bytes += 100 + len(lg.Gradient.Colormap) + 50*len(lg.Gradient.Stops)
	}
	return int64(bytes)
}

// What is remembered of styles and queries, in bytes.
const (
	subjectMemory  = 32 << 20
	styleMemory    = 64 << 20
	styleRefMemory = 4 << 20
	drawingMemory  = 16 << 20
)

// styleOf gives the style of a revision under a legend, for pictures or for a
// GeoTIFF's values. Styles are remembered by what is in them, since compiling a
// legend takes longer than drawing a tile.
func (s *Server) styleOf(r *http.Request, sub *subject, lg *rasterbase.Legend, d *drawing, values bool) (*style, error) {
	ref := styleRef{weak.Make(sub), weak.Make(lg), weak.Make(d), values}
	tag, ok := s.styleRefs.get(ref)
	if !ok {
		tag = s.styleTag(sub, lg, d, values)
		s.styleRefs.put(ref, tag)
	}
	st, ok := s.styles.get(tag)
	if !ok {
		rev, err := sub.rev, error(nil)
		if spreads(lg, d, values) {
			rev, err = s.statistics(r, sub)
		}
		if err != nil {
			return nil, err
		}
		if st, err = newStyle(rev, lg, d, values); err != nil {
			return nil, err
		}
		st.tag, st.version = tag, tag[:11]
		s.styles.put(tag, st)
	}
	return st, nil
}

// spreads reports whether the colours depend on which values there are.
func spreads(lg *rasterbase.Legend, d *drawing, values bool) bool {
	switch {
	case values, d.algorithm != "":
		return false
	case lg == nil:
		return d.rescale == nil
	}
	return lg.Gradient != nil && d.rescale == nil
}

// styleTag names a style. Nobody can make another one of the same name, so that
// what is asked of one picture cannot change another.
func (s *Server) styleTag(sub *subject, lg *rasterbase.Legend, d *drawing, values bool) string {
	h := sha256.New()
	writeTexts(h, s.c.Version, sub.version, d.key)
	if values {
		writeTexts(h, "values", s.compression(d))
	}
	if lg != nil {
		hashLegend(h, lg)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// writeTexts writes texts so that no others read the same.
func writeTexts(h io.Writer, texts ...string) {
	var n [8]byte
	for _, t := range texts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(t)))
		_, _ = h.Write(n[:])
		_, _ = io.WriteString(h, t)
	}
}

// hashLegend adds what a legend says. Its time is not enough, because two changes
// can bear the same.
func hashLegend(h hash.Hash, lg *rasterbase.Legend) {
	fmt.Fprintf(h, "legend %d %d %d ", lg.ID, lg.Updated.UnixNano(), len(lg.Entries))
	for i := range lg.Entries {
		e := &lg.Entries[i]
		writeTexts(h, e.Expression, e.Code, e.Semantics.Name)
		_, _ = h.Write([]byte{e.Color.R, e.Color.G, e.Color.B, e.Color.A})
	}
	g := lg.Gradient
	if g == nil {
		return
	}
	writeTexts(h, "gradient", g.Colormap, string(g.Interpolation))
	fmt.Fprintf(h, "%t %d", g.Relative, len(g.Stops))
	for _, p := range []*float64{g.Min, g.Max} {
		if p != nil {
			fmt.Fprintf(h, " %x", math.Float64bits(*p))
		} else {
			_, _ = io.WriteString(h, " none")
		}
	}
	for _, stop := range g.Stops {
		fmt.Fprintf(h, " %x %v", math.Float64bits(stop.At), stop.Color)
	}
}

// newStyle resolves what is drawn: the values alone, what an algorithm makes of
// them, three bands as red, green and blue, or one band in colours.
func newStyle(rev *rasterbase.Revision, lg *rasterbase.Legend, d *drawing, values bool) (*style, error) {
	if len(rev.Bands) == 0 {
		return nil, fmt.Errorf("%s has no bands", nameOf(rev))
	}
	for _, b := range d.bands {
		if b >= len(rev.Bands) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%s has no band %d: it has %d", nameOf(rev), b+1, len(rev.Bands)).
				WithHint("bands count from 1").WithField("bidx")
		}
	}
	switch {
	case d.algorithm != "":
		return elevationStyle(rev, lg, d)
	case values:
		return valuesStyle(rev, d), nil
	case len(d.bands) == 3:
		return rgbStyle(rev, d.bands, d)
	case d.bands == nil && lg == nil && d.entries == "":
		if rgb := colorBands(rev.Bands); rgb != nil {
			return rgbStyle(rev, rgb, d)
		}
	}
	return bandStyle(rev, lg, d)
}

// bandStyle colours one band by a legend, the classes of a discrete one that has
// few enough by a legend made for them, and else in grey.
func bandStyle(rev *rasterbase.Revision, lg *rasterbase.Legend, d *drawing) (*style, error) {
	st := reading(rev, oneBand(d), d)
	band := st.about[0]
	if lg == nil && rev.Datatype.Discrete() && d.rescale == nil {
		lg = legend.Distinct(band.Histogram.Values)
	}
	return st, st.color(band, lg, d, stretchOf(band))
}

// oneBand is the band that is drawn alone.
func oneBand(d *drawing) []int {
	if d.bands != nil {
		return d.bands[:1]
	}
	return []int{0}
}

// color sets the colours of one band: those of a legend, or else grey. A relative
// gradient of a named colormap that has no range of its own is spread as grey is,
// one of a legend from the smallest value to the largest.
func (st *style) color(band rasterbase.Band, lg *rasterbase.Legend, d *drawing, own stretch) (err error) {
	if d.entries != "" {
		if lg == nil || lg.Gradient != nil {
			return rasterbase.Errorf(rasterbase.Invalid, "there are no entries to choose from: no legend has any here").
				WithHint("legend= or colormap= give entries").WithField("entries")
		}
		if lg, err = legend.Select(lg, d.entries); err != nil {
			return blame(err, "entries")
		}
	}
	if lg == nil {
		if d.rescale != nil {
			own = stretch{low: d.rescale[0][0], high: d.rescale[0][1]}
		}
		st.grey, st.colormap = &own, legend.Grey(own.low, own.high, band.PixelType)
		return oneRange(d)
	}
	if d.rescale != nil {
		if lg, err = spread(lg, d); err != nil {
			return err
		}
	}
	if d.named != "" {
		lg = legend.Fit(lg, own.low, own.high)
	}
	st.legend = legend.Fit(lg, band.Min, band.Max)
	if d.aggregation {
		if st.counts, err = legend.Classify(st.legend, band.PixelType); err != nil {
			return err
		}
	}
	st.colormap, err = legend.Compile(st.legend, band.PixelType)
	return err
}

// spread gives a gradient the range that was asked for.
func spread(lg *rasterbase.Legend, d *drawing) (*rasterbase.Legend, error) {
	if err := oneRange(d); err != nil {
		return nil, err
	}
	if g := lg.Gradient; g == nil || !g.Relative && g.Colormap == "" {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the colours stand at values of their own, which no range moves").
			WithHint("leave out rescale, or the legend").WithField("rescale")
	}
	out, g := *lg, *lg.Gradient
	g.Min, g.Max = &d.rescale[0][0], &d.rescale[0][1]
	out.Gradient = &g
	return &out, nil
}

// oneRange refuses several ranges for one band.
func oneRange(d *drawing) error {
	if len(d.rescale) > 1 {
		return rasterbase.Errorf(rasterbase.Invalid, "%d ranges are too many for one band", len(d.rescale)).
			WithHint("write rescale=0,1000").WithField("rescale")
	}
	return nil
}

// rgbStyle draws three bands as red, green and blue.
func rgbStyle(rev *rasterbase.Revision, bands []int, d *drawing) (*style, error) {
	st := reading(rev, bands, d)
	if err := threeRanges(d); err != nil {
		return nil, err
	}
	switch {
	case d.rescale != nil:
		st.rescale = d.rescale
	case colorBands(rev.Bands) != nil && allBytes(st.about, []int{0, 1, 2}):
		// A picture's own colours.
	default:
		for _, b := range st.about {
			r := percentiles(b)
			if d.bands == nil {
				own := stretchOf(b)
				r = finite(own.low, own.high)
			}
			st.rescale = append(st.rescale, r)
		}
	}
	return st, nil
}

// threeRanges refuses two ranges for three bands.
func threeRanges(d *drawing) error {
	if len(d.rescale) == 2 {
		return rasterbase.Errorf(rasterbase.Invalid, "2 ranges do not fit 3 bands").
			WithHint("one for all, or one for each: rescale=0,10,0,20,0,30").WithField("rescale")
	}
	return nil
}

// valuesStyle is of a GeoTIFF: the bands asked for, or all.
func valuesStyle(rev *rasterbase.Revision, d *drawing) *style {
	bands := d.bands
	if bands == nil {
		for b := range rev.Bands {
			bands = append(bands, b)
		}
	}
	st := reading(rev, bands, d)
	st.bands, st.drawn = bands, nil
	return st
}

// reading reads whole band sets where it can: a stored tile is then used as it
// is, without a copy. What changes pixels first reads no more than it needs.
func reading(rev *rasterbase.Revision, bands []int, d *drawing) *style {
	st := &style{}
	set, _ := rev.SetOf(bands[0])
	alone := d.unscale || d.algorithm != ""
	for i, b := range bands {
		other, place := rev.SetOf(b)
		alone = alone || other != set
		st.drawn = append(st.drawn, place)
		st.about = append(st.about, rev.Bands[b])
		if d.unscale {
			st.about[i] = realBand(rev.Bands[b])
			st.scales = append(st.scales, scaleOf(rev.Bands[b]))
		}
	}
	if !alone {
		st.bands = rev.BandSet(set)
		return st
	}
	st.bands = bands
	for i := range bands {
		st.drawn[i] = i
	}
	return st
}

// colorBands finds the bands that are red, green and blue: by what the file
// says of them, or the first three of three or four 8-bit bands of which it
// says nothing. Nil when there are none.
func colorBands(bands []rasterbase.Band) []int {
	rgb := []int{-1, -1, -1}
	named := false
	for i, b := range bands {
		name := strings.ToLower(b.ColorInterp)
		named = named || name != "" && name != "undefined" && name != "gray"
		for j, want := range []string{"red", "green", "blue"} {
			if name == want && rgb[j] < 0 {
				rgb[j] = i
			}
		}
	}
	if rgb[0] >= 0 && rgb[1] >= 0 && rgb[2] >= 0 {
		return rgb
	}
	if named || len(bands) < 3 || len(bands) > 4 || !allBytes(bands, []int{0, 1, 2}) {
		return nil
	}
	return []int{0, 1, 2}
}

// allBytes reports whether bands hold bytes, which need no range.
func allBytes(bands []rasterbase.Band, some []int) bool {
	for _, b := range some {
		if bands[b].PixelType != rasterbase.Uint8 {
			return false
		}
	}
	return true
}

// options are the style's for the encoder.
func (st *style) options(d *drawing, f render.Format) render.Options {
	o := d.renderOptions(f)
	o.Colormap, o.Bands, o.Rescale = st.colormap, st.drawn, st.rescale
	return o
}
