package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// readBytes is about how many bytes one read of the source takes.
const readBytes = 8 << 20

// chunk is a chunk that is being made.
type chunk struct {
	*run
	stage *stage
	made  atomic.Int64 // tiles
}

// tile counts a tile as made.
func (c *chunk) tile() {
	c.made.Add(1)
	c.src.making.Add(1)
}

// strip is a part of a row of tiles.
type strip struct{ row, from, to int } // tile columns from, up to but not including to

// baseChunk cuts a part of the source into base tiles.
type baseChunk struct {
	*chunk
	groups [][]int // of band sets that are read together

	mu       sync.Mutex
	cells    []store.SummaryCell
	counts   bool      // of values are wanted in summaries
	distinct *distinct // nil: the datatype is known
	hist     []*histogram
}

// base reads the pixels of a box of base tiles, and stores the tiles.
func (c *chunk) base(ctx context.Context, box tileBox) (res chunkResult, err error) {
	s := &baseChunk{chunk: c, groups: c.setGroups(readBytes), counts: c.plan.Datatype != rasterbase.Continuous, hist: c.histograms()}
	if c.plan.Datatype == "" {
		s.distinct = newDistinct(fewValues)
	}
	span := box.x1 - box.x0
	for _, g := range s.groups {
		span = min(span, max(1, readBytes/c.tileBytes(g)))
	}
	var strips []strip
	for row := box.y0; row < box.y1; row++ {
		for from := box.x0; from < box.x1; from += span {
			strips = append(strips, strip{row, from, min(box.x1, from+span)})
		}
	}
	err = c.parallel(ctx, len(strips), func(ctx context.Context, _ *slot, i int) error {
		out, hist := c.writer(), c.histograms()
		if err := s.strip(ctx, strips[i], out, hist); err != nil {
			return err
		}
		s.join(hist)
		return out.flush(ctx)
	})
	if err != nil {
		return res, err
	}
	if s.distinct != nil && s.distinct.over {
		dropCounts(s.cells)
	}
	res.pages = pagesOf(rasterbase.Base, 0, s.cells)
	res.data, err = json.Marshal(s.notes())
	return res, err
}

func (r *run) histograms() []*histogram {
	hist := make([]*histogram, len(r.rev.Bands))
	for i, b := range r.rev.Bands {
		hist[i] = newHistogram(b.PixelType)
	}
	return hist
}

// strip reads a strip, group of bands by group, and makes its tiles.
func (s *baseChunk) strip(ctx context.Context, st strip, out *writer, hist []*histogram) error {
	g, ts := s.plan.Grid, s.plan.TileSize
	w := Window{X: st.from * ts, Y: st.row * ts}
	w.Width, w.Height = min(st.to*ts, g.Width)-w.X, min(w.Y+ts, g.Height)-w.Y
	sums := make([]rasterbase.Summary, st.to-st.from)
	for i := range sums {
		sums[i].Bands = make([]rasterbase.BandSummary, len(s.plan.Bands))
	}
	for _, sets := range s.groups {
		var bands []int
		for _, set := range sets {
			bands = append(bands, s.rev.BandSet(set)...)
		}
		block, err := s.src.source.Read(ctx, w, bands)
		if err != nil {
			return fmt.Errorf("read the source at pixel %d, %d: %w", w.X, w.Y, err)
		}
		for i := range sums {
			x := (st.from + i) * ts
			part := Window{X: x, Y: w.Y, Width: min(ts, g.Width-x), Height: w.Height}
			first := 0
			for _, set := range sets {
				t := s.cut(block, first, part, s.rev.BandSet(set))
				if err := s.keep(ctx, t, set, out, tileNotes{hist, sums[i].Bands}); err != nil {
					return err
				}
				first += len(t.Bands)
			}
		}
	}
	for i, sum := range sums {
		s.tile()
		s.note(st.from+i, st.row, sum)
	}
	return nil
}

// tileNotes is where a tile's statistics go to, by band.
type tileNotes struct {
	hist []*histogram
	sums []rasterbase.BandSummary
}

// keep notes what a tile holds, and stores it unless it is empty.
func (s *baseChunk) keep(ctx context.Context, t baseCut, set int, out *writer, n tileNotes) error {
	counts, filled := s.wantCounts(), false
	for place, band := range s.rev.BandSet(set) {
		sum := raster.Summarize(t.Raster, place, counts)
		if sum.Valid > 0 {
			n.hist[band].addPixels(t.Raster, place, sum.Counts)
			filled = true
		}
		n.sums[band] = sum
	}
	if !filled {
		return nil
	}
	return out.put(ctx, store.Tile{TileKey: keyOf(s.rev, rasterbase.Base, 0, t.x, t.y, set), Raster: t.Raster})
}

// baseCut is a tile cut out of a block, and its place.
type baseCut struct {
	*raster.Raster
	x, y int
}

