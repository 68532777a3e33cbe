//go:build cgo && !nogdal

package ingest_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
)

// typeRange is what pixels of a type can hold.
var typeRange = map[rasterbase.PixelType][2]float64{
	rasterbase.Bit1: {0, 1}, rasterbase.Uint8: {0, 255}, rasterbase.Int8: {-128, 127},
	rasterbase.Uint16: {0, 65535}, rasterbase.Int16: {-32768, 32767},
	rasterbase.Uint32: {0, math.MaxUint32}, rasterbase.Int32: {math.MinInt32, math.MaxInt32},
	rasterbase.Float32: {-1e6, 1e6}, rasterbase.Float64: {-1e9, 1e9},
}

var allTypes = []rasterbase.PixelType{
	rasterbase.Bit1, rasterbase.Uint8, rasterbase.Int8, rasterbase.Uint16, rasterbase.Int16,
	rasterbase.Uint32, rasterbase.Int32, rasterbase.Float32, rasterbase.Float64,
}

// spread gives values over the whole range of a type, its ends included.
func spread(p rasterbase.PixelType, band, col, row int) float64 {
	lo, hi := typeRange[p][0], typeRange[p][1]
	h := hash(band, col, row)
	switch h % 97 {
	case 0:
		return lo
	case 1:
		return hi
	}
	v := lo + (hi-lo)*float64(h>>11)/(1<<53)
	if p.IsFloat() {
		return v
	}
	return math.Floor(v + 0.5)
}

// The ways in which a file says which pixels are valid.
var validities = []string{"none", "nodata", "mask", "alpha", "nan"}

func validityCase(p rasterbase.PixelType, bands int, how string) (f geotiff, valid func(band, col, row int) bool) {
	hole := func(col, row int) bool { return hash(99, col/3, row/2)%4 == 0 || col < 20 && row > 70 }
	all := func(int, int, int) bool { return true }
	f = geotiff{
		grid: grid(400_000, 5_600_000, 1000, 150, 100), srid: 32632, kind: p, bands: bands,
		value: func(band, col, row int) float64 { return spread(p, band, col, row) },
	}
	plain := f.value
	switch how {
	case "none":
		return f, all
	case "nodata":
		nodata := typeRange[p][0]
		f.nodata = &nodata
		f.value = func(band, col, row int) float64 {
			if hole(col+band, row) {
				return nodata
			}
			return plain(band, col, row)
		}
		return f, func(band, col, row int) bool { return f.value(band, col, row) != nodata }
	case "mask":
		f.valid = func(col, row int) bool { return !hole(col, row) }
	case "alpha":
		// Alpha is the first sample beyond grey, the second band therefore.
		f.bands, f.options, f.alpha = bands+1, []string{"ALPHA=YES", "PHOTOMETRIC=MINISBLACK"}, true
		f.value = func(band, col, row int) float64 {
			switch {
			case band > 1:
				return plain(band-1, col, row)
			case band == 0:
				return plain(0, col, row)
			case hole(col, row):
				return 0
			}
			return 1
		}
	case "nan":
		f.value = func(band, col, row int) float64 {
			if hole(col, row) {
				return []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[(col+row)%3]
			}
			return plain(band, col, row)
		}
	}
	return f, func(_, col, row int) bool { return !hole(col, row) }
}

// What is parsed is what is in the file, pixel by pixel, whatever its type, its
// number of bands and the way in which it says what is valid.
func TestBasePixelsAndStatistics(t *testing.T) {
	counts := []int{1, 2, 3, 6}
	n := 0
	for _, p := range allTypes {
		for _, how := range validities {
			if how == "nan" && !p.IsFloat() {
				continue
			}
			some := counts
			if p != rasterbase.Uint8 { // the number of bands does not depend on the type
				n++
				some = counts[n%4 : n%4+1]
			}
			for _, bands := range some {
				t.Run(fmt.Sprintf("%v/%s/%d", p, how, bands), func(t *testing.T) {
					f, valid := validityCase(p, bands, how)
					checkBase(t, f, bands, valid)
				})
			}
		}
	}
}

