package coverage

import (
	"context"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/xyz"
)

const (
	// samplePixels is how many pixels the zoom may have that statistics are estimated
	// from.
	samplePixels = 1 << 18
	// sampleSide is the pixels along a side of the squares in which it is read.
	sampleSide = 1 << 10
	// sampleBins is the most bins of a histogram.
	sampleBins = 512
)

// Sample is the formula's band with statistics and a histogram that are estimated
// from its pixels at one zoom: the deepest one, up to the max zoom, at which the
// bounds have no more than 2^18 pixels, or else zoom 0. Count is the number of valid
// ones among these pixels, not of the whole formula. Discrete values are counted
// value by value up to rasterbase.MaxDistinct of them; others in bins whose width is
// a power of two, and at least 1 where all values are whole numbers. Equal versions
// have equal samples. Nothing is kept: remember it by Version.
//
// The error has code not found when an input has no pyramid.
func (f *Formula) Sample(ctx context.Context) (rasterbase.Band, error) {
	if f.noPyramid != nil {
		return rasterbase.Band{}, f.noPyramid
	}
	band := f.description.Bands[0]
	discrete := f.description.Datatype.Discrete()
	var sum rasterbase.BandSummary
	var read []*raster.Raster
	zoom, boxes := f.sampled()
	for _, box := range boxes {
		for y := box.Y; y < box.Y+box.Height; y += sampleSide {
			for x := box.X; x < box.X+box.Width; x += sampleSide {
				r, err := f.Window(ctx, WindowRequest{
					Level: ZoomLevel(zoom), X: x, Y: y,
					Width: min(sampleSide, box.X+box.Width-x), Height: min(sampleSide, box.Y+box.Height-y),
				})
				if err != nil {
					return rasterbase.Band{}, err
				}
				sum.Add(raster.Summarize(r, 0, discrete))
				read = append(read, r)
			}
		}
	}
	if sum.Valid == 0 {
		return band, nil
	}
	band.Count, band.Min, band.Max, band.Mean, band.Std = sum.Valid, sum.Min, sum.Max, sum.Mean, sum.Std()
	if discrete && sum.Counts != nil {
		band.Histogram = rasterbase.Histogram{Values: sum.Counts, Min: sum.Min, Max: sum.Max}
		return band, nil
	}
	band.Histogram = histogramOf(read, sum.Min, sum.Max)
	return band, nil
}

// sampled finds the zoom that is sampled and the bounds in its pixels, which are two
// boxes across the antimeridian.
func (f *Formula) sampled() (zoom int, boxes []raster.Rect) {
	if f.empty {
		return 0, nil
	}
	for z := f.description.MaxZoom; ; z-- {
		pixels := 0.0
		boxes = boundsPixels(f.description.Bounds, worldGrid(z, f.description.TileSize), f.description.TileSize<<z)
		for _, b := range boxes {
			pixels += float64(b.Width) * float64(b.Height)
		}
		if z == 0 || pixels <= samplePixels {
			return z, boxes
		}
	}
}

// boundsPixels is a box of longitude and latitude in the pixels of the world.
func boundsPixels(b rasterbase.Bounds, g rasterbase.Grid, side int) (out []raster.Rect) {
	if b.West > b.East {
		west, east := b, b
		west.East, east.West = 180, -180
		return append(boundsPixels(west, g, side), boundsPixels(east, g, side)...)
	}
	limit := func(lat float64) float64 { return max(-xyz.MaxLatitude, min(lat, xyz.MaxLatitude)) }
	minX, minY := g.Pixel(xyz.FromLonLat(b.West, limit(b.North)))
	maxX, maxY := g.Pixel(xyz.FromLonLat(b.East, limit(b.South)))
	const slack = 1e-6 // bounds that lie on the edge of a pixel do not reach into the next
	first := func(v float64) int { return max(0, min(side-1, int(math.Floor(v+slack)))) }
	last := func(v float64) int { return max(0, min(side-1, int(math.Ceil(v-slack))-1)) }
	r := raster.Rect{X: first(minX), Y: first(minY)}
	r.Width, r.Height = max(last(maxX)-r.X+1, 1), max(last(maxY)-r.Y+1, 1)
	return []raster.Rect{r}
}

// histogramOf counts valid values from the least to the most in bins of equal width.
func histogramOf(rasters []*raster.Raster, least, most float64) rasterbase.Histogram {
	exp := binWidth(least, most)
	if exp < 0 && wholeNumbers(rasters) {
		exp = 0
	}
	first := math.Floor(math.Ldexp(least, -exp))
	bins := make([]int64, int(math.Floor(math.Ldexp(most, -exp))-first)+1)
	for _, r := range rasters {
		for i := range r.Width * r.Height {
			if r.Valid(0, i) {
				at := math.Floor(math.Ldexp(r.Bands[0].Pixels.At(i), -exp)) - first
				bins[max(0, min(len(bins)-1, int(at)))]++
			}
		}
	}
	edge := func(v float64) float64 { return max(-math.MaxFloat64, min(math.MaxFloat64, math.Ldexp(v, exp))) }
	return rasterbase.Histogram{Min: edge(first), Max: edge(first + float64(len(bins))), Bins: bins}
}

// binWidth is the power of two that is the narrowest width of bins from the least to
// the most.
func binWidth(least, most float64) int {
	// So narrow that places of bins are still whole numbers that floats hold.
	exp := math.Ilogb(max(math.Abs(least), math.Abs(most), 0x1p-1000)) - 50
	if spread := most/sampleBins - least/sampleBins; spread > 0 {
		exp = max(exp, math.Ilogb(spread)-1)
	}
	for math.Floor(math.Ldexp(most, -exp))-math.Floor(math.Ldexp(least, -exp)) >= sampleBins {
		exp++
	}
	return exp
}

// wholeNumbers reports whether all valid values are.
func wholeNumbers(rasters []*raster.Raster) bool {
	for _, r := range rasters {
		for i := range r.Width * r.Height {
			if v := r.Bands[0].Pixels.At(i); r.Valid(0, i) && v != math.Trunc(v) {
				return false
			}
		}
	}
	return true
}
