package resample_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
)

var methods = []rasterbase.Resampling{rasterbase.Nearest, rasterbase.Bilinear, rasterbase.Cubic}

func ExampleWarp() {
	// A 3x2 raster whose last pixel is invalid, moved by half a pixel.
	src := resample.Source{
		Width: 3, Height: 2, FullWidth: 3, FullHeight: 2,
		Pixels: raster.Slice[uint8]{10, 20, 30, 40, 50, 60},
		Valid:  []uint8{1, 1, 1, 1, 1, 0},
	}
	places := resample.Places{X: []float64{1, 2, 3, 2}, Y: []float64{0.5, 0.5, 0.5, 1.5}}
	dst, valid := make(raster.Slice[uint8], 4), make([]uint8, 4)
	resample.Warp(dst, valid, src, places, resample.Kernel{Method: rasterbase.Bilinear, ScaleX: 1, ScaleY: 1})
	fmt.Println(dst, valid)
	// Output: [15 25 0 0] [255 255 0 0]
}

// values gives a random raster's pixels; floats have fractions.
func values(t rasterbase.PixelType, n int, r *rand.Rand) raster.Pixels {
	p := raster.NewPixels(t, n)
	lo, hi := t.Range()
	if t.IsFloat() {
		lo, hi = -1e6, 1e6
	}
	for i := range n {
		p.Set(i, lo+r.Float64()*(hi-lo))
	}
	return p
}

// drawnWarp is a random warp.
type drawnWarp struct {
	typ    rasterbase.PixelType
	src    resample.Source
	places resample.Places
	kernel resample.Kernel
	rand   *rand.Rand
}

func drawWarp(t *rapid.T) drawnWarp {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	d := drawnWarp{rand: r, typ: rapid.SampledFrom(rasterbase.PixelTypes).Draw(t, "type")}
	w, h := rapid.IntRange(1, 24).Draw(t, "width"), rapid.IntRange(1, 24).Draw(t, "height")
	d.src = resample.Source{Width: w, Height: h, FullWidth: w, FullHeight: h, Pixels: values(d.typ, w*h, r)}
	if share := rapid.SampledFrom([]float64{0, 0.02, 0.3, 1}).Draw(t, "invalid"); share > 0 {
		d.src.Valid = make([]uint8, w*h)
		for i := range d.src.Valid {
			if r.Float64() >= share {
				d.src.Valid[i] = uint8(1 + r.IntN(255))
			}
		}
	}
	scales := []float64{0.21, 0.5, 0.94, 0.97, 1, 3}
	d.kernel = resample.Kernel{
		Method: rapid.SampledFrom(methods).Draw(t, "method"),
		ScaleX: rapid.SampledFrom(scales).Draw(t, "scale x"), ScaleY: rapid.SampledFrom(scales).Draw(t, "scale y"),
	}
	n := 150
	d.places = resample.Places{X: make([]float64, n), Y: make([]float64, n)}
	for i := range n {
		d.places.X[i], d.places.Y[i] = place(r, w), place(r, h)
	}
	return d
}

// place is inside mostly, and now and then on a border, just beside it, far
// out or nowhere.
func place(r *rand.Rand, size int) float64 {
	switch r.IntN(12) {
	case 0:
		return float64(r.IntN(size + 1))
	case 1:
		return float64(r.IntN(size+1)) - 1e-11
	case 2:
		return float64(r.IntN(size)) + 0.5
	case 3:
		return []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300, -1e300, -0.1}[r.IntN(6)]
	}
	return (r.Float64()*1.1 - 0.05) * float64(size)
}

func (d *drawnWarp) run(src resample.Source, p resample.Places) (raster.Pixels, []uint8) {
	dst, ok := raster.NewPixels(d.typ, len(p.X)), make([]uint8, len(p.X))
	for i := range ok {
		ok[i] = 77 // must be overwritten
		dst.Set(i, 1)
	}
	resample.Warp(dst, ok, src, p, d.kernel)
	return dst, ok
}

func same(a, b raster.Pixels) bool { return bytes.Equal(a.Bytes(), b.Bytes()) }