func checkBase(t *testing.T, f geotiff, bands int, valid func(band, col, row int) bool) {
	t.Helper()
	c := imported(t, open(t), ingest.Request{Source: f.write(t), Settings: rasterbase.Settings{TileSize: 64}})
	rev := c.Revision()
	if len(rev.Bands) != bands {
		t.Fatalf("%d bands, want %d", len(rev.Bands), bands)
	}
	w := window(t, c, coverage.WindowRequest{Width: f.grid.Width, Height: f.grid.Height})
	for band := range bands {
		var values []float64
		for i := range f.grid.Width * f.grid.Height {
			col, row := i%f.grid.Width, i/f.grid.Width
			ok := valid(band, col, row)
			if w.Valid(band, i) != ok {
				t.Fatalf("band %d, pixel %d,%d: valid is %v, want %v", band+1, col, row, !ok, ok)
			}
			want := f.data(band, col, row)
			if f.kind == rasterbase.Float32 {
				want = float64(float32(want))
			}
			if !ok {
				continue
			}
			if got := w.Bands[band].Pixels.At(i); got != want {
				t.Fatalf("band %d, pixel %d,%d is %v, want %v", band+1, col, row, got, want)
			}
			values = append(values, want)
		}
		checkStatistics(t, rev.Bands[band], rev.Datatype, values)
	}
}

// checkStatistics compares with the plain formulas.
func checkStatistics(t *testing.T, b rasterbase.Band, d rasterbase.Datatype, values []float64) {
	t.Helper()
	lo, hi, sum := math.Inf(1), math.Inf(-1), 0.0
	counts := map[float64]int64{}
	for _, v := range values {
		lo, hi, sum = min(lo, v), max(hi, v), sum+v
		counts[v]++
	}
	mean, square := sum/float64(len(values)), 0.0
	for _, v := range values {
		square += (v - mean) * (v - mean)
	}
	std := math.Sqrt(square / float64(len(values)))
	scale := max(math.Abs(lo), math.Abs(hi))
	if b.Count != int64(len(values)) || b.Min != lo || b.Max != hi {
		t.Errorf("count, min, max are %d, %v, %v; want %d, %v, %v", b.Count, b.Min, b.Max, len(values), lo, hi)
	}
	if math.Abs(b.Mean-mean) > 1e-9*scale || math.Abs(b.Std-std) > 1e-9*scale {
		t.Errorf("mean and standard deviation are %v, %v; want %v, %v", b.Mean, b.Std, mean, std)
	}
	h := b.Histogram
	if d.Discrete() && len(counts) <= rasterbase.MaxDistinct {
		if len(h.Values) != len(counts) {
			t.Errorf("%d distinct values, want %d", len(h.Values), len(counts))
		}
		for _, v := range h.Values {
			if counts[v.Value] != v.Count {
				t.Errorf("value %v occurs %d times, want %d", v.Value, v.Count, counts[v.Value])
			}
		}
		return
	}
	checkBins(t, h, values)
}

// checkBins counts the values once more, in the bins that the histogram has.
func checkBins(t *testing.T, h rasterbase.Histogram, values []float64) {
	t.Helper()
	want := make([]int64, len(h.Bins))
	width := (h.Max - h.Min) / float64(len(h.Bins))
	for _, v := range values {
		i := int(math.Floor((v - h.Min) / width))
		if i < 0 || i >= len(want) {
			t.Fatalf("%v lies outside the histogram, %v to %v", v, h.Min, h.Max)
		}
		want[i]++
	}
	for i, n := range h.Bins {
		if n != want[i] {
			t.Fatalf("bin %d counts %d, want %d", i, n, want[i])
		}
	}
}

func TestDatatype(t *testing.T) {
	some := func(n int) func(int, int, int) float64 {
		return func(band, col, row int) float64 { return float64(hash(band, col, row) % uint64(n)) }
	}
	// many has exactly n distinct values, the last of them in one pixel only.
	many := func(n int) func(int, int, int) float64 {
		return func(_, col, row int) float64 {
			if col == 149 && row == 99 {
				return float64(n - 1)
			}
			return float64((col + row*150) % (n - 1))
		}
	}
	colors := []gdal.BandText{{Colors: [][4]uint8{{0, 0, 0, 255}, {255, 0, 0, 255}, {0, 255, 0, 255}}}}
	cases := []struct {
		name   string
		f      geotiff
		asked  rasterbase.Datatype
		want   rasterbase.Datatype
		reason string
	}{
		{"colour table", geotiff{kind: rasterbase.Uint8, value: some(200), texts: colors}, "", rasterbase.Categorical, "colour table"},
		{"one bit", geotiff{kind: rasterbase.Bit1, value: some(2)}, "", rasterbase.Mask, "1 bit"},
		{"64 values", geotiff{kind: rasterbase.Uint16, value: many(64)}, "", rasterbase.Categorical, "64 distinct"},
		{"65 values", geotiff{kind: rasterbase.Uint16, value: many(65)}, "", rasterbase.Continuous, "more than 64"},
		{"values of another band", geotiff{kind: rasterbase.Int32, bands: 2, value: func(b, c, r int) float64 {
			return float64(hash(b, c, r)%(1+uint64(b)*999)) - 500
		}}, "", rasterbase.Continuous, "more than 64"},
		{"float", geotiff{kind: rasterbase.Float32, value: some(3)}, "", rasterbase.Continuous, "floating-point"},
		{"picture", geotiff{kind: rasterbase.Uint8, bands: 3, value: some(3), options: []string{"PHOTOMETRIC=RGB"}}, "", rasterbase.Continuous, "picture"},
		{"asked for", geotiff{kind: rasterbase.Float32, value: some(3)}, rasterbase.RankOrdered, rasterbase.RankOrdered, "asked for"},
		{"asked for against the file", geotiff{kind: rasterbase.Uint8, value: some(200), texts: colors}, rasterbase.Continuous, rasterbase.Continuous, "asked for"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			tt.f.grid, tt.f.srid = grid(400_000, 5_600_000, 1000, 150, 100), 32632
			c := imported(t, open(t), ingest.Request{Source: tt.f.write(t), Settings: rasterbase.Settings{Datatype: tt.asked, TileSize: 64}})
			r := c.Revision()
			if r.Datatype != tt.want || !strings.Contains(r.DatatypeReason, tt.reason) {
				t.Errorf("%s, because %q; want %s, because of %q", r.Datatype, r.DatatypeReason, tt.want, tt.reason)
			}
			if r.Resampling.Blends() == r.Datatype.Discrete() {
				t.Errorf("%s resampling of a %s layer", r.Resampling, r.Datatype)
			}
		})
	}
}

