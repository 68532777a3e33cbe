package coverage

import (
	"bytes"
	"context"
	"math"
	"math/bits"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
)

// resampled is a window of the world that is made from the pixels of a zoom which
// are of another size.
type resampled struct {
	r      worldWindow
	zoom   int // that is read
	world  int // pixels along a side of the whole world at that zoom
	kernel resample.Kernel
	cols   axis
	rows   axis
}

// axis says where the pixels of a result lie along one axis of the zoom that is
// read: the pixel that holds each centre, and how far behind the pixel's edge
// the centre is.
type axis struct {
	at       []int
	fraction []float64 // 0 to below 1
}

func newResampled(r worldWindow, own, zoom int) *resampled {
	t := &resampled{r: r, zoom: zoom, world: own << zoom}
	t.kernel.Method = r.Resampling
	t.kernel.ScaleX = math.Ldexp(float64(r.Size)/float64(own), r.Z-zoom)
	t.kernel.ScaleY = t.kernel.ScaleX
	t.cols = newAxis(r.X, r.Width, ratio(r, own, zoom)).within(t.world)
	t.rows = newAxis(r.Y, r.Height, ratio(r, own, zoom)).within(t.world)
	return t
}

// fraction is how many pixels of one grid are along so many pixels of another.
type fraction struct{ of, in uint64 }

// ratio is how large a pixel of a window is in pixels of the zoom that is read.
func ratio(r worldWindow, own, zoom int) fraction {
	f := fraction{uint64(own), uint64(r.Size)}
	if zoom > r.Z {
		f.of <<= zoom - r.Z
	} else {
		f.in <<= r.Z - zoom
	}
	return f
}

// steps is how finely centres are placed within a pixel: a billionth. Places are
// so few bits that sums with the number of a pixel within any window are exact,
// and a pixel comes out the same in whichever window it is read.
const steps = 1 << 30

// newAxis places the centres of n pixels from the first on. It is in whole
// numbers, which are exact however far from the origin.
func newAxis(first, n int, f fraction) axis {
	a := axis{make([]int, n), make([]float64, n)}
	for k := range n {
		i := first + k
		mirrored := i < 0 // the places of -1-i and i add up to 0
		if mirrored {
			i = -1 - i
		}
		// The centre is at (2i+1)/2 pixels of the ratio's size.
		hi, lo := bits.Mul64(2*uint64(i)+1, f.of)
		at, rest := bits.Div64(hi, lo, 2*f.in)
		hi, lo = bits.Mul64(rest, steps)
		step, _ := bits.Div64(hi, lo, 2*f.in)
		a.at[k] = int(at)
		switch {
		case mirrored && rest == 0:
			a.at[k] = -int(at)
		case mirrored:
			a.at[k], step = -1-int(at), steps-1-step
		}
		a.fraction[k] = float64(step) / steps
	}
	return a
}

// within puts what is beyond the world right beside it, where pixels are as invalid, so
// that none far outside are read.
func (a axis) within(world int) axis {
	for i, at := range a.at {
		a.at[i] = max(-1, min(at, world))
	}
	return a
}

// places gives centres as they are counted from a pixel on.
func (a axis) places(from, to, origin int) []float64 {
	out := make([]float64, to-from)
	for i := range out {
		out[i] = float64(a.at[from+i]-origin) + a.fraction[from+i]
	}
	return out
}

// maxRead is how many pixels are read at once, for windows that are made of very
// many.
const maxRead = 1 << 22

// read makes the window, in strips of rows that need no more than maxRead pixels.
func (t *resampled) read(ctx context.Context, c Coverage) (*raster.Raster, error) {
	out := &raster.Raster{Grid: t.r.grid(), SRID: 3857}
	for from := 0; from < t.r.Height; {
		to := t.strip(from)
		window := t.window(from, to)
		src, err := c.Window(ctx, window)
		if err != nil {
			return nil, err
		}
		if t.r.Float && t.kernel.Method.Blends() {
			src = floats(src)
		}
		if out.Bands == nil {
			out.Bands = make([]raster.Band, len(src.Bands))
			for i, b := range src.Bands {
				out.Bands[i] = b // header copied
				out.Bands[i].Pixels = raster.NewPixels(b.Type, t.r.Width*t.r.Height)
			}
		}
		if t.kernel.Method.Blends() {
			t.blend(out, src, window, from, to)
		} else {
			t.repeat(out, src, window, from, to)
		}
		from = to
	}
	if bytes.IndexByte(out.Validity, 0) < 0 {
		out.Validity = nil
	}
	return out, nil
}

// floats is the raster with its whole numbers in bands of floating-point ones. What
// is invalid in them is NaN.
func floats(r *raster.Raster) *raster.Raster {
	out := *r
	out.Bands = make([]raster.Band, len(r.Bands))
	for i, b := range r.Bands {
		if out.Bands[i] = b; b.Type.IsFloat() {
			continue
		}
		to := rasterbase.Float32
		if b.Type.Size() > 2 {
			to = rasterbase.Float64
		}
		valid := r.ValidMask(i)
		px := raster.NewPixels(to, b.Pixels.Len())
		for k := range px.Len() {
			if valid != nil && valid[k] == 0 {
				px.Set(k, math.NaN())
			} else {
				px.Set(k, b.Pixels.At(k))
			}
		}
		out.Bands[i].Type, out.Bands[i].Pixels = to, px
		out.Bands[i].HasNodata, out.Bands[i].Nodata = true, math.NaN()
	}
	return &out
}

