package ingest

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// blockZooms is how many zooms a block spans: a worker warps the 8x8 tiles of
// a block and reduces them to one before it takes the next block.
const blockZooms = 3

// node is a tile of the pyramid in memory: a raster for each band set, nil
// where it is empty.
type node []*raster.Raster

func (n node) empty() bool {
	for _, r := range n {
		if r != nil {
			return false
		}
	}
	return true
}

// pyramidStage warps the base tiles to the largest zoom, once, and reduces
// level by level. Every tile is stored when it is made; only the ones that
// still wait for their siblings stay in memory.
type pyramidStage struct {
	*run
	base *baseTiles
	rule resample.Rule

	mu      sync.Mutex
	waiting map[xyz.Tile]*family
	cells   map[int][]store.SummaryCell // by zoom
}

// family is four siblings on their way to become one parent.
type family struct {
	children [4]node
	left     int
}

func (r *run) pyramid(ctx context.Context) error {
	s := &pyramidStage{
		run: r, base: newBaseTiles(r), rule: resample.RuleFor(r.rev.Datatype),
		waiting: map[xyz.Tile]*family{}, cells: map[int][]store.SummaryCell{},
	}
	blocks := make(chan xyz.Tile)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(blocks)
		return s.blocks(ctx, xyz.Tile{}, r.plan.boxes, blocks)
	})
	for range r.p.c.Workers {
		g.Go(func() error { return s.work(ctx, blocks) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for z, cells := range s.cells {
		sortCells(cells, func(c store.SummaryCell) (int, int) { return c.X, c.Y })
		r.rev.PyramidTiles += int64(len(cells))
		r.levels = append(r.levels, level{rasterbase.Pyramid, z, cells})
	}
	return nil
}

// blocks lists the blocks that touch the raster in an order in which siblings
// come one after the other, so that few have to wait.
func (s *pyramidStage) blocks(ctx context.Context, t xyz.Tile, boxes []xyz.Box, out chan<- xyz.Tile) error {
	boxes = touching(boxes, t)
	if len(boxes) == 0 {
		return nil
	}
	if t.Z >= s.plan.warpZoom-blockZooms {
		select {
		case out <- t:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for _, c := range t.Children() {
		if err := s.blocks(ctx, c, boxes, out); err != nil {
			return err
		}
	}
	return nil
}

func (s *pyramidStage) work(ctx context.Context, blocks <-chan xyz.Tile) error {
	out := s.writer()
	w := newWarper(s)
	for t := range blocks {
		if err := w.prepare(ctx, t); err != nil {
			return err
		}
		n, err := s.build(ctx, t, w, out)
		if err != nil {
			return err
		}
		if err := s.deliver(ctx, t, n, out); err != nil {
			return err
		}
	}
	return out.flush(ctx)
}

// build makes a tile from its pixels at the warp's zoom, or else from its
// children, and stores all of them.
func (s *pyramidStage) build(ctx context.Context, t xyz.Tile, w *warper, out *writer) (node, error) {
	if !w.touches(t) {
		return nil, nil
	}
	if t.Z == s.plan.warpZoom {
		n, err := w.warp(ctx, t)
		if err != nil {
			return nil, err
		}
		return n, s.store1(ctx, t, n, out)
	}
	var children [4]node
	for i, c := range t.Children() {
		var err error
		if children[i], err = s.build(ctx, c, w, out); err != nil {
			return nil, err
		}
	}
	n := s.reduce(t, children)
	return n, s.store1(ctx, t, n, out)
}

// deliver hands a tile to its parent, which is made when the last of its
// children has come, and so on up to zoom 0.
func (s *pyramidStage) deliver(ctx context.Context, t xyz.Tile, n node, out *writer) error {
	for t.Z > 0 {
		parent := t.Parent()
		s.mu.Lock()
		f := s.waiting[parent]
		if f == nil {
			f = &family{}
			boxes := touching(s.plan.boxes, parent)
			for _, c := range parent.Children() {
				if len(touching(boxes, c)) > 0 {
					f.left++
				}
			}
			s.waiting[parent] = f
		}
		f.children[t.X&1|t.Y&1<<1] = n
		f.left--
		last := f.left == 0
		if last {
			delete(s.waiting, parent)
		}
		s.mu.Unlock()
		if !last {
			return nil
		}
		t, n = parent, s.reduce(parent, f.children)
		if err := s.store1(ctx, t, n, out); err != nil {
			return err
		}
	}
	return nil
}

// reduce makes a tile from its children, north-west, north-east, south-west,
// south-east.
func (s *pyramidStage) reduce(t xyz.Tile, children [4]node) node {
	var n node
	for set := range s.rev.BandSets() {
		var four [4]*raster.Raster
		some := false
		for i, c := range children {
			if c != nil && c[set] != nil {
				four[i], some = c[set], true
			}
		}
		if !some {
			continue
		}
		if n == nil {
			n = make(node, s.rev.BandSets())
		}
		n[set] = resample.Reduce(four, s.rule)
		n[set].Grid, n[set].SRID = xyz.TileGrid(t, s.rev.TileSize), 3857
	}
	return n
}

// store1 stores a tile's rasters and notes what they hold. Tiles that were
// warped beyond the max zoom, only to be reduced, are not kept.
func (s *pyramidStage) store1(ctx context.Context, t xyz.Tile, n node, out *writer) error {
	s.progress.tile()
	if n.empty() || t.Z > s.rev.MaxZoom {
		return nil
	}
	cell := store.SummaryCell{X: t.X, Y: t.Y}
	cell.Bands = make([]rasterbase.BandSummary, len(s.rev.Bands))
	for set, r := range n {
		if r == nil {
			continue
		}
		for place, band := range s.rev.BandSet(set) {
			cell.Bands[band] = raster.Summarize(r, place, s.rev.Datatype.Discrete())
		}
		if err := out.put(ctx, store.Tile{TileKey: s.key(rasterbase.Pyramid, t.Z, t.X, t.Y, set), Raster: r}); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cells[t.Z] = append(s.cells[t.Z], cell)
	return nil
}
