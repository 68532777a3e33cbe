//go:build cgo && !nogdal

package gdal

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/tempdir"
	"github.com/rasterbase/rasterbase/raster"
)

// sequentialDrivers decode from the first row to the one that is asked for, and
// begin again for one that lies before the last.
var sequentialDrivers = []string{"PNG", "JPEG", "XYZ"}

// tiledPrefix begins the names of the folders of tiled copies.
const tiledPrefix = "rasterbase-tiled-"

// Tiles of a copy are tileWidth wide and as high where so many rows of all bands
// fit in partBytes; otherwise they are lower, down to tileLeast rows.
const (
	tileWidth = 512
	tileLeast = 16
	partBytes = 48 << 20
)

// tiling is a tiled copy that is being made: a GeoTIFF with the file's bands,
// their pixels as GDAL gives them and their masks, and nothing else.
type tiling struct {
	mu          sync.Mutex
	from        handle
	lines       *C.rb_lines // not nil: rows are read with libtiff
	out         *Writer
	dir         *tempdir.Dir
	compression Compression
	passes      []tilingPass
	rows        int // of a part
	pass, y     int // how far it is
	done        bool
}

// tilingPass reads some bands, or the mask, from the first row to the last.
type tilingPass struct {
	bands []int // GDAL's numbers
	mask  int   // the band whose mask it is; 0: none
}

