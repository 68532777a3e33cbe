package zonal

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
)

// run is pixels of a row of a tile with one weight.
type run struct {
	row, from, to int
	weight        float64
}

// tileOf makes a tile of a type with nodata, a validity at times, -0, and what is no
// number.
func tileOf(r *rand.Rand, kind rasterbase.PixelType, side int, nodata, mask bool) *raster.Raster {
	out := raster.New(rasterbase.Grid{Width: side, Height: side, ScaleX: 1, ScaleY: -1}, 3857, kind)
	b := &out.Bands[0]
	b.HasNodata, b.Nodata = nodata, 3
	last := 0.0
	for i := range side * side {
		if r.IntN(3) == 0 {
			last = float64(r.IntN(12))
			if low, _ := kind.Range(); low < 0 {
				last -= 5
			}
		}
		v := last
		if kind.IsFloat() {
			switch v = last / 4; r.IntN(30) {
			case 0:
				v = math.NaN()
			case 1:
				v = math.Inf(1 - 2*r.IntN(2))
			case 2, 3:
				v = math.Copysign(0, -1)
			}
		}
		b.Pixels.Set(i, v)
	}
	if mask {
		out.Validity = make([]uint8, side*side)
		for i := range out.Validity {
			out.Validity[i] = []uint8{0, 1, 255}[r.IntN(3)]
		}
	}
	return out
}

// runsOf are disjoint runs of rows, some with a share of their pixels.
func runsOf(r *rand.Rand, side int, fraction bool) (out []run) {
	for row := range side {
		for from := r.IntN(side); from < side; {
			one := run{row, from, from + 1 + r.IntN(side-from), 1}
			if fraction && r.IntN(2) == 0 {
				one.weight = r.Float64()
			}
			out = append(out, one)
			from = one.to + r.IntN(side)
		}
	}
	return out
}

// naive is one pixel after the other.
type naive struct {
	count, area map[float64]float64
	held        float64
}

func naively(tile *raster.Raster, runs []run, a areas) naive {
	out := naive{count: map[float64]float64{}, area: map[float64]float64{}}
	for _, one := range runs {
		for col := one.from; col < one.to; col++ {
			i := one.row*tile.Width + col
			out.held += one.weight
			if !tile.Valid(0, i) {
				continue
			}
			area := a.uniform
			switch {
			case a.rows != nil:
				area = a.rows[one.row]
			case a.pixels != nil:
				area = a.pixels[i]
			}
			v := tile.Bands[0].Pixels.At(i) + 0
			out.count[v] += one.weight
			out.area[v] += one.weight * area
		}
	}
	return out
}

// gathered counts the runs in parts, which are joined in an order of their own.
func gathered(r *rand.Rand, p *tallyPlan, tile *raster.Raster, runs []run, a areas) *part {
	g := newGatherer(p)
	g.begin(tile, 0, false, a)
	var parts []part
	for _, one := range runs {
		g.add(one.row, one.from, one.to, one.weight)
		if r.IntN(5) == 0 {
			parts = append(parts, g.take())
		}
	}
	parts = append(parts, g.take())
	out := part{}
	for _, i := range r.Perm(len(parts)) {
		out.join(p, &parts[i])
	}
	return &out
}

func close64(a, b, scale float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-12*(1+math.Abs(scale))
}

