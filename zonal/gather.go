package zonal

import (
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// gatherer counts runs of pixels of a band of one tile after the other. It has tables
// that are large, so that each worker has one; what it found of a zone is taken out
// as a part.
type gatherer struct {
	p     *tallyPlan
	band  *raster.Band
	valid []uint8 // nil: all, but for the nodata of bytes
	areas areas
	width int // of the tile

	held float64 // pixels so far, valid or not
	part part
	// Of counts by value: bytes in four tables that take turns, since a counter that is
	// raised twice in a row waits for itself; shorts and others by their place in sums.
	bytes  *[4][256]uint32
	shorts []int32 // 0: not seen; else the place in sums and 1
	places map[float64]int32
	sums   []valueSum
	plain  moments // with sum and m2 about shift
	shift  float64
	entry  int // the class of lastly
	lastly float64
}

func newGatherer(p *tallyPlan) *gatherer {
	g := &gatherer{p: p}
	if p.byValue {
		switch p.kind.Size() {
		case 1:
			g.bytes = new([4][256]uint32)
		case 2:
			g.shorts = make([]int32, 1<<16)
		}
		if g.shorts == nil {
			g.places = map[float64]int32{}
		}
	}
	return g
}

// begin goes on with a tile. complete says that all its pixels are known to be valid.
func (g *gatherer) begin(r *raster.Raster, band int, complete bool, a areas) {
	g.band, g.width, g.areas, g.valid = &r.Bands[band], r.Width, a, nil
	switch {
	case complete:
	case g.bytes != nil && a.rows == nil && a.pixels == nil:
		g.valid = r.Validity // nodata is left out when the part is taken
	default:
		g.valid = r.ValidMask(band)
	}
}

// add counts the pixels of a row of the tile, from a column up to another one, each
// with a weight.
func (g *gatherer) add(row, from, to int, weight float64) {
	g.held += weight * float64(to-from)
	at, end := row*g.width+from, row*g.width+to
	switch px := g.band.Pixels.(type) {
	case raster.Slice[uint8]:
		if g.bytes != nil && weight == 1 && g.areas.rows == nil && g.areas.pixels == nil {
			countBytes(g.bytes, px[at:end], g.mask(at, end))
			return
		}
		gather(g, px[at:end], at, row, weight)
	case raster.Slice[int8]:
		if g.bytes != nil && weight == 1 && g.areas.rows == nil && g.areas.pixels == nil {
			countBytes(g.bytes, px[at:end], g.mask(at, end))
			return
		}
		gather(g, px[at:end], at, row, weight)
	case raster.Slice[uint16]:
		gather(g, px[at:end], at, row, weight)
	case raster.Slice[int16]:
		gather(g, px[at:end], at, row, weight)
	case raster.Slice[uint32]:
		gather(g, px[at:end], at, row, weight)
	case raster.Slice[int32]:
		gather(g, px[at:end], at, row, weight)
	case raster.Slice[float32]:
		gather(g, px[at:end], at, row, weight)
	case raster.Slice[float64]:
		gather(g, px[at:end], at, row, weight)
	}
}

func (g *gatherer) mask(from, to int) []uint8 {
	if g.valid == nil {
		return nil
	}
	return g.valid[from:to]
}

func countBytes[T uint8 | int8](t *[4][256]uint32, px []T, valid []uint8) {
	if valid != nil {
		valid = valid[:len(px)]
		for i, v := range px {
			t[i&3][uint8(v)] += (uint32(valid[i]) + 255) >> 8 // 1 unless it is 0
		}
		return
	}
	for len(px) >= 4 {
		q := px[:4:4]
		t[0][uint8(q[0])]++
		t[1][uint8(q[1])]++
		t[2][uint8(q[2])]++
		t[3][uint8(q[3])]++
		px = px[4:]
	}
	for _, v := range px {
		t[0][uint8(v)]++
	}
}

// gather counts pixels of any type, the first of which has the index at in the tile.
func gather[T raster.Number](g *gatherer, px []T, at, row int, weight float64) {
	valid := g.mask(at, at+len(px))
	if weight == 1 && !g.p.byValue && !g.p.binned && !g.p.classed && !g.p.sampled && g.areas.pixels == nil && g.areas.rows == nil {
		runMoments(g, px, valid)
		return
	}
	nodata, has := g.nodata()
	for i := 0; i < len(px); {
		if valid != nil && valid[i] == 0 {
			i++
			continue
		}
		// Neighbours are often the same.
		first := i
		for i++; i < len(px) && px[i] == px[first] && (valid == nil || valid[i] != 0); i++ {
		}
		v := float64(px[first]) + 0
		if has && v == nodata {
			continue
		}
		pixels := weight * float64(i-first)
		area := pixels * g.areas.uniform
		switch {
		case g.areas.rows != nil:
			area = pixels * g.areas.rows[row]
		case g.areas.pixels != nil:
			area = 0
			for _, a := range g.areas.pixels[at+first : at+i] {
				area += weight * a
			}
		}
		g.put(v, sums{pixels, area}, weight, i-first)
	}
}

// nodata is what of bytes is still to be left out where the mask does not say it.
func (g *gatherer) nodata() (v float64, has bool) {
	return g.band.Nodata, g.bytes != nil && g.band.HasNodata && g.areas.rows == nil && g.areas.pixels == nil
}

// put counts pixels of one value.
func (g *gatherer) put(v float64, s sums, weight float64, times int) {
	if g.p.byValue {
		place := g.placeOf(v)
		g.sums[place].count += s.count
		g.sums[place].area += s.area
		return
	}
	g.part.valid += s.count
	g.part.area += s.area
	g.join(v, s.count)
	if g.p.binned {
		if g.part.bins == nil {
			g.part.bins = make([]sums, g.p.bins)
		}
		if k := g.p.binOf(v); k >= 0 {
			g.part.bins[k].count += s.count
			g.part.bins[k].area += s.area
		}
	}
	if g.p.classed {
		if g.part.classes == nil {
			g.part.classes, g.entry, g.lastly = make([]sums, g.p.classes.N), g.p.classes.Of(v), v
		}
		if v != g.lastly {
			g.entry, g.lastly = g.p.classes.Of(v), v
		}
		if g.entry >= 0 {
			g.part.classes[g.entry].count += s.count
			g.part.classes[g.entry].area += s.area
		}
	}
	if g.p.sampled {
		if g.part.kept == nil {
			g.part.kept = newSample(g.p)
		}
		for range times {
			g.part.kept.add(v, weight)
		}
	}
}

// placeOf is where the sums of a value are.
func (g *gatherer) placeOf(v float64) int32 {
	if g.shorts != nil {
		k := uint16(int32(v))
		if g.shorts[k] == 0 {
			g.sums = append(g.sums, valueSum{value: v})
			g.shorts[k] = int32(len(g.sums))
		}
		return g.shorts[k] - 1
	}
	place, ok := g.places[v]
	if !ok {
		place = int32(len(g.sums))
		g.sums = append(g.sums, valueSum{value: v})
		g.places[v] = place
	}
	return place
}

// join adds pixels of a value to the moments, which are kept about the first value:
// differences from it lose no digits.
func (g *gatherer) join(v, pixels float64) {
	m := &g.plain
	if m.n == 0 {
		g.shift = v
		*m = moments{min: v, max: v}
	}
	d := v - g.shift
	m.n += pixels
	m.sum += pixels * d
	m.m2 += pixels * d * d
	m.min, m.max = min(m.min, v), max(m.max, v)
}

// runMoments does what join does with pixels of weight 1.
func runMoments[T raster.Number](g *gatherer, px []T, valid []uint8) {
	first := 0
	for valid != nil && first < len(px) && valid[first] == 0 {
		first++
	}
	if first == len(px) {
		return
	}
	if g.plain.n == 0 {
		g.shift = float64(px[first]) + 0
		g.plain = moments{min: g.shift, max: g.shift}
	}
	shift, n, sum, squares := g.shift, 0, 0.0, 0.0
	low, high := px[first], px[first]
	if valid == nil {
		n = len(px)
		for _, v := range px {
			d := float64(v) - shift
			sum += d
			squares += d * d
			low, high = min(low, v), max(high, v)
		}
	} else {
		valid = valid[:len(px)]
		for i, v := range px {
			if valid[i] == 0 {
				continue
			}
			d := float64(v) - shift
			n++
			sum += d
			squares += d * d
			low, high = min(low, v), max(high, v)
		}
	}
	m := &g.plain
	m.n += float64(n)
	m.sum += sum
	m.m2 += squares
	m.min, m.max = min(m.min, float64(low)+0), max(m.max, float64(high)+0)
	g.part.valid += float64(n)
	g.part.area += float64(n) * g.areas.uniform
}

// take gives what was gathered since, and begins anew.
func (g *gatherer) take() part {
	out := g.part
	if g.p.byValue {
		out.values = g.takeValues()
		for _, v := range out.values {
			out.valid += v.count
			out.area += v.area
		}
	} else if m := g.plain; m.n > 0 {
		out.moments = moments{
			n: m.n, sum: g.shift*m.n + m.sum, mean: g.shift + m.sum/m.n,
			m2: max(0, m.m2-m.sum*m.sum/m.n), min: m.min, max: m.max,
		}
		if math.IsNaN(out.moments.m2) { // squares of float64 can be too large
			out.moments.m2 = math.Inf(1)
		}
	}
	switch out.nodata = g.held - out.valid; {
	case !g.p.fraction:
		out.nodata = math.Round(out.nodata)
	case out.nodata < 1e-11*g.held: // what rounding left of fractions that were summed twice
		out.nodata = 0
	}
	g.held, g.part, g.plain = 0, part{}, moments{}
	return out
}

// takeValues gives the counts by value in rising order.
func (g *gatherer) takeValues() []valueSum {
	out := slices.Clone(g.sums)
	for _, v := range g.sums {
		if g.shorts != nil {
			g.shorts[uint16(int32(v.value))] = 0
		} else {
			delete(g.places, v.value)
		}
	}
	g.sums = g.sums[:0]
	slices.SortFunc(out, byValue)
	if g.bytes == nil {
		return out
	}
	whole := make([]valueSum, 0, 16)
	nodata, has := g.nodata()
	low := 0
	if g.p.kind == rasterbase.Int8 {
		low = math.MinInt8
	}
	for k := low; k < low+256; k++ {
		t, i := g.bytes, uint8(k)
		if n := float64(t[0][i]) + float64(t[1][i]) + float64(t[2][i]) + float64(t[3][i]); n > 0 {
			t[0][i], t[1][i], t[2][i], t[3][i] = 0, 0, 0, 0
			if v := float64(k); !has || v != nodata {
				whole = append(whole, valueSum{v, sums{n, n * g.areas.uniform}})
			}
		}
	}
	return joinValues(whole, out)
}
