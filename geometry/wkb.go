package geometry

import (
	"encoding/binary"
	"math"

	"github.com/paulmach/orb"
)

// Kinds of geometries in WKB.
const (
	wkbPoint = iota + 1
	wkbLine
	wkbPolygon
	wkbMultiPoint
	wkbMultiLine
	wkbMultiPolygon
	wkbCollection
)

// ReadWKB reads the binary form, ISO's and PostGIS's extended one, whose srid is passed
// over. Curves are no geometries of ours.
func ReadWKB(b []byte) (orb.Geometry, error) {
	r := &wkb{rest: b}
	g, err := r.geometry(0)
	if err != nil {
		return nil, err
	}
	if len(r.rest) > 0 {
		return nil, wrong("%d bytes stand behind it", len(r.rest))
	}
	if err := check(g); err != nil {
		return nil, err
	}
	return g, nil
}

type wkb struct {
	rest  []byte
	order binary.ByteOrder
	size  int // bytes of a place
}

func (r *wkb) take(n int) ([]byte, error) {
	if n > len(r.rest) {
		return nil, wrong("it is cut off")
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out, nil
}

// count reads how many parts there are, each of which takes so many bytes at least.
func (r *wkb) count(least int) (int, error) {
	b, err := r.take(4)
	if err != nil {
		return 0, err
	}
	n := r.order.Uint32(b)
	if uint64(n)*uint64(least) > uint64(len(r.rest)) {
		return 0, wrong("it claims %d parts, and is cut off", n)
	}
	return int(n), nil
}

// head reads the order of bytes and the kind.
func (r *wkb) head() (kind uint32, err error) {
	b, err := r.take(5)
	if err != nil {
		return 0, err
	}
	switch b[0] {
	case 0:
		r.order = binary.BigEndian
	case 1:
		r.order = binary.LittleEndian
	default:
		return 0, wrong("it is no WKB")
	}
	kind = r.order.Uint32(b[1:])
	const z, m, srid = 1 << 31, 1 << 30, 1 << 29
	dimensions := 2
	if kind&z != 0 {
		dimensions++
	}
	if kind&m != 0 {
		dimensions++
	}
	if kind&srid != 0 {
		if _, err := r.take(4); err != nil {
			return 0, err
		}
	}
	kind &^= z | m | srid
	switch kind / 1000 {
	case 0:
	case 1, 2:
		dimensions = 3
	case 3:
		dimensions = 4
	default:
		return 0, wrong("there is no WKB of the kind %d", kind)
	}
	r.size = 8 * dimensions
	return kind % 1000, nil
}

func (r *wkb) geometry(depth int) (orb.Geometry, error) {
	if depth > maxNesting {
		return nil, wrong("collections stand more than %d deep in one another", maxNesting)
	}
	kind, err := r.head()
	if err != nil {
		return nil, err
	}
	switch kind {
	case wkbPoint:
		all, err := r.places(1)
		if err != nil {
			return nil, err
		}
		if math.IsNaN(all[0][0]) && math.IsNaN(all[0][1]) { // POINT EMPTY
			return orb.Collection{}, nil
		}
		return all[0], nil
	case wkbLine:
		all, err := r.line()
		return orb.LineString(all), err
	case wkbPolygon:
		n, err := r.count(4)
		out := make(orb.Polygon, 0, n)
		for i := 0; err == nil && i < n; i++ {
			var ring []orb.Point
			ring, err = r.line()
			out = append(out, ring)
		}
		return out, err
	case wkbMultiPoint, wkbMultiLine, wkbMultiPolygon, wkbCollection:
		return r.several(kind, depth)
	}
	return nil, wrong("there is no geometry of the kind %d: curves are to be made straight first", kind)
}

// several reads the parts of a geometry, of one kind each but for collections.
func (r *wkb) several(kind uint32, depth int) (orb.Geometry, error) {
	n, err := r.count(5)
	if err != nil {
		return nil, err
	}
	all := orb.Collection{}
	for range n {
		one, err := r.geometry(depth + 1)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	points, lines, areas, nowhere := orb.MultiPoint{}, orb.MultiLineString{}, orb.MultiPolygon{}, 0
	for _, one := range all {
		switch one := one.(type) {
		case orb.Collection: // POINT EMPTY
			if len(one) == 0 {
				nowhere++
			}
		case orb.Point:
			points = append(points, one)
		case orb.LineString:
			lines = append(lines, one)
		case orb.Polygon:
			areas = append(areas, one)
		}
	}
	switch {
	case kind == wkbMultiPoint && len(points)+nowhere == n:
		return points, nil
	case kind == wkbMultiLine && len(lines) == n:
		return lines, nil
	case kind == wkbMultiPolygon && len(areas) == n:
		return areas, nil
	case kind == wkbCollection:
		return all, nil
	}
	return nil, wrong("its parts are not of one kind")
}

func (r *wkb) line() ([]orb.Point, error) {
	n, err := r.count(r.size)
	if err != nil {
		return nil, err
	}
	return r.places(n)
}

func (r *wkb) places(n int) ([]orb.Point, error) {
	b, err := r.take(n * r.size)
	if err != nil {
		return nil, err
	}
	out := make([]orb.Point, n)
	for i := range out {
		at := b[i*r.size:]
		out[i] = orb.Point{math.Float64frombits(r.order.Uint64(at)), math.Float64frombits(r.order.Uint64(at[8:]))}
	}
	return out, nil
}

// AppendWKB appends the binary form of a geometry, with the low byte first. Nil is an
// empty collection.
func AppendWKB(b []byte, g orb.Geometry) []byte {
	head := func(kind uint32, n int) {
		b = binary.LittleEndian.AppendUint32(append(b, 1), kind)
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	places := func(all []orb.Point) {
		for _, p := range all {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p[0]))
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p[1]))
		}
	}
	switch g := g.(type) {
	case orb.Point:
		b = binary.LittleEndian.AppendUint32(append(b, 1), wkbPoint)
		places([]orb.Point{g})
	case orb.LineString:
		head(wkbLine, len(g))
		places(g)
	case orb.Ring:
		return AppendWKB(b, orb.Polygon{g})
	case orb.Bound:
		return AppendWKB(b, g.ToPolygon())
	case orb.Polygon:
		head(wkbPolygon, len(g))
		for _, r := range g {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(r)))
			places(r)
		}
	case orb.MultiPoint:
		head(wkbMultiPoint, len(g))
		for _, p := range g {
			b = AppendWKB(b, p)
		}
	case orb.MultiLineString:
		head(wkbMultiLine, len(g))
		for _, l := range g {
			b = AppendWKB(b, l)
		}
	case orb.MultiPolygon:
		head(wkbMultiPolygon, len(g))
		for _, p := range g {
			b = AppendWKB(b, p)
		}
	case orb.Collection:
		head(wkbCollection, len(g))
		for _, one := range g {
			b = AppendWKB(b, one)
		}
	default:
		head(wkbCollection, 0)
	}
	return b
}
