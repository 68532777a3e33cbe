package server

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/render"
)

// style is how a revision's pixels become colours.
type style struct {
	key      string
	bands    []int // of the revision, that are read
	colormap *rasterbase.Colormap
	render   []int        // of those read, that are drawn
	rescale  [][2]float64 // per drawn band; nil: as they are

	legend *rasterbase.Legend // that colours, given or made; nil: none
	grey   *stretch           // nil: not in grey
}

// styleOf gives the style of a revision under a legend. Styles are remembered,
// since compiling a legend takes longer than drawing a tile.
func (s *Server) styleOf(rev *rasterbase.Revision, lg *rasterbase.Legend) (*style, error) {
	key := styleKey(rev, lg)
	if st, ok := s.styles.get(key); ok {
		return st, nil
	}
	st, err := newStyle(rev, lg)
	if err != nil {
		return nil, err
	}
	st.key = key
	s.styles.put(key, st)
	return st, nil
}

// styleKey names a revision's style. The legend's entries are part of it beside
// the time, because two changes can bear the same time.
func styleKey(rev *rasterbase.Revision, lg *rasterbase.Legend) string {
	if lg == nil {
		return fmt.Sprintf("r%d", rev.ID)
	}
	h := fnv.New64a()
	for _, e := range lg.Entries {
		h.Write([]byte(e.Expression))
		h.Write([]byte{0, e.Color.R, e.Color.G, e.Color.B, e.Color.A})
	}
	return fmt.Sprintf("r%d,l%d,%d,%x", rev.ID, lg.ID, lg.Updated.UnixNano(), h.Sum64())
}

// newStyle colours by the legend if there is one; bands that are red, green and
// blue together; the classes of a first band that has few enough by a legend
// made for them; and else the first band in grey over its own range.
func newStyle(rev *rasterbase.Revision, lg *rasterbase.Legend) (*style, error) {
	if len(rev.Bands) == 0 {
		return nil, fmt.Errorf("revision %d has no bands", rev.ID)
	}
	if rgb := colorBands(rev.Bands); lg == nil && rgb != nil {
		st := drawing(rev, rgb)
		st.rescale = ranges(rev.Bands, rgb)
		return st, nil
	}
	st := drawing(rev, []int{0})
	band := rev.Bands[0]
	st.legend = lg
	if lg == nil && rev.Datatype.Discrete() {
		st.legend = legend.Distinct(band.Histogram.Values)
	}
	if st.legend == nil {
		grey := stretchOf(band)
		st.grey = &grey
		st.colormap = legend.Grey(grey.low, grey.high, band.PixelType)
		return st, nil
	}
	var err error
	st.colormap, err = legend.Compile(st.legend, band.PixelType)
	return st, err
}

// drawing reads whole band sets where it can: a stored tile is then used as it
// is, without a copy.
func drawing(rev *rasterbase.Revision, bands []int) *style {
	set, _ := rev.SetOf(bands[0])
	st := &style{bands: rev.BandSet(set)}
	for _, b := range bands {
		other, place := rev.SetOf(b)
		if other != set {
			st.bands, st.render = bands, nil
			for i := range bands {
				st.render = append(st.render, i)
			}
			return st
		}
		st.render = append(st.render, place)
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
	if named || len(bands) < 3 || len(bands) > 4 {
		return nil
	}
	for _, b := range bands {
		if b.PixelType != rasterbase.Uint8 {
			return nil
		}
	}
	return []int{0, 1, 2}
}

// ranges gives the ranges over which bands are drawn, or nil when all are 8-bit
// and need none.
func ranges(bands []rasterbase.Band, drawn []int) [][2]float64 {
	var out [][2]float64
	eight := true
	for _, b := range drawn {
		eight = eight && bands[b].PixelType == rasterbase.Uint8
		own := stretchOf(bands[b])
		out = append(out, [2]float64{own.low, own.high})
	}
	if eight {
		return nil
	}
	return out
}

// options are the style's for the encoder.
func (st *style) options(f render.Format) render.Options {
	return render.Options{Format: f, Colormap: st.colormap, Bands: st.render, Rescale: st.rescale}
}