// strip is the end of the rows that are made at once from a row on.
func (t *resampled) strip(from int) (to int) {
	width := t.span(t.cols, 0, t.r.Width)
	rows := max(maxRead/(width.to-width.from), 64)
	for to = from + 1; to < t.r.Height && t.rows.at[to]-t.rows.at[from] < rows; to++ {
	}
	return to
}

// extent is a range of pixels along an axis.
type extent struct{ from, to int }

// span is what is read of an axis for some pixels. A kernel reads nothing beyond
// the world, whose pixels alone it weights.
func (t *resampled) span(a axis, from, to int) extent {
	e := extent{a.at[from], a.at[to-1] + 1}
	if t.kernel.Method.Blends() {
		reach, _ := t.kernel.Reach()
		e.from = min(max(e.from-reach, 0), t.world-1)
		e.to = max(min(e.to+reach, t.world), e.from+1) // rows of a margin may all be outside
	}
	return e
}

func (t *resampled) window(from, to int) WindowRequest {
	x, y := t.span(t.cols, 0, t.r.Width), t.span(t.rows, from, to)
	return WindowRequest{Level: ZoomLevel(t.zoom), X: x.from, Y: y.from, Width: x.to - x.from, Height: y.to - y.from, Bands: t.r.Bands}
}

// repeat makes rows of the window from the pixels that hold the centres.
func (t *resampled) repeat(out, src *raster.Raster, w WindowRequest, from, to int) {
	cols, rows := t.lookup(w, from)
	for i, b := range src.Bands {
		part := expand(b.Pixels, cols, to-from, rows)
		copy(out.Bands[i].Pixels.Range(from*t.r.Width, to*t.r.Width).Bytes(), part.Bytes())
	}
	if src.Validity != nil {
		copy(validityOf(out)[from*t.r.Width:], expandSlice(src.Validity, cols, to-from, rows))
	}
}

// lookup gives the place in a window of each column, and of the first pixel of
// each row from one on.
func (t *resampled) lookup(w WindowRequest, from int) (cols []int, rows func(int) int) {
	cols = make([]int, t.r.Width)
	for i, at := range t.cols.at {
		cols[i] = at - w.X
	}
	return cols, func(y int) int { return (t.rows.at[from+y] - w.Y) * w.Width }
}

// blend makes rows of the window by the kernel.
func (t *resampled) blend(out, src *raster.Raster, w WindowRequest, from, to int) {
	// Places are counted from the window's corner, which is the world's only
	// where the window begins there.
	s := resample.Source{
		Width: w.Width, Height: w.Height,
		FullWidth: t.world - w.X, FullHeight: t.world - w.Y,
	}
	x, y := t.cols.places(0, t.r.Width, w.X), t.rows.places(from, to, w.Y)
	valid := make([]uint8, (to-from)*t.r.Width)
	for i := range src.Bands {
		s.Pixels, s.Valid = src.Bands[i].Pixels, src.ValidMask(i)
		band := out.Bands[i] // header copied
		band.Pixels = band.Pixels.Range(from*t.r.Width, to*t.r.Width)
		resample.WarpGrid(band.Pixels, valid, s, x, y, t.kernel)
		resample.Settle(&band, valid)
	}
	if src.Validity != nil || t.outside(from, to) && needsValidity(src) {
		t.repeatValidity(validityOf(out), src.Validity, w, from, to)
	}
}

// outside reports whether pixels of some rows are outside the world.
func (t *resampled) outside(from, to int) bool {
	beyond := func(a axis, from, to int) bool { return a.at[from] < 0 || a.at[to-1] >= t.world }
	return beyond(t.cols, 0, t.r.Width) || beyond(t.rows, from, to)
}

// needsValidity reports whether a band's own pixels cannot say that they are
// invalid.
func needsValidity(r *raster.Raster) bool {
	for _, b := range r.Bands {
		if !b.Type.IsFloat() && !(b.HasNodata && b.Type.Holds(b.Nodata)) {
			return true
		}
	}
	return false
}

// repeatValidity writes for rows of the result the validity of the pixels that hold
// the centres: src is the window's, nil where all is valid. What the window does
// not have is outside the world.
func (t *resampled) repeatValidity(dst, src []uint8, w WindowRequest, from, to int) {
	for y := from; y < to; y++ {
		line := dst[y*t.r.Width : (y+1)*t.r.Width]
		row := t.rows.at[y] - w.Y
		if row < 0 || row >= w.Height {
			clear(line)
			continue
		}
		for x := range line {
			switch col := t.cols.at[x] - w.X; {
			case col < 0 || col >= w.Width:
				line[x] = 0
			case src == nil:
				line[x] = math.MaxUint8
			default:
				line[x] = src[row*w.Width+col]
			}
		}
	}
}

// validityOf is the validity of a raster, which is made if there is none.
func validityOf(r *raster.Raster) []uint8 {
	if r.Validity == nil {
		r.Validity = make([]uint8, r.Width*r.Height)
		raster.Fill(raster.Slice[uint8](r.Validity), math.MaxUint8)
	}
	return r.Validity
}
