package coverage

import (
	"context"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/xyz"
)

// overzoom makes a window beyond the max zoom from the pixels of the max zoom:
// each is repeated, none is invented.
func (c *Layer) overzoom(ctx context.Context, r WindowRequest) (*raster.Raster, error) {
	if r.X < math.MinInt32 || r.Y < math.MinInt32 || r.X > 1<<60 || r.Y > 1<<60 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "pixel %d, %d of zoom %d is out of reach", r.X, r.Y, r.Level.Zoom)
	}
	shift := uint(r.Level.Zoom - c.rev.MaxZoom) // an arithmetic shift is a floor division, however large
	parent := r
	parent.Level = ZoomLevel(c.rev.MaxZoom)
	parent.X, parent.Y = r.X>>shift, r.Y>>shift
	parent.Width = (r.X+r.Width-1)>>shift - parent.X + 1
	parent.Height = (r.Y+r.Height-1)>>shift - parent.Y + 1
	src, err := c.Window(ctx, parent)
	if err != nil {
		return nil, err
	}
	cols := make([]int, r.Width)
	for i := range cols {
		cols[i] = (r.X+i)>>shift - parent.X
	}
	out := repeated(src, cols, r.Height, func(y int) int { return ((r.Y+y)>>shift - parent.Y) * src.Width })
	out.Grid = c.grid(r)
	return out, nil
}

// repeated is a raster of the pixels in some columns, and in the rows that begin at
// some pixels, of another. Of its grid it has the size only.
func repeated(src *raster.Raster, cols []int, height int, rows func(int) int) *raster.Raster {
	out := &raster.Raster{SRID: src.SRID, Bands: make([]raster.Band, len(src.Bands))}
	out.Width, out.Height = len(cols), height
	for i, b := range src.Bands {
		out.Bands[i] = b
		out.Bands[i].Pixels = expand(b.Pixels, cols, height, rows)
	}
	if src.Validity != nil {
		out.Validity = expandSlice(src.Validity, cols, height, rows)
	}
	return out
}

func expand(p raster.Pixels, cols []int, height int, rows func(int) int) raster.Pixels {
	switch p := p.(type) {
	case raster.Slice[uint8]:
		return raster.Slice[uint8](expandSlice(p, cols, height, rows))
	case raster.Slice[int8]:
		return raster.Slice[int8](expandSlice(p, cols, height, rows))
	case raster.Slice[uint16]:
		return raster.Slice[uint16](expandSlice(p, cols, height, rows))
	case raster.Slice[int16]:
		return raster.Slice[int16](expandSlice(p, cols, height, rows))
	case raster.Slice[uint32]:
		return raster.Slice[uint32](expandSlice(p, cols, height, rows))
	case raster.Slice[int32]:
		return raster.Slice[int32](expandSlice(p, cols, height, rows))
	case raster.Slice[float32]:
		return raster.Slice[float32](expandSlice(p, cols, height, rows))
	case raster.Slice[float64]:
		return raster.Slice[float64](expandSlice(p, cols, height, rows))
	}
	panic("coverage: pixels of an unknown type")
}

func expandSlice[T any](src []T, cols []int, height int, rows func(int) int) []T {
	width := len(cols)
	out := make([]T, width*height)
	last := -1
	for y := range height {
		row := out[y*width : (y+1)*width]
		from := rows(y)
		if from == last { // the row above repeats
			copy(row, out[(y-1)*width:y*width])
			continue
		}
		last = from
		line := src[from:]
		for x, col := range cols {
			row[x] = line[col]
		}
	}
	return out
}

func worldGrid(zoom, tileSize int) rasterbase.Grid {
	res := xyz.Resolution(zoom, tileSize)
	return rasterbase.Grid{OriginX: -xyz.HalfWorld, OriginY: xyz.HalfWorld, ScaleX: res, ScaleY: -res}
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func sameInts(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
