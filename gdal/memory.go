//go:build cgo && !nogdal

package gdal

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// memoryFile is a file in GDAL's memory. The address of the value makes its
// name one that no other has.
type memoryFile struct{ path string }

func newMemoryFile() *memoryFile {
	f := &memoryFile{}
	f.path = fmt.Sprintf("/vsimem/rasterbase-%p/raster.tif", f)
	return f
}

// withPath calls f with the name as C knows it.
func (m *memoryFile) withPath(f func(*C.char)) {
	p := C.CString(m.path)
	defer C.free(unsafe.Pointer(p))
	f(p)
}

func (m *memoryFile) write(data []byte) error {
	ok := C.int(0)
	m.withPath(func(p *C.char) {
		c := C.CBytes(data)
		if ok = C.rb_memory_file(p, c, C.size_t(len(data))); ok == 0 {
			C.free(c)
		}
	})
	if ok == 0 {
		return fmt.Errorf("put %d bytes in a file in memory", len(data))
	}
	return nil
}

// take gives the bytes and removes the file.
func (m *memoryFile) take() ([]byte, error) {
	var out []byte
	err := fmt.Errorf("the file in memory is gone, or too large")
	m.withPath(func(p *C.char) {
		var size C.ulonglong
		c := C.rb_take_memory_file(p, &size)
		if c == nil {
			return
		}
		defer C.rb_free_memory(c)
		if uint64(size) <= math.MaxInt32 {
			out, err = C.GoBytes(c, C.int(size)), nil
		}
	})
	return out, err
}

// remove removes the file's folder with what GDAL may have put beside it.
func (m *memoryFile) remove() { m.withPath(func(p *C.char) { C.rb_remove_memory_file(p) }) }

// EncodeGeoTIFF makes the bytes of a GeoTIFF of a raster, in memory.
// [DecodeGeoTIFF] gives an equal raster back. Validity becomes an internal mask.
//
// The error has code invalid for what a GeoTIFF cannot hold: no bands or no
// pixels, bands of several pixel types or nodata values, and an srid that is no
// EPSG code when the options have no WKT for it.
func EncodeGeoTIFF(ctx context.Context, r *raster.Raster, o WriteOptions) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkGeoTIFF(r, o); err != nil {
		return nil, fmt.Errorf("encode a GeoTIFF: %w", err)
	}
	if !hasOption(o.Options, "ALPHA") {
		// GDAL would take the fourth band of bytes for one.
		o.Options = append([]string{"ALPHA=NO"}, o.Options...)
	}
	f := newMemoryFile()
	defer f.remove()
	if err := writeFile(ctx, f.path, r, o); err != nil {
		return nil, err
	}
	b, err := f.take()
	if err != nil {
		return nil, fmt.Errorf("encode a GeoTIFF: %w", err)
	}
	return b, nil
}

func checkGeoTIFF(r *raster.Raster, o WriteOptions) error {
	if err := checkPixels(r); err != nil {
		return err
	}
	if err := checkOneType(r); err != nil {
		return err
	}
	first := r.Bands[0]
	for _, b := range r.Bands[1:] {
		same := b.Nodata == first.Nodata || math.IsNaN(b.Nodata) && math.IsNaN(first.Nodata)
		if b.HasNodata != first.HasNodata || b.HasNodata && !same {
			return rasterbase.Errorf(rasterbase.Invalid, "its bands differ in nodata, and a GeoTIFF has one for all").
				WithHint("encode the bands one by one, or make a Validity of their nodata")
		}
	}
	return checkCRS(r, o)
}

// checkCRS refuses an srid that would be lost.
func checkCRS(r *raster.Raster, o WriteOptions) error {
	if r.SRID >= rasterbase.FirstCustomSRID && o.WKT == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "srid %d is not an EPSG code", r.SRID).WithField("srid").
			WithHint("give the CRS as WKT in the options")
	}
	return nil
}

// DecodeGeoTIFF reads the first image of a GeoTIFF (or COG) whose bytes are in
// memory, with its own pixels untouched, in this process: bytes of strangers
// should be put in a file and opened by package gdalchild.
//
// Mask and alpha become Validity. Without a georeference the raster has that of
// GDAL, pixels from 0 with a scale of 1, and without a CRS, or with one that has
// no EPSG code, the srid 0.
//
// The error has code invalid for bytes that are no GeoTIFF, for pixels that no
// raster holds (complex and 64-bit integers) and for one that has only ground
// control points, and code too large for what exceeds the default [Limits], of
// which 256 MiB of pixels is one.
func DecodeGeoTIFF(ctx context.Context, data []byte) (*raster.Raster, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "no bytes are no GeoTIFF")
	}
	initialize(0)
	f := newMemoryFile()
	if err := f.write(data); err != nil {
		return nil, fmt.Errorf("decode a GeoTIFF: %w", err)
	}
	defer f.remove()
	h, err := openHandle(f.path, f.path, "GTiff")
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the bytes cannot be read as a GeoTIFF: %s", shorten(err.Error(), f.path))
	}
	d, err := recipe{name: f.path, drivers: "GTiff", path: f.path, limits: Limits{}.withDefaults()}.inspectInMemory(h)
	if err != nil {
		h.close()
		return nil, err
	}
	defer func() { _ = d.Close() }()
	r, err := ReadRaster(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := d.refine(h, r); err != nil {
		return nil, err
	}
	return r, nil
}

