//go:build cgo && !nogdal

package gdal

// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
)

// recipe is what is needed to open a data set, again and again.
type recipe struct {
	name, drivers string // for GDAL
	path          string // for messages
	srid          int
	limits        Limits
	oversized     bool // may be opened
}

// band is where a band of Info stands in the file.
type band struct {
	number   int // in GDAL, from 1
	dataType C.int
	pixel    rasterbase.PixelType
	maskBand bool // GDAL's mask band of this band holds a mask
	shared   bool // that mask is the same for all bands
}

// layout is what reading needs to know besides Info.
type layout struct {
	bands []band
	alpha int // GDAL's number of the alpha band; 0: none
	all   int // GDAL's bands, alpha too
	// blockBytes is the size of the largest block of the file, decoded.
	blockBytes int64
	// bandByBand says that the bands lie one after the other in the file, and
	// uniform that all, alpha too, have one type.
	bandByBand, uniform bool
	tooLarge            *rasterbase.Error // nil: the blocks can be decoded
}

// source is an opened data set with what is known of it.
type source struct {
	info   ingest.Info
	layout layout
}

func (r recipe) base() string { return filepath.Base(r.path) }

func (r recipe) invalid(format string, args ...any) *rasterbase.Error {
	return rasterbase.Errorf(rasterbase.Invalid, "%s: %s", r.base(), fmt.Sprintf(format, args...))
}

// open opens the data set, refuses what cannot be placed on the map or exceeds
// the limits, and tells what it is.
func (r recipe) open() (handle, *source, error) {
	h, err := openHandle(r.name, r.path, r.drivers)
	if err != nil {
		return handle{}, nil, notARaster(r.path, err.Error())
	}
	s, err := r.inspect(h)
	if err != nil {
		h.close()
		return handle{}, nil, err
	}
	return h, s, nil
}

func (r recipe) inspect(h handle) (*source, error) {
	size := h.size()
	if err := r.checkSize(size); err != nil {
		return nil, err
	}
	s := &source{}
	s.info.Driver = C.GoString(&size.driver[0])
	if err := r.inspectBands(h, size, s); err != nil {
		return nil, err
	}
	if err := r.georeference(h, s); err != nil {
		return nil, err
	}
	if err := r.order(h, s); err != nil {
		return nil, err
	}
	s.info.Warnings = append(h.warnings(), s.info.Warnings...)
	return s, nil
}

// order finds whether windows of the file can be read in any order, and refuses
// what cannot be read at all.
func (r recipe) order(h handle, s *source) error {
	l := s.layout
	tileable := l.uniform && !s.info.GroundControl
	for _, b := range l.bands {
		tileable = tileable && (!b.maskBand || b.shared)
	}
	if tileable {
		strip := int64(0)
		if s.info.Driver == "GTiff" && s.info.BlockHeight == 1 && s.info.Grid.Height > 1 {
			strip = int64(C.rb_one_strip(h.c, 1))
		}
		s.info.Sequential = slices.Contains(sequentialDrivers, s.info.Driver) || strip > 0 || l.blockBytes > int64(C.rb_cache_size())/2
		if l.tooLarge != nil || strip > r.limits.BlockBytes {
			lines, _ := openLines(r, s.info, l)
			s.info.Oversized = lines != nil
			C.rb_lines_close(lines)
		}
	}
	if l.tooLarge != nil && (!s.info.Oversized || !r.oversized) {
		return l.tooLarge
	}
	return nil
}

func (r recipe) checkSize(s C.rb_size) error {
	w, h, bands := int64(s.width), int64(s.height), int(s.bands)
	switch {
	case bands > r.limits.Bands:
		return rasterbase.Errorf(rasterbase.TooLarge, "%s has %d bands, more than the %d allowed", r.base(), bands, r.limits.Bands)
	case bands == 0 || w <= 0 || h <= 0:
		return r.invalid("it holds no raster")
	case h > r.limits.Pixels/w:
		return rasterbase.Errorf(rasterbase.TooLarge, "%s says it has %d x %d pixels, more than the %d allowed", r.base(), w, h, r.limits.Pixels)
	}
	return nil
}

// blockBytes is the size of the blocks of a band, and an error for those that
// would need too much memory: a block is decoded whole, with all bands when they
// are interleaved by pixel.
func (r recipe) blockBytes(s C.rb_size, b *C.rb_band) (int64, *rasterbase.Error) {
	w, h, n := int64(b.block_width), int64(b.block_height), int64(max(1, b.bytes))
	if s.pixel_interleaved != 0 {
		n *= int64(s.bands)
	}
	if w <= 0 || h <= 0 {
		return 0, r.invalid("its blocks have %d x %d pixels", w, h)
	}
	if w > r.limits.BlockBytes/n || h > r.limits.BlockBytes/n/w {
		return r.limits.BlockBytes, rasterbase.Errorf(rasterbase.TooLarge,
			"%s is stored in blocks of %d x %d pixels, each of which takes %.1f MiB of memory to decode, more than the %.1f MiB allowed",
			r.base(), w, h, mebibytes(float64(w)*float64(h)*float64(n)), mebibytes(float64(r.limits.BlockBytes))).
			WithHint("rewrite it in tiles with gdal_translate -co TILED=YES IN OUT.tif, and import that")
	}
	return w * h * n, nil
}

