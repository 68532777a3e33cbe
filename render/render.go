// Package render turns a raster and a colormap into the bytes of an image, and
// the values of a raster into a GeoTIFF. It writes PNG and lossless WebP itself:
// pixels go through a table straight to the rows of an indexed image of the
// smallest depth that holds the colours of the tile, and to true colour only
// when there are more than 256.
package render

import (
	"bytes"
	"image/color"
	"math"
	"strings"
	"sync"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Format is an image format, by its usual extension.
type Format string

// The formats.
const (
	PNG  Format = "png"
	JPEG Format = "jpg"  // without alpha: over a background
	WebP Format = "webp" // lossless
	TIFF Format = "tif"  // values and no colours: [GeoTIFF] writes it, [Tile] does not
)

// ParseFormat finds a format by its extension, in any case, with or without a
// dot; jpeg is jpg and tiff is tif.
func ParseFormat(ext string) (Format, error) {
	switch f := Format(strings.ToLower(strings.TrimPrefix(ext, "."))); f {
	case PNG, JPEG, WebP, TIFF:
		return f, nil
	case "jpeg":
		return JPEG, nil
	case "tiff":
		return TIFF, nil
	}
	return "", rasterbase.Errorf(rasterbase.Invalid, "unknown image format %.20q", ext).
		WithHint("one of png, jpg, webp, tif").WithField("format")
}

// ContentType is the format's media type.
func (f Format) ContentType() string {
	switch f {
	case JPEG:
		return "image/jpeg"
	case WebP:
		return "image/webp"
	case TIFF:
		return "image/tiff"
	}
	return "image/png"
}

// Options say what an image shows. The zero value shows the first band, if it
// has 8 bits, in grey.
type Options struct {
	Format Format // empty: PNG
	// Bands are indices from 0: one band, or three for red, green and blue.
	// Nil is the first band.
	Bands []int
	// Colormap colours one band. Without it the band is shown in grey, by
	// Rescale.
	Colormap *rasterbase.Colormap
	// Rescale has for each band the values that become black and white (0 and
	// 255), linear between them; one pair serves all bands. Nil takes bands of
	// up to 8 bits as they are and is an error for others.
	Rescale [][2]float64
	// Background lies under a JPEG. The zero value is white.
	Background color.NRGBA
	Quality    int // of a JPEG, 1 to 100; 0 is 85
	Enhance    Enhance
}

const defaultQuality = 85

// Tile renders a raster of any size. In a PNG invalid pixels and those without
// a colour are transparent. An RGB pixel is transparent when none of its three
// bands is valid there; a band that alone is invalid keeps its stored value, so
// that a nodata value of 0 makes no holes in dark colours.
// Mistakes in the options are errors with the code invalid.
func Tile(r *raster.Raster, o Options) ([]byte, error) {
	if err := o.complete(r); err != nil {
		return nil, err
	}
	e := encoders.Get().(*encoder)
	defer e.release()
	e.width, e.height = r.Width, r.Height
	if len(o.Bands) == 3 {
		e.compose(r, &o)
	} else {
		e.colorize(r, o.Bands[0], o.Colormap)
	}
	if o.Enhance != (Enhance{}) {
		e.enhance(&o.Enhance)
	}
	switch o.Format {
	case JPEG:
		return e.writeJPEG(&o)
	case WebP:
		return e.writeWebP()
	}
	e.writePNG()
	return bytes.Clone(e.out.b), nil
}

// encoders holds memory for reuse, and no state of any image.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

// release gives the memory back for another image, and lets go of the raster.
func (e *encoder) release() {
	e.keys8, e.keys16, e.pixels = nil, nil, nil
	e.keying.band, e.keying.colors = nil, nil
	encoders.Put(e)
}

// complete checks the options and fills in what they leave open.
func (o *Options) complete(r *raster.Raster) error {
	if err := r.Check(); err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "render a raster: %w", err)
	}
	if r.Width <= 0 || r.Height <= 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "a raster of %dx%d pixels has no image", r.Width, r.Height)
	}
	if o.Format == "" {
		o.Format = PNG
	}
	if _, err := ParseFormat(string(o.Format)); err != nil {
		return err
	}
	if o.Format == TIFF {
		return rasterbase.Errorf(rasterbase.Invalid, "a GeoTIFF holds values, not colours").WithField("format")
	}
	if err := o.Enhance.check(); err != nil {
		return err
	}
	if o.Quality < 0 || o.Quality > 100 {
		return rasterbase.Errorf(rasterbase.Invalid, "quality %d is not within 1 to 100", o.Quality).WithField("quality")
	}
	if o.Quality == 0 {
		o.Quality = defaultQuality
	}
	if o.Background == (color.NRGBA{}) {
		o.Background = color.NRGBA{255, 255, 255, 255}
	}
	if err := o.completeBands(r); err != nil {
		return err
	}
	if len(o.Bands) == 1 && o.Colormap == nil {
		o.Colormap = greyRamp(o.Rescale[0][0], o.Rescale[0][1])
	}
	return nil
}

