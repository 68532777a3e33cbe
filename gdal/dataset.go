//go:build cgo && !nogdal

package gdal

// #include "shim.h"
import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// errClosed is the error of using a data set after Close.
var errClosed = errors.New("the raster is closed")

// dataset is an ingest.Dataset over a pool of handles: GDAL's data sets cannot
// be shared by goroutines, so each request has one to itself.
type dataset struct {
	recipe recipe
	source *source
	slots  chan struct{} // one for each request that may run
	plain  bool          // handles are opened and not inspected
	wanted int           // requests at a time, as asked for
	temp   string        // parent of temporary folders; empty: the system's
	mu     sync.Mutex
	idle   []handle
	closed bool
	tiling *tiling  // nil: there is no tiled copy
	pixels *dataset // what Read reads from instead; nil: this one
}

func newDataset(r recipe, h handle, s *source, parallel int) *dataset {
	return &dataset{
		recipe: r, source: s, slots: make(chan struct{}, parallel),
		idle: []handle{h}, wanted: parallel,
	}
}

// Parallel is how many requests are answered at a time: as many as were asked
// for when the dataset was opened, or fewer when the blocks are large.
func (d *dataset) Parallel() int {
	if t := d.tiled(); t != nil {
		return cap(t.slots)
	}
	return cap(d.slots)
}

// tiled is the tiled copy, if there is one.
func (d *dataset) tiled() *dataset {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pixels
}

// Info tells what the file says of itself.
func (d *dataset) Info() ingest.Info { return d.source.info }

// with runs f with a handle of its own, opening one when all are in use. A done
// context interrupts GDAL.
func (d *dataset) with(ctx context.Context, f func(h handle) error) error {
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.slots }()
	if err := ctx.Err(); err != nil {
		return err
	}
	h, err := d.take()
	if err != nil {
		return err
	}
	C.rb_cancel(h.c, 0)
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		C.rb_cancel(h.c, 1)
		close(interrupted)
	})
	err = f(h)
	if !stop() {
		// The handle goes back to the pool only when nobody will touch it.
		<-interrupted
	}
	d.give(h)
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	return err
}

func (d *dataset) take() (handle, error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return handle{}, errClosed
	}
	if n := len(d.idle); n > 0 {
		h := d.idle[n-1]
		d.idle = d.idle[:n-1]
		d.mu.Unlock()
		return h, nil
	}
	d.mu.Unlock()
	if d.plain {
		return openHandle(d.recipe.name, d.recipe.path, d.recipe.drivers)
	}
	h, s, err := d.recipe.open()
	if err != nil {
		return handle{}, fmt.Errorf("open the raster once more: %w", err)
	}
	if s.info.Grid != d.source.info.Grid || len(s.layout.bands) != len(d.source.layout.bands) {
		h.close()
		return handle{}, rasterbase.Errorf(rasterbase.Invalid, "%s has changed while it was read", d.recipe.base())
	}
	return h, nil
}

func (d *dataset) give(h handle) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		h.close()
		return
	}
	d.idle = append(d.idle, h)
}

// Close frees the handles that are idle; the others are freed when the request
// that has them ends.
func (d *dataset) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, h := range d.idle {
		h.close()
	}
	d.idle = nil
	var err error
	if d.pixels != nil {
		err = d.pixels.Close()
	}
	if d.tiling != nil {
		d.tiling.mu.Lock()
		defer d.tiling.mu.Unlock()
		d.tiling.close()
	}
	return err
}