// Whatever the pixels are, and in whichever parts they are counted and joined, all
// that is gathered is what one pixel after the other says.
func TestGatheredIsWhatPixelsSay(t *testing.T) {
	for _, kind := range []rasterbase.PixelType{
		rasterbase.Uint8, rasterbase.Int8, rasterbase.Uint16, rasterbase.Int16,
		rasterbase.Uint32, rasterbase.Int32, rasterbase.Float32, rasterbase.Float64,
	} {
		for _, group := range []Group{ByValue, ByClass, Histogram, NoGroup} {
			t.Run(fmt.Sprintf("%s/%s", kind, group), func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) {
					r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
					side := 1 + r.IntN(12)
					p := &tallyPlan{
						kind: kind, group: group, bins: 5, low: -2, high: 4, unit: 2, fraction: r.IntN(2) == 0,
						classes: &Classes{N: 3, Of: func(v float64) int { return max(-1, min(2, int(math.Floor(v)))) }},
						stats:   []Stats{Moments, Moments | Quantiles | Variety}[r.IntN(2)], percentiles: []float64{0, 30, 100},
						least: math.NaN(), greatest: math.NaN(),
					}
					p.settle(r.IntN(2) == 0)
					a := areas{uniform: 3}
					switch r.IntN(3) {
					case 0:
						a.rows = randoms(r, side)
					case 1:
						a.pixels = randoms(r, side*side)
					}
					tile := tileOf(r, kind, side, r.IntN(2) == 0, r.IntN(2) == 0)
					runs := runsOf(r, side, p.fraction)
					got, err := p.result(gathered(r, p, tile, runs, a))
					if err != nil {
						rt.Fatal(err)
					}
					naively(tile, runs, a).compare(rt, p, got)
				})
			})
		}
	}
}

func randoms(r *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1 + r.Float64()
	}
	return out
}

func (n naive) compare(t *rapid.T, p *tallyPlan, got BandResult) {
	values := make([]float64, 0, len(n.count))
	valid, area := 0.0, 0.0
	for v := range n.count {
		values = append(values, v)
	}
	slices.Sort(values)
	rows := map[int]Row{}
	for _, v := range values {
		valid += n.count[v]
		area += n.area[v]
		k := -1
		switch p.group {
		case ByValue:
			k = len(rows)
		case ByClass:
			k = p.classes.Of(v)
		case Histogram: // bins of 1.2 from -2; none of the values is on an inner edge but for those that are exact
			if v >= p.low && v <= p.high {
				k = min(int((v-p.low)*float64(p.bins)/(p.high-p.low)), p.bins-1)
			}
		}
		if k >= 0 {
			row := rows[k]
			row.Value, row.Count, row.Area = v, row.Count+n.count[v], row.Area+n.area[v]/p.unit
			rows[k] = row
		}
	}
	if !close64(got.Valid, valid, n.held) || !close64(got.Nodata, n.held-valid, n.held) || !close64(got.Area, area/p.unit, area) {
		t.Fatalf("%v valid, %v not, an area of %v; of %v %v are, of %v", got.Valid, got.Nodata, got.Area, n.held, valid, area/p.unit)
	}
	unclassed := valid
	for i, row := range got.Counts {
		k := i
		if p.group == ByClass {
			k = row.Class
		}
		want := rows[k]
		if !close64(row.Count, want.Count, valid) || !close64(row.Area, want.Area, area) ||
			p.group == ByValue && (row.Value != want.Value || math.Signbit(row.Value) != (row.Value < 0)) {
			t.Fatalf("row %d is %+v, and should be %+v", i, row, want)
		}
		unclassed -= row.Count
	}
	if p.group != Histogram && len(got.Counts) != len(rows) {
		t.Fatalf("%d rows, and should be %d", len(got.Counts), len(rows))
	}
	if p.group == ByClass || p.group == Histogram {
		if !close64(got.Unclassed, unclassed, valid) {
			t.Fatalf("%v of no class, and should be %v", got.Unclassed, unclassed)
		}
	}
	n.compareStatistics(t, p, values, valid, got.Statistics)
}