func TestWarpPartsAndWindowsShowNoSeam(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawWarp(t)
		want, wantOK := d.run(d.src, d.places)
		cut := rapid.IntRange(0, len(wantOK)).Draw(t, "cut")
		for _, part := range [][2]int{{0, cut}, {cut, len(wantOK)}} {
			p := resample.Places{X: d.places.X[part[0]:part[1]], Y: d.places.Y[part[0]:part[1]]}
			got, ok := d.run(window(d.src, needed(d, p)), p)
			if !same(got, want.Range(part[0], part[1])) || !bytes.Equal(ok, wantOK[part[0]:part[1]]) {
				t.Fatalf("the part from %d to %d differs", part[0], part[1])
			}
		}
		for i := range wantOK {
			p := resample.Places{X: d.places.X[i : i+1], Y: d.places.Y[i : i+1]}
			got, ok := d.run(window(d.src, needed(d, p)), p)
			if !same(got, want.Range(i, i+1)) || ok[0] != wantOK[i] {
				t.Fatalf("pixel %d alone differs", i)
			}
		}
	})
}

// needed is the smallest window that Kernel.Reach promises to suffice.
func needed(d drawnWarp, p resample.Places) [4]int {
	rx, ry := d.kernel.Reach()
	x0, x1 := extent(p.X, rx, d.src.FullWidth)
	y0, y1 := extent(p.Y, ry, d.src.FullHeight)
	return [4]int{x0, y0, x1 - x0, y1 - y0}
}

// window cuts x, y, width, height out of a source.
func window(s resample.Source, r [4]int) resample.Source {
	out := s
	out.X, out.Y, out.Width, out.Height = r[0], r[1], r[2], r[3]
	var valid []uint8
	px := s.Pixels.Range(0, 0)
	for row := r[1]; row < r[1]+r[3]; row++ {
		from, to := row*s.Width+r[0], row*s.Width+r[0]+r[2]
		px = appendPixels(px, s.Pixels.Range(from, to))
		if s.Valid != nil {
			valid = append(valid, s.Valid[from:to]...)
		}
	}
	out.Pixels, out.Valid = px, valid
	return out
}

func appendPixels(a, b raster.Pixels) raster.Pixels {
	switch a := a.(type) {
	case raster.Slice[uint8]:
		return append(a, b.(raster.Slice[uint8])...)
	case raster.Slice[int8]:
		return append(a, b.(raster.Slice[int8])...)
	case raster.Slice[uint16]:
		return append(a, b.(raster.Slice[uint16])...)
	case raster.Slice[int16]:
		return append(a, b.(raster.Slice[int16])...)
	case raster.Slice[uint32]:
		return append(a, b.(raster.Slice[uint32])...)
	case raster.Slice[int32]:
		return append(a, b.(raster.Slice[int32])...)
	case raster.Slice[float32]:
		return append(a, b.(raster.Slice[float32])...)
	}
	return append(a.(raster.Slice[float64]), b.(raster.Slice[float64])...)
}

func extent(places []float64, reach, size int) (from, to int) {
	from, to = size, 0
	for _, v := range places {
		if v >= 0 && v < float64(size) {
			from, to = min(from, int(v)-reach), max(to, int(v)+reach+1)
		}
	}
	from, to = max(from, 0), min(to, size)
	return min(from, to), to
}

func TestWarpValidityOfNilEqualsAllOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawWarp(t)
		d.src.Valid = nil
		want, wantOK := d.run(d.src, d.places)
		d.src.Valid = bytes.Repeat([]byte{1}, d.src.Width*d.src.Height)
		got, ok := d.run(d.src, d.places)
		if !same(got, want) || !bytes.Equal(ok, wantOK) {
			t.Fatal("the same pixels, all valid, give another result")
		}
	})
}

func TestWarpNeverLooksAtInvalidPixels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawWarp(t)
		want, wantOK := d.run(d.src, d.places)
		garbage := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -9999, 0}
		for i, v := range d.src.Valid {
			if v == 0 {
				d.src.Pixels.Set(i, garbage[d.rand.IntN(len(garbage))])
			}
		}
		got, ok := d.run(d.src, d.places)
		if !same(got, want) || !bytes.Equal(ok, wantOK) {
			t.Fatal("values of invalid pixels reach the result")
		}
	})
}

