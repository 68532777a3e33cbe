package server

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/render"
	"github.com/rasterbase/rasterbase/xyz"
)

// maxValues is the most bytes of pixels that a GeoTIFF tile holds.
const maxValues = 64 << 20

// draw reads a tile's pixels and encodes them.
func (s *Server) draw(ctx context.Context, l *resolved, d *drawing, p tilePlace, size int) (picture, error) {
	rev := l.rev
	if err := l.drawable(); err != nil {
		return picture{}, err
	}
	if err := l.affordable(size); err != nil {
		return picture{}, err
	}
	pixels, err := l.pixels(ctx, d, p, size)
	if err != nil {
		return picture{}, fmt.Errorf("read tile %d/%d/%d of %s: %w", p.z, p.x, p.y, nameOf(rev), err)
	}
	var out picture
	if d.aggregation {
		if out.aggregation, err = l.style.aggregate(pixels); err != nil {
			return picture{}, err
		}
	}
	if p.format == render.TIFF && rev.Datatype.Discrete() && strings.EqualFold(d.compress, "JPEG") {
		return picture{}, rasterbase.Errorf(rasterbase.Invalid, "JPEG makes values that no class has, and the values are %s", rev.Datatype).
			WithHint("one that loses nothing, such as DEFLATE").WithField("compress")
	}
	out.body, out.empty, err = s.encode(pixels, l.style.drawn, l.style.about, d, l.style.options(d, p.format))
	if err != nil {
		return picture{}, fmt.Errorf("draw tile %d/%d/%d of %s: %w", p.z, p.x, p.y, nameOf(rev), err)
	}
	return out, nil
}

// encode makes a tile of its pixels. What the encoder refuses is a mistake of ours,
// but for a compression that cannot hold them.
func (s *Server) encode(pixels *raster.Raster, drawn []int, about []rasterbase.Band, d *drawing, o render.Options) (body []byte, isEmpty bool, err error) {
	isEmpty = empty(pixels, drawn)
	switch {
	case o.Format == render.TIFF:
		body, err = render.GeoTIFF(pixels, render.TIFFOptions{Compression: s.compression(d), Bands: about})
	case isEmpty && o.Format == render.PNG:
		return render.Transparent(pixels.Width), true, nil
	default:
		body, err = render.Tile(pixels, o)
	}
	if e, ok := asError(err); ok && e.Field == "compress_method" {
		return nil, false, blame(e, "compress")
	}
	if err != nil {
		return nil, false, internal(err)
	}
	return body, isEmpty, nil
}

// compression is how a GeoTIFF is compressed. What the server is set to is no wish
// of whoever asks for values: it must not change them, nor be in the way.
func (s *Server) compression(d *drawing) string {
	if d.compress == "" && strings.EqualFold(s.c.CompressMethod, "JPEG") {
		return "DEFLATE"
	}
	return cmp.Or(d.compress, s.c.CompressMethod)
}

// pixels reads a tile, and makes of it what the colours are for.
func (l *resolved) pixels(ctx context.Context, d *drawing, p tilePlace, size int) (*raster.Raster, error) {
	st, rev := l.style, l.rev
	if err := d.fits(p, size); err != nil {
		return nil, err
	}
	if p.format == render.TIFF {
		if err := st.fits(rev, size); err != nil {
			return nil, err
		}
	}
	r, err := st.read(ctx, l.subject, d, p, size)
	if err != nil {
		return nil, err
	}
	if st.algorithm != "" {
		if r, err = st.algorithm.apply(r, d.terrain); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// read reads what a style is made of, with the margin that its algorithm needs.
func (st *style) read(ctx context.Context, sub *subject, d *drawing, p tilePlace, size int) (*raster.Raster, error) {
	if p.z > maxDrawnZoom {
		return st.nothing(sub.rev, p, size), nil
	}
	r, err := coverage.Tile(ctx, sub.cov, coverage.TileRequest{
		Z: p.z, X: p.x, Y: p.y, Size: size, Margin: st.algorithm.margin(), Bands: st.bands, Resampling: st.resampling(d),
		Float: st.algorithm != "",
	})
	if err != nil {
		return nil, readFailure(err)
	}
	if st.scales != nil {
		r = realValues(r, st.scales)
	}
	return r, nil
}

// readFailure is an error of reading: the request's if it is about how the pixels
// are resampled, and ours otherwise, whatever its code says.
func readFailure(err error) error {
	if e, ok := asError(err); ok && e.Field == "resampling" {
		return e
	}
	return internal(err)
}

// fits refuses tiles of more pixels than a request may ask for. Layers may have
// larger ones of their own.
func (d *drawing) fits(p tilePlace, size int) error {
	if size <= maxTileSize || d.tileSize == 0 && !p.double {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Invalid, "a tile of %d pixels a side is too large", size).
		WithHint("at most %d, those that @2x adds counted: tilesize=%d", maxTileSize, maxTileSize/2).WithField("tilesize")
}

// fits refuses tiles of values that would be too large.
func (st *style) fits(rev *rasterbase.Revision, size int) error {
	bytes := 0
	for _, b := range st.about {
		bytes += size * size * b.PixelType.Size()
	}
	if bytes > maxValues {
		return rasterbase.Errorf(rasterbase.Invalid, "the %d bands of %s are %d MiB in one tile", len(st.about), nameOf(rev), bytes>>20).
			WithHint("bidx chooses bands").WithField("bidx")
	}
	return nil
}

// nothing is what would be read of a tile beyond maxDrawnZoom: no valid pixel, of
// the types and at the place that the tile has.
func (st *style) nothing(rev *rasterbase.Revision, p tilePlace, size int) *raster.Raster {
	bands := make([]raster.Band, len(st.bands))
	for i, b := range st.bands {
		about := rev.Bands[b]
		if st.scales != nil {
			about = realBand(about)
		}
		bands[i] = raster.BandOf(about)
	}
	margin := st.algorithm.margin()
	pixel := xyz.Resolution(min(p.z, 1000), size) // more than 0
	edge := float64(margin) * pixel
	return raster.NewInvalid(rasterbase.Grid{
		Width: size + 2*margin, Height: size + 2*margin, ScaleX: pixel, ScaleY: -pixel,
		OriginX: 2*xyz.HalfWorld*p.west - xyz.HalfWorld - edge, OriginY: xyz.HalfWorld - 2*xyz.HalfWorld*p.north + edge,
	}, 3857, bands...)
}

// empty reports whether no pixel of the bands that are drawn is valid.
func empty(r *raster.Raster, drawn []int) bool {
	if r.Validity != nil && bytes.Count(r.Validity, []byte{0}) == len(r.Validity) {
		return true
	}
	if drawn == nil {
		for i := range r.Bands {
			drawn = append(drawn, i)
		}
	}
	for _, b := range drawn {
		if !emptyBand(r, b) {
			return false
		}
	}
	return true
}

func emptyBand(r *raster.Raster, band int) bool {
	b := &r.Bands[band]
	if b.Pixels.Len() == 0 || r.Valid(band, 0) {
		return b.Pixels.Len() == 0
	}
	// A band that is filled with one value has the same bytes one pixel on.
	memory, step := b.Pixels.Bytes(), b.Type.Size()
	if !b.IsData(b.Pixels.At(0)) && bytes.Equal(memory[step:], memory[:len(memory)-step]) {
		return true
	}
	for i := range b.Pixels.Len() {
		if r.Valid(band, i) {
			return false
		}
	}
	return true
}
