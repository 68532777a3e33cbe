//go:build cgo && !nogdal

package gdal

// #include <stdlib.h>
// #include <string.h>
// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/vector"
)

// OpenVector opens a layer of a GeoPackage, a shapefile, a GeoJSON or FlatGeobuf file.
// It is vector.Opener's.
func (o Opener) OpenVector(ctx context.Context, path string, opt vector.Options) (vector.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	plain, err := plainPath(path)
	if err != nil {
		return nil, err
	}
	initialize(o.CacheBytes)
	opt.Limits = opt.Limits.WithDefaults()
	s := &features{path: plain, options: opt}
	if err := s.open(); err != nil {
		C.rb_vec_close(s.c)
		return nil, err
	}
	return s, nil
}

// features is a vector.Source of one handle.
type features struct {
	path    string
	options vector.Options
	info    vector.Info
	columns []int // of GDAL's, for each field

	mu   sync.Mutex // of what follows
	c    *C.rb_vec  // nil: it is closed
	done bool       // nothing more is read
	read int64      // features
}

// Info tells what the file says of itself.
func (s *features) Info() vector.Info { return s.info }

// Close frees the file.
func (s *features) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	C.rb_vec_close(s.c)
	s.c = nil
	return nil
}

func (s *features) said() string { return shorten(clean(C.rb_vec_error(s.c)), s.path) }

func (s *features) open() error {
	if err := checkShapefile(s.path); err != nil {
		return err
	}
	path, drivers := C.CString(s.path), C.CString(strings.Join(vectorDrivers, ","))
	defer C.free(unsafe.Pointer(path))
	defer C.free(unsafe.Pointer(drivers))
	if s.c = C.rb_vec_open(path, drivers); s.c == nil {
		return rasterbase.Errorf(rasterbase.TooLarge, "open %s: out of memory", s.base())
	}
	if C.rb_vec_is_open(s.c) == 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "%s cannot be read as a file of features: %s", s.base(), s.said()).
			WithHint("GeoPackage, shapefile, GeoJSON and FlatGeobuf are read")
	}
	s.info.Driver = clean(C.rb_vec_driver(s.c))
	if err := s.chooseLayer(); err != nil {
		return err
	}
	if err := s.chooseFields(); err != nil {
		return err
	}
	s.setCRS()
	s.info.Count = int64(C.rb_vec_count(s.c))
	if w := withoutFolder(clean(C.rb_vec_warnings(s.c)), s.path); w != "" {
		s.info.Warnings = strings.Split(w, "\n")
	}
	return nil
}

func (s *features) base() string { return filepath.Base(s.path) }

// checkShapefile names what of a shapefile is missing: without its index no driver
// reads it, and without the table it has no fields.
func checkShapefile(path string) error {
	ext := filepath.Ext(path)
	if !strings.EqualFold(ext, ".shp") {
		return nil
	}
	want := strings.TrimSuffix(filepath.Base(path), ext) + ".shx"
	entries, err := os.ReadDir(filepath.Dir(path))
	index := func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), want) && !e.IsDir() }
	if err != nil || slices.ContainsFunc(entries, index) { // what cannot be looked at GDAL finds out
		return nil //nolint:nilerr // see above
	}
	return rasterbase.Errorf(rasterbase.Invalid, "%s is only a part of a shapefile: there is no %s", filepath.Base(path), want).
		WithHint("a shapefile is several files, .shp, .shx, .dbf and .prj: put all of them side by side, or give them in a zip")
}

func (s *features) chooseLayer() error {
	n := int(C.rb_vec_layers(s.c))
	if n > s.options.Limits.Layers {
		return rasterbase.Errorf(rasterbase.TooLarge, "%s holds %d layers, more than the %d allowed", s.base(), n, s.options.Limits.Layers)
	}
	for i := range n {
		var kind *C.char
		name := clean(C.rb_vec_layer(s.c, C.int(i), &kind))
		s.info.Layers = append(s.info.Layers, vector.Layer{Name: name, Geometry: clean(kind)})
	}
	i, err := s.options.ChooseLayer(s.path, s.info.Layers)
	if err != nil {
		return err
	}
	if C.rb_vec_choose(s.c, C.int(i)) != C.RB_OK {
		return rasterbase.Errorf(rasterbase.Invalid, "%s: %s", s.base(), s.said())
	}
	s.info.Layer = s.info.Layers[i].Name
	return nil
}

