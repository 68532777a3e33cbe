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

// strip is a part of a row of tiles, read at once.
type strip struct{ row, from, to int } // tile columns from, up to but not including to

// baseStage cuts the source into base tiles.
type baseStage struct {
	*run
	counts bool // of values are wanted in summaries

	mu       sync.Mutex
	cells    []store.SummaryCell
	distinct *distinct // nil: the datatype is known
	hist     []*histogram
}

// base reads every pixel of the source once, stores the base tiles and settles
// the datatype and the statistics.
func (r *run) base(ctx context.Context) error {
	s := &baseStage{run: r, counts: r.plan.Datatype != rasterbase.Continuous}
	if r.plan.Datatype == "" {
		s.distinct = newDistinct(fewValues)
	}
	for _, b := range r.plan.Bands {
		s.hist = append(s.hist, newHistogram(b.PixelType))
	}
	strips := make(chan strip)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(strips)
		return r.strips(ctx, strips)
	})
	for range r.p.c.Workers {
		g.Go(func() error { return s.work(ctx, strips) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return s.finish()
}

// strips lists the reads, row by row, as wide as the memory for one allows.
func (r *run) strips(ctx context.Context, out chan<- strip) error {
	g, ts := r.plan.Grid, r.plan.TileSize
	rows, cols := (g.Height+ts-1)/ts, (g.Width+ts-1)/ts
	pixel := 0
	for _, b := range r.plan.Bands {
		pixel += b.PixelType.Size() + 1
	}
	span := min(cols, max(1, readBytes/(ts*ts*pixel)))
	for row := range rows {
		for from := 0; from < cols; from += span {
			select {
			case out <- strip{row, from, min(cols, from+span)}:
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

func (s *baseStage) strip(ctx context.Context, st strip, out *writer, hist []*histogram) error {
	g, ts := s.plan.Grid, s.plan.TileSize
	w := Window{X: st.from * ts, Y: st.row * ts}
	w.Width, w.Height = min(st.to*ts, g.Width)-w.X, min(w.Y+ts, g.Height)-w.Y
	block, err := s.source.Read(ctx, w)
	if err != nil {
		return fmt.Errorf("read the source at pixel %d, %d: %w", w.X, w.Y, err)
	}
	for col := st.from; col < st.to; col++ {
		part := Window{X: col * ts, Y: w.Y, Width: min(ts, g.Width-col*ts), Height: w.Height}
		if err := s.tile(ctx, block, part, out, hist); err != nil {
			return err
		}
	}
	return nil
}

// tile cuts one tile out of a block, stores it unless it is empty, and notes
// what it holds.
func (s *baseStage) tile(ctx context.Context, block *Block, w Window, out *writer, hist []*histogram) error {
	rev := s.rev
	at := store.SummaryCell{X: w.X / rev.TileSize, Y: w.Y / rev.TileSize}
	at.Bands = make([]rasterbase.BandSummary, len(rev.Bands))
	counts := s.wantCounts()
	for set := range rev.BandSets() {
		r := s.cut(block, w, rev.BandSet(set))
		filled := false
		for place, band := range rev.BandSet(set) {
			sum := raster.Summarize(r, place, counts)
			if sum.Valid > 0 {
				hist[band].addPixels(r, place, sum.Counts)
				filled = true
			}
			at.Bands[band] = sum
		}
		if filled {
			key := s.key(rasterbase.Base, 0, at.X, at.Y, set)
			if err := out.put(ctx, store.Tile{TileKey: key, Raster: r}); err != nil {
				return err
			}
		}
	}
	s.progress.tile()
	s.note(at)
	return nil
}

// cut copies a window of some bands out of a block, with the validity that
// stored tiles have.
func (s *baseStage) cut(block *Block, w Window, bands []int) *raster.Raster {
	r := &raster.Raster{Grid: s.plan.Grid, SRID: s.rev.CRS.SRID}
	r.OriginX, r.OriginY = r.World(float64(w.X), float64(w.Y))
	r.Width, r.Height = w.Width, w.Height
	dx, dy := w.X-block.X, w.Y-block.Y
	for _, i := range bands {
		b := raster.BandOf(s.plan.Bands[i])
		b.Pixels = raster.NewPixels(b.Type, w.Width*w.Height)
		copyRows(b.Pixels.Bytes(), block.Bands[i].Bytes(), rowCopy{b.Type.Size(), block.Width, w.Width, w.Height, dx, dy})
		var mask []uint8
		if block.Masks != nil && block.Masks[i] != nil {
			mask = make([]uint8, w.Width*w.Height)
			copyRows(mask, block.Masks[i], rowCopy{1, block.Width, w.Width, w.Height, dx, dy})
		}
		r.Validity = andMask(r.Validity, normalize(b, mask))
		r.Bands = append(r.Bands, b)
	}
	return r
}

// rowCopy says which rectangle of a wider raster is copied.
type rowCopy struct{ size, fromWidth, width, height, dx, dy int }

func copyRows(dst, src []byte, c rowCopy) {
	n := c.width * c.size
	for y := range c.height {
		from := ((y+c.dy)*c.fromWidth + c.dx) * c.size
		copy(dst[y*n:(y+1)*n], src[from:from+n])
	}
}

func (s *baseStage) wantCounts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

func (s *baseStage) note(c store.SummaryCell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.distinct != nil {
		for _, b := range c.Bands {
			s.distinct.add(b.Counts, b.Valid)
		}
		if s.distinct.over && s.counts { // a measurement: the counts are not needed
			s.counts = false
			for i := range s.cells {
				dropCounts(&s.cells[i].Summary)
			}
		}
	}
	if !s.counts {
		dropCounts(&c.Summary)
	}
	if !c.Empty() {
		s.cells = append(s.cells, c)
	}
}

func dropCounts(s *rasterbase.Summary) {
	for i := range s.Bands {
		s.Bands[i].Counts = nil
	}
}

// finish settles what the pixels decide: the datatype, the statistics.
func (s *baseStage) finish() error {
	if s.distinct != nil {
		d, reason := rasterbase.Categorical, fmt.Sprintf("whole numbers with %d distinct values", len(s.distinct.values))
		if s.distinct.over {
			d, reason = rasterbase.Continuous, fmt.Sprintf("whole numbers with more than %d distinct values", fewValues)
		}
		if err := s.plan.settle(d, reason); err != nil {
			return err
		}
		s.rev.Datatype, s.rev.DatatypeReason, s.rev.Resampling = d, reason, s.plan.Resampling
		if d == rasterbase.Continuous {
			for i := range s.cells {
				dropCounts(&s.cells[i].Summary)
			}
		}
	}
	sortCells(s.cells, func(c store.SummaryCell) (int, int) { return c.X, c.Y })
	var total rasterbase.Summary
	for _, c := range s.cells {
		total.Add(c.Summary)
	}
	if len(s.cells) == 0 {
		total.Bands = make([]rasterbase.BandSummary, len(s.rev.Bands))
	}
	for i := range s.rev.Bands {
		bandStatistics(&s.rev.Bands[i], total.Bands[i], s.hist[i], s.rev.Datatype.Discrete())
	}
	s.rev.BaseTiles = int64(len(s.cells))
	s.baseCells = s.cells
	return nil
}