func (o *Options) completeBands(r *raster.Raster) error {
	if o.Bands == nil {
		o.Bands = []int{0}
	}
	if n := len(o.Bands); n != 1 && n != 3 {
		return rasterbase.Errorf(rasterbase.Invalid, "an image shows one band or three, not %d", n).WithField("bidx")
	}
	for _, b := range o.Bands {
		if b < 0 || b >= len(r.Bands) {
			return rasterbase.Errorf(rasterbase.Invalid, "there is no band %d: the raster has %d", b+1, len(r.Bands)).WithField("bidx")
		}
	}
	if len(o.Bands) == 1 && o.Colormap != nil {
		return nil
	}
	switch n := len(o.Rescale); {
	case n == 0:
		return o.asStored(r)
	case n == 1 && len(o.Bands) == 3:
		o.Rescale = [][2]float64{o.Rescale[0], o.Rescale[0], o.Rescale[0]}
	case n != len(o.Bands):
		return rasterbase.Errorf(rasterbase.Invalid, "%d ranges do not fit %d bands", n, len(o.Bands)).WithField("rescale")
	}
	for _, s := range o.Rescale {
		if d := s[1] - s[0]; d-d != 0 {
			return rasterbase.Errorf(rasterbase.Invalid, "%v to %v is not a range", s[0], s[1]).WithField("rescale")
		}
	}
	return nil
}

// asStored makes the ranges that leave 8-bit bands as they are.
func (o *Options) asStored(r *raster.Raster) error {
	for _, b := range o.Bands {
		if t := r.Bands[b].Type; t.Size() > 1 || t == rasterbase.Int8 {
			return rasterbase.Errorf(rasterbase.Invalid, "band %d is %v and needs a colormap or a range", b+1, t).
				WithHint("give the values that become black and white").WithField("rescale")
		}
		o.Rescale = append(o.Rescale, [2]float64{0, 255})
	}
	return nil
}

// greyRamp shows values from black to white; a range of one value is mid grey.
func greyRamp(black, white float64) *rasterbase.Colormap {
	s := stretch{black, white}
	lo, hi := math.Min(black, white), math.Max(black, white)
	return &rasterbase.Colormap{Func: func(v float64) color.NRGBA {
		g := s.level(math.Max(lo, math.Min(hi, v)))
		return color.NRGBA{g, g, g, 255}
	}}
}

// stretch is a linear stretch to 0..255.
type stretch struct{ black, white float64 }

// level is the nearest whole number to 255*(v-black)/(white-black), within 0
// and 255; NaN is 0, and a stretch over nothing is 128.
func (s stretch) level(v float64) uint8 {
	if s.black == s.white {
		return 128
	}
	f := 255*(v-s.black)/(s.white-s.black) + 0.5
	switch {
	case !(f > 0):
		return 0
	case f >= 255:
		return 255
	}
	return uint8(f)
}
