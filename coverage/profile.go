package coverage

import (
	"context"
	"math"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/xyz"
)

// ProfileRequest asks for the values along a line.
type ProfileRequest struct {
	Line  orb.LineString // straight between its places, in its own CRS
	CRS   rasterbase.CRS // of the line
	Level Level
	// Points is how many places there are on the line, its ends among them, at equal
	// distances: from 2 to MaxProfilePoints. 0: about one for each pixel of the level
	// along the line, as far as these are no more than MaxProfilePoints.
	Points      int
	Bands       []int           // from 0; nil: all
	Transformer crs.Transformer // nil: closed forms only
}

// MaxProfilePoints is the most places of a profile, and the most that its line may
// be given by.
const MaxProfilePoints = 10_000

// ProfilePoint is a place on a line and what is there.
type ProfilePoint struct {
	Place crs.Point // in the line's CRS
	// Distance is how far along the line the place is from its beginning, in metres
	// on the ellipsoid of WGS 84 where the line's CRS is geographic or web mercator,
	// and else in units of the line's CRS: see MetricDistance.
	Distance float64
	Pixel    Pixel // Inside is false, and there are no values, beside the coverage
}

// MetricDistance reports whether distances along lines in a CRS are metres on the
// ellipsoid. Those of others are in the unit of the CRS.
func MetricDistance(c rasterbase.CRS) bool { return rulerOf(c) != planar }

// Profile looks up the pixels along a line: each is what [At] gives for its place.
//
// The error has code invalid, with field line or points, for lines that have no
// length, and for too many places.
func Profile(ctx context.Context, c Coverage, r ProfileRequest) ([]ProfilePoint, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	p := newTrack(r.Line, rulerOf(r.CRS))
	if p.length() == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the line has no length").WithHint("two different places").WithField("line")
	}
	n := r.Points
	if n == 0 {
		var err error
		if n, err = r.pixels(ctx, c.Describe(), p); err != nil {
			return nil, err
		}
	}
	points := make([]ProfilePoint, n)
	places := make([]crs.Point, n)
	for i := range points {
		d := p.length() * float64(i) / float64(n-1)
		places[i] = p.at(d)
		points[i] = ProfilePoint{Place: places[i], Distance: d}
	}
	pixels, err := ValuesAt(ctx, c, PointsRequest{Points: places, CRS: r.CRS, Level: r.Level, Bands: r.Bands, Transformer: r.Transformer})
	if err != nil {
		return nil, err
	}
	for i := range points {
		points[i].Pixel = pixels[i]
	}
	return points, nil
}

func (r ProfileRequest) check() error {
	switch {
	case len(r.Line) < 2:
		return rasterbase.Errorf(rasterbase.Invalid, "a line needs two places, not %d", len(r.Line)).WithField("line")
	case len(r.Line) > MaxProfilePoints:
		return rasterbase.Errorf(rasterbase.Invalid, "the line is given by %d places", len(r.Line)).
			WithHint("at most %d", MaxProfilePoints).WithField("line")
	case r.Points != 0 && (r.Points < 2 || r.Points > MaxProfilePoints):
		return rasterbase.Errorf(rasterbase.Invalid, "a profile cannot have %d places", r.Points).
			WithHint("from 2 to %d", MaxProfilePoints).WithField("points")
	}
	geographic := r.CRS.Geographic()
	for _, q := range r.Line {
		// Beyond these there is no place in any CRS, and sums would overflow.
		if !(math.Abs(q[0]) < 1e12 && math.Abs(q[1]) < 1e12) || geographic && !(math.Abs(q[0]) <= 720 && math.Abs(q[1]) <= 90) {
			return rasterbase.Errorf(rasterbase.Invalid, "%v, %v is no place that a line can have", q[0], q[1]).WithField("line")
		}
	}
	return nil
}

// pixels is how many places a line has for one in each pixel of its length.
func (r ProfileRequest) pixels(ctx context.Context, d Description, p *track) (int, error) {
	if r.Level == BaseLevel && d.BaseError != nil {
		return 0, d.BaseError
	}
	to, grid := d.gridOf(r.Level)
	t, err := orClosed(r.Transformer).Between(r.CRS, to)
	if err != nil {
		return 0, err
	}
	at := make([]crs.Point, len(p.places))
	for i, q := range p.places {
		at[i] = crs.Point{X: q[0], Y: q[1]}
	}
	if err := t.Apply(ctx, at); err != nil {
		return 0, err
	}
	length := 0.0
	for i := 1; i < len(at); i++ {
		x0, y0 := grid.Pixel(at[i-1].X, at[i-1].Y)
		x1, y1 := grid.Pixel(footprint.Near(at[i], at[i-1].X, footprint.Period(to)).X, at[i].Y)
		if d := math.Hypot(x1-x0, y1-y0); d-d == 0 { // else an end has no place in the level's CRS
			length += d
		}
	}
	return int(min(max(math.Ceil(length)+1, 2), MaxProfilePoints)), nil
}

