package export

import (
	"bytes"
	"errors"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/tiff"
	"github.com/rasterbase/rasterbase/raster"
)

// pixelMask is a byte a pixel, 0 for invalid; nil when all are valid. One that is
// shared is not changed.
type pixelMask []uint8

// and is what both masks say is valid.
func (m pixelMask) and(n pixelMask) pixelMask {
	switch {
	case m == nil:
		return n
	case n == nil:
		return m
	}
	out := slices.Clone(m)
	for i, v := range n {
		if v == 0 {
			out[i] = 0
		}
	}
	return out
}

// validity is how a file tells which pixels are valid.
type validity struct {
	has    bool // a nodata value is written
	nodata float64
	// masks is the bands of the internal mask: one for all bands of the image, or
	// one for each; 0 is no mask.
	masks int
}

// errAmbiguous says that a reader would take a valid pixel for nodata.
var errAmbiguous = errors.New("a valid pixel looks like nodata")

// validity finds it before any pixel is known. A TIFF has one nodata value for all
// bands: where they have the same, the pixels that are not valid get it.
func (p *Plan) validity() validity {
	v := validity{has: true}
	whole := true // of no band is nodata known
	for i, b := range p.Bands {
		band := raster.BandOf(b)
		has := band.HasNodata && b.PixelType.Holds(band.Nodata)
		nodata := band.Nodata
		if b.PixelType == rasterbase.Float32 {
			nodata = float64(float32(nodata))
		}
		whole = whole && !has
		v.has = v.has && has && (i == 0 || nodata == v.nodata || math.IsNaN(nodata) && math.IsNaN(v.nodata))
		v.nodata = nodata
	}
	switch {
	case p.method == tiff.JPEG: // which changes values
		v.has = false
		v.masks = p.maskBands(whole)
	case !v.has, p.Type == rasterbase.Int8 && v.nodata < 0: // GDAL 3.6 knows no negative nodata of int8
		v.masks = p.maskBands(whole)
	}
	return v
}

// maskBands is one where all bands are valid at the same places.
func (p *Plan) maskBands(whole bool) int {
	if whole {
		return 1
	}
	return len(p.Bands)
}

// text is the nodata value as GDAL writes it; empty: none.
func (v validity) text() string {
	if !v.has {
		return ""
	}
	return tiff.NodataText(v.nodata)
}

// near gives the values that a reader may take for nodata, roughly: more than it
// does. It is false where only equal ones can be.
func (v validity) near(t rasterbase.PixelType) (low, high float64, some bool) {
	if !v.has || v.masks > 0 || !t.IsFloat() || v.nodata-v.nodata != 0 {
		return 0, 0, false
	}
	d := 1e-5 * math.Abs(v.nodata)
	return v.nodata - d, v.nodata + d, true
}

// cut makes a tile of the full size from the block, nil when it has no valid pixel.
// What is not valid holds the nodata value, NaN, or 0, and beyond the image nothing
// is valid.
func (w *worker) cut(a address) *raster.Raster {
	tile := raster.Rect{X: a.x * w.tile, Y: a.y * w.tile, Width: w.tile, Height: w.tile}
	part := tile.Intersect(w.at)
	r := &raster.Raster{Grid: rasterbase.Grid{Width: w.tile, Height: w.tile}}
	outside := pixelMask(nil)
	if part != tile {
		outside = make(pixelMask, w.tile*w.tile)
		for from, to := range tile.Rows(part) {
			raster.Fill(raster.Slice[uint8](outside[from:to]), 255)
		}
	}
	some, told := false, true
	for i := range w.p.Bands {
		b := raster.BandOf(w.p.Bands[i])
		b.Pixels = raster.NewPixels(b.Type, w.tile*w.tile)
		raster.CopyRect(b.Pixels.Bytes(), tile, w.source.Bands[i].Pixels.Bytes(), w.at, b.Type.Size())
		valid := w.of(w.valid[i], tile).and(outside)
		if valid != nil {
			invalidate(&b, valid)
		}
		some = some || valid == nil || bytes.Count(valid, []byte{0}) < len(valid)
		told = told && tells(&b)
		r.Bands = append(r.Bands, b)
	}
	if !some {
		return nil
	}
	if !told {
		r.Validity = w.of(w.shared, tile).and(outside)
	}
	return r
}

// of is the part of a mask of the block that belongs to a tile; nil when all of it is
// valid.
func (w *worker) of(m pixelMask, tile raster.Rect) pixelMask {
	if m == nil {
		return nil
	}
	out := make(pixelMask, tile.Width*tile.Height)
	raster.CopyRect(out, tile, m, w.at, 1)
	if bytes.IndexByte(out, 0) < 0 {
		return nil
	}
	return out
}

// tells reports whether a band's values can say that a pixel is not valid.
func tells(b *raster.Band) bool {
	return b.Type.IsFloat() || b.HasNodata && b.Type.Holds(b.Nodata)
}

