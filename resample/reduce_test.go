package resample_test

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
)

func ExampleReduce() {
	tile := func(v ...uint8) *raster.Raster {
		r := raster.New(rasterbase.Grid{Width: 2, Height: 2}, 3857, rasterbase.Uint8)
		r.Bands[0] = raster.Band{Type: rasterbase.Uint8, HasNodata: true, Nodata: 0, Pixels: raster.Slice[uint8](v)}
		return r
	}
	parent := resample.Reduce([4]*raster.Raster{tile(1, 2, 3, 4), tile(7, 0, 0, 0), nil, tile(0, 0, 0, 0)}, resample.Mean)
	fmt.Println(parent.Bands[0].Pixels)
	// Output: [3 7 0 0]
}

func TestRuleFor(t *testing.T) {
	for d, want := range map[rasterbase.Datatype]resample.Rule{
		rasterbase.Continuous: resample.Mean, rasterbase.Categorical: resample.Mode,
		rasterbase.Mask: resample.Mode, rasterbase.RankOrdered: resample.LowerMedian,
	} {
		if got := resample.RuleFor(d); got != want {
			t.Errorf("%s: %v, want %v", d, got, want)
		}
	}
}

func TestReduceRules(t *testing.T) {
	const nd = -99
	for _, c := range []struct {
		rule resample.Rule
		in   [4]int16
		want int16
	}{
		{resample.Mean, [4]int16{1, 2, 2, 1}, 2},
		{resample.Mean, [4]int16{-1, -2, -2, -1}, -1}, // -1.5 + 0.5
		{resample.Mean, [4]int16{-1, -2, -2, -2}, -2}, // -1.75
		{resample.Mean, [4]int16{nd, -1, -1, -2}, -1}, // -1.33
		{resample.Mean, [4]int16{-2, nd, -1, -2}, -2}, // -1.67
		{resample.Mean, [4]int16{nd, -1, nd, -2}, -1}, // -1.5 + 0.5
		{resample.Mean, [4]int16{nd, nd, nd, 7}, 7},
		{resample.Mean, [4]int16{nd, nd, nd, nd}, nd},
		{resample.Mean, [4]int16{nd - 1, nd + 1, nd - 1, nd + 1}, nd - 1}, // moved away from nodata
		{resample.Mean, [4]int16{32767, 32767, 32767, 32766}, 32767},
		{resample.Mode, [4]int16{5, 3, 3, 5}, 5},
		{resample.Mode, [4]int16{1, 3, 5, 3}, 3},
		{resample.Mode, [4]int16{4, 3, 2, 1}, 4},
		{resample.Mode, [4]int16{4, 3, 2, 2}, 2},
		{resample.Mode, [4]int16{nd, nd, nd, 1}, 1},
		{resample.Mode, [4]int16{nd, 3, 9, 9}, 9},
		{resample.Mode, [4]int16{nd, 9, nd, 3}, 9},
		{resample.LowerMedian, [4]int16{4, 1, 3, 2}, 2},
		{resample.LowerMedian, [4]int16{nd, 9, nd, 3}, 3},
		{resample.LowerMedian, [4]int16{nd, 9, 5, 3}, 5},
	} {
		r := raster.New(rasterbase.Grid{Width: 2, Height: 2}, 0, rasterbase.Int16)
		r.Bands[0].HasNodata, r.Bands[0].Nodata = true, nd
		r.Bands[0].Pixels = raster.Slice[int16](c.in[:])
		got := resample.Reduce([4]*raster.Raster{3: r}, c.rule)
		if p := got.Bands[0].Pixels.(raster.Slice[int16]); p[3] != c.want || p[0] != nd {
			t.Errorf("%v of %v is %d, want %d", c.rule, c.in, p[3], c.want)
		}
	}
}

// drawBand makes a band of few or many values, some of them nodata or not finite.
func drawBand(t *rapid.T, n int, r *rand.Rand) raster.Band {
	b := raster.Band{Type: rapid.SampledFrom(rasterbase.PixelTypes).Draw(t, "type")}
	b.Pixels = values(b.Type, n*n, r)
	lo, hi := b.Type.Range()
	switch rapid.IntRange(0, 4).Draw(t, "values") {
	case 0: // classes
		for i := range n * n {
			b.Pixels.Set(i, max(lo, min(hi, float64(r.IntN(4)))))
		}
	case 1: // the ends of the range
		for i := range n * n {
			b.Pixels.Set(i, []float64{lo, hi}[r.IntN(2)])
		}
	}
	switch rapid.IntRange(0, 4).Draw(t, "nodata") {
	case 1:
		b.HasNodata, b.Nodata = true, b.Pixels.At(r.IntN(n*n))
	case 2:
		b.HasNodata, b.Nodata = true, -99999.5 // out of the range of most types
	case 3:
		b.HasNodata, b.Nodata = true, math.NaN()
	case 4:
		b.HasNodata, b.Nodata = true, lo
	}
	return b
}

