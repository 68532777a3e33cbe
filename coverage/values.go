package coverage

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// PointsRequest asks for the values at many points.
type PointsRequest struct {
	Points      []crs.Point
	CRS         rasterbase.CRS // of the points
	Level       Level
	Bands       []int           // from 0; nil: all
	Transformer crs.Transformer // nil: closed forms only
}

// ValuesAt looks up the pixels at many points, in their order: each is what
// [At] gives for its point. Each tile that has points in it is read once, some
// megabytes at a time. A point that has no place in the coverage's CRS is not
// inside, which is no error.
//
// The values of all points share one slice of memory: a pixel of one band takes
// about 70 bytes.
func ValuesAt(ctx context.Context, c Coverage, r PointsRequest) ([]Pixel, error) {
	d := c.Describe()
	if r.Level == BaseLevel && d.BaseError != nil {
		return nil, d.BaseError
	}
	if ours, ok := c.(interface {
		check(r *WindowRequest) ([]int, error)
	}); ok {
		// What cannot be read is an error also when no point is inside.
		if _, err := ours.check(&WindowRequest{Level: r.Level, Width: 1, Height: 1, Bands: r.Bands}); err != nil {
			return nil, err
		}
	}
	pixels, err := pixelsAt(ctx, d, r)
	if err != nil {
		return nil, fmt.Errorf("place %d points: %w", len(r.Points), err)
	}
	bands := r.Bands
	if bands == nil {
		bands = make([]int, len(d.Bands))
		for i := range bands {
			bands[i] = i
		}
	}
	v := &valuesAt{pixels: pixels, bands: bands, size: tileSizeOf(d)}
	v.allocate()
	return pixels, v.read(ctx, c, r.Level)
}

// pixelsAt finds the pixels that points fall into.
func pixelsAt(ctx context.Context, d Description, r PointsRequest) ([]Pixel, error) {
	to, grid := d.gridOf(r.Level)
	t, err := orClosed(r.Transformer).Between(r.CRS, to)
	if err != nil {
		return nil, err
	}
	const block = 1 << 14 // points transformed at once
	pixels := make([]Pixel, len(r.Points))
	buffer := make([]crs.Point, 0, min(block, len(r.Points)))
	for from := 0; from < len(r.Points); from += block {
		p := append(buffer[:0], r.Points[from:min(from+block, len(r.Points))]...)
		if err := t.Apply(ctx, p); err != nil {
			return nil, err
		}
		for i := range p {
			pixels[from+i] = pixelOf(grid, p[i], to, r.Level)
		}
	}
	return pixels, ctx.Err()
}

// valuesAt reads the values of pixels block by block.
type valuesAt struct {
	pixels []Pixel
	bands  []int
	size   int // pixels along a side of a block
}

// allocate makes place for all values at once.
func (v *valuesAt) allocate() {
	n := 0
	for i := range v.pixels {
		if v.pixels[i].Inside {
			n++
		}
	}
	all := make([]PixelValue, n*len(v.bands))
	for i := range v.pixels {
		if v.pixels[i].Inside {
			v.pixels[i].Values, all = all[:len(v.bands):len(v.bands)], all[len(v.bands):]
		}
	}
}

// block is a square of pixels, and the points in it by their index.
type block struct {
	at     TileAddress
	points []int
}

// blocks sorts the points that are inside into blocks of 2^shift times as many
// pixels of the level. Blocks are in order page by page of the summaries, which
// tell of missing tiles.
func (v *valuesAt) blocks(shift uint) []block {
	place := map[TileAddress]int{}
	var all []block
	for i, p := range v.pixels {
		if !p.Inside {
			continue
		}
		at := TileAddress{floorDiv(p.Col>>shift, v.size), floorDiv(p.Row>>shift, v.size)}
		k, ok := place[at]
		if !ok {
			k = len(all)
			place[at] = k
			all = append(all, block{at: at})
		}
		all[k].points = append(all[k].points, i)
	}
	slices.SortFunc(all, func(a, b block) int {
		pageA := TileAddress{floorDiv(a.at.X, store.PageSize), floorDiv(a.at.Y, store.PageSize)}
		pageB := TileAddress{floorDiv(b.at.X, store.PageSize), floorDiv(b.at.Y, store.PageSize)}
		return cmp.Or(compareRows(pageA, pageB), compareRows(a.at, b.at))
	})
	return all
}