func (n naive) compareStatistics(t *rapid.T, p *tallyPlan, values []float64, valid float64, s *Statistics) {
	if len(values) == 0 {
		if s.Count != 0 || s.Sum != 0 || s.Unique != 0 || !math.IsNaN(s.Mean) || !math.IsNaN(s.Max) || !math.IsNaN(s.Median) || len(s.Percentiles) != 3 {
			t.Fatalf("statistics of no pixel: %+v", *s)
		}
		return
	}
	sum, squares := 0.0, 0.0
	for _, v := range values {
		sum += v * n.count[v]
	}
	for _, v := range values {
		squares += n.count[v] * (v - sum/valid) * (v - sum/valid)
	}
	low, high := values[0], values[len(values)-1]
	if !close64(s.Count, valid, valid) || !close64(s.Sum, sum, 20*valid) || !close64(s.Mean, sum/valid, 20) || s.Min != low || s.Max != high ||
		math.Signbit(s.Min) != (low < 0) || math.Signbit(s.Max) != (high < 0) || math.Abs(s.Variance-squares/valid) > 1e-9 || s.Std != math.Sqrt(s.Variance) {
		t.Fatalf("%+v, and should be count %v, sum %v, from %v to %v, variance %v", *s, valid, sum, low, high, squares/valid)
	}
	if p.stats&Quantiles == 0 {
		return
	}
	if s.Unique != int64(len(values)) || !s.VarietyKnown || s.QuantileError != 0 || s.Percentiles[0] != low || s.Percentiles[2] != high || s.Median < low || s.Median > high {
		t.Fatalf("%+v of %v", *s, values)
	}
	if !p.fraction { // with fractions two may be as many but for rounding
		most, fewest := values[0], values[0]
		for _, v := range values {
			if n.count[v] > n.count[most] {
				most = v
			}
			if n.count[v] < n.count[fewest] {
				fewest = v
			}
		}
		if s.Majority != most || s.Minority != fewest {
			t.Fatalf("majority %v and minority %v of %v", s.Majority, s.Minority, n.count)
		}
	}
}

// Large offsets lose no digits: against sums in exact arithmetic.
func TestMomentsOfLargeOffsets(t *testing.T) {
	for _, offset := range []float64{0, 1e6, -1e12, 1e15} {
		r := rand.New(rand.NewPCG(4, 4))
		p := &tallyPlan{kind: rasterbase.Float64, group: NoGroup, stats: Moments}
		p.settle(false)
		total, sum, squares, n := part{}, new(big.Rat), new(big.Rat), int64(0)
		for range 12 {
			tile := raster.New(rasterbase.Grid{Width: 64, Height: 64, ScaleX: 1, ScaleY: -1}, 3857, rasterbase.Float64)
			g := newGatherer(p)
			g.begin(tile, 0, true, areas{})
			for i := range 64 * 64 {
				v := offset + float64(r.IntN(4000))/8
				tile.Bands[0].Pixels.Set(i, v)
				x := new(big.Rat).SetFloat64(v)
				sum.Add(sum, x)
				squares.Add(squares, x.Mul(x, x))
				n++
			}
			for row := range 64 {
				g.add(row, 0, 64, 1)
			}
			found := g.take()
			total.join(p, &found)
		}
		mean := new(big.Rat).Quo(sum, new(big.Rat).SetInt64(n))
		variance := new(big.Rat).Quo(squares, new(big.Rat).SetInt64(n))
		variance.Sub(variance, new(big.Rat).Mul(mean, mean))
		wantMean, _ := mean.Float64()
		wantVariance, _ := variance.Float64()
		got := p.statistics(&total)
		if math.Abs(got.Mean-wantMean) > 4e-16*math.Abs(wantMean)+1e-12 {
			t.Errorf("offset %v: the mean is %v, and should be %v", offset, got.Mean, wantMean)
		}
		// Means are rounded to numbers as far apart as those about the offset.
		if bound := 1e-12*wantVariance + 500*math.Abs(offset)*1e-16; math.Abs(got.Variance-wantVariance) > bound {
			t.Errorf("offset %v: the variance is %v, and should be %v", offset, got.Variance, wantVariance)
		}
	}
}

