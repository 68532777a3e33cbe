//go:build cgo && !nogdal

package gdal

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
)

// Transformer is a crs.Transformer over PROJ, with GDAL's choice of operation
// and the axes of maps: x (east, longitude) before y. The zero value is ready
// to use, by several goroutines.
type Transformer struct{}

// Between makes the transformation from one CRS to another. A CRS is known by
// its EPSG code, or by its WKT when it has a code of ours or none. The error
// has code invalid when a CRS is unknown or nothing leads from one to the
// other.
func (Transformer) Between(from, to rasterbase.CRS) (crs.Transform, error) {
	initialize(0)
	t := &transform{from: from, to: to}
	h, err := t.open()
	if err != nil {
		return nil, err
	}
	t.give(h)
	return t, nil
}

// transform keeps idle PROJ transformations, each of which serves one goroutine
// at a time.
type transform struct {
	from, to rasterbase.CRS
	mu       sync.Mutex
	idle     []*projection
}

// projection is one transformation of GDAL. It is freed with its Go value,
// because a transform has no end of its own.
type projection struct{ c *C.rb_ct }

// maxIdle bounds what a transform keeps.
const maxIdle = 8

func code(c rasterbase.CRS) C.int {
	if c.SRID > 0 && c.SRID < rasterbase.FirstCustomSRID {
		return C.int(c.SRID)
	}
	return 0
}

func label(c rasterbase.CRS) string {
	if code(c) != 0 {
		return fmt.Sprintf("EPSG:%d", c.SRID)
	}
	if c.Name == "" {
		return fmt.Sprintf("the unknown srid %d", c.SRID)
	}
	return fmt.Sprintf("%q", c.Name)
}

func (t *transform) open() (*projection, error) {
	from, to := C.CString(t.from.WKT), C.CString(t.to.WKT)
	defer C.free(unsafe.Pointer(from))
	defer C.free(unsafe.Pointer(to))
	c := C.rb_ct_new(code(t.from), from, code(t.to), to)
	if c == nil {
		return nil, fmt.Errorf("transform from %s to %s: out of memory", label(t.from), label(t.to))
	}
	if C.rb_ct_ok(c) == 0 {
		said := clean(C.rb_ct_error(c))
		C.rb_ct_free(c)
		return nil, rasterbase.Errorf(rasterbase.Invalid, "there is no transformation from %s to %s: %s", label(t.from), label(t.to), said).WithField("srid")
	}
	p := &projection{c}
	runtime.AddCleanup(p, func(c *C.rb_ct) { C.rb_ct_free(c) }, c)
	return p, nil
}

func (t *transform) take() (*projection, error) {
	t.mu.Lock()
	if n := len(t.idle); n > 0 {
		p := t.idle[n-1]
		t.idle = t.idle[:n-1]
		t.mu.Unlock()
		return p, nil
	}
	t.mu.Unlock()
	return t.open()
}

func (t *transform) give(p *projection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle) < maxIdle {
		t.idle = append(t.idle, p)
	}
}

// Apply transforms points in place. A point that has no counterpart becomes
// NaN, NaN.
func (t *transform) Apply(ctx context.Context, points []crs.Point) error {
	p, err := t.take()
	if err != nil {
		return err
	}
	defer t.give(p)
	for len(points) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(points), chunk)
		if C.rb_ct_apply(p.c, C.int(n), (*C.double)(&points[0].X)) != C.RB_OK {
			return fmt.Errorf("transform from %s to %s: out of memory", label(t.from), label(t.to))
		}
		points = points[n:]
	}
	runtime.KeepAlive(p)
	return nil
}
