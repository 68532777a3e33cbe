package zonal

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

var pixelTypes = []rasterbase.PixelType{
	rasterbase.Uint8, rasterbase.Int8, rasterbase.Uint16, rasterbase.Int16, rasterbase.Uint32, rasterbase.Int32, rasterbase.Float32, rasterbase.Float64,
}

// drawBand draws pixels of few or many values.
func drawBand(t *rapid.T, name string, n int) (raster.Band, []uint8) {
	types := pixelTypes
	if rapid.Bool().Draw(t, name+" of bytes") {
		types = pixelTypes[:1]
	}
	b := raster.Band{Type: rapid.SampledFrom(types).Draw(t, name+" type")}
	b.Pixels = raster.NewPixels(b.Type, n)
	most := rapid.SampledFrom([]int{1, 3, 20, 127}).Draw(t, name+" values")
	for i := range n {
		v := float64(rapid.IntRange(0, most).Draw(t, name))
		if b.Type.IsFloat() && v == 0 && i%2 == 0 {
			v = math.Copysign(0, -1)
		}
		b.Pixels.Set(i, v)
	}
	if rapid.Bool().Draw(t, name+" all valid") {
		return b, nil
	}
	return b, rapid.SliceOfN(rapid.SampledFrom([]uint8{0, 1, 255}), n, n).Draw(t, name+" validity")
}

// However pixels are counted, in runs and in several tallies that are joined, the table
// is what counting them one by one gives.
func TestPairTallyIsWhatEachPixelSays(t *testing.T) {
	type cell struct{ count, area float64 }
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]float64{0, 1, 10000}).Draw(t, "unit")
		all := newPairTally(unit)
		want := map[[2]float64]cell{}
		var valid, nodata float64
		for range rapid.IntRange(0, 4).Draw(t, "tallies") {
			tally := newPairTally(unit)
			for range rapid.IntRange(0, 3).Draw(t, "rasters") {
				n := rapid.IntRange(1, 60).Draw(t, "pixels")
				a, validA := drawBand(t, "a", n)
				b, validB := drawBand(t, "b", n)
				for range rapid.IntRange(1, 3).Draw(t, "runs") {
					from := rapid.IntRange(0, n).Draw(t, "from")
					to := rapid.IntRange(from, n).Draw(t, "to")
					weight := rapid.SampledFrom([]float64{1, 0.25}).Draw(t, "weight")
					area := rapid.SampledFrom([]float64{900, 123.5}).Draw(t, "area")
					tally.add(&a, &b, validA, validB, from, to, weight, area)
					for i := from; i < to; i++ {
						if validA != nil && validA[i] == 0 || validB != nil && validB[i] == 0 {
							nodata += weight
							continue
						}
						valid += weight
						p := [2]float64{a.Pixels.At(i), b.Pixels.At(i)}
						c := want[p]
						want[p] = cell{c.count + weight, c.area + weight*area}
					}
				}
			}
			all.join(tally)
		}
		got, err := all.result()
		if err != nil {
			t.Fatal(err)
		}
		if got.Valid != valid || got.Nodata != nodata || (got.Areas != nil) != (unit != 0) {
			t.Fatalf("%v valid, %v nodata, want %v, %v", got.Valid, got.Nodata, valid, nodata)
		}
		for i, v := range [][]float64{got.Rows, got.Columns} {
			if !slices.IsSorted(v) || len(slices.Compact(slices.Clone(v))) != len(v) {
				t.Fatalf("%d: %v are not rising", i, v)
			}
		}
		seen := 0
		for i, row := range got.Rows {
			for k, column := range got.Columns {
				c := want[[2]float64{row, column}]
				if got.Counts[i][k] != c.count || unit != 0 && math.Abs(got.Areas[i][k]-c.area/unit) > 1e-9*c.area {
					t.Fatalf("%v and %v: %v, want %v", row, column, got.Counts[i][k], c)
				}
				if c.count > 0 {
					seen++
				}
			}
		}
		if seen != len(want) || len(got.Counts) != len(got.Rows) {
			t.Fatalf("%d pairs, want %d", seen, len(want))
		}
	})
}