// invalidate gives the pixels that are not valid the value that says so.
func invalidate(b *raster.Band, valid pixelMask) {
	v := 0.0
	if tells(b) {
		v = math.NaN()
		if b.HasNodata {
			v = b.Nodata
		}
	}
	switch px := b.Pixels.(type) {
	case raster.Slice[uint8]:
		fillInvalid(px, valid, v)
	case raster.Slice[int8]:
		fillInvalid(px, valid, v)
	case raster.Slice[uint16]:
		fillInvalid(px, valid, v)
	case raster.Slice[int16]:
		fillInvalid(px, valid, v)
	case raster.Slice[uint32]:
		fillInvalid(px, valid, v)
	case raster.Slice[int32]:
		fillInvalid(px, valid, v)
	case raster.Slice[float32]:
		fillInvalid(px, valid, v)
	case raster.Slice[float64]:
		fillInvalid(px, valid, v)
	}
}

func fillInvalid[T raster.Number](px []T, valid pixelMask, v float64) {
	fill := T(v)
	for i, ok := range valid[:len(px)] {
		if ok == 0 {
			px[i] = fill
		}
	}
}

// keep packs a tile and appends it to the spool; nil is left out.
func (w *worker) keep(a address, r *raster.Raster) error {
	if r == nil {
		w.spool.masked.Store(true)
		return nil
	}
	l := w.all[a.level]
	whole := raster.Rect{Width: w.tile, Height: w.tile}
	part := whole
	if w.p.method == tiff.JPEG { // beyond the image its edges go on, so that they do not blur
		part.Width, part.Height = min(w.tile, l.width-a.x*w.tile), min(w.tile, l.height-a.y*w.tile)
	}
	s := tiff.Sheet{
		Width: part.Width, Height: part.Height, Type: w.p.Type, Bands: len(r.Bands), Method: w.p.method, Predictor: w.predictor,
	}
	for i, b := range r.Bands {
		if w.looksInvalid(&b) {
			return errAmbiguous
		}
		px := tiff.Convert(b.Pixels, w.p.Bands[i].PixelType, w.p.Type).Bytes()
		if part != whole {
			px = make([]byte, part.Width*part.Height)
			raster.CopyRect(px, part, b.Pixels.Bytes(), whole, 1)
		}
		s.Samples = append(s.Samples, px)
	}
	packed, err := w.packer.Pack(&s, whole)
	if err != nil {
		return err
	}
	if l.image[a.y*l.cols+a.x], err = w.spool.add(packed); err != nil || w.told.masks == 0 {
		return err
	}
	mask := w.mask(a, r)
	if packed, err = w.packer.Pack(mask, whole); err != nil {
		return err
	}
	l.mask[a.y*l.cols+a.x], err = w.spool.add(packed)
	return err
}

// looksInvalid tells whether a reader takes a valid pixel of a band for nodata.
func (w *worker) looksInvalid(b *raster.Band) bool {
	low, high, some := w.told.near(b.Type)
	if !some {
		return false
	}
	look := func(v float64) bool {
		return v >= low && v <= high && b.IsData(v) && tiff.TakenForNodata(v, w.told.nodata, w.p.Type)
	}
	switch px := b.Pixels.(type) {
	case raster.Slice[float32]:
		for _, v := range px {
			if look(float64(v)) {
				return true
			}
		}
	case raster.Slice[float64]:
		for _, v := range px {
			if look(v) {
				return true
			}
		}
	}
	return false
}

// mask is the internal mask of a tile, and notes whether any pixel of the image is
// not valid.
func (w *worker) mask(a address, r *raster.Raster) *tiff.Sheet {
	s := w.maskSheet()
	s.Width, s.Height = w.tile, w.tile
	l := w.all[a.level]
	inside := raster.Rect{X: a.x * w.tile, Y: a.y * w.tile, Width: w.tile, Height: w.tile}.
		Intersect(raster.Rect{Width: l.width, Height: l.height})
	inside.X, inside.Y = 0, 0
	for i := range s.Bands {
		valid := pixelMask(r.Validity) // of all bands
		if w.told.masks == len(r.Bands) {
			valid = r.ValidMask(i)
		}
		if valid == nil {
			valid = bytes.Repeat([]byte{255}, w.tile*w.tile)
		}
		s.Samples = append(s.Samples, valid)
		for from, to := range (raster.Rect{Width: w.tile, Height: w.tile}).Rows(inside) {
			if bytes.IndexByte(valid[from:to], 0) >= 0 {
				w.spool.masked.Store(true)
				break
			}
		}
	}
	return s
}

// maskSheet is the form of masks.
func (m *maker) maskSheet() *tiff.Sheet {
	return &tiff.Sheet{Type: rasterbase.Bit1, Bands: m.told.masks, Mask: true, Method: m.p.method.ForMask()}
}