// drawChildren makes four tiles with the same bands.
func drawChildren(t *rapid.T) (children [4]*raster.Raster, n int) {
	n = 2 * rapid.IntRange(1, 4).Draw(t, "half")
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	validity := rapid.Bool().Draw(t, "validity")
	var bands []raster.Band
	for range rapid.IntRange(1, 3).Draw(t, "bands") {
		bands = append(bands, drawBand(t, n, r))
	}
	share := rapid.SampledFrom([]float64{0, 0.1, 0.5, 1}).Draw(t, "invalid")
	for q := range children {
		if r.IntN(5) == 0 {
			continue
		}
		c := &raster.Raster{Grid: rasterbase.Grid{Width: n, Height: n}}
		for _, b := range bands {
			px := raster.NewPixels(b.Type, n*n)
			for i := range n * n {
				v := b.Pixels.At(r.IntN(n * n))
				if r.Float64() < share && b.HasNodata {
					v = b.Nodata
				}
				if b.Type.IsFloat() && r.IntN(9) == 0 {
					v = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)]
				}
				px.Set(i, v)
			}
			b.Pixels = px
			c.Bands = append(c.Bands, b)
		}
		if validity {
			c.Validity = make([]uint8, n*n)
			for i := range c.Validity {
				if r.Float64() >= share {
					c.Validity[i] = uint8(1 + r.IntN(255))
				}
			}
		}
		children[q] = c
	}
	return children, n
}

// four gives the valid ones of the four pixels below a parent's pixel, in row
// order, and whether one of them is not masked out.
func four(children [4]*raster.Raster, n, band, x, y int) (vs []float64, unmasked bool) {
	c := children[2*(2*y/n)+2*x/n]
	if c == nil {
		return nil, false
	}
	for _, d := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		i := (2*y%n+d[1])*n + 2*x%n + d[0]
		unmasked = unmasked || c.Validity == nil || c.Validity[i] != 0
		if c.Valid(band, i) {
			vs = append(vs, c.Bands[band].Pixels.At(i))
		}
	}
	return vs, unmasked
}

func TestReduceMatchesNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		children, n := drawChildren(t)
		rule := rapid.SampledFrom([]resample.Rule{resample.Mean, resample.Mode, resample.LowerMedian}).Draw(t, "rule")
		got := resample.Reduce(children, rule)
		if children == [4]*raster.Raster{} {
			if got != nil {
				t.Fatal("four missing tiles have a parent")
			}
			return
		}
		if err := got.Check(); err != nil || got.Width != n || got.Height != n {
			t.Fatalf("%d x %d: %v", got.Width, got.Height, err)
		}
		for band := range got.Bands {
			b := &got.Bands[band]
			for i := range n * n {
				vs, unmasked := four(children, n, band, i%n, i/n)
				if got.Validity != nil && got.Validity[i] != map[bool]uint8{true: 255}[unmasked] {
					t.Fatalf("pixel %d: validity %d, want %v", i, got.Validity[i], unmasked)
				}
				if got.Valid(band, i) != (len(vs) > 0) {
					t.Fatalf("%v band, pixel %d of %v is %v: valid %v", b.Type, i, vs, b.Pixels.At(i), got.Valid(band, i))
				}
				checkPixel(t, b, b.Pixels.At(i), vs, rule)
			}
		}
	})
}

// checkPixel checks a parent's pixel against the valid ones below it.
func checkPixel(t *rapid.T, b *raster.Band, v float64, vs []float64, rule resample.Rule) {
	if len(vs) == 0 {
		usable := b.HasNodata && (b.Type.IsFloat() || b.Type.Holds(b.Nodata))
		switch {
		case usable && b.Type != rasterbase.Float32 && v != b.Nodata && !math.IsNaN(b.Nodata),
			!usable && !b.Type.IsFloat() && v != 0,
			!usable && b.Type.IsFloat() && !math.IsNaN(v):
			t.Fatalf("an invalid %v pixel holds %v, nodata %v %v", b.Type, v, b.HasNodata, b.Nodata)
		}
		return
	}
	var want float64
	switch rule {
	case resample.Mean:
		want = naiveMean(b, vs)
	case resample.LowerMedian:
		sorted := slices.Sorted(slices.Values(vs))
		want = sorted[(len(sorted)-1)/2]
	default:
		best := 0
		for _, a := range vs {
			if n := occurrences(vs, a); n > best {
				best, want = n, a
			}
		}
	}
	switch d := math.Abs(v - want); {
	case rule != resample.Mean && v != want,
		!b.Type.IsFloat() && v != want,
		b.Type == rasterbase.Float32 && d > 1e-6*math.Abs(want) && d > 1e-44,
		d > 1e-6*math.Abs(want) && d > 1e-6*sumAbs(vs) && d > 1e-44:
		t.Fatalf("%v %v of %v is %v, want %v", b.Type, rule, vs, v, want)
	}
}

func occurrences(vs []float64, a float64) (n int) {
	for _, v := range vs {
		if v == a {
			n++
		}
	}
	return n
}