// ramp is bands of so many pairs: each value of the first with one of the second.
func ramp(n int, second func(i int) float64) (a, b raster.Band) {
	pa, pb := make(raster.Slice[int32], n), make(raster.Slice[float64], n)
	for i := range n {
		pa[i], pb[i] = int32(i), second(i)
	}
	return raster.Band{Type: rasterbase.Int32, Pixels: pa}, raster.Band{Type: rasterbase.Float64, Pixels: pb}
}

func TestTooManyPairs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		n      int
		second func(i int) float64
		ok     bool
	}{
		{"as many as there can be", maxPairs, func(int) float64 { return 7 }, true},
		{"one more", maxPairs + 1, func(int) float64 { return 7 }, false},
		{"a diagonal", 1000, func(i int) float64 { return float64(i) / 2 }, true},
		{"a diagonal of too large a table", 2000, func(i int) float64 { return float64(i) / 2 }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := ramp(tt.n, tt.second)
			// In one tally, and in two that are joined.
			one, two, other := newPairTally(0), newPairTally(0), newPairTally(0)
			one.add(&a, &b, nil, nil, 0, tt.n, 1, 0)
			two.add(&a, &b, nil, nil, 0, tt.n/2, 1, 0)
			other.add(&a, &b, nil, nil, tt.n/2, tt.n, 1, 0)
			two.join(other)
			for _, tally := range []*pairTally{one, two} {
				got, err := tally.result()
				if tt.ok {
					if err != nil || len(got.Rows) != tt.n || got.Valid != float64(tt.n) {
						t.Errorf("%d rows: %v", len(got.Rows), err)
					}
					continue
				}
				if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "discrete") {
					t.Errorf("%v", err)
				}
				// What comes after does no harm.
				tally.add(&a, &b, nil, nil, 0, 1, 1, 0)
				tally.join(other)
			}
			if (one.err() == nil) != (tt.n <= maxPairs) {
				t.Errorf("while counting: %v", one.err())
			}
		})
	}
}

// All pairs of bytes are not too many, in whatever order they come.
func TestPairsOfAllBytes(t *testing.T) {
	n := 1 << 16
	a, b := make(raster.Slice[uint8], n), make(raster.Slice[uint8], n)
	for i := range n {
		k := i * 40503 % n
		a[i], b[i] = uint8(k>>8), uint8(k)
	}
	tally := newPairTally(0)
	tally.add(&raster.Band{Pixels: a}, &raster.Band{Pixels: b}, nil, nil, 0, n, 1, 0)
	got, err := tally.result()
	if err != nil || len(got.Rows) != 256 || len(got.Columns) != 256 {
		t.Fatalf("%d x %d: %v", len(got.Rows), len(got.Columns), err)
	}
	for i, row := range got.Counts {
		for k, c := range row {
			if got.Rows[i] != float64(i) || c != 1 {
				t.Fatalf("%d, %d: %v", i, k, c)
			}
		}
	}
}

func BenchmarkPairTally(b *testing.B) {
	const n = 1 << 16
	for _, run := range []int{1, 20} {
		pa, pb := make(raster.Slice[uint8], n), make(raster.Slice[uint8], n)
		wide := make(raster.Slice[uint16], n)
		for i := range n {
			k := uint32(i/run) * 2654435761
			pa[i], pb[i] = uint8(k>>28), uint8(k>>24&15)
			wide[i] = uint16(pa[i])
		}
		x, y, w := raster.Band{Pixels: pa}, raster.Band{Pixels: pb}, raster.Band{Pixels: wide}
		for name, first := range map[string]*raster.Band{"bytes": &x, "others": &w} {
			b.Run(name+map[int]string{1: "/noise", 20: "/runs"}[run], func(b *testing.B) {
				t := newPairTally(0)
				for b.Loop() {
					t.add(first, &y, nil, nil, 0, n, 1, 0)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/pixel")
			})
		}
	}
}