// Squares that are too large for a number are infinite, never no number.
func TestMomentsTooLarge(t *testing.T) {
	p := &tallyPlan{kind: rasterbase.Float64, group: NoGroup, stats: Moments}
	p.settle(false)
	tile := raster.New(rasterbase.Grid{Width: 3, Height: 1, ScaleX: 1, ScaleY: -1}, 3857, rasterbase.Float64)
	for i, v := range []float64{-1e200, 5, 1e200} {
		tile.Bands[0].Pixels.Set(i, v)
	}
	g := newGatherer(p)
	g.begin(tile, 0, true, areas{})
	g.add(0, 0, 3, 1)
	found := g.take()
	s := raster.Summarize(tile, 0, false)
	summary := p.ofSummary(&s, 3, 0)
	for _, one := range []*part{&found, &summary} {
		if got := p.statistics(one); !math.IsInf(got.Variance, 1) || !math.IsInf(got.Std, 1) || got.Min != -1e200 || got.Max != 1e200 {
			t.Errorf("%+v", *got)
		}
	}
}

// The least value of zeros is 0, whichever sign they have.
func TestMinusZeroIsZero(t *testing.T) {
	p := &tallyPlan{kind: rasterbase.Float32, group: NoGroup, stats: Moments}
	p.settle(false)
	tile := raster.New(rasterbase.Grid{Width: 4, Height: 1, ScaleX: 1, ScaleY: -1}, 3857, rasterbase.Float32)
	tile.Bands[0].Pixels.Set(0, math.Copysign(0, -1))
	g := newGatherer(p)
	g.begin(tile, 0, true, areas{})
	g.add(0, 0, 4, 1)
	found := g.take()
	if got := p.statistics(&found); math.Signbit(got.Min) || math.Signbit(got.Max) {
		t.Errorf("from %v to %v", got.Min, got.Max)
	}
}

