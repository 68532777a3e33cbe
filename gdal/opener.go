//go:build cgo && !nogdal

package gdal

// #cgo pkg-config: gdal
// #cgo CFLAGS: -D_GNU_SOURCE -O2 -Wall -Wno-unused-result
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
)

// Available reports whether this build has GDAL.
const Available = true

var initOnce sync.Once

// initialize registers the drivers and settings, which libgdal keeps for the
// whole process.
func initialize(cacheBytes int64) {
	initOnce.Do(func() {
		list := C.CString(registered())
		defer C.free(unsafe.Pointer(list))
		C.rb_init(C.longlong(cacheBytes), list)
	})
}

// Version is the version of libgdal: 3.6.2.
func Version() string { return C.GoString(C.rb_version()) }

// Open opens the raster at a path. Errors have code not found when there is no
// such file, invalid when it is no raster that can be placed on the map, and
// too large when it exceeds the limits.
func (o Opener) Open(ctx context.Context, path string, opt ingest.OpenOptions) (ingest.Dataset, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	plain, err := plainPath(path)
	if err != nil {
		return nil, err
	}
	initialize(o.CacheBytes)
	limits := o.Limits.withDefaults()
	name, drivers, err := chooseRaster(plain, opt.Subdataset)
	if err != nil {
		return nil, err
	}
	how := recipe{name: name, drivers: drivers, path: plain, srid: opt.SRID, limits: limits, oversized: opt.Oversized}
	h, s, err := how.open()
	if err != nil {
		return nil, err
	}
	d := newDataset(how, h, s, limits.handles(s.layout.blockBytes, opt.Parallel))
	d.temp, d.wanted = o.TempDir, max(1, opt.Parallel)
	return d, nil
}

// handle is one GDAL data set. It belongs to one goroutine at a time.
type handle struct {
	c    *C.rb_ds
	path string // of the file, which messages name without its folder
}

// openHandle opens what GDAL knows by a name: the file at the path, or a raster
// in it.
func openHandle(name, path, drivers string) (handle, error) {
	n, d := C.CString(name), C.CString(drivers)
	defer C.free(unsafe.Pointer(n))
	defer C.free(unsafe.Pointer(d))
	c := C.rb_open(n, d)
	if c == nil {
		return handle{}, openError{"out of memory"}
	}
	h := handle{c, path}
	if C.rb_is_open(c) == 0 {
		said := h.said()
		h.close()
		return handle{}, openError{said}
	}
	return h, nil
}

// openError is what GDAL said when it did not open a file.
type openError struct{ said string }

func (e openError) Error() string { return e.said }

func (h handle) close()       { C.rb_close(h.c) }
func (h handle) said() string { return withoutFolder(clean(C.rb_error(h.c)), h.path) }

func (h handle) warnings() []string {
	s := withoutFolder(clean(C.rb_warnings(h.c)), h.path)
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// clean makes valid UTF-8 of a C string, which may stem from a file.
func clean(s *C.char) string {
	if s == nil {
		return ""
	}
	return strings.ToValidUTF8(C.GoString(s), "\uFFFD")
}

// metadata gives the items of a metadata domain, KEY=VALUE.
func (h handle) metadata(domain string) []string {
	d := C.CString(domain)
	defer C.free(unsafe.Pointer(d))
	var items []string
	for i := 0; ; i++ {
		s := C.rb_metadata(h.c, d, C.int(i))
		if s == nil {
			return items
		}
		items = append(items, clean(s))
	}
}

func (h handle) size() C.rb_size {
	var s C.rb_size
	C.rb_get_size(h.c, &s)
	return s
}

// chooseRaster finds what GDAL must be asked to open: the file itself, or the
// subdataset that was named or is the only one, with the drivers that may do it.
func chooseRaster(path, want string) (name, drivers string, err error) {
	h, err := openHandle(path, path, driverList())
	if err != nil {
		return "", "", notARaster(path, err.Error())
	}
	defer h.close()
	size := h.size()
	driver := C.GoString(&size.driver[0])
	subs := subdatasets(path, driver, h.metadata("SUBDATASETS"))
	switch {
	case want != "":
		for _, s := range subs {
			if s.Name == want {
				return s.full, family(driver), nil
			}
		}
		if size.bands > 0 && len(subs) == 0 && h.variable() == want {
			return path, family(driver), nil
		}
		return "", "", unknownSubdataset(path, want, subs)
	case len(subs) > 1:
		e := &ingest.SeveralRasters{Path: path}
		for _, s := range subs {
			e.Rasters = append(e.Rasters, s.Subdataset)
		}
		return "", "", e
	case size.bands == 0 && len(subs) == 1:
		return subs[0].full, family(driver), nil
	case size.bands == 0:
		return "", "", rasterbase.Errorf(rasterbase.Invalid, "%s (%s) holds no raster", filepath.Base(path), driver)
	}
	return path, family(driver), nil
}

func (h handle) variable() string {
	var b C.rb_band
	if C.rb_get_band(h.c, 1, &b) != C.RB_OK {
		return ""
	}
	return clean(b.variable)
}
