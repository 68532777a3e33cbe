package geometry

import (
	"strconv"
	"strings"

	"github.com/paulmach/orb"
)

// wkt reads a text of well-known text from its beginning.
type wkt struct {
	text string
	at   int
}

func readWKT(text string) (orb.Geometry, int, error) {
	p, srid := &wkt{text: text}, 0
	if prefix, _, ok := strings.Cut(text, ";"); ok && strings.HasPrefix(strings.ToUpper(prefix), "SRID=") {
		n, err := strconv.Atoi(strings.TrimSpace(prefix[len("SRID="):]))
		if err != nil || n <= 0 {
			return nil, 0, wrong("%.40q names no srid", prefix)
		}
		srid, p.at = n, len(prefix)+1
	}
	g, err := p.geometry(0)
	if err != nil {
		return nil, 0, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, 0, p.wrong("the end")
	}
	return g, srid, nil
}

// wrong says what was expected where the reading stopped.
func (p *wkt) wrong(want string) error {
	rest := p.text[min(p.at, len(p.text)):]
	return wrong("%s was expected at character %d, near %q", want, p.at+1, strings.ToValidUTF8(rest[:min(20, len(rest))], ""))
}

func (p *wkt) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// take takes a byte after space, if it is there.
func (p *wkt) take(c byte) bool {
	if p.space(); p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// word takes letters after space, as capitals.
func (p *wkt) word() string {
	p.space()
	from := p.at
	for p.at < len(p.text) && (p.text[p.at]|0x20) >= 'a' && (p.text[p.at]|0x20) <= 'z' {
		p.at++
	}
	return strings.ToUpper(p.text[from:p.at])
}

func (p *wkt) geometry(depth int) (orb.Geometry, error) {
	if depth > maxNesting {
		return nil, wrong("collections stand more than %d deep in one another", maxNesting)
	}
	from := p.at
	kind := p.word()
	for _, dimensions := range []string{"ZM", "Z", "M"} { // POLYGONZ as well as POLYGON Z
		if bare, ok := strings.CutSuffix(kind, dimensions); ok && bare != "" {
			kind = bare
			break
		}
	}
	switch kind {
	case "POINT":
		all, err := p.points(true)
		if err == nil && len(all) > 1 {
			return nil, wrong("a point has one place, and here are %d", len(all))
		}
		if err != nil || len(all) == 0 {
			return orb.Collection{}, err
		}
		return all[0], nil
	case "LINESTRING":
		all, err := p.points(true)
		return orb.LineString(all), err
	case "MULTIPOINT":
		return p.multiPoint()
	case "MULTILINESTRING":
		return several[orb.MultiLineString](p, func() (orb.LineString, error) {
			all, err := p.points(false)
			return all, err
		})
	case "POLYGON":
		return p.polygon(true)
	case "MULTIPOLYGON":
		return several[orb.MultiPolygon](p, func() (orb.Polygon, error) { return p.polygon(false) })
	case "GEOMETRYCOLLECTION":
		return several[orb.Collection](p, func() (orb.Geometry, error) { return p.geometry(depth + 1) })
	}
	p.at = from
	return nil, p.wrong("POINT, LINESTRING, POLYGON, one of these with MULTI before it, or GEOMETRYCOLLECTION")
}

// several reads what consists of parts.
func several[All ~[]G, G orb.Geometry](p *wkt, one func() (G, error)) (all All, err error) {
	all = All{}
	err = p.list(true, func() error {
		g, err := one()
		all = append(all, g)
		return err
	})
	return all, err
}

// list reads what stands in brackets between commas, or EMPTY. At the beginning of
// a geometry the dimensions may stand before it.
func (p *wkt) list(begins bool, one func() error) error {
	switch p.word() {
	case "EMPTY":
		return nil
	case "":
	case "Z", "M", "ZM":
		if begins {
			if p.word() == "EMPTY" {
				return nil
			}
			break
		}
		fallthrough
	default:
		return p.wrong("(")
	}
	if !p.take('(') {
		return p.wrong("(")
	}
	for {
		if err := one(); err != nil {
			return err
		}
		if p.take(')') {
			return nil
		}
		if !p.take(',') {
			return p.wrong(", or )")
		}
	}
}

func (p *wkt) points(begins bool) (out []orb.Point, err error) {
	out = []orb.Point{}
	err = p.list(begins, func() error {
		one, err := p.point()
		out = append(out, one)
		return err
	})
	return out, err
}

// multiPoint reads places with brackets round each or without. Those that are EMPTY
// are nowhere.
func (p *wkt) multiPoint() (orb.MultiPoint, error) {
	out := orb.MultiPoint{}
	err := p.list(true, func() error {
		before := p.at
		if p.word() == "EMPTY" {
			return nil
		}
		p.at = before
		within := p.take('(')
		one, err := p.point()
		out = append(out, one)
		if err == nil && within && !p.take(')') {
			return p.wrong(")")
		}
		return err
	})
	return out, err
}

func (p *wkt) polygon(begins bool) (out orb.Polygon, err error) {
	out = orb.Polygon{}
	err = p.list(begins, func() error {
		ring, err := p.points(false)
		out = append(out, ring)
		return err
	})
	return out, err
}

// point reads two numbers, and passes over those of height and measure.
func (p *wkt) point() (out orb.Point, err error) {
	n := 0
	for ; n < 4; n++ {
		p.space()
		end := p.at
		for end < len(p.text) && strings.IndexByte("+-.0123456789eE", p.text[end]) >= 0 {
			end++
		}
		if end == p.at {
			break
		}
		v, err := strconv.ParseFloat(p.text[p.at:end], 64)
		if err != nil {
			return out, p.wrong("a number")
		}
		if n < 2 {
			out[n] = v
		}
		p.at = end
	}
	if n < 2 {
		return out, p.wrong("a number")
	}
	return out, nil
}