// Tile copies some more rows.
func (d *dataset) Tile(ctx context.Context, o ingest.TileOptions) (ingest.TiledPart, error) {
	t, err := d.beginTiling(ctx, o)
	if err != nil {
		return ingest.TiledPart{}, fmt.Errorf("make a tiled copy of %s: %w", d.recipe.base(), err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.done {
		if err := d.tilePart(ctx, t); err != nil {
			return ingest.TiledPart{}, fmt.Errorf("make a tiled copy of %s: %w", d.recipe.base(), err)
		}
	}
	part := ingest.TiledPart{Last: t.done, Compression: string(t.compression), Share: 1}
	if !t.done {
		h := float64(d.source.info.Grid.Height)
		part.Share = (float64(t.pass) + float64(t.y)/h) / float64(len(t.passes))
	}
	if info, err := os.Stat(t.path()); err == nil {
		part.Bytes = info.Size()
	}
	return part, nil
}

func (t *tiling) path() string { return filepath.Join(t.dir.Path, "tiled.tif") }

// beginTiling makes the empty copy, or gives the one that was begun.
func (d *dataset) beginTiling(ctx context.Context, o ingest.TileOptions) (t *tiling, err error) {
	d.mu.Lock()
	t = d.tiling
	closed := d.closed
	d.mu.Unlock()
	if t != nil || closed {
		if closed {
			err = errClosed
		}
		return t, err
	}
	asked, err := ParseCompression(o.Compression)
	if err != nil {
		return nil, err
	}
	layout := d.tiledLayout()
	t = &tiling{compression: asked.Lossless(layout.Bands[0].Type, len(layout.Bands))}
	if t.dir, err = tempdir.Make(d.temp, tiledPrefix); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if t.from, err = openHandle(d.recipe.name, d.recipe.path, d.recipe.drivers); err != nil {
		return nil, err
	}
	separate := d.findLines(t)
	// Of lines libtiff alone tells what is in one: their memory depends on it.
	t.plan(d.source.layout, len(layout.Bands), separate || t.lines == nil && d.source.layout.bandByBand)
	widest := 1
	for _, p := range t.passes {
		widest = max(widest, len(p.bands))
	}
	if t.rows, err = partRows(layout.Width, widest*layout.Bands[0].Type.Size()); err != nil {
		return nil, err
	}
	t.out, err = Create(ctx, t.path(), layout, WriteOptions{Compression: t.compression, Options: []string{
		"TILED=YES", "BIGTIFF=IF_SAFER", "INTERLEAVE=BAND", "ALPHA=NO", "PROFILE=BASELINE",
		"BLOCKXSIZE=" + strconv.Itoa(tileWidth), "BLOCKYSIZE=" + strconv.Itoa(t.rows),
	}})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.tiling = t
	d.mu.Unlock()
	return t, nil
}

// tiledLayout is what the copy holds: all bands of the file, alpha too, which are
// of one type.
func (d *dataset) tiledLayout() *raster.Raster {
	g := d.source.info.Grid
	out := &raster.Raster{Grid: rasterbase.Grid{Width: g.Width, Height: g.Height, ScaleX: 1, ScaleY: -1}}
	out.Bands = make([]raster.Band, d.source.layout.all)
	for i := range out.Bands {
		out.Bands[i].Type = d.source.layout.bands[0].pixel
	}
	return out
}

// partRows is how many rows of so many bytes a pixel are read at once.
func partRows(width, pixelBytes int) (int, error) {
	rows := partBytes / (width * pixelBytes) / tileLeast * tileLeast
	if rows < tileLeast && tileLeast*width*pixelBytes > 4*partBytes {
		return 0, rasterbase.Errorf(rasterbase.TooLarge, "%d rows of it take more than %d bytes", tileLeast, 4*partBytes)
	}
	return min(max(rows, tileLeast), tileWidth), nil
}

// findLines opens the file with libtiff when its strips are too large for GDAL.
// separate says that each band has strips of its own.
func (d *dataset) findLines(t *tiling) (separate bool) {
	if d.source.info.Oversized || d.source.info.Driver == "GTiff" && d.source.info.Sequential {
		t.lines, separate = openLines(d.recipe, d.source.info, d.source.layout)
	}
	return separate
}

// openLines opens a TIFF to be read row by row; nil when that cannot be.
func openLines(r recipe, info ingest.Info, l layout) (*C.rb_lines, bool) {
	if info.Driver != "GTiff" || len(l.bands) == 0 {
		return nil, false
	}
	a := C.rb_lines_args{
		width: C.int(info.Grid.Width), height: C.int(info.Grid.Height), bands: C.int(l.all),
		bytes: C.int(l.bands[0].pixel.Size()),
	}
	if rest, ok := strings.CutPrefix(r.name, "GTIFF_DIR:"); ok {
		number, _, _ := strings.Cut(rest, ":")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > 1<<15 {
			return nil, false
		}
		a.directory = C.int(n - 1)
	} else if r.name != r.path {
		return nil, false
	}
	a.path = C.CString(r.path)
	defer C.free(unsafe.Pointer(a.path))
	var separate C.int
	lines := C.rb_lines_open(&a, &separate)
	return lines, separate != 0
}

// plan lists what is read one after the other: bands that lie together in the
// file together, so that nothing is decoded twice.
func (t *tiling) plan(l layout, bands int, apart bool) {
	all := make([]int, bands)
	for i := range all {
		all[i] = i + 1
	}
	if apart {
		for _, n := range all {
			t.passes = append(t.passes, tilingPass{bands: []int{n}})
		}
	} else {
		t.passes = []tilingPass{{bands: all}}
	}
	for _, b := range l.bands {
		if b.maskBand { // it is the same for all bands
			t.passes = append(t.passes, tilingPass{mask: b.number})
			return
		}
	}
}

// tilePart copies the rows of a part, and completes the copy after the last one.
func (d *dataset) tilePart(ctx context.Context, t *tiling) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	C.rb_cancel(t.from.c, 0)
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		C.rb_cancel(t.from.c, 1)
		close(interrupted)
	})
	err := d.copyRows(ctx, t)
	if !stop() {
		<-interrupted
	}
	if err != nil {
		return err
	}
	if t.y += t.rows; t.y >= d.source.info.Grid.Height {
		t.y = 0
		t.pass++
	}
	if t.pass < len(t.passes) {
		return nil
	}
	if err := t.complete(); err != nil {
		return err
	}
	return d.readTiled(t)
}

func (d *dataset) copyRows(ctx context.Context, t *tiling) error {
	g := d.source.info.Grid
	w := ingest.Window{Y: t.y, Width: g.Width, Height: min(t.rows, g.Height-t.y)}
	p := t.passes[t.pass]
	r := reader{ctx: ctx, h: t.from, w: w, path: d.recipe.path}
	if p.mask != 0 {
		m := make([]uint8, w.Width*w.Height)
		if err := r.result(C.rb_read_mask(t.from.c, C.int(p.mask), r.window(), (*C.uchar)(&m[0])), "the mask"); err != nil {
			return err
		}
		return t.out.writeMask(w, m)
	}
	pixels, err := d.readRows(t, r, p.bands)
	if err != nil {
		return err
	}
	for i, n := range p.bands {
		if err := t.out.writeBand(n, w, pixels[i]); err != nil {
			return err
		}
	}
	return nil
}