func TestWarpIsValidWhereTheNearestPixelIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawWarp(t)
		got, ok := d.run(d.src, d.places)
		for i, x := range d.places.X {
			y := d.places.Y[i]
			want := x >= 0 && y >= 0 && x+1e-10 < float64(d.src.FullWidth) && y+1e-10 < float64(d.src.FullHeight)
			o := 0
			if want {
				o = int(y+1e-10)*d.src.Width + int(x+1e-10)
				want = d.src.Valid == nil || d.src.Valid[o] != 0
			}
			switch {
			case ok[i] != 0 && ok[i] != 255:
				t.Fatalf("validity %d", ok[i])
			case (ok[i] != 0) != want:
				t.Fatalf("place %v, %v: validity %d, want %v", x, y, ok[i], want)
			case !want && got.At(i) != 0:
				t.Fatalf("an invalid pixel holds %v", got.At(i))
			case want && d.kernel.Method == rasterbase.Nearest && got.At(i) != d.src.Pixels.At(o):
				t.Fatalf("nearest gives %v, the pixel is %v", got.At(i), d.src.Pixels.At(o))
			}
		}
	})
}

// TestWarpMatchesFormula compares with the formulas as the textbook has them.
func TestWarpMatchesFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawWarp(t)
		got, ok := d.run(d.src, d.places)
		for i := range ok {
			if ok[i] == 0 || d.kernel.Method == rasterbase.Nearest {
				continue
			}
			v := naive(d, d.places.X[i], d.places.Y[i])
			limit := 1e-6
			switch {
			case d.typ == rasterbase.Float32:
				limit = 0.2 // values reach 1e6
			case !d.typ.IsFloat():
				lo, hi := goRange(d.typ)
				v, limit = max(lo, min(hi, v)), 0.5+1e-4
			}
			if diff := math.Abs(got.At(i) - v); !(diff <= limit) {
				t.Fatalf("place %v, %v of %dx%d: %v, want %v", d.places.X[i], d.places.Y[i], d.src.Width, d.src.Height, got.At(i), v)
			}
		}
	})
}

// goRange is the range of the Go type that holds the pixels.
func goRange(t rasterbase.PixelType) (lo, hi float64) {
	if t < rasterbase.Int8 {
		t = rasterbase.Uint8
	}
	return t.Range()
}

func naive(d drawnWarp, x, y float64) float64 {
	sx, sy := min(d.kernel.ScaleX, 1), min(d.kernel.ScaleY, 1)
	wide := sx < 0.95 || sy < 0.95
	if !wide {
		sx, sy = 1, 1
	}
	cubic := func(a float64) float64 {
		switch {
		case a < 1:
			return 1.5*a*a*a - 2.5*a*a + 1
		case a < 2:
			return -0.5*a*a*a + 2.5*a*a - 4*a + 2
		}
		return 0
	}
	linear := func(a float64) float64 { return max(0, 1-a) }
	convolve := func(f func(float64) float64) (v float64, partial bool) {
		var sum, weights float64
		rx, ry := d.kernel.Reach()
		col, row := int(math.Floor(x-0.5)), int(math.Floor(y-0.5))
		for r := row + 1 - ry; r <= row+ry; r++ {
			for c := col + 1 - rx; c <= col+rx; c++ {
				outside := c < 0 || r < 0 || c >= d.src.Width || r >= d.src.Height
				if outside || d.src.Valid != nil && d.src.Valid[r*d.src.Width+c] == 0 {
					partial = partial || !outside || !wide
					continue
				}
				w := f(math.Abs(float64(c)+0.5-x)*sx) * f(math.Abs(float64(r)+0.5-y)*sy)
				sum += w * d.src.Pixels.At(r*d.src.Width+c)
				weights += w
			}
		}
		return sum / weights, partial
	}
	if d.kernel.Method == rasterbase.Cubic {
		if v, partial := convolve(cubic); !partial {
			return v
		}
	}
	v, _ := convolve(linear)
	return v
}