// Read reads a window of the source's own pixels, of some bands or all. A
// window that is not wholly inside the raster and a band that it has not are
// errors with code invalid, more bytes than the limit one with code too large.
func (d *dataset) Read(ctx context.Context, w ingest.Window, bands []int) (*ingest.Block, error) {
	if t := d.tiled(); t != nil {
		return t.Read(ctx, w, bands)
	}
	if d.source.layout.tooLarge != nil {
		return nil, d.source.layout.tooLarge
	}
	r := reader{ctx: ctx, w: w, alphaBand: d.source.layout.alpha, path: d.recipe.path}
	bands, err := d.source.info.Select(bands)
	if err != nil {
		return nil, err
	}
	for _, i := range bands {
		r.asked = append(r.asked, d.source.layout.bands[i])
	}
	if err := d.checkWindow(w, r.asked); err != nil {
		return nil, err
	}
	b := &ingest.Block{Window: w}
	err = d.with(ctx, func(h handle) error {
		r.h = h
		var err error
		if b.Bands, err = r.bands(); err != nil {
			return err
		}
		b.Masks, err = r.masks()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %d x %d pixels at column %d, row %d of %s: %w", w.Width, w.Height, w.X, w.Y, d.recipe.base(), err)
	}
	return b, nil
}

func (d *dataset) checkWindow(w ingest.Window, asked []band) error {
	g := d.source.info.Grid
	if w.X < 0 || w.Y < 0 || w.Width <= 0 || w.Height <= 0 || w.Width > g.Width-w.X || w.Height > g.Height-w.Y {
		return rasterbase.Errorf(rasterbase.Invalid, "the window %+v is not inside the %d x %d pixels of the raster", w, g.Width, g.Height)
	}
	bytes := int64(1) // a pixel, the mask included
	for _, b := range asked {
		bytes += int64(b.pixel.Size())
	}
	if limit := d.recipe.limits.ReadBytes; int64(w.Height) > limit/bytes/int64(w.Width) {
		return rasterbase.Errorf(rasterbase.TooLarge, "a window of %d x %d pixels takes more than the %d bytes allowed", w.Width, w.Height, limit)
	}
	return nil
}

// reader reads one window.
type reader struct {
	ctx       context.Context
	h         handle
	w         ingest.Window
	asked     []band
	alphaBand int    // GDAL's number of it; 0: none
	path      string // for messages
}

func (r reader) window() C.rb_window {
	return C.rb_window{x: C.int(r.w.X), y: C.int(r.w.Y), width: C.int(r.w.Width), height: C.int(r.w.Height)}
}

func (r reader) result(rc C.int, what string) error {
	switch rc {
	case C.RB_OK:
		return r.ctx.Err()
	case C.RB_CANCELLED:
		if err := r.ctx.Err(); err != nil {
			return err
		}
		return context.Canceled
	}
	return rasterbase.Errorf(rasterbase.Invalid, "%s: %s", what, shorten(r.h.said(), r.path))
}

func (r reader) bands() ([]raster.Pixels, error) {
	out := make([]raster.Pixels, len(r.asked))
	for i, b := range r.asked {
		p := raster.NewPixels(b.pixel, r.w.Width*r.w.Height)
		rc := C.rb_read(r.h.c, C.int(b.number), b.dataType, r.window(), unsafe.Pointer(&p.Bytes()[0]))
		if err := r.result(rc, fmt.Sprintf("band %d", b.number)); err != nil {
			return nil, err
		}
		if err := checkBits(b, p); err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

// checkBits makes sure of what the file says of 1-bit bands: other values
// could not be stored.
func checkBits(b band, p raster.Pixels) error {
	if b.pixel != rasterbase.Bit1 {
		return nil
	}
	for _, v := range p.Bytes() {
		if v > 1 {
			return rasterbase.Errorf(rasterbase.Invalid, "band %d is declared to have 1 bit a pixel and holds %d", b.number, v)
		}
	}
	return nil
}

// masks reads the alpha band and the masks, and joins them. It is nil when all
// pixels are valid.
func (r reader) masks() ([][]uint8, error) {
	var alpha, shared []uint8
	var err error
	if r.alphaBand != 0 {
		if alpha, err = r.alpha(); err != nil {
			return nil, err
		}
	}
	out := make([][]uint8, len(r.asked))
	all := true
	for i, b := range r.asked {
		out[i] = alpha
		switch {
		case b.maskBand && b.shared && shared != nil:
			out[i] = shared
		case b.maskBand:
			m := make([]uint8, r.w.Width*r.w.Height)
			rc := C.rb_read_mask(r.h.c, C.int(b.number), r.window(), (*C.uchar)(&m[0]))
			if err := r.result(rc, fmt.Sprintf("the mask of band %d", b.number)); err != nil {
				return nil, err
			}
			out[i] = join(m, alpha)
			if b.shared {
				shared = out[i]
			}
		}
		all = all && bytes.IndexByte(out[i], 0) < 0
	}
	if all {
		return nil, nil
	}
	for i := range out {
		if out[i] == nil {
			out[i] = bytes.Repeat([]byte{255}, r.w.Width*r.w.Height)
		}
	}
	return out, nil
}

// alpha reads the alpha band as bytes: GDAL clamps, so that what is not 0 stays
// so.
func (r reader) alpha() ([]uint8, error) {
	const bytes = 1
	m := make([]uint8, r.w.Width*r.w.Height)
	rc := C.rb_read(r.h.c, C.int(r.alphaBand), bytes, r.window(), unsafe.Pointer(&m[0]))
	return m, r.result(rc, "the alpha band")
}

func join(m, other []uint8) []uint8 {
	for i, v := range other {
		if v == 0 {
			m[i] = 0
		}
	}
	return m
}

// ToMercator turns places in pixel space into EPSG:3857 metres, in place.
func (d *dataset) ToMercator(ctx context.Context, places []ingest.Place) error {
	return d.transform(ctx, places, 1)
}

// FromMercator turns EPSG:3857 metres into places in pixel space, in place.
func (d *dataset) FromMercator(ctx context.Context, places []ingest.Place) error {
	return d.transform(ctx, places, 0)
}

// chunk is how many places go to GDAL at a time, so that a done context is
// noticed.
const chunk = 1 << 14

func (d *dataset) transform(ctx context.Context, places []ingest.Place, toMercator C.int) error {
	return d.with(ctx, func(h handle) error {
		for len(places) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(len(places), chunk)
			if C.rb_transform(h.c, toMercator, C.int(n), (*C.double)(&places[0].X)) != C.RB_OK {
				return fmt.Errorf("transform coordinates: %s", h.said())
			}
			places = places[n:]
		}
		return nil
	})
}
