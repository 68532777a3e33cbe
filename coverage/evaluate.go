package coverage

import (
	"context"
	"fmt"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/raster"
)

const (
	// maxPartPixels is how many pixels of all that a formula reads are held at once,
	// and maxPartWidth how many along a line: larger windows are made in parts.
	maxPartPixels = 1 << 22
	maxPartWidth  = 1 << 12
)

// Window evaluates the formula for a rectangle of a level. The error has code not
// found for a zoom when an input has no pyramid, and is Description.BaseError for a
// base level that is not there; it matches store.ErrRevisionGone when the revision of
// an input was dropped: open the formula again.
func (f *Formula) Window(ctx context.Context, r WindowRequest) (*raster.Raster, error) {
	if _, err := f.check(&r); err != nil {
		return nil, err
	}
	if r.Level == BaseLevel {
		return f.baseWindow(ctx, r)
	}
	return f.world(ctx, worldWindow{
		Z: r.Level.Zoom, Size: f.description.TileSize, X: r.X, Y: r.Y, Width: r.Width, Height: r.Height, Bands: r.Bands,
	})
}

// world evaluates the formula for a window of the world, on pixels of its size.
func (f *Formula) world(ctx context.Context, w worldWindow) (*raster.Raster, error) {
	if f.noPyramid != nil {
		return nil, f.noPyramid
	}
	if err := f.checkBands(w.Bands); err != nil {
		return nil, err
	}
	whole := raster.Rect{X: w.X, Y: w.Y, Width: w.Width, Height: w.Height}
	out, err := f.parts(whole, func(part raster.Rect) (*raster.Raster, error) {
		v := w
		v.X, v.Y, v.Width, v.Height = part.X, part.Y, part.Width, part.Height
		return f.evaluate(ctx, f.worldReader(v))
	})
	if err != nil {
		return nil, err
	}
	out.Grid, out.SRID = w.grid(), 3857
	if !f.strict {
		hideBeyond(out, whole, raster.Rect{Width: w.Size << w.Z, Height: w.Size << w.Z})
	}
	return repeatBands(out, w.Bands), nil
}

// hideBeyond makes pixels beyond the world invalid.
func hideBeyond(r *raster.Raster, window, world raster.Rect) {
	inside := window.Intersect(world)
	if inside == window {
		return
	}
	own := r.Bands[0].Pixels
	hidden := raster.NewInvalid(r.Grid, r.SRID, r.Bands[0])
	size := r.Bands[0].Type.Size()
	for from, to := range window.Rows(inside) {
		copy(hidden.Bands[0].Pixels.Bytes()[from*size:to*size], own.Bytes()[from*size:to*size])
	}
	*r = *hidden
}

// repeatBands gives a raster of one band the bands that were asked for, which are
// that one.
func repeatBands(r *raster.Raster, bands []int) *raster.Raster {
	for len(r.Bands) < len(bands) {
		r.Bands = append(r.Bands, r.Bands[0])
	}
	return r
}

// parts makes a window of parts that are small enough.
func (f *Formula) parts(whole raster.Rect, read func(raster.Rect) (*raster.Raster, error)) (*raster.Raster, error) {
	width := min(whole.Width, maxPartWidth)
	height := max(1, maxPartPixels/f.reads/width)
	if width == whole.Width && height >= whole.Height {
		return read(whole)
	}
	out := &raster.Raster{Bands: []raster.Band{f.band}}
	out.Width, out.Height = whole.Width, whole.Height
	out.Bands[0].Pixels = nil
	for y := 0; y < whole.Height; y += height {
		for x := 0; x < whole.Width; x += width {
			part := raster.Rect{X: whole.X + x, Y: whole.Y + y, Width: min(width, whole.Width-x), Height: min(height, whole.Height-y)}
			got, err := read(part)
			if err != nil {
				return nil, err
			}
			b := &out.Bands[0]
			if b.Pixels == nil {
				*b = got.Bands[0] // header copied
				b.Pixels = raster.NewPixels(b.Type, whole.Width*whole.Height)
			}
			raster.CopyRect(b.Pixels.Bytes(), whole, got.Bands[0].Pixels.Bytes(), part, b.Type.Size())
		}
	}
	return out, nil
}

// evaluate reads the groups and evaluates the formula, for a raster that has no place
// yet.
func (f *Formula) evaluate(ctx context.Context, read groupReader) (*raster.Raster, error) {
	rasters, err := f.read(ctx, read)
	if err != nil {
		return nil, err
	}
	columns := make([]algebra.Column, len(f.columns))
	for i, c := range f.columns {
		columns[i] = columnOf(rasters[c.group], c.place)
	}
	result, err := f.formula.Evaluate(ctx, columns)
	if err != nil {
		return nil, fmt.Errorf("evaluate the formula: %w", err)
	}
	out := &raster.Raster{Bands: []raster.Band{f.band}}
	out.Width, out.Height = rasters[0].Width, rasters[0].Height
	b := &out.Bands[0]
	b.Pixels = result.Pixels
	// Blended whole numbers can be floating-point ones, and make others.
	switch result.Pixels.(type) {
	case raster.Slice[float32]:
		b.Type = rasterbase.Float32
	case raster.Slice[float64]:
		b.Type = rasterbase.Float64
	}
	return out, nil
}

// columnOf is a band as a formula takes it.
func columnOf(r *raster.Raster, band int) algebra.Column {
	b := r.Bands[band]
	c := algebra.Column{Pixels: b.Pixels, Nodata: math.NaN()}
	if b.HasNodata {
		c.Nodata = b.Nodata
	}
	if b.Type.IsFloat() && math.IsNaN(c.Nodata) {
		c.Valid = r.Validity // all that are finite
		return c
	}
	c.Valid = r.ValidMask(band)
	return c
}