func sumAbs(vs []float64) (s float64) {
	for _, v := range vs {
		s += math.Abs(v) / 8
	}
	return s
}

// naiveMean is the mean by rational numbers.
func naiveMean(b *raster.Band, vs []float64) float64 {
	sum := new(big.Rat)
	for _, v := range vs {
		sum.Add(sum, new(big.Rat).SetFloat64(v))
	}
	sum.Quo(sum, big.NewRat(int64(len(vs)), 1))
	if b.Type.IsFloat() {
		m, _ := sum.Float64()
		return m
	}
	sum.Add(sum, big.NewRat(1, 2))
	// Div rounds so that the remainder is not negative: down, since the
	// denominator is positive.
	m, _ := new(big.Float).SetInt(new(big.Int).Div(sum.Num(), sum.Denom())).Float64()
	if b.HasNodata && m == b.Nodata {
		if lo, _ := b.Type.Range(); m == lo {
			return m + 1
		}
		return m - 1
	}
	return m
}

func TestReduceNeverLooksAtInvalidPixels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		children, n := drawChildren(t)
		rule := rapid.SampledFrom([]resample.Rule{resample.Mean, resample.Mode, resample.LowerMedian}).Draw(t, "rule")
		want := resample.Reduce(children, rule)
		if want == nil {
			return
		}
		for _, c := range children {
			for i := range n * n {
				if c == nil || c.Validity == nil || c.Validity[i] != 0 {
					continue
				}
				for band := range c.Bands {
					c.Bands[band].Pixels.Set(i, 77)
				}
			}
		}
		got := resample.Reduce(children, rule)
		for band := range want.Bands {
			if !bytes.Equal(got.Bands[band].Pixels.Bytes(), want.Bands[band].Pixels.Bytes()) {
				t.Fatal("values of invalid pixels reach the parent")
			}
		}
	})
}

func TestReduceMissingTileWithoutNodata(t *testing.T) {
	r := raster.New(rasterbase.Grid{Width: 2, Height: 2}, 0, rasterbase.Uint8)
	got := resample.Reduce([4]*raster.Raster{r}, resample.Mean)
	if want := []uint8{255, 0, 0, 0}; !slices.Equal(got.Validity, want) {
		t.Errorf("validity %v, want %v", got.Validity, want)
	}
	if got := resample.Reduce([4]*raster.Raster{r, r, r, r}, resample.Mean); got.Validity != nil {
		t.Error("validity without an invalid pixel")
	}
}

func TestReduceMeanOfHugeFloats(t *testing.T) {
	r := raster.New(rasterbase.Grid{Width: 2, Height: 2}, 0, rasterbase.Float64)
	for i := range 4 {
		r.Bands[0].Pixels.Set(i, math.MaxFloat64)
	}
	got := resample.Reduce([4]*raster.Raster{r, r, r, r}, resample.Mean)
	if v := got.Bands[0].Pixels.At(0); v != math.MaxFloat64 {
		t.Errorf("mean %v", v)
	}
}

func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name  string
		band  raster.Band
		valid []uint8
		want  []float64
	}{
		{"nodata inside the range", raster.Band{Type: rasterbase.Int16, HasNodata: true, Nodata: 7, Pixels: raster.Slice[int16]{7, 8, 0}},
			[]uint8{255, 255, 0}, []float64{6, 8, 7}},
		{"nodata at the lower end", raster.Band{Type: rasterbase.Uint8, HasNodata: true, Nodata: 0, Pixels: raster.Slice[uint8]{0, 255, 9}},
			[]uint8{255, 255, 0}, []float64{1, 255, 0}},
		{"nodata out of the range", raster.Band{Type: rasterbase.Uint8, HasNodata: true, Nodata: -1, Pixels: raster.Slice[uint8]{0, 9}},
			[]uint8{255, 0}, []float64{0, 0}},
		{"few bits", raster.Band{Type: rasterbase.Uint4, HasNodata: true, Nodata: 15, Pixels: raster.Slice[uint8]{17, 3, 0}},
			[]uint8{255, 255, 0}, []float64{14, 3, 15}},
		{"float without nodata", raster.Band{Type: rasterbase.Float64, Pixels: raster.Slice[float64]{1, 2}},
			[]uint8{255, 0}, []float64{1, math.NaN()}},
		{"float nodata", raster.Band{Type: rasterbase.Float32, HasNodata: true, Nodata: 0.1, Pixels: raster.Slice[float32]{0.1, 2}},
			[]uint8{255, 0}, []float64{float64(math.Nextafter32(0.1, 1)), float64(float32(0.1))}},
	} {
		resample.Settle(&c.band, c.valid)
		for i, want := range c.want {
			if v := c.band.Pixels.At(i); v != want && !(math.IsNaN(v) && math.IsNaN(want)) {
				t.Errorf("%s: pixel %d is %v, want %v", c.name, i, v, want)
			}
		}
	}
}
