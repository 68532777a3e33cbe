package server

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// maxCountBody is the longest body of a count, in bytes: some ten thousand fields, or a
// continent's coast.
const maxCountBody = 32 << 20

// geoJSONTypes are the types of GeoJSON that a body can be.
var geoJSONTypes = []string{
	"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection", "Feature", "FeatureCollection",
}

// askedCount are the parameters of a request for counts.
type askedCount struct {
	params   url.Values
	features bool   // the body is GeoJSON with features, which is answered with them
	forget   func() // gives the memory of the body back
}

// readCountBody adds what the body says to the parameters of the address: more of them
// as JSON or as a form, or a geometry, Feature or FeatureCollection alone.
func (s *Server) readCountBody(w http.ResponseWriter, r *http.Request, who rasterbase.Principal, q url.Values) (*askedCount, error) {
	a := &askedCount{params: q, forget: func() {}}
	if r.Method != http.MethodPost {
		return a, nil
	}
	b, forget, err := s.receive(w, r, who, maxCountBody)
	a.forget = forget
	if err != nil {
		return a, err
	}
	body, err := a.read(r.Header.Get("Content-Type"), bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff"))))
	if err != nil {
		return a, err
	}
	for name, values := range body {
		if q.Has(name) {
			return a, rasterbase.Errorf(rasterbase.Invalid, "%s is given in the address and in the body", name).
				WithHint("give it once").WithField(name)
		}
		q[name] = values
	}
	return a, nil
}

// read reads a body that may be of several kinds.
func (a *askedCount) read(contentType string, b []byte) (url.Values, error) {
	if len(b) == 0 {
		return nil, nil
	}
	media, _, _ := mime.ParseMediaType(contentType)
	name, _, pairs := strings.Cut(string(b[:min(len(b), 100)]), "=")
	switch {
	// curl says of whatever it sends that it is a form.
	case b[0] == '{':
		return a.readJSON(b)
	case pairs && isName(name) && !strings.EqualFold(name, "SRID"):
		if media != "application/x-www-form-urlencoded" {
			break
		}
		q, err := url.ParseQuery(string(b))
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the form cannot be read: %w", bare(err))
		}
		return q, nil
	case !isJSON(contentType):
		return url.Values{"geom": {string(b)}}, nil
	}
	return nil, &statusError{http.StatusUnsupportedMediaType,
		rasterbase.Errorf(rasterbase.Invalid, "the body is of a type that is not read here").
			WithHint("send GeoJSON, parameters as JSON, or a form (application/x-www-form-urlencoded)")}
}

// readJSON reads an object, which is GeoJSON or has parameters as members.
func (a *askedCount) readJSON(b []byte) (url.Values, error) {
	var kind struct {
		Type   json.RawMessage `json:"type"`
		Layers json.RawMessage `json:"layers"`
	}
	if err := json.Unmarshal(b, &kind); err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the body cannot be read: %w", err).
			WithHint(`send GeoJSON, or an object such as {"geom": {"type": "Polygon", "coordinates": [...]}, "group": "value"}`)
	}
	var name string
	if kind.Layers == nil && json.Unmarshal(kind.Type, &name) == nil && slices.Contains(geoJSONTypes, name) {
		if a.features = name == "Feature" || name == "FeatureCollection"; a.features {
			return url.Values{"zones": {string(b)}}, nil
		}
		return url.Values{"geom": {string(b)}}, nil
	}
	q, err := valuesOfJSON(b)
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if err == nil && !isCountName(name) {
			err = rasterbase.Errorf(rasterbase.Invalid, "the body has the member %.60q, and counts have no such parameter", name).
				WithHint("some of %s; or GeoJSON", strings.Join(countNames[1:], ", ")).WithField(name)
		}
	}
	return q, err
}

// isCountName reports whether a parameter is read or refused, and not ignored.
func isCountName(name string) bool {
	return slices.Contains(countNames, name) || slices.Contains(legendNames, name) || countNicknames[name] != "" || countElsewhere[name] != ""
}
