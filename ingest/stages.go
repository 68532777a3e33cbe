package ingest

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// pageZooms is how many zooms a chunk of the pyramid spans beyond its own: a
// page of 2^4 tiles along a side is a tile of the fourth zoom above.
const pageZooms = 4

// stage is one round of a parse: its chunks do not depend on each other, only
// on those of the stage before. Their numbers mean the same to every worker.
type stage struct {
	number int
	kind   rasterbase.Kind

	boxes []tileBox // of base tiles: a box for each chunk

	// Of pyramid tiles: a chunk makes all tiles above those of zoom leaf up to
	// one tile of zoom top. Those of zoom leaf are warped from base tiles or,
	// if stored, were made by the stage before.
	leaf, top int
	stored    bool
	tops      []xyz.Tile
}

// tileBox is a box of base tiles, up to but not including x1 and y1.
type tileBox struct{ x0, y0, x1, y1 int }

// size is how many chunks there are.
func (s *stage) size() int {
	if s.kind == rasterbase.Base {
		return len(s.boxes)
	}
	return len(s.tops)
}

// status is the status of a parse in this stage.
func (s *stage) status() rasterbase.Status {
	if s.kind == rasterbase.Base {
		return rasterbase.Tiling
	}
	return rasterbase.Pyramiding
}

// name tells a person which chunk it is.
func (s *stage) name(n int) string {
	if s.kind == rasterbase.Base {
		b := s.boxes[n]
		return fmt.Sprintf("base tiles %d to %d, %d to %d", b.x0, b.x1-1, b.y0, b.y1-1)
	}
	t := s.tops[n]
	return fmt.Sprintf("zooms %d to %d under tile %d/%d/%d", s.leaf, s.top, t.Z, t.X, t.Y)
}

// stages lists what a parse does, one after the other.
func (pl *Plan) stages(info Info) []*stage {
	all := []*stage{{kind: rasterbase.Base, boxes: pl.baseBoxes(info)}}
	if !pl.HasPyramid {
		return all
	}
	// Tiles above the max zoom are not stored, so that the first stage has to
	// go down to it in one go.
	leaf, top := pl.warpZoom, max(0, min(pl.warpZoom-pageZooms, pl.MaxZoom))
	for stored := false; ; stored = true {
		s := &stage{number: len(all), kind: rasterbase.Pyramid, leaf: leaf, top: top, stored: stored}
		s.tops = tilesAt(nil, pl.boxes, xyz.Tile{}, top)
		all = append(all, s)
		if top == 0 {
			return all
		}
		leaf, top = top, max(0, top-pageZooms)
	}
}

// baseBoxes cuts the base tiles into pages of 16x16. Where the blocks of the
// file are wider than a page, as in files that are stored row by row, a chunk
// is as many pages wide, so that no block is read for several of them.
func (pl *Plan) baseBoxes(info Info) (boxes []tileBox) {
	const page = store.PageSize
	cols, rows := pl.baseGrid()
	across := page * max(1, (info.BlockWidth+page*pl.TileSize-1)/(page*pl.TileSize))
	for y := 0; y < rows; y += page {
		for x := 0; x < cols; x += across {
			boxes = append(boxes, tileBox{x, y, min(cols, x+across), min(rows, y+page)})
		}
	}
	return boxes
}

// tilesAt lists the tiles of a zoom that touch boxes, neighbours close to each
// other.
func tilesAt(list []xyz.Tile, boxes []xyz.Box, t xyz.Tile, zoom int) []xyz.Tile {
	boxes = touching(boxes, t)
	switch {
	case len(boxes) == 0:
		return list
	case t.Z == zoom:
		return append(list, t)
	}
	for _, c := range t.Children() {
		list = tilesAt(list, boxes, c, zoom)
	}
	return list
}

// chunkResult is what a chunk leaves beside its tiles.
type chunkResult struct {
	tiles int64 // made, empty or not
	pages []store.SummaryPage
	data  []byte
}

// chunk makes the tiles of a chunk and stores them.
func (r *run) chunk(ctx context.Context, s *stage, n int) (chunkResult, error) {
	c := &chunk{run: r, stage: s}
	defer func() { r.src.making.Add(-c.made.Load()) }()
	var res chunkResult
	var err error
	if s.kind == rasterbase.Base {
		if err = r.makeTiled(ctx); err == nil {
			res, err = c.base(ctx, s.boxes[n])
		}
	} else {
		res, err = c.pyramid(ctx, s.tops[n])
	}
	if err != nil {
		return res, err
	}
	res.tiles = c.made.Load()
	return res, r.record(ctx, s, n, res)
}

// parallel works on units, one after the other, on the cores that the parse
// has in this process; several chunks share them.
func (r *run) parallel(ctx context.Context, units int, fn func(ctx context.Context, s *slot, unit int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range units {
		var s *slot
		select {
		case s = <-r.src.slots:
		case <-ctx.Done():
			if err := g.Wait(); err != nil {
				return err
			}
			return context.Cause(ctx)
		}
		g.Go(func() error {
			defer func() { r.src.slots <- s }()
			return fn(ctx, s, i)
		})
	}
	return g.Wait()
}

// overlap is how many chunks of a parse are worked on at once in one process:
// more than one, so that no core waits for the last tile of a chunk.
func (p *Parser) overlap() int { return 1 + (p.c.Workers+3)/4 }
