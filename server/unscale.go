package server

import (
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// scale makes real values of stored ones: factor * v + offset.
type scale struct{ factor, offset float64 }

func (s scale) of(v float64) float64 { return v*s.factor + s.offset }

// scaleOf is what a file says of a band's values.
func scaleOf(b rasterbase.Band) scale {
	if b.Scale == 0 {
		return scale{1, b.Offset}
	}
	return scale{b.Scale, b.Offset}
}

// realBand describes a band whose values are real ones.
func realBand(b rasterbase.Band) rasterbase.Band {
	s := scaleOf(b)
	out := b
	out.PixelType, out.Nodata, out.Scale, out.Offset = rasterbase.Float64, rasterbase.FloatPtr(math.NaN()), 1, 0
	out.Min, out.Max, out.Mean, out.Std = s.of(b.Min), s.of(b.Max), s.of(b.Mean), b.Std*math.Abs(s.factor)
	h := rasterbase.Histogram{Min: s.of(b.Histogram.Min), Max: s.of(b.Histogram.Max)}
	for _, v := range b.Histogram.Values {
		h.Values = append(h.Values, rasterbase.ValueCount{Value: s.of(v.Value), Count: v.Count})
	}
	h.Bins = append(h.Bins, b.Histogram.Bins...)
	if s.factor < 0 { // what was last comes first
		out.Min, out.Max = out.Max, out.Min
		h.Min, h.Max = h.Max, h.Min
		slices.Reverse(h.Values)
		slices.Reverse(h.Bins)
	}
	out.Histogram = h
	return out
}

// realValues gives a raster of real values, as float64 with NaN for what is
// invalid.
func realValues(r *raster.Raster, scales []scale) *raster.Raster {
	out := &raster.Raster{Grid: r.Grid, SRID: r.SRID}
	for i := range r.Bands {
		values := make(raster.Slice[float64], r.Width*r.Height)
		for k := range values {
			values[k] = math.NaN()
			if r.Valid(i, k) {
				values[k] = scales[i].of(r.Bands[i].Pixels.At(k))
			}
		}
		out.Bands = append(out.Bands, raster.Band{Type: rasterbase.Float64, HasNodata: true, Nodata: math.NaN(), Pixels: values})
	}
	return out
}
