package export

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/tiff"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
)

// Make makes the file of a plan in a temporary one; the caller closes it. The pixels
// are read once, block by block, and reduced for the overviews as the layer's
// datatype says: the mean of continuous ones, the mode of categorical ones and masks,
// the lower median of ranks. Valid is what the coverage says, told by the nodata
// value where one can tell it, and by an internal mask otherwise. Tiles without
// valid pixels are left out, as GDAL does with SPARSE_OK.
//
// Memory does not grow with the file: a worker has a block of about 16 MiB in hand
// twice over, and the overviews wait in three tiles of at most 2 MiB a level.
func (p *Plan) Make(ctx context.Context, o Options) (*File, error) {
	if p.elsewise && o.Recompress == nil {
		return nil, rasterbase.Errorf(rasterbase.Unsupported, "compression %s is not made here: GDAL alone has it", p.Compression).
			WithHint("one of LZW, DEFLATE, PACKBITS and ZSTD holds pixels of every type").WithField("compress_method")
	}
	v := p.validity()
	for {
		f, err := p.attempt(ctx, o, v)
		if errors.Is(err, errAmbiguous) {
			v.masks = len(p.Bands)
			continue
		}
		if err != nil || !p.elsewise {
			return f, err
		}
		return f.recompress(ctx, p, o)
	}
}

func (p *Plan) attempt(ctx context.Context, o Options, v validity) (f *File, err error) {
	s, err := newSpool(o.TempDir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = s.close() // the error of the making tells more
		}
	}()
	m := newMaker(p, o, v, s)
	if err := m.run(ctx); err != nil {
		return nil, err
	}
	return m.file()
}

const (
	tileBytes  = 2 << 20  // of a tile of the file at most, unless that is the smallest
	blockBytes = 16 << 20 // of what is read at once, unless that is one tile
)

// maker makes a file.
type maker struct {
	p     *Plan
	o     Options
	told  validity
	spool *spool
	rule  resample.Rule
	tile  int      // pixels along a side of a tile
	side  int      // zooms that a block spans: it is 2^side tiles along a side
	all   []*level // the file's, the full size first

	predictor uint16

	mu      sync.Mutex
	waiting map[address]*family
	done    int64
}

// level is one size of the image in the file.
type level struct {
	width, height int // pixels
	cols, rows    int // tiles
	image, mask   []place
}

// address is a tile of a level.
type address struct{ level, x, y int }

func (a address) parent() address { return address{a.level + 1, a.x / 2, a.y / 2} }

// family is four tiles on their way to become one of the next overview.
type family struct {
	children [4]*raster.Raster
	left     int
}

func newMaker(p *Plan, o Options, v validity, s *spool) *maker {
	m := &maker{p: p, o: o, told: v, spool: s, rule: resample.RuleFor(p.datatype), waiting: map[address]*family{}}
	m.tile = tileSide(p)
	m.predictor = p.method.Predictor(p.Type, len(p.Bands), p.datatype.Discrete() && !p.Type.IsFloat())
	w, h := p.Rect.Width, p.Rect.Height
	for {
		l := &level{width: w, height: h, cols: (w + m.tile - 1) / m.tile, rows: (h + m.tile - 1) / m.tile}
		l.image, l.mask = make([]place, l.cols*l.rows), make([]place, l.cols*l.rows)
		m.all = append(m.all, l)
		if p.Format != COG || max(w, h) <= m.tile {
			break
		}
		w, h = (w+1)/2, (h+1)/2
	}
	for size := m.pixelBytes() * m.tile * m.tile; size<<(2*m.side+2) <= blockBytes && 1<<m.side < max(m.all[0].cols, m.all[0].rows); {
		m.side++
	}
	return m
}

// pixelBytes is the bytes of a pixel of all bands in memory.
func (m *maker) pixelBytes() int { return bytesOf(m.p) }

func bytesOf(p *Plan) (n int) {
	for _, b := range p.Bands {
		n += b.PixelType.Size()
	}
	return n
}

// tileSide is the pixels along a side of a tile: 512, less for many bands, and for
// an image that is smaller.
func tileSide(p *Plan) int {
	side := 512
	for side > 64 && side*side*bytesOf(p) > tileBytes {
		side /= 2
	}
	const unit = 16 // sides are multiples of it
	if most := max(p.Rect.Width, p.Rect.Height); most < side {
		side = (most + unit - 1) / unit * unit
	}
	return side
}

