package server

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/store"
)

// pixelJSON is the value at a place. django-raster's answers have the first three
// members.
type pixelJSON struct {
	X       float64    `json:"x"` // as asked
	Y       float64    `json:"y"`
	Value   *float64   `json:"value"` // null: there is none
	Valid   bool       `json:"valid"`
	SRID    int        `json:"srid"`             // of x and y
	Zoom    *int       `json:"zoom,omitempty"`   // absent: the source's own pixels
	Column  *int       `json:"column,omitempty"` // of the pixel, in the grid of the source or of the zoom; absent outside
	Row     *int       `json:"row,omitempty"`
	Layers  []readJSON `json:"layers"`
	Version string     `json:"version"` // v= of addresses that can be kept
}

// pixel answers the value of a band or of a formula at a place.
func (s *Server) pixel(w http.ResponseWriter, r *http.Request) error {
	p, err := readPlace(r.PathValue("x"), r.PathValue("y"))
	if err != nil {
		return err
	}
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	l, err := s.readLookup(q)
	if err != nil {
		return err
	}
	r, who, err := s.identified(r)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		o, err := s.openLookup(r.Context(), who, l, 3857, attempt > 0)
		if err != nil {
			return err
		}
		if s.notModified(w, r, o, o.tag("pixel", formatNumber(p.X), formatNumber(p.Y))) {
			return nil
		}
		px, err := coverage.At(r.Context(), o.cov, coverage.PointRequest{
			Point: p, CRS: o.crs, Level: o.level, Bands: []int{o.band}, Transformer: s.c.Transformer,
		})
		if errors.Is(err, store.ErrRevisionGone) && attempt == 0 {
			continue
		}
		if err != nil {
			return err
		}
		return s.sendPixel(w, r, o, p, px)
	}
}

// readPlace reads the coordinates of a path.
func readPlace(x, y string) (p crs.Point, err error) {
	for _, c := range []struct {
		name, text string
		to         *float64
	}{{"x", x, &p.X}, {"y", y, &p.Y}} {
		v, ok := finiteNumber(c.text)
		if !ok {
			return p, blame(invalid("that is no coordinate", c.text, "write pixel/-9218229/3229269, in metres of web mercator, or pixel/-82.8/27.8?srid=4326"), c.name)
		}
		*c.to = v
	}
	return p, nil
}

// notModified sets the headers of an answer that caches may keep, and answers 304 to
// those who have it.
func (s *Server) notModified(w http.ResponseWriter, r *http.Request, o *looked, etag string) bool {
	s.cacheHeaders(w, sheet{private: o.private, version: o.version}, o.lookup.version)
	w.Header().Set("ETag", etag)
	w.Header().Add("Vary", "Accept, Accept-Encoding")
	if r.Method == http.MethodPost || !matches(r.Header.Get("If-None-Match"), etag[len("W/"):]) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

func (s *Server) sendPixel(w http.ResponseWriter, r *http.Request, o *looked, p crs.Point, px coverage.Pixel) error {
	out := pixelJSON{X: p.X, Y: p.Y, Value: o.valueOf(px), SRID: o.crs.SRID, Zoom: o.lookup.zoom, Layers: o.readLayersOf(), Version: o.version}
	out.Valid = out.Value != nil
	if px.Inside {
		out.Column, out.Row = &px.Col, &px.Row
	}
	body, err := marshal(out)
	if err != nil {
		return err
	}
	body = append(body, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		send(w, body)
	}
	return nil
}

// formatNumber writes a number as JSON does: so that it is read back as the same.
func formatNumber(v float64) string {
	b, err := marshal(v)
	if err != nil { // what is not finite; there is none
		return ""
	}
	return string(b)
}