func TestBlendingOnADiscreteLayerIsRefused(t *testing.T) {
	for name, f := range map[string]geotiff{
		"known before": {kind: rasterbase.Bit1}, "known from the pixels": {kind: rasterbase.Uint8},
	} {
		t.Run(name, func(t *testing.T) {
			f.grid, f.srid = grid(400_000, 5_600_000, 1000, 150, 100), 32632
			f.value = func(_, col, _ int) float64 { return float64(col % 2) }
			st := open(t)
			_, err := parser(t, st, gdal.Opener{}).Import(t.Context(), ingest.Request{
				Source: f.write(t), Settings: rasterbase.Settings{Resampling: rasterbase.Cubic},
			}, nil)
			if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "blend") {
				t.Errorf("the error is %v", err)
			}
			nothingStored(t, st)
		})
	}
}

func TestNodata(t *testing.T) {
	small := func(_, col, row int) float64 { return float64((col + row) % 200) }
	const short = -3.4028230607370965e+38
	esri := func(_, col, row int) float64 {
		if col < 30 {
			return -math.MaxFloat32
		}
		return float64(col)
	}
	tests := []struct {
		name     string
		f        geotiff
		override *float64
		nodata   *float64 // of the revision
		warning  string
		valid    func(col int, v float64) bool
	}{
		{"outside the type", geotiff{kind: rasterbase.Uint8, nodata: number(-9999), value: small}, nil, nil, "-9999",
			func(int, float64) bool { return true }},
		{"a fraction", geotiff{kind: rasterbase.Int16, nodata: number(0.5), value: small}, nil, nil, "0.5",
			func(int, float64) bool { return true }},
		{"too few digits", geotiff{kind: rasterbase.Float32, nodata: number(short), value: esri}, nil, number(float64(float32(short))), "",
			func(col int, _ float64) bool { return col >= 30 }},
		{"not a number", geotiff{kind: rasterbase.Float64, nodata: number(math.NaN()), value: func(_, col, row int) float64 {
			if col < 30 {
				return math.NaN()
			}
			return float64(row)
		}}, nil, number(math.NaN()), "", func(col int, _ float64) bool { return col >= 30 }},
		{"replaced", geotiff{kind: rasterbase.Uint8, nodata: number(3), value: small}, number(5), number(5), "",
			func(_ int, v float64) bool { return v != 5 }},
		{"given", geotiff{kind: rasterbase.Int16, value: small}, number(7), number(7), "",
			func(_ int, v float64) bool { return v != 7 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.f.grid, tt.f.srid = grid(400_000, 5_600_000, 1000, 150, 100), 32632
			path := tt.f.write(t)
			st := open(t)
			req := ingest.Request{Source: path, Settings: rasterbase.Settings{Nodata: tt.override, TileSize: 64}}
			plan, err := parser(t, st, gdal.Opener{}).Plan(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.Join(plan.Warnings, "\n"); tt.warning != "" && !strings.Contains(text, tt.warning) || tt.warning == "" && text != "" {
				t.Errorf("the warnings are %q", text)
			}
			c := imported(t, st, req)
			got := c.Revision().Bands[0].Nodata
			if (got == nil) != (tt.nodata == nil) {
				t.Fatalf("nodata is %v, want %v", got, tt.nodata)
			}
			if got != nil && float64(*got) != *tt.nodata && !(math.IsNaN(float64(*got)) && math.IsNaN(*tt.nodata)) {
				t.Errorf("nodata is %v, want %v", *got, *tt.nodata)
			}
			w := window(t, c, coverage.WindowRequest{Width: 150, Height: 100})
			for i := range 150 * 100 {
				v := tt.f.value(0, i%150, i/150)
				if want := tt.valid(i%150, v); w.Valid(0, i) != want {
					t.Fatalf("pixel %d,%d of %v: valid is %v", i%150, i/150, v, !want)
				}
			}
		})
	}
}

func TestNodataThatTheTypeCannotHoldIsRefusedWhenAskedFor(t *testing.T) {
	f := geotiff{kind: rasterbase.Uint8, grid: grid(400_000, 5_600_000, 1000, 10, 10), srid: 32632, value: func(int, int, int) float64 { return 1 }}
	_, err := parser(t, open(t), gdal.Opener{}).Plan(t.Context(), ingest.Request{Source: f.write(t), Settings: rasterbase.Settings{Nodata: number(-1)}})
	if rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("the error is %v", err)
	}
}