func mebibytes(bytes float64) float64 { return bytes / (1 << 20) }

func (r recipe) inspectBands(h handle, size C.rb_size, s *source) error {
	all := make([]C.rb_band, int(size.bands))
	alpha := 0
	s.layout.all, s.layout.uniform, s.layout.bandByBand = len(all), true, size.pixel_interleaved == 0
	for i := range all {
		b := &all[i]
		if C.rb_get_band(h.c, C.int(i+1), b) != C.RB_OK {
			return r.invalid("band %d: %s", i+1, h.said())
		}
		n, err := r.blockBytes(size, b)
		if err != nil && err.Code == rasterbase.Invalid {
			return err
		}
		if s.layout.tooLarge == nil {
			s.layout.tooLarge = err
		}
		s.layout.blockBytes = max(s.layout.blockBytes, n)
		s.layout.uniform = s.layout.uniform && b._type == all[0]._type && b.signed_byte == all[0].signed_byte && b.nbits == all[0].nbits
		if b.alpha != 0 && len(all) > 1 && alpha == 0 {
			alpha = i + 1
		}
	}
	s.layout.alpha = alpha
	s.info.HasMask = alpha != 0
	for i := range all {
		if i+1 == alpha {
			continue
		}
		if len(s.info.Bands) == 0 {
			s.info.BlockWidth, s.info.BlockHeight = int(all[i].block_width), int(all[i].block_height)
		}
		if err := r.addBand(h, i+1, &all[i], s); err != nil {
			return err
		}
	}
	return nil
}

// GDAL's mask flags.
const (
	maskAllValid   = 1
	maskPerDataset = 2
	maskAlpha      = 4
	maskNodata     = 8
)

func (r recipe) addBand(h handle, number int, b *C.rb_band, s *source) error {
	t, dt, ok := pixelType(b)
	if !ok {
		name := C.GoString(&b.type_name[0])
		what := "pixels of type " + name
		if b.complex_ != 0 {
			what = "complex numbers (" + name + ")"
		}
		return r.invalid("band %d holds %s, which are not supported", number, what)
	}
	flags := int(b.mask_flags)
	in := band{number: number, dataType: dt, pixel: t}
	in.maskBand = flags&(maskAllValid|maskAlpha) == 0 && (flags&maskNodata == 0 || flags&maskPerDataset != 0)
	in.shared = flags&maskPerDataset != 0
	info := ingest.BandInfo{
		PixelType:   t,
		Description: clean(b.description),
		ColorInterp: strings.ToLower(C.GoString(&b.interp[0])),
		Unit:        clean(b.unit),
		Scale:       finiteOr(float64(b.scale), 1),
		Offset:      finiteOr(float64(b.offset), 0),
	}
	// A mask takes the place of nodata, as everywhere in GDAL: a black pixel
	// that the mask shows is data, and with nodata values for all bands together
	// (NODATA_VALUES) one of them alone says nothing.
	if b.has_nodata != 0 && !in.maskBand {
		v, ok := nodataOf(float64(b.nodata), t)
		if ok {
			info.Nodata = rasterbase.FloatPtr(v)
		} else {
			s.info.Warnings = append(s.info.Warnings,
				fmt.Sprintf("band %d: nodata %v cannot occur in pixels of type %v and is ignored", number, float64(b.nodata), t))
		}
	}
	s.info.Warnings = append(s.info.Warnings, h.classes(number, &info)...)
	s.info.HasMask = s.info.HasMask || in.maskBand
	s.info.Bands = append(s.info.Bands, info)
	s.layout.bands = append(s.layout.bands, in)
	return nil
}

func finiteOr(v, other float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) || v == 0 && other == 1 {
		return other
	}
	return v
}

// pixelType gives our type of GDAL's pixels and the type to ask GDAL for.
func pixelType(b *C.rb_band) (rasterbase.PixelType, C.int, bool) {
	const int8Type = 14 // of GDAL 3.7 and later; before, a flag on bytes
	switch {
	case b._type == 1 && b.signed_byte != 0:
		return rasterbase.Int8, b._type, true
	case b._type == 1 && b.nbits == 1:
		return rasterbase.Bit1, b._type, true
	case b._type == int8Type:
		return rasterbase.Int8, b._type, true
	}
	t, ok := map[C.int]rasterbase.PixelType{
		1: rasterbase.Uint8, 2: rasterbase.Uint16, 3: rasterbase.Int16, 4: rasterbase.Uint32,
		5: rasterbase.Int32, 6: rasterbase.Float32, 7: rasterbase.Float64,
	}[b._type]
	return t, b._type, ok
}

// nodataOf puts a nodata value in the form in which it occurs among pixels of
// the type; false when it cannot occur there.
func nodataOf(v float64, t rasterbase.PixelType) (float64, bool) {
	switch {
	case t == rasterbase.Int8 && v > math.MaxInt8 && v <= math.MaxUint8:
		v -= 256 // the same byte, read without a sign
	case t == rasterbase.Bit1 && v == 255:
		return v, false
	case t == rasterbase.Float32 && !math.IsNaN(v) && !math.IsInf(v, 0):
		// Text often says more digits than a pixel has.
		v = float64(float32(v))
		return v, !math.IsInf(v, 0)
	}
	return v, t.Holds(v)
}