// Each value lies in the bin that its edges say, however small or large the bins are.
func TestBinsHoldWhatTheirEdgesSay(t *testing.T) {
	check := func(v, low, high float64, bins int) error {
		k := binOf(v, low, high, bins)
		if !(v >= low && v <= high) {
			if k != -1 {
				return fmt.Errorf("%v is outside of %v to %v, and in bin %d", v, low, high, k)
			}
			return nil
		}
		if k < 0 || k >= bins || v < edgeOf(k, low, high, bins) || k < bins-1 && v >= edgeOf(k+1, low, high, bins) {
			return fmt.Errorf("%v is in bin %d of %d, of %v to %v", v, k, bins, low, high)
		}
		return nil
	}
	for _, low := range []float64{0, 1, -1, 1e300, -1.7e308, 1e-300} {
		for _, high := range []float64{math.Nextafter(low, math.Inf(1)), low + 1, 1.7e308} {
			for _, v := range []float64{low, high, low/2 + high/2, 1e308, -1e308, 0} {
				for _, bins := range []int{1, 3, maxBins, finelyBinned} {
					if low >= high {
						continue
					}
					if err := check(v, low, high, bins); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Max(math.Nextafter(math.MaxFloat64, 0)).Draw(t, "low")
		high := rapid.Float64Min(math.Nextafter(low, math.Inf(1))).Draw(t, "high")
		if err := check(rapid.Float64().Draw(t, "v"), low, high, 1+rapid.IntRange(0, maxBins).Draw(t, "bins")); err != nil {
			t.Fatal(err)
		}
	})
}

// A part made from a summary is that made from the pixels, and none is made where the
// summary does not know.
func TestPartsOfSummaries(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, kind := range []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Int16, rasterbase.Int32, rasterbase.Float32} {
		for _, group := range []Group{ByValue, ByClass, Histogram, NoGroup} {
			for _, stats := range []Stats{Moments, Moments | Quantiles} {
				for range 20 {
					p := &tallyPlan{
						kind: kind, group: group, bins: 4, low: 0, high: 8, stats: stats, unit: 1, least: math.NaN(), greatest: math.NaN(),
						classes: &Classes{N: 2, Of: func(v float64) int { return int(math.Abs(v)) % 2 }},
					}
					p.settle(true)
					tile := tileOf(r, kind, 6, true, true)
					s := raster.Summarize(tile, 0, true)
					if p.readsPixels(&s) {
						t.Fatalf("%s, %s: pixels are read though the summary has counts", kind, group)
					}
					g := newGatherer(p)
					g.begin(tile, 0, false, areas{uniform: 2})
					for row := range 6 {
						g.add(row, 0, 6, 1)
					}
					of, pixels := p.ofSummary(&s, 36, 2), g.take()
					a, err := p.result(&of)
					b, err2 := p.result(&pixels)
					if err != nil || err2 != nil {
						t.Fatal(err, err2)
					}
					if sa, sb := a.Statistics, b.Statistics; fmt.Sprint(a.Counts, a.Valid, a.Nodata, a.Area, a.Unclassed, sa.Count, sa.Min, sa.Max, sa.Median) !=
						fmt.Sprint(b.Counts, b.Valid, b.Nodata, b.Area, b.Unclassed, sb.Count, sb.Min, sb.Max, sb.Median) || s.Valid > 0 && !close64(sa.Variance, sb.Variance, 100) {
						t.Fatalf("%s, %s: %+v %+v by the summary, and %+v %+v by pixels", kind, group, a, *sa, b, *sb)
					}
				}
			}
		}
	}
}

// One pixel of very many is in no bin, and is not taken for what rounding leaves; of
// fractions so little is.
func TestOnePixelOfVeryManyInNoBin(t *testing.T) {
	for _, fraction := range []bool{false, true} {
		p := &tallyPlan{group: Histogram, bins: 1, low: 0, high: 1, binned: true, fraction: fraction}
		got, err := p.result(&part{valid: 2e9 + 1, bins: []sums{{count: 2e9}}})
		if err != nil || (got.Unclassed == 1) == fraction {
			t.Errorf("%v in no bin, by fractions: %v: %v", got.Unclassed, fraction, err)
		}
	}
}

// Fewer zones are worked on together the more is kept of each.
func TestBatchesOfWhatIsKept(t *testing.T) {
	z := &Zones{outlines: make([]*footprint.Outline, 9000), whole: make([]bool, 9000)}
	z.grid.Width, z.grid.Height, z.grid.TileSize = 3000, 1000, 256
	for i := range z.whole {
		z.whole[i] = true
	}
	for _, tt := range []struct {
		name string
		plan tallyPlan
		want int
	}{
		{"moments", tallyPlan{kind: rasterbase.Float32, group: NoGroup, stats: Moments}, zonesAtOnce},
		{"values of bytes", tallyPlan{kind: rasterbase.Uint8, group: ByValue}, zonesAtOnce},
		{"the median of shorts", tallyPlan{kind: rasterbase.Int16, group: NoGroup, stats: Quantiles}, keptAtOnce / maxValues},
		{"the median of floats", tallyPlan{kind: rasterbase.Float32, group: NoGroup, stats: Quantiles}, 5},
		{"few bins", tallyPlan{kind: rasterbase.Float32, group: Histogram, bins: 10}, zonesAtOnce},
		{"many bins", tallyPlan{kind: rasterbase.Float32, group: Histogram, bins: maxBins}, keptAtOnce / maxBins},
	} {
		tt.plan.settle(false)
		c := &count{z: z, plans: []*tallyPlan{&tt.plan}}
		if got := c.batch(17) - 17; got != tt.want {
			t.Errorf("%s: %d zones together, and should be %d", tt.name, got, tt.want)
		}
	}
}

func TestAreaUnitsAreRead(t *testing.T) {
	for text, want := range map[string]float64{"": 0, " m2 ": 1, "M²": 1, "sqm": 1, "ha": 1e4, "Hectares": 1e4, "km2": 1e6, "km²": 1e6, "acres": 4046.8564224, "ac": 4046.8564224} {
		u, err := ParseAreaUnit(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got, err := u.squareMetres(); err != nil || got != want {
			t.Errorf("%q has %v m2: %v", text, got, err)
		}
	}
	for _, text := range []string{"furlongs", "m", "m3", "ha,km2"} {
		if _, err := ParseAreaUnit(text); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}