func TestWarpKeepsAlignedPixelsAndConstants(t *testing.T) {
	for _, typ := range rasterbase.PixelTypes {
		for _, m := range methods {
			r := rand.New(rand.NewPCG(3, 4))
			w, h := 9, 7
			src := resample.Source{Width: w, Height: h, FullWidth: w, FullHeight: h, Pixels: values(typ, w*h, r)}
			p := resample.Places{}
			for i := range w * h {
				p.X, p.Y = append(p.X, float64(i%w)+0.5), append(p.Y, float64(i/w)+0.5)
			}
			dst, ok := raster.NewPixels(typ, w*h), make([]uint8, w*h)
			resample.Warp(dst, ok, src, p, resample.Kernel{Method: m, ScaleX: 1, ScaleY: 1})
			if !same(dst, src.Pixels) || slices.Contains(ok, 0) {
				t.Errorf("%v %v: an aligned copy differs", typ, m)
			}
		}
	}
}

func TestWarpLimitsIntegersAndRoundsHalfUp(t *testing.T) {
	src := resample.Source{Width: 6, Height: 4, FullWidth: 6, FullHeight: 4, Pixels: make(raster.Slice[uint8], 24)}
	for i := range 24 {
		if i%6 >= 3 {
			src.Pixels.Set(i, 255)
		}
	}
	p := resample.Places{X: []float64{2.2, 3.8, 3}, Y: []float64{2, 2, 2}}
	dst, ok := make(raster.Slice[uint8], 3), make([]uint8, 3)
	resample.Warp(dst, ok, src, p, resample.Kernel{Method: rasterbase.Cubic, ScaleX: 1, ScaleY: 1})
	if want := []uint8{0, 255, 128}; !slices.Equal(dst, want) {
		t.Errorf("cubic beside an edge: %v, want %v", dst, want)
	}
	neg := resample.Source{Width: 2, Height: 1, FullWidth: 2, FullHeight: 1, Pixels: raster.Slice[int16]{-3, -2}}
	out := make(raster.Slice[int16], 1)
	resample.Warp(out, ok[:1], neg, resample.Places{X: []float64{1}, Y: []float64{0.5}}, resample.Kernel{Method: rasterbase.Bilinear, ScaleX: 1, ScaleY: 1})
	if out[0] != -2 {
		t.Errorf("-2.5 becomes %d, want -2", out[0])
	}
}

func TestReach(t *testing.T) {
	for _, c := range []struct {
		k    resample.Kernel
		x, y int
	}{
		{resample.Kernel{Method: rasterbase.Nearest, ScaleX: 0.1, ScaleY: 0.1}, 1, 1},
		{resample.Kernel{Method: rasterbase.Bilinear, ScaleX: 2, ScaleY: 0.96}, 1, 1},
		{resample.Kernel{Method: rasterbase.Bilinear, ScaleX: 0.5, ScaleY: 3}, 2, 1},
		{resample.Kernel{Method: rasterbase.Cubic}, 2, 2},
		{resample.Kernel{Method: rasterbase.Cubic, ScaleX: 0.3, ScaleY: 0.99}, 7, 3},
	} {
		if x, y := c.k.Reach(); x != c.x || y != c.y {
			t.Errorf("%+v reaches %d, %d, want %d, %d", c.k, x, y, c.x, c.y)
		}
	}
}

func TestWarpOfNothing(t *testing.T) {
	for _, m := range methods {
		for _, scale := range []float64{1, 0.2} {
			dst, ok := make(raster.Slice[int32], 2), []uint8{9, 9}
			src := resample.Source{FullWidth: 50, FullHeight: 50, Pixels: raster.Slice[int32]{}}
			p := resample.Places{X: []float64{3, 10.5}, Y: []float64{3, 10.5}}
			resample.Warp(dst, ok, src, p, resample.Kernel{Method: m, ScaleX: scale, ScaleY: scale})
			if ok[0] != 0 || ok[1] != 0 {
				t.Errorf("%v: an empty window gives validity %v", m, ok)
			}
		}
	}
}
