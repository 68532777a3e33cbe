package gdalchild

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// dataVariables are the environment variables that a child inherits: where the
// data of GDAL and PROJ and the shared libraries are.
var dataVariables = []string{"GDAL_DATA", "PROJ_LIB", "PROJ_DATA", "GDAL_DRIVER_PATH", "LD_LIBRARY_PATH"}

// raceVariable holds the options of Go's race detector, which nothing else reads:
// without them a child that was built with it sleeps for a second at its end.
const raceVariable = "GORACE"

// Open starts a child that opens the raster at a path. The errors are those of
// gdal.Opener; besides, when the child dies, one that says of what, with code
// too large when it was a limit and invalid otherwise.
func (o Opener) Open(ctx context.Context, path string, opt ingest.OpenOptions) (ingest.Dataset, error) {
	if !gdal.Available && o.Binary == "" {
		return gdal.Opener{}.Open(ctx, path, opt)
	}
	o = o.withDefaults()
	path, p, err := o.startFor(ctx, path)
	if err != nil {
		return nil, err
	}
	d := &dataset{p: p, limits: o.Limits, o: o, path: path, options: opt}
	if err := d.openWith(ctx, path, opt); err != nil {
		p.close()
		return nil, err
	}
	return d, nil
}

// startFor starts a child for a file, and gives the file's absolute path.
func (o Opener) startFor(ctx context.Context, path string) (string, *process, error) {
	if err := isChild(); err != nil {
		return "", nil, err
	}
	if err := ctx.Err(); err != nil {
		return "", nil, err
	}
	if strings.HasPrefix(filepath.ToSlash(path), "/vsi") {
		return "", nil, rasterbase.Errorf(rasterbase.Invalid, "%s: paths of GDAL's virtual file systems are not read", path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", nil, err
	}
	p, err := o.start(path)
	return path, p, err
}

func (d *dataset) openWith(ctx context.Context, path string, opt ingest.OpenOptions) error {
	// The answer may come when nobody waits any more, so it has a place of its
	// own.
	var parallel int
	info := new(ingest.Info)
	_, err := d.p.call(ctx, request{Op: opOpen, Path: path, Options: &opt}, nil, func(a answer, raw uint64) ([][]byte, error) {
		if err := checkInfo(a.Info, d.limits, raw); err != nil {
			return nil, err
		}
		*info, parallel = *a.Info, a.Parallel
		return nil, nil
	})
	if err != nil {
		return err
	}
	d.info = *info
	// A request that waits here has not begun, and its time does not run.
	d.slots = make(chan struct{}, max(1, min(opt.Parallel, parallel)))
	return nil
}

// checkInfo refuses what a child that works could not have said.
func checkInfo(i *ingest.Info, l gdal.Limits, raw uint64) error {
	switch {
	case raw != 0 || i == nil || i.Grid.Width <= 0 || i.Grid.Height <= 0 || i.Grid.Width > math.MaxInt32 || i.Grid.Height > math.MaxInt32:
		return fmt.Errorf("the answer to opening is not one")
	case len(i.Bands) == 0 || len(i.Bands) > l.Bands:
		return fmt.Errorf("the answer to opening names %d bands", len(i.Bands))
	}
	for _, b := range i.Bands {
		if !b.PixelType.Valid() {
			return fmt.Errorf("the answer to opening has an unknown pixel type")
		}
	}
	return nil
}

// dataset is an ingest.Dataset in a child.
type dataset struct {
	p      *process
	limits gdal.Limits
	info   ingest.Info
	slots  chan struct{} // one for each request that may run

	// What the child was started with.
	o       Opener
	path    string
	options ingest.OpenOptions
	tiling  bool // a tiled copy was begun
}

// Info tells what the file says of itself.
func (d *dataset) Info() ingest.Info { return d.info }

// Close ends the child.
func (d *dataset) Close() error { d.p.close(); return nil }

// call waits for a free slot. The slot is taken until the child has answered,
// even when nobody waits for the answer any more.
func (d *dataset) call(ctx context.Context, q request, places []ingest.Place, receive receiver) error {
	slots := d.slots
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	answered, err := d.p.call(ctx, q, places, receive)
	if answered == nil {
		<-slots
		return err
	}
	go func() {
		<-answered
		<-slots
	}()
	return err
}

// Read reads a window of the source's own pixels, of some bands or all.
func (d *dataset) Read(ctx context.Context, w ingest.Window, bands []int) (*ingest.Block, error) {
	asked, err := d.info.Select(bands)
	if err != nil {
		return nil, err
	}
	types := make([]rasterbase.PixelType, len(asked))
	for k, i := range asked {
		types[k] = d.info.Bands[i].PixelType
	}
	if err := d.checkWindow(w, types); err != nil {
		return nil, err
	}
	b := &ingest.Block{Window: w}
	// The slice is the caller's, who may change it when the context is done.
	q := request{Op: opRead, Window: w, Bands: slices.Clone(bands)}
	err = d.call(ctx, q, nil, func(a answer, raw uint64) ([][]byte, error) {
		return d.receive(b, types, a, raw)
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (d *dataset) checkWindow(w ingest.Window, types []rasterbase.PixelType) error {
	g := d.info.Grid
	if w.X < 0 || w.Y < 0 || w.Width <= 0 || w.Height <= 0 || w.Width > g.Width-w.X || w.Height > g.Height-w.Y {
		return rasterbase.Errorf(rasterbase.Invalid, "the window %+v is not inside the %d x %d pixels of the raster", w, g.Width, g.Height)
	}
	bytes := int64(1)
	for _, t := range types {
		bytes += int64(t.Size())
	}
	if int64(w.Height) > d.limits.ReadBytes/bytes/int64(w.Width) {
		return rasterbase.Errorf(rasterbase.TooLarge, "a window of %d x %d pixels takes more than the %d bytes allowed", w.Width, w.Height, d.limits.ReadBytes)
	}
	return nil
}

// receive makes the memory that an answer goes to. Its size follows from what
// was asked for, a window of bands of these types; an answer of another size is refused before.
func (d *dataset) receive(b *ingest.Block, types []rasterbase.PixelType, a answer, raw uint64) ([][]byte, error) {
	n := b.Width * b.Height
	want := 0
	for _, t := range types {
		want += n * t.Size()
	}
	masks := map[string]int{noMask: 0, oneMask: 1, allMasks: len(types)}[a.Masks]
	if a.Masks != noMask && !d.info.HasMask || raw != uint64(want+masks*n) {
		return nil, fmt.Errorf("the answer to reading %d x %d pixels has %d bytes and masks %q", b.Width, b.Height, raw, a.Masks)
	}
	var parts [][]byte
	for _, t := range types {
		p := raster.NewPixels(t, n)
		b.Bands = append(b.Bands, p)
		parts = append(parts, p.Bytes())
	}
	for range masks {
		m := make([]uint8, n)
		b.Masks = append(b.Masks, m)
		parts = append(parts, m)
	}
	if a.Masks == oneMask {
		for len(b.Masks) < len(types) {
			b.Masks = append(b.Masks, b.Masks[0])
		}
	}
	return parts, nil
}

// ToMercator turns places in pixel space into EPSG:3857 metres, in place.
func (d *dataset) ToMercator(ctx context.Context, places []ingest.Place) error {
	return d.transform(ctx, opTo, places)
}

// FromMercator turns EPSG:3857 metres into places in pixel space, in place.
func (d *dataset) FromMercator(ctx context.Context, places []ingest.Place) error {
	return d.transform(ctx, opFrom, places)
}

func (d *dataset) transform(ctx context.Context, op string, places []ingest.Place) error {
	for len(places) > 0 {
		part := places[:min(len(places), maxPlaces)]
		// The answer gets memory of its own, since it can come after a caller
		// has given up and reused the slice.
		got := make([]ingest.Place, len(part))
		err := d.call(ctx, request{Op: op}, part, func(_ answer, raw uint64) ([][]byte, error) {
			if raw != uint64(len(placeBytes(got))) {
				return nil, fmt.Errorf("the answer to transforming %d places has %d bytes", len(got), raw)
			}
			return [][]byte{placeBytes(got)}, nil
		})
		if err != nil {
			return err
		}
		copy(part, got)
		places = places[len(part):]
	}
	return nil
}

// grace is how long a child has to end by itself.
const grace = 2 * time.Second
