//go:build cgo && !nogdal

package gdal

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

// Writer writes a GeoTIFF part by part, so that a raster of any size needs the
// memory of a part only. It belongs to one goroutine.
type Writer struct {
	h      handle
	layout raster.Raster
	parts  []raster.Rect // written before there was a mask
	masked bool
	failed bool
}

// Create creates a GeoTIFF of a raster whose size, place and bands are those of
// layout; the pixels are written with [Writer.Write], and the file is complete
// after [Writer.Close]. Nodata of the first band stands for all, as the format
// has it; all bands must have one pixel type. For parts to be written fast, they
// should be whole blocks: give TILED=YES. What is not written is 0.
func Create(ctx context.Context, path string, layout *raster.Raster, o WriteOptions) (*Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if strings.HasPrefix(filepath.ToSlash(path), "/vsi") {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s: paths of GDAL's virtual file systems are not written", path)
	}
	if len(layout.Bands) == 0 || layout.Width <= 0 || layout.Height <= 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a raster of %d x %d pixels and %d bands cannot be written",
			layout.Width, layout.Height, len(layout.Bands))
	}
	if err := checkOneType(layout); err != nil {
		return nil, err
	}
	initialize(0)
	h, err := create(path, layout, o)
	if err != nil {
		return nil, err
	}
	w := &Writer{h: h, layout: *layout}
	if err := describeBands(h, layout, o, w.problem); err != nil {
		h.close()
		return nil, err
	}
	return w, nil
}

func (w *Writer) problem(what string) error {
	w.failed = true
	return fmt.Errorf("write %s of %s: %s", what, filepath.Base(w.h.path), w.h.said())
}

// Write writes a part of the raster, whose upper left pixel is at the column
// and row. Its Validity goes to an internal mask, which the file gets with the
// first part that has one; parts without Validity are valid throughout.
func (w *Writer) Write(ctx context.Context, col, row int, part *raster.Raster) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.check(col, row, part); err != nil {
		return err
	}
	at := raster.Rect{X: col, Y: row, Width: part.Width, Height: part.Height}
	for i, b := range part.Bands {
		if C.rb_write_window(w.h.c, C.int(i+1), dataTypes[b.Type], window(at), unsafe.Pointer(&b.Pixels.Bytes()[0])) != C.RB_OK {
			return w.problem(fmt.Sprintf("band %d", i+1))
		}
	}
	if part.Validity == nil && !w.masked {
		w.parts = append(w.parts, at)
		return nil
	}
	if err := w.beginMask(); err != nil {
		return err
	}
	return w.mask(at, part.Validity)
}

func (w *Writer) check(col, row int, part *raster.Raster) error {
	if err := checkPixels(part); err != nil {
		return err
	}
	if col < 0 || row < 0 || col+part.Width > w.layout.Width || row+part.Height > w.layout.Height {
		return rasterbase.Errorf(rasterbase.Invalid, "a part of %d x %d pixels at %d, %d does not lie in a raster of %d x %d",
			part.Width, part.Height, col, row, w.layout.Width, w.layout.Height)
	}
	if len(part.Bands) != len(w.layout.Bands) {
		return rasterbase.Errorf(rasterbase.Invalid, "a part of %d bands, in a raster of %d", len(part.Bands), len(w.layout.Bands))
	}
	for i, b := range part.Bands {
		if b.Type != w.layout.Bands[i].Type {
			return rasterbase.Errorf(rasterbase.Invalid, "a part of %v, in a raster of %v", b.Type, w.layout.Bands[i].Type)
		}
	}
	return nil
}

// beginMask makes the mask, in which what was written before is valid.
func (w *Writer) beginMask() error {
	if w.masked {
		return nil
	}
	if C.rb_add_mask(w.h.c) != C.RB_OK {
		return w.problem("the mask")
	}
	w.masked = true
	for _, at := range w.parts {
		if err := w.mask(at, nil); err != nil {
			return err
		}
	}
	w.parts = nil
	return nil
}

// mask writes the mask of a part; nil is valid throughout.
func (w *Writer) mask(at raster.Rect, validity []uint8) error {
	if validity == nil {
		validity = make([]uint8, at.Width*at.Height)
		raster.Fill(raster.Slice[uint8](validity), 255)
	}
	if C.rb_write_mask_window(w.h.c, window(at), (*C.uchar)(&fullMask(validity)[0])) != C.RB_OK {
		return w.problem("the mask")
	}
	return nil
}

// Close writes what is left and closes the file. A file whose writing failed is
// closed too, and is not to be used.
func (w *Writer) Close() error {
	defer w.h.close()
	if w.failed {
		return nil // the error was returned before
	}
	if C.rb_flush(w.h.c) != C.RB_OK {
		return fmt.Errorf("write the end of %s: %s", filepath.Base(w.h.path), w.h.said())
	}
	return nil
}

func window(r raster.Rect) C.rb_window {
	return C.rb_window{x: C.int(r.X), y: C.int(r.Y), width: C.int(r.Width), height: C.int(r.Height)}
}