// run makes all blocks, those that lie together one after the other, so that few
// tiles wait for others to be reduced with.
func (m *maker) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	next := make(chan address)
	g.Go(func() error {
		defer close(next)
		side := 0
		for n := max(m.all[0].cols, m.all[0].rows); 1<<(m.side+side) < n; {
			side++
		}
		return m.walk(ctx, next, side, 0, 0)
	})
	workers := m.o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	for range workers {
		g.Go(func() error {
			w := &worker{maker: m, packer: tiff.Packer{Quality: m.p.quality}}
			for b := range next {
				if err := w.block(ctx, b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// walk sends the blocks of a square of 2^side blocks along a side, quarter by
// quarter.
func (m *maker) walk(ctx context.Context, next chan<- address, side, x, y int) error {
	l := m.all[0]
	if x<<m.side<<side >= l.cols || y<<m.side<<side >= l.rows {
		return nil
	}
	if side == 0 {
		select {
		case next <- address{0, x, y}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for q := range 4 {
		if err := m.walk(ctx, next, side-1, 2*x+q%2, 2*y+q/2); err != nil {
			return err
		}
	}
	return nil
}

// worker makes blocks, one after the other.
type worker struct {
	*maker
	packer tiff.Packer
	// The block in hand.
	at     raster.Rect // in pixels of the file
	source *raster.Raster
	valid  []pixelMask // of each band
	shared pixelMask   // of all bands
}

// block makes the tiles of a block, and those of the overviews above it whose
// children are all there.
func (w *worker) block(ctx context.Context, b address) error {
	n := w.tile << w.side
	whole := raster.Rect{Width: w.p.Rect.Width, Height: w.p.Rect.Height}
	w.at = raster.Rect{X: b.x * n, Y: b.y * n, Width: n, Height: n}.Intersect(whole)
	if err := w.read(ctx); err != nil {
		return err
	}
	top := min(w.side, len(w.all)-1)
	count := 1 << (w.side - top) // tiles of that level along a side of the block
	for i := range count * count {
		a := address{top, b.x*count + i%count, b.y*count + i/count}
		if !w.within(a) {
			continue
		}
		r, err := w.build(ctx, a)
		if err == nil {
			err = w.deliver(a, r)
		}
		if err != nil {
			return err
		}
	}
	w.source = nil
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done += int64(w.at.Width) * int64(w.at.Height)
	if w.o.Progress != nil {
		w.o.Progress(w.done)
	}
	return nil
}

// read reads the pixels of a block; none where the area has no part of it.
func (w *worker) read(ctx context.Context) error {
	w.source = nil
	at := raster.Rect{X: w.p.Rect.X + w.at.X, Y: w.p.Rect.Y + w.at.Y, Width: w.at.Width, Height: w.at.Height}
	w.shared = nil
	if w.p.outline != nil {
		mask, none := w.p.outline.Mask(at)
		if none {
			return nil
		}
		w.shared = mask
	}
	r, err := w.p.cov.Window(ctx, coverage.WindowRequest{
		Level: w.p.Level, X: at.X, Y: at.Y, Width: at.Width, Height: at.Height, Bands: w.p.bands,
	})
	if err != nil {
		return err
	}
	if err := w.check(r); err != nil {
		return err
	}
	w.source = r
	w.valid = w.valid[:0]
	for i := range r.Bands {
		w.valid = append(w.valid, pixelMask(r.ValidMask(i)).and(w.shared))
	}
	w.shared = pixelMask(r.Validity).and(w.shared)
	return nil
}

// check tells whether a coverage keeps to its description.
func (w *worker) check(r *raster.Raster) error {
	if r.Width != w.at.Width || r.Height != w.at.Height || len(r.Bands) != len(w.p.Bands) {
		return fmt.Errorf("a window of %d x %d pixels and %d bands was asked for, and %d x %d of %d came",
			w.at.Width, w.at.Height, len(w.p.Bands), r.Width, r.Height, len(r.Bands))
	}
	for i, b := range r.Bands {
		if b.Type != w.p.Bands[i].PixelType {
			return fmt.Errorf("pixels of band %d are %v, and %v is said of them", w.p.bands[i]+1, b.Type, w.p.Bands[i].PixelType)
		}
	}
	return r.Check()
}

func (m *maker) within(a address) bool { return a.x < m.all[a.level].cols && a.y < m.all[a.level].rows }

// build makes a tile of the block's pixels or of its children, and keeps them all.
// It is nil when it has no valid pixel.
func (w *worker) build(ctx context.Context, a address) (*raster.Raster, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if w.source == nil {
		return nil, w.keep(a, nil)
	}
	if a.level == 0 {
		r := w.cut(a)
		return r, w.keep(a, r)
	}
	var children [4]*raster.Raster
	for q := range children {
		child := address{a.level - 1, 2*a.x + q%2, 2*a.y + q/2}
		if !w.within(child) {
			continue
		}
		var err error
		if children[q], err = w.build(ctx, child); err != nil {
			return nil, err
		}
	}
	r := resample.Reduce(children, w.rule)
	return r, w.keep(a, r)
}

// deliver hands a tile to its parent, which is made when the last of its children
// has come, and so on up to the smallest overview.
func (w *worker) deliver(a address, r *raster.Raster) error {
	for a.level < len(w.all)-1 {
		children, all := w.arrived(a, r)
		if !all {
			return nil
		}
		a, r = a.parent(), resample.Reduce(children, w.rule)
		if err := w.keep(a, r); err != nil {
			return err
		}
	}
	return nil
}

// arrived notes a child of a parent, and tells whether it was the last one.
func (m *maker) arrived(a address, r *raster.Raster) (children [4]*raster.Raster, all bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	parent := a.parent()
	f := m.waiting[parent]
	if f == nil {
		f = &family{}
		for q := range 4 {
			if m.within(address{a.level, 2*parent.x + q%2, 2*parent.y + q/2}) {
				f.left++
			}
		}
		m.waiting[parent] = f
	}
	f.children[a.x&1|a.y&1<<1] = r
	if f.left--; f.left > 0 {
		return children, false
	}
	delete(m.waiting, parent)
	return f.children, true
}