// Numbers without bound are no reason to fail: an undeclared nodata of many
// programs is the largest float.
func TestHugeFloats(t *testing.T) {
	f := geotiff{kind: rasterbase.Float64, grid: grid(400_000, 5_600_000, 1000, 20, 20), srid: 32632,
		value: func(_, col, row int) float64 {
			if col == row {
				return -math.MaxFloat64
			}
			return math.MaxFloat64 / float64(1+col)
		}}
	c := imported(t, open(t), ingest.Request{Source: f.write(t)})
	b := c.Revision().Bands[0]
	if b.Count != 400 || b.Min != -math.MaxFloat64 {
		t.Errorf("count %d, min %v", b.Count, b.Min)
	}
	var n int64
	for _, v := range b.Histogram.Bins {
		n += v
	}
	if n != 400 || math.IsInf(b.Histogram.Max-0, 0) {
		t.Errorf("the histogram, %v to %v, counts %d", b.Histogram.Min, b.Histogram.Max, n)
	}
}

func TestScaleAndOffsetAreKeptAndNotApplied(t *testing.T) {
	f := geotiff{kind: rasterbase.Int16, bands: 2, grid: grid(400_000, 5_600_000, 1000, 30, 20), srid: 32632,
		value: func(band, col, row int) float64 { return float64(100*band + col - row) },
		texts: []gdal.BandText{{Description: "temperature", Unit: "K", Scale: 0.1, Offset: 273.15}, {Scale: 2, Offset: -1}}}
	c := imported(t, open(t), ingest.Request{Source: f.write(t)})
	b := c.Revision().Bands
	if b[0].Scale != 0.1 || b[0].Offset != 273.15 || b[0].Unit != "K" || b[0].Description != "temperature" || b[1].Scale != 2 || b[1].Offset != -1 {
		t.Errorf("the bands are %+v", b)
	}
	w := window(t, c, coverage.WindowRequest{Width: 30, Height: 20})
	if v := w.Bands[1].Pixels.At(5); v != 105 {
		t.Errorf("the stored value is %v, want 105", v)
	}
}

// Blocks that a file leaves out are nodata, or 0 without one.
func TestSparseFile(t *testing.T) {
	for name, nodata := range map[string]*float64{"nodata": number(0), "none": nil} {
		t.Run(name, func(t *testing.T) {
			f := geotiff{kind: rasterbase.Uint8, grid: grid(400_000, 5_600_000, 1000, 1000, 500), srid: 32632, nodata: nodata,
				options: []string{"SPARSE_OK=TRUE", "TILED=YES", "BLOCKXSIZE=128", "BLOCKYSIZE=128"},
				value: func(_, col, row int) float64 {
					if col >= 900 && row < 50 {
						return 7
					}
					return 0
				}}
			c := imported(t, open(t), ingest.Request{Source: f.write(t), Settings: rasterbase.Settings{TileSize: 128}})
			r := c.Revision()
			wantTiles, wantCount := int64(32), int64(500_000)
			if nodata != nil {
				wantTiles, wantCount = 1, 5000
			}
			if r.BaseTiles != wantTiles || r.Bands[0].Count != wantCount {
				t.Errorf("%d tiles, %d valid pixels; want %d, %d", r.BaseTiles, r.Bands[0].Count, wantTiles, wantCount)
			}
			w := window(t, c, coverage.WindowRequest{X: 890, Y: 40, Width: 20, Height: 20})
			if v, ok := w.At(0, 10, 9); v != 7 || !ok {
				t.Errorf("the pixel is %v, %v", v, ok)
			}
		})
	}
}
