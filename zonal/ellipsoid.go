package zonal

import "math"

// The WGS 84 ellipsoid.
const (
	majorAxis  = 6378137.0
	flattening = 1 / 298.257223563
	ecc2       = flattening * (2 - flattening) // the square of the eccentricity
	ecc        = 0.0818191908426215
	// zoneUnit is the area of a zone of one radian of longitude for each of
	// zoneBetween.
	zoneUnit = majorAxis * majorAxis * (1 - ecc2)
	// toPole is zoneBetween from the equator to a pole.
	toPole = 1.0044899813830868
	// authalicRadius2 is the square of the radius of the sphere that has the area of
	// the ellipsoid.
	authalicRadius2 = zoneUnit * toPole
)

// zoneBetween is the area between two parallels for a radian of longitude, in zoneUnit: the
// difference of s/(2(1-e²s²)) + atanh(es)/(2e), which is half of the q of Snyder, Map
// Projections: A Working Manual (1987), equation 3-12. The parallels are given by the
// sines of their latitudes, with the difference of these, so that nothing is lost
// where they lie close to each other.
func zoneBetween(s1, s2, difference float64) float64 {
	both := ecc2 * s1 * s2
	return difference/2*(1+both)/((1-ecc2*s1*s1)*(1-ecc2*s2*s2)) + math.Atanh(ecc*difference/(1-both))/(2*ecc)
}

// spherePoint is a place on the unit sphere.
type spherePoint struct{ x, y, z float64 }

func (v spherePoint) dot(w spherePoint) float64 { return v.x*w.x + v.y*w.y + v.z*w.z }

func (v spherePoint) cross(w spherePoint) spherePoint {
	return spherePoint{v.y*w.z - v.z*w.y, v.z*w.x - v.x*w.z, v.x*w.y - v.y*w.x}
}

func (v spherePoint) unit() spherePoint {
	n := math.Sqrt(v.dot(v))
	return spherePoint{v.x / n, v.y / n, v.z / n}
}

// authalic is the place on the authalic sphere of a longitude and latitude in degrees,
// NaN for latitudes beyond a pole. It is reckoned from the nearer pole, near which the
// sine of the latitude says little.
func authalic(lon, lat float64) spherePoint {
	const tolerance = 1e-9 // degrees: rounding must not lose the poles
	fromPole := 90 - math.Abs(lat)
	if !(fromPole >= -tolerance) {
		return spherePoint{math.NaN(), math.NaN(), math.NaN()}
	}
	half := math.Sin(max(0, fromPole) * math.Pi / 360)
	less := 2 * half * half // than 1 the sine of the latitude is
	u := zoneBetween(1-less, 1, less) / toPole
	sin, cos := math.Sincos(math.Remainder(lon, 360) * math.Pi / 180)
	r := math.Sqrt(u * (2 - u))
	return spherePoint{r * cos, r * sin, math.Copysign(1-u, lat)}
}

// enclosed is the area of a small polygon on the authalic sphere, by the Lambert
// azimuthal equal-area projection that is centred in its midst (Snyder, equations 24-2
// to 24-4, with vectors in the place of angles). NaN when a corner is.
func enclosed(ring []spherePoint) float64 {
	var c spherePoint
	for _, v := range ring {
		c.x, c.y, c.z = c.x+v.x, c.y+v.y, c.z+v.z
	}
	c = c.unit()
	axis := spherePoint{z: 1}
	if math.Abs(c.z) > 0.7 {
		axis = spherePoint{x: 1}
	}
	east := axis.cross(c).unit()
	north := c.cross(east)
	project := func(v spherePoint) (x, y float64) {
		k := math.Sqrt(2 / (1 + c.dot(v)))
		return k * east.dot(v), k * north.dot(v)
	}
	sum := 0.0
	x0, y0 := project(ring[len(ring)-1])
	for _, v := range ring {
		x1, y1 := project(v)
		sum += x0*y1 - x1*y0
		x0, y0 = x1, y1
	}
	return math.Abs(sum) / 2 * authalicRadius2
}