func (s *features) chooseFields() error {
	n := int(C.rb_vec_fields(s.c))
	if n > s.options.Limits.Fields {
		return rasterbase.Errorf(rasterbase.TooLarge, "%s has %d fields, more than the %d allowed", s.base(), n, s.options.Limits.Fields)
	}
	all := make([]vector.Field, n)
	for i := range all {
		var kind C.int
		all[i].Name = clean(C.rb_vec_field(s.c, C.int(i), &kind))
		all[i].Type = fieldTypes[int(kind)]
	}
	var err error
	if s.columns, err = s.options.ChooseFields(s.path, all); err != nil {
		return err
	}
	s.info.Fields = make([]vector.Field, len(s.columns))
	for k, i := range s.columns {
		s.info.Fields[k] = all[i]
	}
	return nil
}

// fieldTypes are what the shim's columns are to a reader.
var fieldTypes = map[int]vector.FieldType{
	C.RB_COLUMN_INTEGER: vector.Integer, C.RB_COLUMN_REAL: vector.Real, C.RB_COLUMN_BOOLEAN: vector.Boolean,
	C.RB_COLUMN_TEXT: vector.Text, C.RB_COLUMN_DATE: vector.Text,
}

// setCRS leaves out what is no place on Earth, also GeoPackage's name for none.
func (s *features) setCRS() {
	var g C.rb_geo
	C.rb_vec_crs(s.c, &g)
	name := clean(g.name)
	if g.crs != C.RB_CRS_USABLE || strings.HasPrefix(name, "Undefined geographic SRS") {
		return
	}
	s.info.CRS = rasterbase.CRS{SRID: int(g.srid), Name: name, WKT: clean(g.wkt)}
}

// Next reads features.
func (s *features) Next(ctx context.Context, n int) (out []vector.Feature, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var size int64
	for len(out) < n && size < s.options.Limits.BatchBytes && !s.done && err == nil {
		var f vector.Feature
		var more bool
		if err = ctx.Err(); err == nil {
			f, more, err = s.next()
		}
		if more {
			out = append(out, f)
			size += int64(len(f.WKB)) + textBytes(f.Values)
		}
	}
	if err != nil {
		s.done = true
		return nil, err
	}
	return out, nil
}

func textBytes(values []any) (n int64) {
	for _, v := range values {
		if s, ok := v.(string); ok {
			n += int64(len(s))
		}
	}
	return n
}

// next reads a feature; false: there is none.
func (s *features) next() (f vector.Feature, ok bool, err error) {
	if s.c == nil {
		return f, false, errClosed
	}
	var row C.rb_row
	limit := s.options.Limits.GeometryBytes
	switch C.rb_vec_next(s.c, C.size_t(limit), &row) {
	case C.RB_END:
		s.done = true
		return f, false, nil
	case C.RB_FAILED:
		return f, false, rasterbase.Errorf(rasterbase.Invalid, "%s is damaged at feature %d%s: %s", s.base(), s.read+1, numbered(int64(row.fid)), s.said())
	case C.RB_TOO_LARGE:
		return f, false, rasterbase.Errorf(rasterbase.TooLarge, "feature %d of %s%s has a geometry of %d bytes, more than the %d allowed",
			s.read+1, s.base(), numbered(int64(row.fid)), int64(row.wkb), limit).WithHint("cut it in parts, or make it simpler")
	}
	s.read++
	f.FID = int64(row.fid)
	if row.wkb > 0 {
		f.WKB = make([]byte, row.wkb)
		C.rb_vec_wkb(s.c, (*C.uchar)(&f.WKB[0]))
	}
	f.Values = make([]any, len(s.columns))
	for k, column := range s.columns {
		if f.Values[k], err = s.value(k, column); err != nil {
			return f, false, err
		}
	}
	return f, true, nil
}

// numbered is how a message goes on with a file's own number of a feature.
func numbered(fid int64) string {
	if fid < 0 {
		return ""
	}
	return fmt.Sprintf(" (number %d in the file)", fid)
}

func (s *features) value(k, column int) (any, error) {
	var v C.rb_value
	C.rb_vec_value(s.c, C.int(column), &v)
	switch {
	case v.kind == C.RB_INTEGER && s.info.Fields[k].Type == vector.Boolean:
		return v.integer != 0, nil
	case v.kind == C.RB_INTEGER:
		return int64(v.integer), nil
	case v.kind == C.RB_REAL:
		return float64(v.real), nil
	case v.kind == C.RB_TEXT:
		n := int64(C.strlen(v.text))
		if limit := s.options.Limits.TextBytes; n > limit {
			return nil, rasterbase.Errorf(rasterbase.TooLarge, "feature %d of %s: the field %s has %d bytes, more than the %d allowed", s.read, s.base(), s.info.Fields[k].Name, n, limit)
		}
		return clean(v.text), nil
	}
	return nil, nil
}