// readRows reads rows of bands, in one go.
func (d *dataset) readRows(t *tiling, r reader, bands []int) ([]raster.Pixels, error) {
	like := d.source.layout.bands[0]
	if t.lines == nil {
		for _, n := range bands {
			r.asked = append(r.asked, band{number: n, dataType: like.dataType, pixel: like.pixel})
		}
		return r.bands()
	}
	size := like.pixel.Size()
	out := make([]raster.Pixels, len(bands))
	for i := range out {
		out[i] = raster.NewPixels(like.pixel, r.w.Width*r.w.Height)
	}
	line := make([]byte, r.w.Width*len(bands)*size)
	for row := range r.w.Height {
		if err := r.ctx.Err(); err != nil {
			return nil, err
		}
		sample := 0
		if len(bands) == 1 {
			sample = bands[0] - 1
		}
		if C.rb_lines_read(t.lines, C.int(r.w.Y+row), C.int(sample), unsafe.Pointer(&line[0])) != C.RB_OK {
			said := withoutFolder(clean(C.rb_lines_error(t.lines)), r.path)
			return nil, rasterbase.Errorf(rasterbase.Invalid, "row %d: %s", r.w.Y+row, shorten(said, r.path))
		}
		at := row * r.w.Width * size
		for i := range out {
			part(out[i].Bytes()[at:at+r.w.Width*size], line, i, len(bands), size)
		}
	}
	C.rb_lines_rest(t.lines)
	return out, nil
}

// part takes the pixels of one band out of a row that has those of several.
func part(out, line []byte, band, bands, size int) {
	if bands == 1 {
		copy(out, line)
		return
	}
	for from, to := band*size, 0; to < len(out); from, to = from+bands*size, to+size {
		copy(out[to:to+size], line[from:])
	}
}

// complete closes the file.
func (t *tiling) complete() error {
	if err := t.out.Close(); err != nil {
		t.out = nil
		return err
	}
	t.out, t.done = nil, true
	t.closeSource()
	return nil
}

func (t *tiling) closeSource() {
	C.rb_lines_close(t.lines)
	t.lines = nil
	if t.from.c != nil {
		t.from.close()
		t.from = handle{}
	}
}

// close ends what is not complete, and removes the copy.
func (t *tiling) close() {
	t.closeSource()
	if t.out != nil {
		t.out.failed = true // nothing is to be told about it
		_ = t.out.Close()
		t.out = nil
	}
	_ = t.dir.Remove() // a rest is collected
}

// readTiled makes Read read from the copy.
func (d *dataset) readTiled(t *tiling) error {
	how := d.recipe
	how.name, how.drivers = t.path(), "GTiff"
	h, err := openHandle(how.name, how.path, how.drivers)
	if err != nil {
		return fmt.Errorf("open it: %w", err)
	}
	s := *d.source
	s.info.Oversized, s.layout.tooLarge = false, nil
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pixels = newDataset(how, h, &s, d.wanted)
	d.pixels.plain = true
	return nil
}

// writeBand writes rows of a band.
func (w *Writer) writeBand(number int, at ingest.Window, p raster.Pixels) error {
	r := raster.Rect{X: at.X, Y: at.Y, Width: at.Width, Height: at.Height}
	t := dataTypes[w.layout.Bands[number-1].Type]
	if C.rb_write_window(w.h.c, C.int(number), t, window(r), unsafe.Pointer(&p.Bytes()[0])) != C.RB_OK {
		return w.problem(fmt.Sprintf("band %d", number))
	}
	return nil
}

// writeMask writes rows of the mask, which the file gets with the first of them.
func (w *Writer) writeMask(at ingest.Window, mask []uint8) error {
	if !w.masked {
		if C.rb_add_mask(w.h.c) != C.RB_OK {
			return w.problem("the mask")
		}
		w.masked = true
	}
	if bytes.IndexByte(mask, 0) < 0 {
		return w.mask(raster.Rect{X: at.X, Y: at.Y, Width: at.Width, Height: at.Height}, nil)
	}
	return w.mask(raster.Rect{X: at.X, Y: at.Y, Width: at.Width, Height: at.Height}, mask)
}
