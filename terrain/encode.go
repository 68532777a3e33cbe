package terrain

import (
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// TerrainRGB writes heights as colours in Mapbox's way: height = -10000 +
// (R*65536 + G*256 + B) * 0.1 metres, in three bands of bytes. Heights are rounded
// to the nearest step, up between two, and limited to the range of -10000 to
// 1667721.5 m.
//
// Fill is the height in metres that is written for invalid pixels, which then are
// valid. Maps in three dimensions often do not look at transparency, and show a
// pit of 10 km where there is none; 0 makes a sea of them. Nil: invalid pixels
// stay invalid, by the Validity of the result, and hold zeros.
func TerrainRGB(r *raster.Raster, h Heights, fill *float64) (*raster.Raster, error) {
	return encode(r, h, fill, encoding{steps: 10, offset: 10000})
}

// Terrarium writes heights as colours in Mapzen's way: height = R*256 + G + B/256 -
// 32768 metres. Rounding, limits, which are -32768 and 32767.99609375 m, and fill
// are those of [TerrainRGB].
func Terrarium(r *raster.Raster, h Heights, fill *float64) (*raster.Raster, error) {
	return encode(r, h, fill, encoding{steps: 256, offset: 32768})
}

// encoding is a height as a whole number of 24 bits: (height + offset) * steps.
type encoding struct{ steps, offset float64 }

// number is the height in steps.
func (e encoding) number(height float64) uint32 {
	return uint32(min(max((height+e.offset)*e.steps+0.5, 0), 1<<24-1))
}

func encode(r *raster.Raster, h Heights, fill *float64, e encoding) (*raster.Raster, error) {
	if err := h.check(r); err != nil {
		return nil, err
	}
	if fill != nil && math.IsNaN(*fill) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the height of invalid pixels is not a number").WithField("fill")
	}
	out := raster.New(r.Grid, r.SRID, rasterbase.Uint8, rasterbase.Uint8, rasterbase.Uint8)
	red, green, blue := channel(out, 0), channel(out, 1), channel(out, 2)
	w := &window{r: r, band: h.Band}
	factor := h.factor()
	line := make([]float64, r.Width)
	for row := range r.Height {
		w.heights(line, row)
		from := row * r.Width
		red, green, blue := red[from:from+len(line)], green[from:from+len(line)], blue[from:from+len(line)]
		for i, v := range line {
			switch {
			case v == v:
				v *= factor
			case fill != nil:
				v = *fill
			default:
				invalidate(out, from+i)
				continue
			}
			n := e.number(v)
			red[i], green[i], blue[i] = uint8(n>>16), uint8(n>>8), uint8(n)
		}
	}
	return out, nil
}

func channel(r *raster.Raster, band int) []uint8 { return r.Bands[band].Pixels.(raster.Slice[uint8]) }

// invalidate marks a pixel.
func invalidate(r *raster.Raster, i int) {
	if r.Validity == nil {
		r.Validity = make([]uint8, r.Width*r.Height)
		raster.Fill(raster.Slice[uint8](r.Validity), math.MaxUint8)
	}
	r.Validity[i] = 0
}
