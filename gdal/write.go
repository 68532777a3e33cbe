//go:build cgo && !nogdal

package gdal

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// dataTypes are GDAL's numbers of our pixel types; int8 is a flag on bytes.
var dataTypes = map[rasterbase.PixelType]C.int{
	rasterbase.Bit1: 1, rasterbase.Uint2: 1, rasterbase.Uint4: 1, rasterbase.Uint8: 1, rasterbase.Int8: 1,
	rasterbase.Uint16: 2, rasterbase.Int16: 3, rasterbase.Uint32: 4, rasterbase.Int32: 5,
	rasterbase.Float32: 6, rasterbase.Float64: 7,
}

// Write writes a raster to a GeoTIFF at the path, which is replaced if it
// exists. Nodata of the first band stands for all, as the format has it;
// Validity becomes an internal mask. All bands must have one pixel type.
func Write(ctx context.Context, path string, r *raster.Raster, o WriteOptions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkWrite(path, r); err != nil {
		return err
	}
	return writeFile(ctx, path, r, o)
}

// writeFile writes the raster, which was checked, to a path of GDAL's.
func writeFile(ctx context.Context, path string, r *raster.Raster, o WriteOptions) error {
	initialize(0)
	h, err := create(path, r, o)
	if err != nil {
		return err
	}
	defer h.close()
	fail := func(what string) error { return fmt.Errorf("write %s of %s: %s", what, filepath.Base(path), h.said()) }
	if err := describeBands(h, r, o, fail); err != nil {
		return err
	}
	if err := writePixels(ctx, h, r, fail); err != nil {
		return err
	}
	if C.rb_flush(h.c) != C.RB_OK {
		return fail("the end")
	}
	return nil
}

// writePixels writes all bands and the validity.
func writePixels(ctx context.Context, h handle, r *raster.Raster, fail func(string) error) error {
	for i, b := range r.Bands {
		if err := ctx.Err(); err != nil {
			return err
		}
		if C.rb_write_band(h.c, C.int(i+1), dataTypes[b.Type], unsafe.Pointer(&b.Pixels.Bytes()[0])) != C.RB_OK {
			return fail(fmt.Sprintf("band %d", i+1))
		}
	}
	if r.Validity != nil && C.rb_write_mask(h.c, (*C.uchar)(&fullMask(r.Validity)[0])) != C.RB_OK {
		return fail("the mask")
	}
	return nil
}

func checkWrite(path string, r *raster.Raster) error {
	if strings.HasPrefix(filepath.ToSlash(path), "/vsi") {
		return rasterbase.Errorf(rasterbase.Invalid, "%s: paths of GDAL's virtual file systems are not written", path)
	}
	if err := checkPixels(r); err != nil {
		return err
	}
	return checkOneType(r)
}

// checkPixels refuses a raster that GDAL has no form for.
func checkPixels(r *raster.Raster) error {
	if len(r.Bands) == 0 || r.Width <= 0 || r.Height <= 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "a raster of %d x %d pixels and %d bands cannot be written", r.Width, r.Height, len(r.Bands))
	}
	return r.Check()
}

// checkOneType refuses bands of several types, which no GeoTIFF holds.
func checkOneType(r *raster.Raster) error {
	for _, b := range r.Bands[1:] {
		if b.Type != r.Bands[0].Type {
			return rasterbase.Errorf(rasterbase.Invalid, "bands of %v and %v cannot stand in one GeoTIFF", r.Bands[0].Type, b.Type)
		}
	}
	return nil
}

// create creates the file. The strings that C sees are freed when it returns.
func create(path string, r *raster.Raster, o WriteOptions) (handle, error) {
	compression, err := ParseCompression(string(o.Compression))
	if err != nil {
		return handle{}, err
	}
	if err := compression.usable(r); err != nil {
		return handle{}, err
	}
	options := compression.creation(r, o.Options)
	var a C.rb_create_args
	strs := []*C.char{C.CString(path), C.CString(strings.Join(options, "\n")), C.CString(o.WKT)}
	defer func() {
		for _, s := range strs {
			C.free(unsafe.Pointer(s))
		}
	}()
	a.path, a.options, a.wkt = strs[0], strs[1], strs[2]
	setPlace(&a, r)
	a.bands = C.int(len(r.Bands))
	a._type = dataTypes[r.Bands[0].Type]
	if r.Bands[0].Type == rasterbase.Int8 {
		a.signed_byte = 1
	}
	c := C.rb_create(&a)
	if c == nil {
		return handle{}, fmt.Errorf("create %s: out of memory", filepath.Base(path))
	}
	h := handle{c, path}
	if said := h.said(); said != "" {
		h.close()
		return handle{}, rasterbase.Errorf(rasterbase.Invalid, "create %s: %s", filepath.Base(path), said)
	}
	return h, nil
}

// usable fails when this GDAL has not the method, or it cannot hold the raster.
func (c Compression) usable(r *raster.Raster) error {
	if err := c.Check(r.Bands[0].Type, len(r.Bands)); err != nil || c == "" {
		return err
	}
	return c.there()
}

// there fails when this GDAL has not the method.
func (c Compression) there() error {
	name := C.CString(string(c))
	defer C.free(unsafe.Pointer(name))
	if C.rb_can_compress(name) == 0 {
		return rasterbase.Errorf(rasterbase.Unsupported, "the installed GDAL writes no GeoTIFF with compression %s", c).
			WithHint("LZW and PACKBITS are always there").WithField("compress_method")
	}
	return nil
}

// setPlace says how large the raster is and where it lies.
func setPlace(a *C.rb_create_args, r *raster.Raster) {
	a.width, a.height = C.int(r.Width), C.int(r.Height)
	if r.SRID > 0 && r.SRID < rasterbase.FirstCustomSRID {
		a.srid = C.int(r.SRID)
	}
	for i, v := range []float64{r.OriginX, r.ScaleX, r.SkewX, r.OriginY, r.SkewY, r.ScaleY} {
		a.geotransform[i] = C.double(v)
	}
}

func describeBands(h handle, r *raster.Raster, o WriteOptions, fail func(string) error) error {
	for i, b := range r.Bands {
		n := C.int(i + 1)
		if b.HasNodata && C.rb_set_nodata(h.c, n, C.double(b.Nodata)) != C.RB_OK {
			return fail("nodata")
		}
		if i >= len(o.Bands) {
			continue
		}
		t := o.Bands[i]
		if t.Scale == 0 {
			t.Scale = 1
		}
		d, u := C.CString(t.Description), C.CString(t.Unit)
		C.rb_set_band_text(h.c, n, d, u, C.double(t.Scale), C.double(t.Offset))
		C.free(unsafe.Pointer(d))
		C.free(unsafe.Pointer(u))
		if len(t.Colors) > 0 && C.rb_set_colors(h.c, n, (*C.uchar)(&t.Colors[0][0]), C.int(len(t.Colors))) != C.RB_OK {
			return fail("the colour table")
		}
	}
	return nil
}

// fullMask makes 255 of everything that is not 0, as masks in GeoTIFF have it.
func fullMask(validity []uint8) []uint8 {
	m := make([]uint8, len(validity))
	for i, v := range validity {
		if v != 0 {
			m[i] = 255
		}
	}
	return m
}
