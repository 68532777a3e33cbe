package server

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
)

// geometryForms is the way out of a geometry that cannot be read.
const geometryForms = `write POLYGON((0 50, 1 50, 1 51, 0 50)), SRID=3857;POLYGON((...)), or GeoJSON with a Polygon or MultiPolygon`

// maxNesting is how deep collections may stand in one another.
const maxNesting = 8

// readGeometry reads areas as WKT, EWKT or GeoJSON. Srid 0 is where nobody says
// which CRS it is in: EPSG:4326. Errors name the parameter geom.
func readGeometry(text string) (g orb.Geometry, srid int, err error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		g, srid, err = readGeoJSON([]byte(text))
	} else {
		g, srid, err = readWKT(text)
	}
	if err != nil {
		return nil, 0, blame(err, "geom")
	}
	n := 0
	if err := checkArea(g, &n); err != nil {
		return nil, 0, blame(err, "geom")
	}
	if n == 0 {
		return nil, 0, blame(badGeometry("it has no area"), "geom")
	}
	return g, srid, nil
}

func badGeometry(format string, args ...any) *rasterbase.Error {
	return rasterbase.Errorf(rasterbase.Invalid, "the geometry cannot be read: "+format, args...).WithHint(geometryForms)
}

// checkArea sees to it that rings are closed and finite, and counts them.
func checkArea(g orb.Geometry, rings *int) error {
	switch g := g.(type) {
	case orb.Polygon:
		for _, ring := range g {
			if len(ring) < 4 || ring[0] != ring[len(ring)-1] {
				return badGeometry("a ring has at least four points, and ends where it begins")
			}
			for _, p := range ring {
				if v := p[0] - p[0] + p[1] - p[1]; math.IsNaN(v) {
					return badGeometry("a coordinate is not finite")
				}
			}
			*rings++
		}
		return nil
	case orb.MultiPolygon:
		for _, p := range g {
			if err := checkArea(p, rings); err != nil {
				return err
			}
		}
		return nil
	case orb.Collection:
		for _, one := range g {
			if err := checkArea(one, rings); err != nil {
				return err
			}
		}
		return nil
	}
	return badGeometry("it is not an area")
}

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
			return nil, 0, badGeometry("%.40q names no srid", prefix)
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
	return badGeometry("%s was expected at character %d, near %q", want, p.at+1, cut(p.text[min(p.at, len(p.text)):], 20))
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
		return nil, badGeometry("collections stand more than %d deep in one another", maxNesting)
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
	case "POLYGON":
		return p.polygon(true)
	case "MULTIPOLYGON":
		var all orb.MultiPolygon
		err := p.list(true, func() error {
			one, err := p.polygon(false)
			all = append(all, one)
			return err
		})
		return all, err
	case "GEOMETRYCOLLECTION":
		var all orb.Collection
		err := p.list(true, func() error {
			one, err := p.geometry(depth + 1)
			all = append(all, one)
			return err
		})
		return all, err
	}
	p.at = from
	return nil, p.wrong("POLYGON, MULTIPOLYGON or GEOMETRYCOLLECTION")
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

func (p *wkt) polygon(begins bool) (out orb.Polygon, err error) {
	err = p.list(begins, func() error {
		var ring orb.Ring
		err := p.list(false, func() error {
			point, err := p.point()
			ring = append(ring, point)
			return err
		})
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

// geoJSON is what areas need of it.
type geoJSON struct {
	Type        string          `json:"type"`
	Coordinates json.RawMessage `json:"coordinates"`
	Geometry    *geoJSON        `json:"geometry"`
	Geometries  []*geoJSON      `json:"geometries"`
	Features    []*geoJSON      `json:"features"`
	CRS         *struct {
		Properties struct {
			Name string `json:"name"`
		} `json:"properties"`
	} `json:"crs"` // of GeoJSON before RFC 7946, which programs still write
}

var crsName = regexp.MustCompile(`(?i)^(?:urn:ogc:def:crs:EPSG:[^:]*:|EPSG:)([0-9]{1,9})$`)

func readGeoJSON(b []byte) (orb.Geometry, int, error) {
	var doc geoJSON
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, 0, badGeometry("%w", err)
	}
	srid := 0
	if doc.CRS != nil {
		name := doc.CRS.Properties.Name
		switch m := crsName.FindStringSubmatch(name); {
		case m != nil:
			srid, _ = strconv.Atoi(m[1]) // nine digits at most
		case strings.HasSuffix(strings.ToUpper(name), "CRS84"):
			srid = 4326
		default:
			return nil, 0, badGeometry("its crs %.60q is not known: write EPSG:3857", name)
		}
	}
	g, err := doc.geometry(0)
	return g, srid, err
}

func (j *geoJSON) geometry(depth int) (orb.Geometry, error) {
	if j == nil || depth > maxNesting {
		return nil, badGeometry("a geometry is missing, or stands too deep in others")
	}
	switch j.Type {
	case "Polygon":
		var rings [][][]float64
		if err := json.Unmarshal(j.Coordinates, &rings); err != nil {
			return nil, badGeometry("%w", err)
		}
		return polygonOf(rings)
	case "MultiPolygon":
		var all [][][][]float64
		if err := json.Unmarshal(j.Coordinates, &all); err != nil {
			return nil, badGeometry("%w", err)
		}
		var out orb.MultiPolygon
		for _, rings := range all {
			one, err := polygonOf(rings)
			if err != nil {
				return nil, err
			}
			out = append(out, one)
		}
		return out, nil
	case "Feature":
		return j.Geometry.geometry(depth + 1)
	case "FeatureCollection":
		return collectionOf(j.Features, depth)
	case "GeometryCollection":
		return collectionOf(j.Geometries, depth)
	}
	return nil, badGeometry("it is a %.40q and not an area", j.Type)
}

func collectionOf(all []*geoJSON, depth int) (orb.Geometry, error) {
	var out orb.Collection
	for _, one := range all {
		g, err := one.geometry(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func polygonOf(rings [][][]float64) (orb.Polygon, error) {
	var out orb.Polygon
	for _, points := range rings {
		ring := make(orb.Ring, len(points))
		for i, p := range points {
			if len(p) < 2 {
				return nil, badGeometry("a position has two numbers")
			}
			ring[i] = orb.Point{p[0], p[1]}
		}
		out = append(out, ring)
	}
	return out, nil
}
