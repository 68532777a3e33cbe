// Package storetest is the conformance suite of the contracts in package
// store. Every backend, and every decorator of one, passes it:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { … })
//	}
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// Opener opens a new, empty store for one test and closes it at its end.
type Opener func(t *testing.T) store.Store

// Again is implemented by a store under test that can be opened for a second
// time, as another process would. Without it the tests of several processes
// and of their death are skipped.
type Again interface {
	store.Store
	Again(t *testing.T) store.Store
}

// Run runs all suites.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Run("Tiles", func(t *testing.T) { Tiles(t, open) })
	t.Run("Catalog", func(t *testing.T) { Catalog(t, open) })
	t.Run("Generation", func(t *testing.T) { Generation(t, open) })
	t.Run("Sources", func(t *testing.T) { Sources(t, open) })
	t.Run("Queue", func(t *testing.T) { Queue(t, open) })
}

// limit ends waiting for what never comes.
const limit = 30 * time.Second

// suite runs each test, with a store of its own, beside the others.
func suite(t *testing.T, open Opener, tests map[string]func(*testing.T, store.Store)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// again opens the store for a second time, or skips the test.
func again(t *testing.T, s store.Store) store.Store {
	t.Helper()
	a, ok := s.(Again)
	if !ok {
		t.Skip("the store under test cannot be opened for a second time")
	}
	return a.Again(t)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("the error %v does not match %q", err, target)
	}
}

func wantCode(t *testing.T, err error, code rasterbase.Code) {
	t.Helper()
	if rasterbase.CodeOf(err) != code {
		t.Errorf("the error %v does not have code %q", err, code)
	}
}

func wantNotExist(t *testing.T, err error) {
	t.Helper()
	wantIs(t, err, store.ErrNotExist)
	wantCode(t, err, rasterbase.NotFound)
}

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

func update(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	must(t, s.Catalog().Update(t.Context(), fn))
}

func view(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	must(t, s.Catalog().View(t.Context(), fn))
}

// eventually waits until done answers true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// receive waits for a value.
func receive[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(limit):
		t.Fatalf("%s: not within %v", what, limit)
	}
	return v
}

func addLayer(t *testing.T, s store.Store, name string) *rasterbase.Layer {
	t.Helper()
	l := &rasterbase.Layer{Name: name}
	update(t, s, func(tx store.Tx) error { return tx.Layers().Create(t.Context(), l) })
	return l
}

func addRevision(t *testing.T, s store.Store, layer rasterbase.LayerID) *rasterbase.Revision {
	t.Helper()
	r := &rasterbase.Revision{Layer: layer, TileSize: 256, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}}
	update(t, s, func(tx store.Tx) error { return tx.Revisions().Create(t.Context(), r) })
	return r
}

// sameRaster tells how two rasters differ, bit by bit.
func sameRaster(got, want *raster.Raster) error {
	switch {
	case got == nil || want == nil:
		if got != want {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	case got.Grid != want.Grid:
		return fmt.Errorf("grid %+v, not %+v", got.Grid, want.Grid)
	case got.SRID != want.SRID:
		return fmt.Errorf("srid %d, not %d", got.SRID, want.SRID)
	case len(got.Bands) != len(want.Bands):
		return fmt.Errorf("%d bands, not %d", len(got.Bands), len(want.Bands))
	case (got.Validity == nil) != (want.Validity == nil) || !bytes.Equal(got.Validity, want.Validity):
		return errors.New("another validity")
	}
	for i, w := range want.Bands {
		g := got.Bands[i]
		if g.Type != w.Type || g.HasNodata != w.HasNodata ||
			g.HasNodata && g.Nodata != w.Nodata && !(math.IsNaN(g.Nodata) && math.IsNaN(w.Nodata)) {
			return fmt.Errorf("band %d: %v nodata %v %v, not %v %v %v", i, g.Type, g.HasNodata, g.Nodata, w.Type, w.HasNodata, w.Nodata)
		}
		if !bytes.Equal(g.Pixels.Bytes(), w.Pixels.Bytes()) {
			return fmt.Errorf("band %d: other pixels", i)
		}
	}
	return got.Check()
}

// cancelledContext is a context that is done.
func cancelledContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
