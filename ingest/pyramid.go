package ingest

import (
	"context"
	"sync"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// blockZooms is how many zooms a block spans: a core warps the 8x8 tiles of a
// block and reduces them to one before it takes the next block.
const blockZooms = 3

// nodeBytes is about how many bytes a tile in memory takes: bands beyond it are
// worked through in groups, one after the other.
const nodeBytes = 1 << 20

// node is a tile of the pyramid in memory: a raster for each band set of the
// group, nil where it is empty.
type node []*raster.Raster

// pyramidChunk makes the tiles of some bands up to the top tile of a chunk.
// Every tile is stored when it is made; only the ones that still wait for their
// siblings stay in memory.
type pyramidChunk struct {
	*chunk
	top   xyz.Tile
	sets  []int // the group of band sets
	first bool  // of the groups
	base  *tileReader
	rule  resample.Rule
	seen  *levelCells

	mu      sync.Mutex
	waiting map[xyz.Tile]*family
}

// levelCells collects the summaries of a chunk's tiles by zoom.
type levelCells struct {
	mu     sync.Mutex
	byTile map[xyz.Tile]*store.SummaryCell
}

// add adds the summary of a tile, or of some bands of it.
func (l *levelCells) add(t xyz.Tile, s rasterbase.Summary) {
	if s.Empty() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.byTile[t]
	if c == nil {
		c = &store.SummaryCell{X: t.X, Y: t.Y}
		l.byTile[t] = c
	}
	c.Add(s)
}

// pages gives what was collected.
func (l *levelCells) pages() (pages []store.SummaryPage) {
	byZoom := map[int][]store.SummaryCell{}
	for t, c := range l.byTile {
		byZoom[t.Z] = append(byZoom[t.Z], *c)
	}
	for z, cells := range byZoom {
		pages = append(pages, pagesOf(rasterbase.Pyramid, z, cells)...)
	}
	return pages
}

// family is four siblings on their way to become one parent.
type family struct {
	children [4]node
	left     int
}

// pyramid makes the tiles of a chunk, group of bands by group.
func (c *chunk) pyramid(ctx context.Context, top xyz.Tile) (res chunkResult, err error) {
	seen := &levelCells{byTile: map[xyz.Tile]*store.SummaryCell{}}
	for i, sets := range c.setGroups(nodeBytes) {
		s := &pyramidChunk{
			chunk: c, top: top, sets: sets, first: i == 0, base: c.src.tilesOf(c.store(), c.rev),
			rule: resample.RuleFor(c.rev.Datatype), seen: seen, waiting: map[xyz.Tile]*family{},
		}
		blocks := tilesAt(nil, touching(c.plan.boxes, top), top, max(top.Z, c.stage.leaf-blockZooms))
		if err := c.parallel(ctx, len(blocks), func(ctx context.Context, slot *slot, i int) error {
			return s.block(ctx, blocks[i], slot)
		}); err != nil {
			return res, err
		}
	}
	res.pages = seen.pages()
	return res, nil
}

// block makes the tiles of a block, and those above it whose children are all
// there.
func (s *pyramidChunk) block(ctx context.Context, t xyz.Tile, slot *slot) error {
	out := s.writer()
	w := newWarper(s, slot)
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
	return out.flush(ctx)
}

// build makes a tile from its pixels at the chunk's zoom, or else from its
// children, and stores all of them.
func (s *pyramidChunk) build(ctx context.Context, t xyz.Tile, w *warper, out *writer) (node, error) {
	switch {
	case !w.touches(t):
		return nil, nil
	case t.Z < s.stage.leaf:
		var children [4]node
		for i, c := range t.Children() {
			var err error
			if children[i], err = s.build(ctx, c, w, out); err != nil {
				return nil, err
			}
		}
		n := s.reduce(t, children)
		return n, s.keep(ctx, t, n, out)
	case s.stage.stored:
		return s.read(ctx, t)
	}
	n, err := w.warp(ctx, t)
	if err != nil {
		return nil, err
	}
	return n, s.keep(ctx, t, n, out)
}

// read reads a tile that the stage before has made.
func (s *pyramidChunk) read(ctx context.Context, t xyz.Tile) (n node, err error) {
	for k, set := range s.sets {
		r, err := s.base.pyramidTile(ctx, keyOf(s.rev, rasterbase.Pyramid, t.Z, t.X, t.Y, set))
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		if n == nil {
			n = make(node, len(s.sets))
		}
		n[k] = r
	}
	return n, nil
}

// deliver hands a tile to its parent, which is made when the last of its
// children has come, and so on up to the top.
func (s *pyramidChunk) deliver(ctx context.Context, t xyz.Tile, n node, out *writer) error {
	for t.Z > s.top.Z {
		parent := t.Parent()
		children, all := s.arrived(parent, t, n)
		if !all {
			return nil
		}
		t, n = parent, s.reduce(parent, children)
		if err := s.keep(ctx, t, n, out); err != nil {
			return err
		}
	}
	return nil
}

// arrived notes a child of a parent, and tells whether it was the last one.
func (s *pyramidChunk) arrived(parent, child xyz.Tile, n node) (children [4]node, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	f.children[child.X&1|child.Y&1<<1] = n
	if f.left--; f.left > 0 {
		return children, false
	}
	delete(s.waiting, parent)
	return f.children, true
}

// reduce makes a tile from its children, north-west, north-east, south-west,
// south-east.
func (s *pyramidChunk) reduce(t xyz.Tile, children [4]node) node {
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
func (s *pyramidChunk) keep(ctx context.Context, t xyz.Tile, n node, out *writer) error {
	if s.first {
		s.tile()
	}
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
		if err := out.put(ctx, store.Tile{TileKey: keyOf(s.rev, rasterbase.Pyramid, t.Z, t.X, t.Y, set), Raster: r}); err != nil {
			return err
		}
	}
	s.seen.add(t, sum)
	return nil
}
