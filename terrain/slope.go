package terrain

import (
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Slope is how steep the ground is, 0 for flat to 90 degrees, in a band of
// float32 whose nodata is NaN: what gdaldem slope makes. Margin, validity and
// the method are those of [Hillshade].
func Slope(r *raster.Raster, g Ground, h Heights) (*raster.Raster, error) {
	w, err := newWindow(r, g, h)
	if err != nil {
		return nil, err
	}
	out := w.result(raster.Band{Type: rasterbase.Float32, HasNodata: true, Nodata: math.NaN()})
	px := out.Bands[0].Pixels.(raster.Slice[float32])
	w.gradients(func(row int, east, north []float64) {
		line := px[row*out.Width : (row+1)*out.Width]
		for i := range line {
			line[i] = float32(math.Atan(math.Sqrt(east[i]*east[i]+north[i]*north[i])) * (180 / math.Pi))
		}
	})
	return out, nil
}