// cut copies a window of some bands out of a block, with the validity that
// stored tiles have. first is the place in the block of the first band.
func (s *baseChunk) cut(block *Block, first int, w Window, bands []int) baseCut {
	r := &raster.Raster{Grid: s.plan.Grid, SRID: s.rev.CRS.SRID}
	r.OriginX, r.OriginY = r.World(float64(w.X), float64(w.Y))
	r.Width, r.Height = w.Width, w.Height
	whole, part := raster.Rect(block.Window), raster.Rect(w)
	for k, band := range bands {
		i := first + k
		b := raster.BandOf(s.plan.Bands[band])
		b.Pixels = raster.NewPixels(b.Type, w.Width*w.Height)
		raster.CopyRect(b.Pixels.Bytes(), part, block.Bands[i].Bytes(), whole, b.Type.Size())
		var mask []uint8
		if block.Masks != nil && block.Masks[i] != nil {
			mask = make([]uint8, w.Width*w.Height)
			raster.CopyRect(mask, part, block.Masks[i], whole, 1)
		}
		r.Validity = andMask(r.Validity, normalize(b, mask))
		r.Bands = append(r.Bands, b)
	}
	return baseCut{r, w.X / s.plan.TileSize, w.Y / s.plan.TileSize}
}

func (s *baseChunk) wantCounts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// note keeps the summary of a tile. Values are not counted any more once there
// are too many distinct ones for classes.
func (s *baseChunk) note(x, y int, sum rasterbase.Summary) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.distinct != nil && s.counts {
		for _, b := range sum.Bands {
			s.distinct.add(b.Counts, b.Valid)
		}
		s.counts = !s.distinct.over
	}
	s.cells = append(s.cells, store.SummaryCell{X: x, Y: y, Summary: sum})
}

// join adds the histograms of some tiles.
func (s *baseChunk) join(hist []*histogram) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range hist {
		s.hist[i].join(h)
	}
}

// baseNotes is what the end of the stage needs to know of a chunk.
type baseNotes struct {
	Histograms []histogramNotes `json:"histograms"` // by band
	Values     []float64        `json:"values,omitempty"`
	Over       bool             `json:"over,omitempty"` // there are more distinct values than are kept
}

// histogramNotes is a histogram as it is kept between chunks.
type histogramNotes struct {
	Exp   int     `json:"exp"`
	First int64   `json:"first"`
	Bins  []int64 `json:"bins,omitempty"`
}

func (s *baseChunk) notes() (n baseNotes) {
	for _, h := range s.hist {
		n.Histograms = append(n.Histograms, histogramNotes{h.exp, h.first, h.bins})
	}
	if s.distinct != nil {
		if n.Over = s.distinct.over; !n.Over {
			for v := range s.distinct.values {
				n.Values = append(n.Values, v)
			}
		}
	}
	return n
}

// finishBase settles what all pixels decide: the datatype, the statistics. It
// can be repeated.
func (r *run) finishBase(ctx context.Context) error {
	hist := r.histograms()
	var values *distinct
	err := r.store().Catalog().View(ctx, func(tx store.Tx) error {
		hist, values = r.histograms(), newDistinct(fewValues)
		for c, err := range tx.Parses().Chunks().List(ctx, r.parse.ID, 0) {
			if err != nil {
				return err
			}
			var n baseNotes
			if err := json.Unmarshal(c.Data, &n); err != nil || len(n.Histograms) != len(hist) {
				return fmt.Errorf("chunk %d: its notes cannot be read: %w", c.Number, err)
			}
			for i, h := range n.Histograms {
				hist[i].join(&histogram{exp: h.Exp, first: h.First, bins: h.Bins, whole: hist[i].whole})
			}
			values.join(n.Values, n.Over)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read what the chunks noted: %w", err)
	}
	if r.plan.Datatype == "" {
		if err := r.settle(ctx, values); err != nil {
			return err
		}
	}
	total, tiles, err := r.level(ctx, rasterbase.Base, 0)
	if err != nil {
		return err
	}
	for i := range r.rev.Bands {
		bandStatistics(&r.rev.Bands[i], total.Bands[i], hist[i], r.rev.Datatype.Discrete())
	}
	r.rev.BaseTiles = tiles
	return r.store().Catalog().Update(ctx, func(tx store.Tx) error { return tx.Revisions().Update(ctx, r.rev) })
}

// settle decides between classes and measurements.
func (r *run) settle(ctx context.Context, values *distinct) error {
	d, reason := rasterbase.Categorical, fmt.Sprintf("whole numbers with %d distinct values", len(values.values))
	if values.over {
		d, reason = rasterbase.Continuous, fmt.Sprintf("whole numbers with more than %d distinct values", fewValues)
	}
	pl := *r.plan
	if err := pl.settle(d, reason); err != nil {
		return err
	}
	r.rev.Datatype, r.rev.DatatypeReason, r.rev.Resampling = d, reason, pl.Resampling
	if values.over {
		return r.withoutCounts(ctx)
	}
	return nil
}
