package coverage

import (
	"context"
	"math"

	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
)

// sampled looks a coverage up at the centres of the pixels of a base grid, as [At]
// does.
type sampled struct {
	base      base // without its placements
	transform crs.Transform
	of        Description // of the coverage
}

const (
	// sampledSide is the pixels along a side of the squares that are looked up at
	// once.
	sampledSide = 256
	// sampledSpread is how many pixels of the coverage there may be for each that
	// is looked up, for the rectangle that holds them all to be read; else their
	// tiles are.
	sampledSpread = 64
)

// read looks up the pixels of the rectangle.
func (s *sampled) read(ctx context.Context, c Coverage, bands []int, r raster.Rect) (*raster.Raster, error) {
	headers := make([]raster.Band, len(bands))
	for i, b := range bands {
		headers[i] = raster.BandOf(s.of.Bands[b])
	}
	g := s.base.grid
	g.Width, g.Height = r.Width, r.Height
	out := raster.NewInvalid(g, s.base.crs.SRID, headers...)
	for y := 0; y < r.Height; y += sampledSide {
		for x := 0; x < r.Width; x += sampledSide {
			part := raster.Rect{X: r.X + x, Y: r.Y + y, Width: min(sampledSide, r.Width-x), Height: min(sampledSide, r.Height-y)}
			at, err := s.places(ctx, part, r)
			if err != nil {
				return nil, err
			}
			if err := at.read(ctx, c, s.of, bands, out); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// lookups are pixels of a coverage, all inside its grid, and where they go to.
type lookups struct {
	pixels []Pixel
	to     []int
	box    raster.Rect // that holds them
}

// places finds the pixels that hold the centres of those of a part of a rectangle.
func (s *sampled) places(ctx context.Context, part, whole raster.Rect) (*lookups, error) {
	at := make([]crs.Point, 0, part.Width*part.Height)
	for y := range part.Height {
		for x := range part.Width {
			wx, wy := s.base.grid.World(float64(part.X+x)+0.5, float64(part.Y+y)+0.5)
			at = append(at, crs.Point{X: wx, Y: wy})
		}
	}
	if err := s.transform.Apply(ctx, at); err != nil {
		return nil, err
	}
	out := &lookups{}
	minX, minY, maxX, maxY := math.MaxInt, math.MaxInt, math.MinInt, math.MinInt
	for i, p := range at {
		px := pixelOf(s.of.Grid, p, s.of.CRS, BaseLevel)
		if !px.Inside {
			continue
		}
		out.pixels = append(out.pixels, px)
		out.to = append(out.to, (part.Y+i/part.Width-whole.Y)*whole.Width+part.X+i%part.Width-whole.X)
		minX, minY, maxX, maxY = min(minX, px.Col), min(minY, px.Row), max(maxX, px.Col), max(maxY, px.Row)
	}
	if len(out.pixels) > 0 {
		out.box = raster.Rect{X: minX, Y: minY, Width: maxX - minX + 1, Height: maxY - minY + 1}
	}
	return out, nil
}

// read writes the pixels into a raster whose pixels are invalid.
func (l *lookups) read(ctx context.Context, c Coverage, d Description, bands []int, out *raster.Raster) error {
	n := len(l.pixels)
	if n == 0 {
		return ctx.Err()
	}
	b := l.box
	if b.Width <= maxWindow && b.Height <= maxWindow && b.Width*b.Height <= min(sampledSpread*n, maxRead/len(bands)) {
		return l.fromBox(ctx, c, bands, out)
	}
	v := &valuesAt{pixels: l.pixels, bands: bands, size: tileSizeOf(d)}
	v.allocate()
	if err := v.read(ctx, c, BaseLevel); err != nil {
		return err
	}
	for i, px := range v.pixels {
		for k, value := range px.Values {
			if !value.Valid {
				continue
			}
			out.Bands[k].Pixels.Set(l.to[i], value.Value)
			if out.Validity != nil {
				out.Validity[l.to[i]] = math.MaxUint8
			}
		}
	}
	return nil
}

// fromBox reads the rectangle that holds the pixels.
func (l *lookups) fromBox(ctx context.Context, c Coverage, bands []int, out *raster.Raster) error {
	src, err := c.Window(ctx, WindowRequest{Level: BaseLevel, X: l.box.X, Y: l.box.Y, Width: l.box.Width, Height: l.box.Height, Bands: bands})
	if err != nil {
		return err
	}
	from := make([]int, len(l.pixels))
	for i, px := range l.pixels {
		from[i] = (px.Row-l.box.Y)*l.box.Width + px.Col - l.box.X
	}
	for k := range src.Bands {
		gather(out.Bands[k].Pixels, l.to, src.Bands[k].Pixels, from)
	}
	if src.Validity == nil && out.Validity == nil {
		return nil
	}
	validity := validityOf(out)
	for i, at := range l.to {
		validity[at] = math.MaxUint8
		if src.Validity != nil {
			validity[at] = src.Validity[from[i]]
		}
	}
	return nil
}

// gather copies pixels one by one. Pixels of other types than those that are to be
// had, which only coverages of others can give, are converted.
func gather(dst raster.Pixels, to []int, src raster.Pixels, from []int) {
	switch d := dst.(type) {
	case raster.Slice[uint8]:
		gatherSlice(d, to, src, from)
	case raster.Slice[int8]:
		gatherSlice(d, to, src, from)
	case raster.Slice[uint16]:
		gatherSlice(d, to, src, from)
	case raster.Slice[int16]:
		gatherSlice(d, to, src, from)
	case raster.Slice[uint32]:
		gatherSlice(d, to, src, from)
	case raster.Slice[int32]:
		gatherSlice(d, to, src, from)
	case raster.Slice[float32]:
		gatherSlice(d, to, src, from)
	case raster.Slice[float64]:
		gatherSlice(d, to, src, from)
	}
}

func gatherSlice[T raster.Number](dst raster.Slice[T], to []int, src raster.Pixels, from []int) {
	if s, ok := src.(raster.Slice[T]); ok {
		for i, at := range to {
			dst[at] = s[from[i]]
		}
		return
	}
	for i, at := range to {
		dst.Set(at, src.At(from[i]))
	}
}