// inspectInMemory makes a data set of a handle. Unlike inspect it takes what
// has no place on Earth.
func (r recipe) inspectInMemory(h handle) (*dataset, error) {
	size := h.size()
	if err := r.checkSize(size); err != nil {
		return nil, err
	}
	s := &source{}
	if err := r.inspectBands(h, size, s); err != nil {
		return nil, err
	}
	if s.layout.tooLarge != nil {
		return nil, s.layout.tooLarge
	}
	var g C.rb_geo
	C.rb_georeference(h.c, 0, &g)
	t := [6]C.double{0, 1, 0, 0, 0, 1}
	switch {
	case g.has_geotransform != 0:
		t = g.geotransform
	case g.gcps > 0:
		return nil, r.invalid("it has only ground control points").WithHint("warp it first with gdalwarp")
	}
	s.info.CRS.SRID = int(g.srid)
	s.info.Grid = rasterbase.Grid{
		Width: int(size.width), Height: int(size.height),
		OriginX: float64(t[0]), ScaleX: float64(t[1]), SkewX: float64(t[2]),
		OriginY: float64(t[3]), SkewY: float64(t[4]), ScaleY: float64(t[5]),
	}
	return newDataset(r, h, s, 1), nil
}

// refine adds what the file says of bands besides what parsing needs: nodata
// beside a mask, and pixels of 2 and 4 bits.
func (d *dataset) refine(h handle, r *raster.Raster) error {
	for i := range r.Bands {
		b := &r.Bands[i]
		var c C.rb_band
		if C.rb_get_band(h.c, C.int(d.source.layout.bands[i].number), &c) != C.RB_OK {
			return fmt.Errorf("decode a GeoTIFF: %s", h.said())
		}
		if t, ok := narrowTypes[int(c.nbits)]; ok && b.Type == rasterbase.Uint8 && fits(b.Pixels, t) {
			b.Type = t
		}
		if c.has_nodata != 0 {
			if v, ok := nodataOf(float64(c.nodata), b.Type); ok {
				b.HasNodata, b.Nodata = true, v
			}
		}
	}
	return nil
}

var narrowTypes = map[int]rasterbase.PixelType{2: rasterbase.Uint2, 4: rasterbase.Uint4}

func fits(p raster.Pixels, t rasterbase.PixelType) bool {
	_, most := t.Range()
	for _, v := range p.Bytes() {
		if float64(v) > most {
			return false
		}
	}
	return true
}

// OpenRaster makes a GDAL data set in memory of a raster, a copy of it, so that
// what takes data sets takes rasters, for instance of a PostGIS column. The
// options' WKT and Bands are used. One request is answered at a time.
// [ReadRaster] gives the raster back, but for types of 2 and 4 bits, which GDAL
// has as bytes, and for nodata beside a Validity, which takes its place.
//
// The error has code invalid for a raster without bands, pixels or CRS, since a
// data set has a place on Earth.
func OpenRaster(ctx context.Context, r *raster.Raster, o WriteOptions) (ingest.Dataset, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkPixels(r); err != nil {
		return nil, err
	}
	if err := checkCRS(r, o); err != nil {
		return nil, err
	}
	initialize(0)
	h, err := createMemory(r, o)
	if err != nil {
		return nil, err
	}
	s, err := fillMemory(ctx, h, r, o)
	if err != nil {
		h.close()
		return nil, err
	}
	return newDataset(memoryRecipe(), h, s, 1), nil
}

func memoryRecipe() recipe {
	return recipe{name: "MEM", drivers: "MEM", path: "raster in memory", limits: Limits{}.withDefaults()}
}

func createMemory(r *raster.Raster, o WriteOptions) (handle, error) {
	var a C.rb_create_args
	a.wkt = C.CString(o.WKT)
	defer C.free(unsafe.Pointer(a.wkt))
	setPlace(&a, r)
	c := C.rb_create_memory(&a)
	if c == nil {
		return handle{}, fmt.Errorf("create a data set in memory: out of memory")
	}
	h := handle{c, "raster in memory"}
	if said := h.said(); said != "" {
		h.close()
		return handle{}, rasterbase.Errorf(rasterbase.Invalid, "create a data set in memory: %s", said)
	}
	return h, nil
}

func fillMemory(ctx context.Context, h handle, r *raster.Raster, o WriteOptions) (*source, error) {
	fail := func(what string) error { return fmt.Errorf("write %s to memory: %s", what, h.said()) }
	for i, b := range r.Bands {
		signed, bits := C.int(0), C.int(0)
		if b.Type == rasterbase.Int8 {
			signed = 1
		}
		if b.Type == rasterbase.Bit1 {
			bits = 1
		}
		if C.rb_add_band(h.c, dataTypes[b.Type], bits, signed) != C.RB_OK {
			return nil, fail(fmt.Sprintf("band %d", i+1))
		}
	}
	if err := describeBands(h, r, o, fail); err != nil {
		return nil, err
	}
	if err := writePixels(ctx, h, r, fail); err != nil {
		return nil, err
	}
	return memoryRecipe().inspect(h)
}