// track is a line that can be gone along.
type track struct {
	places orb.LineString // of the line, and others between them
	along  []float64      // from the first place
}

const (
	// trackStep is how far apart places of a track are, in degrees of longitude and
	// latitude: there the length of a part of the way between two of them is that
	// part of their distance.
	trackStep = 0.25
	// trackPieces is about how many pieces a track has at most.
	trackPieces = 1 << 16
)

func newTrack(l orb.LineString, by ruler) *track {
	p := &track{places: orb.LineString{l[0]}, along: []float64{0}}
	most := float64(max(1, trackPieces/len(l)))
	for i := 1; i < len(l); i++ {
		a, b := l[i-1], l[i]
		pieces := 1.0
		if step := by.degrees(); step > 0 {
			pieces = max(1, min(most, math.Ceil(max(math.Abs(b[0]-a[0]), math.Abs(b[1]-a[1]))/step)))
		}
		for k := 1.0; k <= pieces; k++ {
			q := between(a, b, k/pieces)
			p.along = append(p.along, p.length()+by.distance(p.places[len(p.places)-1], q))
			p.places = append(p.places, q)
		}
	}
	return p
}

func (p *track) length() float64 { return p.along[len(p.along)-1] }

// at is the place at a distance along the track. Distances are asked in any order.
func (p *track) at(d float64) crs.Point {
	lo, hi := 0, len(p.along)-1 // along[lo] <= d, and d <= along[hi] but for rounding
	for hi-lo > 1 {
		if m := (lo + hi) / 2; p.along[m] <= d {
			lo = m
		} else {
			hi = m
		}
	}
	t := 1.0
	if piece := p.along[hi] - p.along[lo]; piece > 0 {
		t = min(max((d-p.along[lo])/piece, 0), 1)
	}
	q := between(p.places[lo], p.places[hi], t)
	return crs.Point{X: q[0], Y: q[1]}
}

// between is a place on the straight line between two; its ends are exact.
func between(a, b orb.Point, t float64) orb.Point {
	if t == 1 {
		return b
	}
	return orb.Point{a[0] + (b[0]-a[0])*t, a[1] + (b[1]-a[1])*t}
}

// ruler measures distances between places of a CRS.
type ruler int

const (
	planar ruler = iota
	geographic
	mercator
)

func rulerOf(c rasterbase.CRS) ruler {
	switch {
	case c.Geographic():
		return geographic
	case crs.SameCRS(c, rasterbase.CRS{SRID: 3857}):
		return mercator
	}
	return planar
}

// degrees is how far apart the places of a track are at most, in units of the CRS;
// 0: it does not matter.
func (u ruler) degrees() float64 {
	switch u {
	case geographic:
		return trackStep
	case mercator:
		return trackStep / 180 * xyz.HalfWorld
	}
	return 0
}

// distance is how far it is between two places that are near each other.
func (u ruler) distance(a, b orb.Point) float64 {
	switch u {
	case geographic:
		return geodesic(a[0], a[1], b[0], b[1])
	case mercator:
		lonA, latA := xyz.ToLonLat(a[0], a[1])
		lonB, latB := xyz.ToLonLat(b[0], b[1])
		return geodesic(lonA, latA, lonB, latB)
	}
	return math.Hypot(b[0]-a[0], b[1]-a[1])
}

// geodesic is the distance between two places in degrees on the ellipsoid of WGS 84,
// in metres, by Lambert's formula for long lines, which is right to about a millionth:
// a millimetre in a kilometre. (W. D. Lambert, "The distance between two widely
// separated points on the surface of the earth", J. Washington Academy of Sciences
// 32, 1942.)
func geodesic(lonA, latA, lonB, latB float64) float64 {
	const (
		radius     = 6378137.0
		flattening = 1 / 298.257223563
	)
	reduced := func(lat float64) float64 { return math.Atan((1 - flattening) * math.Tan(lat*math.Pi/180)) }
	b1, b2 := reduced(latA), reduced(latB)
	sinLat, sinLon := math.Sin((b2-b1)/2), math.Sin((lonB-lonA)/2*math.Pi/180)
	h := min(1, sinLat*sinLat+math.Cos(b1)*math.Cos(b2)*sinLon*sinLon) // sine of half the angle, squared
	if h == 0 {
		return 0
	}
	angle := 2 * math.Asin(math.Sqrt(h))
	p, q := (b1+b2)/2, (b2-b1)/2
	square := func(v float64) float64 { return v * v }
	x := 0.0
	if h < 1 {
		x = (angle - math.Sin(angle)) * square(math.Sin(p)*math.Cos(q)) / (1 - h)
	}
	y := (angle + math.Sin(angle)) * square(math.Cos(p)*math.Sin(q)) / h
	return radius * (angle - flattening/2*(x+y))
}
