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

// nodeBytes is about how many bytes a tile in memory takes: bands beyond it are
// worked through in groups, one after the other.
const nodeBytes = 1 << 20

// node is a tile of the pyramid in memory: a raster for each band set of the
// group, nil where it is empty.
type node []*raster.Raster

// pyramidStage warps the base tiles to the largest zoom, once, and reduces
// level by level. Every tile is stored when it is made; only the ones that
// still wait for their siblings stay in memory.
type pyramidStage struct {
	*run
	sets   []int // the group of band sets
	base   *baseTiles
	rule   resample.Rule
	pagers []*pager // by zoom

	mu      sync.Mutex
	waiting map[xyz.Tile]*family
}

// family is four siblings on their way to become one parent.
type family struct {
	children [4]node
	left     int
}

func (r *run) pyramid(ctx context.Context) error {
	groups := r.setGroups(nodeBytes)
	var pagers []*pager
	for z := range r.rev.MaxZoom + 1 {
		pagers = append(pagers, r.pager(rasterbase.Pyramid, z, func(x, y int) int {
			return len(groups) * r.plan.tilesInPage(z, x, y)
		}))
	}
	for _, sets := range groups {
		s := &pyramidStage{
			run: r, sets: sets, base: newBaseTiles(r), rule: resample.RuleFor(r.rev.Datatype),
			pagers: pagers, waiting: map[xyz.Tile]*family{},
		}
		if err := s.build(ctx); err != nil {
			return err
		}
	}
	for _, p := range pagers {
		if _, err := p.finish(ctx); err != nil {
			return err
		}
		r.rev.PyramidTiles += p.tiles
	}
	return nil
}

// build makes all tiles of the group's bands.
func (s *pyramidStage) build(ctx context.Context) error {
	blocks := make(chan xyz.Tile)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(blocks)
		return s.blocks(ctx, xyz.Tile{}, s.plan.boxes, blocks)
	})
	for range s.p.c.Workers {
		g.Go(func() error { return s.work(ctx, blocks) })
	}
	return g.Wait()
}

// tilesInPage is how many tiles of a page of a zoom touch the raster.
func (pl *Plan) tilesInPage(z, x, y int) int {
	const depth = 4 // a page is 2^4 tiles along a side: a tile of the fourth zoom above
	top := xyz.Tile{}
	if z > depth {
		top = xyz.Tile{Z: z - depth, X: x, Y: y}
	}
	return countAtZoom(pl.boxes, top, z)
}

func countAtZoom(boxes []xyz.Box, t xyz.Tile, z int) (n int) {
	boxes = touching(boxes, t)
	switch {
	case len(boxes) == 0:
		return 0
	case t.Z == z:
		return 1
	}
	for _, c := range t.Children() {
		n += countAtZoom(boxes, c, z)
	}
	return n
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
		n, err := s.tile(ctx, t, w, out)
		if err != nil {
			return err
		}
		if err := s.deliver(ctx, t, n, out); err != nil {
			return err
		}
	}
	return out.flush(ctx)
}

// tile makes a tile from its pixels at the warp's zoom, or else from its
// children, and stores all of them.
func (s *pyramidStage) tile(ctx context.Context, t xyz.Tile, w *warper, out *writer) (node, error) {
	if !w.touches(t) {
		return nil, nil
	}
	if t.Z == s.plan.warpZoom {
		n, err := w.warp(ctx, t)
		if err != nil {
			return nil, err
		}
		return n, s.keep(ctx, t, n, out)
	}
	var children [4]node
	for i, c := range t.Children() {
		var err error
		if children[i], err = s.tile(ctx, c, w, out); err != nil {
			return nil, err
		}
	}
	n := s.reduce(t, children)
	return n, s.keep(ctx, t, n, out)
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
		if err := s.keep(ctx, t, n, out); err != nil {
			return err
		}
	}
	return nil
}

// reduce makes a tile from its children, north-west, north-east, south-west,
// south-east.
func (s *pyramidStage) reduce(t xyz.Tile, children [4]node) node {
	var n node
	for k := range s.sets {
		var four [4]*raster.Raster
		some := false
		for i, c := range children {
			if c != nil && c[k] != nil {
				four[i], some = c[k], true
			}
		}
		if !some {
			continue
		}
		if n == nil {
			n = make(node, len(s.sets))
		}
		n[k] = resample.Reduce(four, s.rule)
		n[k].Grid, n[k].SRID = xyz.TileGrid(t, s.rev.TileSize), 3857
	}
	return n
}

// keep stores a tile's rasters and notes what they hold. Tiles that were
// warped beyond the max zoom, only to be reduced, are not kept.
func (s *pyramidStage) keep(ctx context.Context, t xyz.Tile, n node, out *writer) error {
	s.progress.tile()
	if t.Z > s.rev.MaxZoom {
		return nil
	}
	sum := rasterbase.Summary{Bands: make([]rasterbase.BandSummary, len(s.rev.Bands))}
	for k, r := range n {
		if r == nil {
			continue
		}
		set := s.sets[k]
		for place, band := range s.rev.BandSet(set) {
			sum.Bands[band] = raster.Summarize(r, place, s.rev.Datatype.Discrete())
		}
		if err := out.put(ctx, store.Tile{TileKey: s.key(rasterbase.Pyramid, t.Z, t.X, t.Y, set), Raster: r}); err != nil {
			return err
		}
	}
	return s.pagers[t.Z].note(ctx, t.X, t.Y, sum)
}
