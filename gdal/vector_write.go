//go:build cgo && !nogdal

package gdal

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/vector"
)

// VectorWriter writes the features of a GeoPackage, in this process: they are our own.
// It belongs to one goroutine.
type VectorWriter struct {
	path  string
	layer VectorLayer
	c     *C.rb_vec // nil: it is closed
}

// CreateGeoPackage begins a GeoPackage with one layer at a path where there is no file
// yet. Close ends it; without that the file is not complete. The name must end in
// .gpkg.
func CreateGeoPackage(ctx context.Context, path string, l VectorLayer) (*VectorWriter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if strings.HasPrefix(filepath.ToSlash(path), "/vsi") {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s: paths of GDAL's virtual file systems are not written", path)
	}
	initialize(0)
	p, name, options, wkt := C.CString(path), C.CString(l.Name), C.CString(l.options()), C.CString(l.CRS.WKT)
	defer func() {
		for _, s := range []*C.char{p, name, options, wkt} {
			C.free(unsafe.Pointer(s))
		}
	}()
	srid := l.CRS.SRID
	if srid < 0 || srid >= rasterbase.FirstCustomSRID {
		srid = 0
	}
	w := &VectorWriter{path: path, layer: l, c: C.rb_vec_create(p, name, options, C.int(srid), wkt)}
	if w.c == nil {
		return nil, fmt.Errorf("create %s: out of memory", filepath.Base(path))
	}
	if said := w.said(); said != "" {
		w.drop()
		return nil, rasterbase.Errorf(rasterbase.Invalid, "create %s: %s", filepath.Base(path), said)
	}
	if err := w.addFields(); err != nil {
		w.drop()
		return nil, err
	}
	return w, nil
}

func (w *VectorWriter) said() string { return shorten(clean(C.rb_vec_error(w.c)), w.path) }

func (w *VectorWriter) drop() {
	C.rb_vec_close(w.c)
	w.c = nil
}

func (w *VectorWriter) addFields() error {
	kinds := map[vector.FieldType]C.int{
		vector.Integer: C.RB_COLUMN_INTEGER, vector.Real: C.RB_COLUMN_REAL, vector.Boolean: C.RB_COLUMN_BOOLEAN, vector.Text: C.RB_COLUMN_TEXT,
	}
	names, _, _ := w.layer.names()
	for i, f := range w.layer.Fields {
		kind, ok := kinds[f.Type]
		if !ok {
			return rasterbase.Errorf(rasterbase.Internal, "the field %s has the unknown type %q", f.Name, f.Type)
		}
		name := C.CString(names[i])
		rc := C.rb_vec_add_field(w.c, name, kind)
		C.free(unsafe.Pointer(name))
		if rc != C.RB_OK {
			return fmt.Errorf("add the field %s to %s: %s", names[i], filepath.Base(w.path), w.said())
		}
	}
	return nil
}

// Write adds features. Their FIDs are not kept.
func (w *VectorWriter) Write(ctx context.Context, all []vector.Feature) error {
	if w.c == nil {
		return errClosed
	}
	for _, f := range all {
		err := ctx.Err()
		if err == nil {
			err = w.layer.checkValues(f)
		}
		if err == nil {
			err = w.write(f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *VectorWriter) write(f vector.Feature) error {
	var wkb *C.uchar
	if len(f.WKB) > 0 {
		wkb = (*C.uchar)(&f.WKB[0])
	}
	if len(f.WKB) > math.MaxInt32 || C.rb_vec_row(w.c, wkb, C.size_t(len(f.WKB))) != C.RB_OK {
		return fmt.Errorf("write a geometry to %s: %s", filepath.Base(w.path), w.said())
	}
	for i, v := range f.Values {
		w.set(i, v)
	}
	if C.rb_vec_put(w.c) != C.RB_OK {
		return fmt.Errorf("write a row to %s: %s", filepath.Base(w.path), w.said())
	}
	return nil
}

func (w *VectorWriter) set(field int, value any) {
	var v C.rb_value
	switch x := value.(type) {
	case int64:
		v.kind, v.integer = C.RB_INTEGER, C.longlong(x)
	case bool:
		v.kind = C.RB_INTEGER
		if x {
			v.integer = 1
		}
	case float64:
		if x-x == 0 { // SQLite knows neither NaN nor infinity
			v.kind, v.real = C.RB_REAL, C.double(x)
		}
	case string:
		v.kind, v.text = C.RB_TEXT, C.CString(x)
		defer C.free(unsafe.Pointer(v.text))
	}
	C.rb_vec_set(w.c, C.int(field), v)
}

// Close writes the rest and closes the file.
func (w *VectorWriter) Close() error {
	if w.c == nil {
		return errClosed
	}
	rc := C.rb_vec_finish(w.c)
	said := w.said()
	w.drop()
	if rc != C.RB_OK {
		return fmt.Errorf("write %s: %s", filepath.Base(w.path), said)
	}
	return nil
}
