package ingest

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// readBytes is about how many bytes one read of the source takes.
const readBytes = 8 << 20

// strip is a part of a row of tiles.
type strip struct{ row, from, to int } // tile columns from, up to but not including to

// baseStage cuts the source into base tiles.
type baseStage struct {
	*run
	groups [][]int // of band sets that are read together
	span   int     // tiles in a strip
	pager  *pager

	mu       sync.Mutex
	counts   bool      // of values are wanted in summaries
	distinct *distinct // nil: the datatype is known
	hist     []*histogram
}

// base reads every pixel of the source once, stores the base tiles and settles
// the datatype and the statistics.
func (r *run) base(ctx context.Context) error {
	cols, rows := r.plan.baseGrid()
	s := &baseStage{run: r, groups: r.setGroups(readBytes), counts: r.plan.Datatype != rasterbase.Continuous}
	s.pager = r.pager(rasterbase.Base, 0, func(x, y int) int {
		return min(store.PageSize, cols-x*store.PageSize) * min(store.PageSize, rows-y*store.PageSize)
	})
	if r.plan.Datatype == "" {
		s.distinct, s.pager.hold = newDistinct(fewValues), true
	}
	for _, b := range r.plan.Bands {
		s.hist = append(s.hist, newHistogram(b.PixelType))
	}
	for range r.rev.BandSets() {
		r.baseSets = append(r.baseSets, newTileSet(cols, rows))
	}
	s.span = cols
	for _, g := range s.groups {
		s.span = min(s.span, max(1, readBytes/r.tileBytes(g)))
	}
	strips := make(chan strip)
	g, working := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(strips)
		return s.strips(working, strips)
	})
	for range r.p.c.Workers {
		g.Go(func() error { return s.work(working, strips) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return s.finish(ctx)
}

// strips lists the reads, row by row.
func (s *baseStage) strips(ctx context.Context, out chan<- strip) error {
	cols, rows := s.plan.baseGrid()
	for row := range rows {
		for from := 0; from < cols; from += s.span {
			select {
			case out <- strip{row, from, min(cols, from+s.span)}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

func (s *baseStage) work(ctx context.Context, strips <-chan strip) error {
	out := s.writer()
	hist := make([]*histogram, len(s.plan.Bands))
	for i, b := range s.plan.Bands {
		hist[i] = newHistogram(b.PixelType)
	}
	for st := range strips {
		if err := s.strip(ctx, st, out, hist); err != nil {
			return err
		}
	}
	s.mu.Lock()
	for i, h := range hist {
		s.hist[i].join(h)
	}
	s.mu.Unlock()
	return out.flush(ctx)
}

// strip reads a strip, group of bands by group, and makes its tiles.
func (s *baseStage) strip(ctx context.Context, st strip, out *writer, hist []*histogram) error {
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
		block, err := s.source.Read(ctx, w, bands)
		if err != nil {
			return fmt.Errorf("read the source at pixel %d, %d: %w", w.X, w.Y, err)
		}
		for i := range sums {
			x := (st.from + i) * ts
			part := Window{X: x, Y: w.Y, Width: min(ts, g.Width-x), Height: w.Height}
			first := 0
			for _, set := range sets {
				t := s.cut(block, first, part, s.rev.BandSet(set))
				if err := s.keep(ctx, t, set, out, baseNotes{hist, sums[i].Bands}); err != nil {
					return err
				}
				first += len(t.Bands)
			}
		}
	}
	for i, sum := range sums {
		s.progress.tile()
		if err := s.note(ctx, st.from+i, st.row, sum); err != nil {
			return err
		}
	}
	return nil
}

// baseNotes is where a tile's statistics go to, by band.
type baseNotes struct {
	hist []*histogram
	sums []rasterbase.BandSummary
}

// keep notes what a tile holds, and stores it unless it is empty.
func (s *baseStage) keep(ctx context.Context, t baseCut, set int, out *writer, n baseNotes) error {
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
	s.mu.Lock()
	s.baseSets[set].add(t.x, t.y)
	s.mu.Unlock()
	return out.put(ctx, store.Tile{TileKey: s.key(rasterbase.Base, 0, t.x, t.y, set), Raster: t.Raster})
}

// baseCut is a tile cut out of a block, and its place.
type baseCut struct {
	*raster.Raster
	x, y int
}

// cut copies a window of some bands out of a block, with the validity that
// stored tiles have. first is the place in the block of the first band.
func (s *baseStage) cut(block *Block, first int, w Window, bands []int) baseCut {
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

func (s *baseStage) wantCounts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// note hands the summary of a tile to the pages; counts by value are dropped,
// there too, once there are too many distinct ones for classes.
func (s *baseStage) note(ctx context.Context, x, y int, sum rasterbase.Summary) error {
	s.mu.Lock()
	over := false
	if s.distinct != nil && s.counts {
		for _, b := range sum.Bands {
			s.distinct.add(b.Counts, b.Valid)
		}
		if over = s.distinct.over; over {
			s.counts = false
		}
	}
	s.mu.Unlock()
	if over {
		s.pager.withoutCounts()
	}
	return s.pager.note(ctx, x, y, sum)
}

// finish settles what the pixels decide: the datatype, the statistics.
func (s *baseStage) finish(ctx context.Context) error {
	if s.distinct != nil {
		d, reason := rasterbase.Categorical, fmt.Sprintf("whole numbers with %d distinct values", len(s.distinct.values))
		if s.distinct.over {
			d, reason = rasterbase.Continuous, fmt.Sprintf("whole numbers with more than %d distinct values", fewValues)
		}
		if err := s.plan.settle(d, reason); err != nil {
			return err
		}
		s.rev.Datatype, s.rev.DatatypeReason, s.rev.Resampling = d, reason, s.plan.Resampling
	}
	total, err := s.pager.finish(ctx)
	if err != nil {
		return err
	}
	for i := range s.rev.Bands {
		bandStatistics(&s.rev.Bands[i], total.Bands[i], s.hist[i], s.rev.Datatype.Discrete())
	}
	s.rev.BaseTiles = s.pager.tiles
	return nil
}
