package server

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/geometry"
	"github.com/rasterbase/rasterbase/store"
)

const (
	// maxProfileBody is the longest body of POST /profile, in bytes.
	maxProfileBody = 1 << 20
	// lineForms is the way out of a line that cannot be read.
	lineForms = "write line=LINESTRING(7 47, 8 47), SRID=3857;LINESTRING(...), or GeoJSON with a LineString; the body of a POST can be the line too"
)

// track is the line of a profile.
type track struct {
	line orb.LineString
	srid int  // 4326 unless it tells another
	said bool // it does
}

// profile answers the values along a line.
func (s *Server) profile(w http.ResponseWriter, r *http.Request) error {
	q, err := profileParameters(w, r)
	if err != nil {
		return err
	}
	l, err := s.readLookup(q)
	if err != nil {
		return err
	}
	form, err := answerForm(r, q)
	if err != nil {
		return err
	}
	t, err := readTrack(q.Get("line"))
	if err != nil {
		return err
	}
	if t.said && l.srid != 0 && l.srid != t.srid {
		return rasterbase.Errorf(rasterbase.Invalid, "srid is %d, and the line says that it is in %d", l.srid, t.srid).
			WithHint("leave out one of them").WithField("srid")
	}
	n, err := bounded(q, "points", 0, 2, coverage.MaxProfilePoints)
	if err != nil {
		return err
	}
	r, who, err := s.identified(r)
	if err != nil {
		return err
	}
	var release func()
	for attempt := 0; ; attempt++ {
		o, err := s.openLookup(r.Context(), who, l, t.srid, attempt > 0)
		if err != nil {
			return err
		}
		if s.notModified(w, r, o, o.tag("profile", form, q.Get("line"), strconv.Itoa(n))) {
			return nil
		}
		if release == nil {
			if release, err = s.admitWork(r); err != nil {
				return err
			}
			defer release()
		}
		points, err := coverage.Profile(r.Context(), o.cov, coverage.ProfileRequest{
			Line: t.line, CRS: o.crs, Level: o.level, Points: n, Bands: []int{o.band}, Transformer: s.c.Transformer,
		})
		if errors.Is(err, store.ErrRevisionGone) && attempt == 0 {
			continue
		}
		if err != nil {
			return err
		}
		if form == csvForm {
			return s.stream(w, r, csvMedia, func(out *outgoing) error { return writeProfileCSV(out, o, points) })
		}
		return s.stream(w, r, "application/json", func(out *outgoing) error { return writeProfileJSON(out, o, points) })
	}
}

// profileParameters reads a query. The body of a POST is the line, or a form with any
// of the parameters.
func profileParameters(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil || r.Method != http.MethodPost {
		return q, err
	}
	b, err := readBody(w, r, maxProfileBody)
	if err != nil {
		return nil, err
	}
	body := url.Values{}
	text := strings.TrimSpace(string(b))
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	name, _, pairs := strings.Cut(text, "=")
	switch {
	case text == "":
	// curl says of whatever it sends that it is a form.
	case media == "application/x-www-form-urlencoded" && pairs && !strings.EqualFold(name, "SRID") && isName(name):
		if body, err = url.ParseQuery(text); err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the form cannot be read: %w", bare(err))
		}
	default:
		body.Set("line", text)
	}
	for name, values := range body {
		if q.Has(name) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%s is given in the address and in the body", cut(name, 40)).
				WithHint("give it once").WithField(cut(name, 40))
		}
		q[name] = values
	}
	return q, nil
}

// readTrack reads a line as WKT, EWKT or GeoJSON.
func readTrack(text string) (t track, err error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return t, rasterbase.Errorf(rasterbase.Invalid, "there is no line").WithHint(lineForms).WithField("line")
	}
	g, srid, err := geometry.Read(text)
	if e, ok := asError(err); ok {
		return t, badLine("%s", strings.TrimPrefix(e.Message, "the geometry cannot be read: "))
	}
	for {
		all, ok := g.(orb.Collection) // of one feature
		if !ok || len(all) != 1 {
			break
		}
		g = all[0]
	}
	line, ok := g.(orb.LineString)
	if all, several := g.(orb.Collection); several {
		return t, badLine("it has %d geometries, and one is the line", len(all))
	}
	if err == nil && !ok {
		return t, badLine("it is a %s and no LineString", g.GeoJSONType())
	}
	t = track{line: line, srid: srid, said: srid != 0}
	if t.srid == 0 {
		t.srid = 4326
	}
	if err == nil && len(t.line) < 2 {
		return t, rasterbase.Errorf(rasterbase.Invalid, "a line needs two places, not %d", len(t.line)).WithHint(lineForms).WithField("line")
	}
	return t, err
}

// unitOf is the unit of distances along lines in a CRS.
func unitOf(o *looked) string {
	if coverage.MetricDistance(o.crs) {
		return "metre"
	}
	return "unit of the CRS"
}

// profileHead is what a profile says before its points.
type profileHead struct {
	SRID    int        `json:"srid"`
	Zoom    *int       `json:"zoom,omitempty"`
	Length  float64    `json:"length"`
	Unit    string     `json:"unit"` // of length and distances
	Layers  []readJSON `json:"layers"`
	Version string     `json:"version"`
}

func writeProfileJSON(out *outgoing, o *looked, points []coverage.ProfilePoint) error {
	head, err := marshal(profileHead{
		SRID: o.crs.SRID, Zoom: o.lookup.zoom, Length: points[len(points)-1].Distance, Unit: unitOf(o), Layers: o.readLayersOf(), Version: o.version,
	})
	if err != nil {
		return err
	}
	out.bytes(head[:len(head)-1])
	out.text(`,"points":[`)
	for i, p := range points {
		if i > 0 {
			out.text(",")
		}
		out.text(fmt.Sprintf("\n"+`{"distance":%s,"x":%s,"y":%s,"value":`, formatNumber(p.Distance), formatNumber(p.Place.X), formatNumber(p.Place.Y)))
		writeValue(out, o.valueOf(p.Pixel))
		out.text("}")
	}
	out.text("]}\n")
	return nil
}

func writeProfileCSV(out *outgoing, o *looked, points []coverage.ProfilePoint) error {
	out.text("distance,x,y,value\n")
	for _, p := range points {
		value := ""
		if v := o.valueOf(p.Pixel); v != nil {
			value = formatNumber(*v)
		}
		out.text(fmt.Sprintf("%s,%s,%s,%s\n", formatNumber(p.Distance), formatNumber(p.Place.X), formatNumber(p.Place.Y), value))
	}
	return nil
}

func badLine(format string, args ...any) error {
	return rasterbase.Errorf(rasterbase.Invalid, "the line cannot be read: "+format, args...).WithHint(lineForms).WithField("line")
}
