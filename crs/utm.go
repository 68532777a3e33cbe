package crs

import "math"

const (
	semiMajor = 6378137       // metres, of both ellipsoids
	wgs84     = 298.257223563 // inverse flattening of WGS 84
	grs80     = 298.257222101 // and of ETRS89's ellipsoid
)

const (
	utmScale   = 0.9996
	utmEasting = 500_000
	// utmFarthest is where PROJ ends the projection: a distance from the central
	// meridian in radii of the rectifying sphere.
	utmFarthest = 2.623395162778
)

// transverseMercator is a zone of UTM by Krüger's series in the third
// flattening n, to the sixth order: C. F. F. Karney, "Transverse Mercator with
// an accuracy of a few nanometers", Journal of Geodesy 85 (2011), equations 7
// to 36. Within 35 degrees of the central meridian the series is good to
// nanometres; further out it is what PROJ computes too.
type transverseMercator struct {
	lon0        float64    // of the central meridian, radians
	north       float64    // false northing, metres
	radius      float64    // of the rectifying sphere times the scale, metres
	e, e2       float64    // eccentricity, and its square
	alpha, beta [6]float64 // coefficients to and from the plane
}

func newUTM(inverseFlattening float64, zone int, north float64) *transverseMercator {
	f := 1 / inverseFlattening
	n := f / (2 - f)
	n2 := n * n
	e2 := f * (2 - f)
	return &transverseMercator{
		lon0:  radians(float64(6*zone - 183)),
		north: north,
		// Equation 14.
		radius: utmScale * semiMajor / (1 + n) * (1 + n2*(1./4+n2*(1./64+n2/256))),
		e:      math.Sqrt(e2),
		e2:     e2,
		// Equation 35.
		alpha: [6]float64{
			poly(n, 1, 1./2, -2./3, 5./16, 41./180, -127./288, 7891./37800),
			poly(n, 2, 13./48, -3./5, 557./1440, 281./630, -1983433./1935360),
			poly(n, 3, 61./240, -103./140, 15061./26880, 167603./181440),
			poly(n, 4, 49561./161280, -179./168, 6601661./7257600),
			poly(n, 5, 34729./80640, -3418889./1995840),
			poly(n, 6, 212378941./319334400),
		},
		// Equation 36.
		beta: [6]float64{
			poly(n, 1, 1./2, -2./3, 37./96, -1./360, -81./512, 96199./604800),
			poly(n, 2, 1./48, 1./15, -437./1440, 46./105, -1118711./3870720),
			poly(n, 3, 17./480, -37./840, -209./4480, 5569./90720),
			poly(n, 4, 4397./161280, -11./504, -830251./7257600),
			poly(n, 5, 4583./161280, -108847./3991680),
			poly(n, 6, 20648693./638668800),
		},
	}
}

// poly is n to the power times the polynomial in n with the coefficients,
// lowest first.
func poly(n float64, power int, c ...float64) float64 {
	var v float64
	for i := len(c) - 1; i >= 0; i-- {
		v = v*n + c[i]
	}
	for range power {
		v *= n
	}
	return v
}

// series is the sum of c[j-1]*sin(2*j*z) over j from 1, by Clenshaw's
// recurrence. Its real and imaginary parts are the two sums of equations 11 and
// 15.
func series(c *[6]float64, re, im float64) (sumRe, sumIm float64) {
	sin, cos := math.Sincos(2 * re)
	sinh, cosh := math.Sinh(2*im), math.Cosh(2*im)
	w := complex(2*cos*cosh, -2*sin*sinh) // 2*cos(2z)
	var b1, b2 complex128
	for j := len(c) - 1; j >= 0; j-- {
		b1, b2 = complex(c[j], 0)+w*b1-b2, b1
	}
	b1 *= complex(sin*cosh, cos*sinh) // sin(2z)
	return real(b1), imag(b1)
}

func (t *transverseMercator) forward(lon, lat float64) (x, y float64) {
	sinLon, cosLon := math.Sincos(wrap(lon - t.lon0))
	tau := t.conformal(math.Tan(lat))
	// Equations 10 and 11.
	xi, eta := math.Atan2(tau, cosLon), math.Asinh(sinLon/math.Hypot(tau, cosLon))
	if !(math.Abs(eta) < 20) { // a quarter of the earth away: sinh would overflow
		return math.NaN(), math.NaN()
	}
	dXi, dEta := series(&t.alpha, xi, eta)
	xi, eta = xi+dXi, eta+dEta
	if math.Abs(eta) > utmFarthest {
		return math.NaN(), math.NaN()
	}
	return utmEasting + t.radius*eta, t.north + t.radius*xi
}

func (t *transverseMercator) inverse(x, y float64) (lon, lat float64) {
	xi, eta := (y-t.north)/t.radius, (x-utmEasting)/t.radius
	if !(math.Abs(eta) <= utmFarthest) {
		return math.NaN(), math.NaN()
	}
	dXi, dEta := series(&t.beta, xi, eta)
	xi, eta = xi-dXi, eta-dEta
	// Equation 18.
	sin, cos := math.Sincos(xi)
	sinh := math.Sinh(eta)
	tau := t.geographic(sin / math.Hypot(sinh, cos))
	return wrap(t.lon0 + math.Atan2(sinh, cos)), math.Atan(tau)
}

// conformal turns the tangent of a latitude into that of the conformal
// latitude: equations 7 to 9.
func (t *transverseMercator) conformal(tau float64) float64 {
	if math.Abs(tau) > 1e15 {
		return tau // a pole: the factor does not matter there
	}
	root := math.Sqrt(1 + tau*tau)
	sigma := math.Sinh(t.e * math.Atanh(t.e*tau/root))
	return tau*math.Sqrt(1+sigma*sigma) - sigma*root
}

// geographic is the inverse of conformal, by Newton's method: equations 19 to
// 21. It converges to the last bit in two or three steps.
func (t *transverseMercator) geographic(target float64) float64 {
	tau := target / math.Sqrt(1-t.e2)
	if math.Abs(tau) > 1e15 || math.IsNaN(tau) {
		return tau
	}
	for range 6 {
		got := t.conformal(tau)
		step := (target - got) / math.Sqrt(1+got*got) *
			(1 + (1-t.e2)*tau*tau) / ((1 - t.e2) * math.Sqrt(1+tau*tau))
		tau += step
		if math.Abs(step) <= 1e-15*max(1, math.Abs(tau)) {
			break
		}
	}
	return tau
}
