package legend

import (
	"image/color"
	"math"

	"github.com/rasterbase/rasterbase"
)

// Grey is the colormap from black at min to white at max. Values outside take
// the nearer end; when min is not below max, or their difference
// overflows, everything is mid grey. Integers of
// up to 16 bits get a table in which each value has the grey nearest to
// 255*(v-min)/(max-min); other types get a ramp of 256 steps.
func Grey(min, max float64, t rasterbase.PixelType) *rasterbase.Colormap {
	if !(min < max) || math.IsInf(max-min, 0) {
		mid := []color.NRGBA{{128, 128, 128, 255}}
		return &rasterbase.Colormap{Ramp: &rasterbase.Ramp{Colors: mid}}
	}
	m := &rasterbase.Colormap{Ramp: &rasterbase.Ramp{Min: min, Max: max, Colors: make([]color.NRGBA, 256)}}
	for i := range m.Ramp.Colors {
		m.Ramp.Colors[i] = grey(float64(i))
	}
	if t.IsFloat() || t.Size() > 2 {
		return m
	}
	lo, hi := t.Range()
	lo, hi = math.Max(lo, math.Floor(min)), math.Min(hi, math.Ceil(max))
	if lo > hi {
		return m
	}
	m.First, m.Table = int(lo), make([]color.NRGBA, int(hi-lo)+1)
	for i := range m.Table {
		m.Table[i] = grey(math.Round(255 * (lo + float64(i) - min) / (max - min)))
	}
	return m
}

func grey(v float64) color.NRGBA {
	b := uint8(math.Max(0, math.Min(255, v)))
	return color.NRGBA{b, b, b, 255}
}