// compareRows orders by Y, then X.
func compareRows(a, b TileAddress) int { return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X)) }

// set notes the values of a point from pixel i of a raster.
func (v *valuesAt) set(index int, from *raster.Raster, i int) {
	values := v.pixels[index].Values
	for k, b := range v.bands {
		values[k] = PixelValue{Band: b, Value: from.Bands[k].Pixels.At(i), Valid: from.Valid(k, i)}
	}
}

// read reads the values of all pixels.
func (v *valuesAt) read(ctx context.Context, c Coverage, level Level) error {
	if l, stored := c.(*Layer); stored && !(l.rev.NoBase && level == BaseLevel) {
		return v.fromTiles(ctx, l, level)
	}
	return v.fromWindows(ctx, c, level)
}

// fromTiles reads a stored layer: its tiles, in batches. Beyond the max zoom
// they are those of the max zoom.
func (v *valuesAt) fromTiles(ctx context.Context, l *Layer, level Level) error {
	shift := uint(0)
	if level.Kind == rasterbase.Pyramid && level.Zoom > l.rev.MaxZoom {
		shift = uint(level.Zoom - l.rev.MaxZoom)
		level = ZoomLevel(l.rev.MaxZoom)
	}
	nothing := l.empty(WindowRequest{Level: level, Width: 1, Height: 1}, v.bands)
	most := l.tilesAtOnce(v.bands)
	var batch []block
	for _, b := range v.blocks(shift) {
		if w, h := l.tileSize(level, b.at.X, b.at.Y); b.at.X < 0 || b.at.Y < 0 || w <= 0 || h <= 0 {
			for _, i := range b.points { // beside the world
				v.set(i, nothing, 0)
			}
			continue
		}
		if batch = append(batch, b); len(batch) < most {
			continue
		}
		if err := v.readTiles(ctx, l, level, batch, shift); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return v.readTiles(ctx, l, level, batch, shift)
}

func (v *valuesAt) readTiles(ctx context.Context, l *Layer, level Level, batch []block, shift uint) error {
	if err := ctx.Err(); err != nil || len(batch) == 0 {
		return err
	}
	at := make([]TileAddress, len(batch))
	for i, b := range batch {
		at[i] = b.at
	}
	rasters, err := l.read(ctx, level, at, v.bands)
	if err != nil {
		return fmt.Errorf("read tiles of layer %d: %w", l.layer.ID, err)
	}
	for k, r := range rasters {
		for _, i := range batch[k].points {
			p := v.pixels[i]
			col, row := p.Col>>shift-at[k].X*v.size, p.Row>>shift-at[k].Y*v.size
			v.set(i, r, row*r.Width+col)
		}
	}
	return nil
}

// fromWindows reads any coverage: for each block the rectangle that holds its
// points.
func (v *valuesAt) fromWindows(ctx context.Context, c Coverage, level Level) error {
	for _, b := range v.blocks(0) {
		minX, minY, maxX, maxY := math.MaxInt, math.MaxInt, math.MinInt, math.MinInt
		for _, i := range b.points {
			p := v.pixels[i]
			minX, minY, maxX, maxY = min(minX, p.Col), min(minY, p.Row), max(maxX, p.Col), max(maxY, p.Row)
		}
		w, err := c.Window(ctx, WindowRequest{
			Level: level, X: minX, Y: minY, Width: maxX - minX + 1, Height: maxY - minY + 1, Bands: v.bands,
		})
		if err != nil {
			return err
		}
		for _, i := range b.points {
			p := v.pixels[i]
			v.set(i, w, (p.Row-minY)*w.Width+p.Col-minX)
		}
	}
	return ctx.Err()
}
