package terrain

import (
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// The light of a [Light] that does not say where it is: from the upper left of
// the map, half way up, as hills are drawn since there are maps.
const (
	DefaultAzimuth  = 315.0
	DefaultAltitude = 45.0
)

// Light is where the light of a hillshade comes from. The zero value is the
// upper left.
type Light struct {
	Azimuth  *float64 // degrees from north, clockwise; nil: 315
	Altitude *float64 // degrees above the horizon, 0 to 90; nil: 45
	// Multidirectional mixes lights from 225, 270, 315 and 360 degrees by the way
	// that the slope faces, with the weights of gdaldem -multidirectional (after
	// Mark 1992). Azimuth is not looked at.
	Multidirectional bool
}

// Hillshade is how bright the ground is in a light, 1 for shade to 255 for full
// light, in a band of bytes whose nodata is 0: what gdaldem hillshade makes. The
// slope is Horn's (1981), of the 3x3 pixels around each.
//
// The raster has a margin of one pixel, which the result has not. A pixel of the
// result is valid if and only if its own height is: in place of an invalid
// neighbour stands what continues the slope across the pixel, or the pixel's own
// height where the opposite neighbour is invalid too. Gdaldem leaves a frame of
// one pixel out around nodata, or with -compute_edges takes the pixel's own height;
// with this rule planes are shaded evenly up to their last pixel.
func Hillshade(r *raster.Raster, g Ground, h Heights, l Light) (*raster.Raster, error) {
	w, err := newWindow(r, g, h)
	if err != nil {
		return nil, err
	}
	s, err := newShader(l)
	if err != nil {
		return nil, err
	}
	out := w.result(raster.Band{Type: rasterbase.Uint8, HasNodata: true})
	px := out.Bands[0].Pixels.(raster.Slice[uint8])
	w.gradients(func(row int, east, north []float64) {
		line := px[row*out.Width : (row+1)*out.Width]
		if l.Multidirectional {
			s.mixed(line, east, north)
		} else {
			s.single(line, east, north)
		}
	})
	return out, nil
}

// shader computes the cosine between the light and the ground's normal.
type shader struct {
	up          float64 // sine of the altitude
	flat        float64 // its cosine
	east, north float64 // the light's direction along the ground, times flat
}

func newShader(l Light) (shader, error) {
	azimuth, altitude := DefaultAzimuth, DefaultAltitude
	if l.Azimuth != nil {
		azimuth = *l.Azimuth
	}
	if l.Altitude != nil {
		altitude = *l.Altitude
	}
	if azimuth-azimuth != 0 { // not finite
		return shader{}, rasterbase.Errorf(rasterbase.Invalid, "an azimuth of %v degrees", azimuth).WithHint("clockwise from north, 315 is north-west").WithField("azimuth")
	}
	if !(altitude >= 0 && altitude <= 90) {
		return shader{}, rasterbase.Errorf(rasterbase.Invalid, "the light is %v degrees high", altitude).WithHint("from 0 at the horizon to 90").WithField("altitude")
	}
	up, flat := math.Sincos(altitude * math.Pi / 180)
	sin, cos := math.Sincos(azimuth * math.Pi / 180)
	return shader{up: up, flat: flat, east: sin * flat, north: cos * flat}, nil
}

// single writes a line in one light. The gradients are metres per metre; NaN is
// an invalid pixel. Float32 has far more digits than a byte, and half the wait for
// a root.
func (s shader) single(dst []uint8, east, north []float64) {
	east, north = east[:len(dst)], north[:len(dst)]
	up, sx, sy := float32(254*s.up), float32(254*s.east), float32(254*s.north)
	for i := range dst {
		p, q := float32(east[i]), float32(north[i])
		light := (up - p*sx - q*sy) / float32(math.Sqrt(float64(1+p*p+q*q)))
		if light > 0 {
			dst[i] = uint8(int32(light + 1.5))
		} else {
			dst[i] = s.dark(east[i], north[i])
		}
	}
}

// dark is a pixel in the shade, an invalid one, or one whose gradients' squares
// float32 cannot hold.
func (s shader) dark(p, q float64) uint8 {
	light := (s.up - p*s.east - q*s.north) / math.Sqrt(1+p*p+q*q)
	if light != light {
		return 0
	}
	return bright(light)
}

// mixed writes a line in the four lights.
func (s shader) mixed(dst []uint8, east, north []float64) {
	east, north = east[:len(dst)], north[:len(dst)]
	diagonal := s.flat * math.Sqrt2 / 2
	for i := range dst {
		p, q := east[i], north[i]
		square := p*p + q*q
		if square != square {
			dst[i] = 0
			continue
		}
		if square == 0 { // flat faces no way
			dst[i] = bright(s.up)
			continue
		}
		// South-west, west, north-west and north.
		along := p * q
		sum := (square/2 + along) * shine(s.up+(p+q)*diagonal)
		sum += p * p * shine(s.up+p*s.flat)
		sum += (square/2 - along) * shine(s.up+(p-q)*diagonal)
		sum += q * q * shine(s.up-q*s.flat)
		sum /= square * math.Sqrt(1+square)
		dst[i] = bright(sum / 2)
	}
}

func shine(cosine float64) float64 { return max(cosine, 0) }

// bright turns a light of 0 to 1 into a byte.
func bright(light float64) uint8 { return uint8(1.5 + 254*shine(light)) }
