package ingest

import (
	"context"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
	"github.com/rasterbase/rasterbase/xyz"
)

// warper makes the tiles of the warp's zoom, a block at a time. It belongs to
// one goroutine.
type warper struct {
	*pyramidChunk
	*warpBuffers
	kernel resample.Kernel
	boxes  []xyz.Box           // that the block touches
	leaves map[xyz.Tile][]leaf // of the block's tiles
}

// warpBuffers is memory that is used for one block after the other.
type warpBuffers struct {
	places resample.Places
	bufs   map[rasterbase.PixelType]*bandWindow
	valid  []uint8
}

// windowPixels is the most source pixels that are put together for one warp;
// where the source is denser, a tile is warped in parts.
const windowPixels = 1 << 22

func newWarper(s *pyramidChunk, slot *slot) *warper {
	n := s.rev.TileSize * s.rev.TileSize
	if slot.warp == nil || len(slot.warp.valid) != n {
		slot.warp = &warpBuffers{
			places: resample.Places{X: make([]float64, n), Y: make([]float64, n)},
			bufs:   map[rasterbase.PixelType]*bandWindow{},
			valid:  make([]uint8, n),
		}
	}
	metres := xyz.Resolution(s.plan.warpZoom, s.rev.TileSize)
	return &warper{
		pyramidChunk: s,
		warpBuffers:  slot.warp,
		kernel: resample.Kernel{
			Method: s.rev.Resampling,
			ScaleX: 1 / (s.plan.resolution.colsPerMetre * metres),
			ScaleY: 1 / (s.plan.resolution.rowsPerMetre * metres),
		},
	}
}

// prepare finds the places of the pixels of all tiles of a block.
func (w *warper) prepare(ctx context.Context, block xyz.Tile) error {
	w.boxes = touching(w.plan.boxes, block)
	if w.stage.stored {
		return nil
	}
	tiles := tilesAt(nil, w.boxes, block, w.stage.leaf)
	leaves, err := mesh(ctx, w.src.source, tiles, w.rev.TileSize)
	if err != nil {
		return err
	}
	w.leaves = make(map[xyz.Tile][]leaf, len(tiles))
	for i, t := range tiles {
		w.leaves[t] = leaves[i]
	}
	return nil
}

func (w *warper) touches(t xyz.Tile) bool { return len(touching(w.boxes, t)) > 0 }

// warp makes a tile; nil when it is empty.
func (w *warper) warp(ctx context.Context, t xyz.Tile) (node, error) {
	leaves := w.leaves[t]
	ts := w.rev.TileSize
	for i := range leaves {
		leaves[i].fill(w.places, ts)
	}
	window := w.window(Window{Width: ts, Height: ts})
	if window.Width <= 0 || window.Height <= 0 {
		return nil, nil
	}
	var n node
	for k, set := range w.sets {
		r, err := w.warpSet(ctx, w.rev.BandSet(set))
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		if n == nil {
			n = make(node, len(w.sets))
		}
		r.Grid, r.SRID = xyz.TileGrid(t, ts), 3857
		n[k] = r
	}
	return n, nil
}

// warpSet makes the raster of a band set; nil when no pixel is valid.
func (w *warper) warpSet(ctx context.Context, bands []int) (*raster.Raster, error) {
	ts := w.rev.TileSize
	r := &raster.Raster{}
	some := false
	for _, i := range bands {
		b := raster.BandOf(w.rev.Bands[i])
		b.Pixels = raster.NewPixels(b.Type, ts*ts)
		clear(w.valid)
		if err := w.warpPart(ctx, i, Window{Width: ts, Height: ts}, b.Pixels); err != nil {
			return nil, err
		}
		resample.Settle(&b, w.valid)
		any, all := tally(w.valid)
		some = some || any
		if !b.HasNodata && !all {
			r.Validity = andMask(r.Validity, w.valid)
		}
		r.Bands = append(r.Bands, b)
	}
	if !some {
		return nil, nil
	}
	return r, nil
}

func tally(valid []uint8) (some, all bool) {
	all = true
	for _, v := range valid {
		if v != 0 {
			some = true
		} else {
			all = false
		}
	}
	return some, all
}

// warpPart warps one band of a part of the tile, in smaller parts where too
// many source pixels would be needed at once.
func (w *warper) warpPart(ctx context.Context, band int, part Window, dst raster.Pixels) error {
	src := w.window(part)
	if src.Width <= 0 || src.Height <= 0 {
		return nil
	}
	if src.Width*src.Height > windowPixels && max(part.Width, part.Height) > 1 {
		a, b := part, part
		if part.Width >= part.Height {
			a.Width = part.Width / 2
			b.X, b.Width = part.X+a.Width, part.Width-a.Width
		} else {
			a.Height = part.Height / 2
			b.Y, b.Height = part.Y+a.Height, part.Height-a.Height
		}
		if err := w.warpPart(ctx, band, a, dst); err != nil {
			return err
		}
		return w.warpPart(ctx, band, b, dst)
	}
	pixels, valid, err := w.base.window(ctx, src, band, w.buf(w.rev.Bands[band].PixelType))
	if err != nil {
		return err
	}
	source := resample.Source{
		X: src.X, Y: src.Y, Width: src.Width, Height: src.Height,
		FullWidth: w.plan.Grid.Width, FullHeight: w.plan.Grid.Height,
		Pixels: pixels, Valid: valid,
	}
	ts := w.rev.TileSize
	if part.Width == ts { // whole rows lie one after the other
		from, to := part.Y*ts, (part.Y+part.Height)*ts
		p := resample.Places{X: w.places.X[from:to], Y: w.places.Y[from:to]}
		resample.Warp(dst.Range(from, to), w.valid[from:to], source, p, w.kernel)
		return nil
	}
	for y := part.Y; y < part.Y+part.Height; y++ {
		from, to := y*ts+part.X, y*ts+part.X+part.Width
		p := resample.Places{X: w.places.X[from:to], Y: w.places.Y[from:to]}
		resample.Warp(dst.Range(from, to), w.valid[from:to], source, p, w.kernel)
	}
	return nil
}

// buf is the buffer for windows of a pixel type.
func (w *warper) buf(t rasterbase.PixelType) *bandWindow {
	if w.bufs[t] == nil {
		w.bufs[t] = &bandWindow{}
	}
	return w.bufs[t]
}

// window is the part of the source that a part of the tile needs.
func (w *warper) window(part Window) Window {
	b := nowhere()
	ts := w.rev.TileSize
	g := w.plan.Grid
	width, height := float64(g.Width), float64(g.Height)
	for y := part.Y; y < part.Y+part.Height; y++ {
		from, to := y*ts+part.X, y*ts+part.X+part.Width
		xs, ys := w.places.X[from:to], w.places.Y[from:to]
		for i, x := range xs {
			// Places off the raster do not count; nor does NaN, which
			// compares false.
			if y := ys[i]; x >= -1 && x <= width+1 && y >= -1 && y <= height+1 {
				b = join(b, pointBox(Place{x, y}))
			}
		}
	}
	if b.MinX > b.MaxX {
		return Window{}
	}
	rx, ry := w.kernel.Reach()
	x0, y0 := max(0, int(math.Floor(b.MinX))-rx-1), max(0, int(math.Floor(b.MinY))-ry-1)
	x1, y1 := min(g.Width, int(math.Ceil(b.MaxX))+rx+1), min(g.Height, int(math.Ceil(b.MaxY))+ry+1)
	return Window{X: x0, Y: y0, Width: x1 - x0, Height: y1 - y0}
}
