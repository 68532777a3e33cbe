package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
)

// DefaultMaxPoints is how many points a request looks up of a server whose
// configuration says nothing.
const DefaultMaxPoints = 100_000

// maxAskedZoom is the deepest zoom that values are asked for at.
const maxAskedZoom = 40

// lookup is what a query asks of values at places, wherever these are.
type lookup struct {
	*expression
	srid    int  // of the places; 0: not said
	zoom    *int // nil: base tiles
	unscale bool
	version string // v=
}

// elsewhere are parameters that change values on other routes or other servers. An
// answer that ignored them would look right and be wrong.
var elsewhere = map[string]string{
	"bidx":       "layers=a:1=dem names the second band: bands count from 0 there",
	"expression": "write layers=a=1,b=2&formula=a-b",
	"coord_crs":  "srid= is the CRS of the coordinates: 4326 for longitude and latitude",
	"nodata":     "leave it out: where there is no data is what the layer says",
	"resampling": "leave it out: values are those of the pixels, and never blended",
	"tilesize":   "leave it out: zoom= is that of tiles of the layer's own size",
}

// readLookup reads the parameters of values at places.
func (s *Server) readLookup(q url.Values) (l *lookup, err error) {
	for _, name := range []string{"layers", "formula", "grid", "srid", "zoom", "unscale", "v", "f", "line", "points"} {
		if len(q[name]) > 1 {
			return nil, timesGiven(name, len(q[name]))
		}
	}
	for name, hint := range elsewhere {
		if q.Get(name) != "" {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%s says nothing of values at places", name).WithHint("%s", hint).WithField(name)
		}
	}
	l = &lookup{version: q.Get("v")}
	if l.expression, err = s.readExpression(q); err != nil {
		return nil, err
	}
	if l.srid, err = readSRID(q.Get("srid")); err != nil {
		return nil, err
	}
	if text := q.Get("zoom"); text != "" {
		z, err := strconv.Atoi(text)
		if err != nil || z < 0 || z > maxAskedZoom {
			return nil, blame(invalid("that is no zoom", text, fmt.Sprintf("a whole number from 0 to %d; leave it out for the source's own pixels", maxAskedZoom)), "zoom")
		}
		l.zoom = &z
	}
	if text := q.Get("unscale"); text != "" {
		if l.unscale, err = strconv.ParseBool(text); err != nil {
			return nil, blame(invalid("that is neither true nor false", text, "unscale=true"), "unscale")
		}
	}
	return l, l.check()
}

// check tells what does not go together.
func (l *lookup) check() error {
	switch {
	case l.formula == nil && len(l.inputs) > 1:
		return rasterbase.Errorf(rasterbase.Invalid, "%d layers have one value by a formula alone", len(l.inputs)).
			WithHint("write formula=, or ask for each of them").WithField("formula")
	case l.formula == nil:
	case l.unscale:
		return rasterbase.Errorf(rasterbase.Invalid, "unscale says nothing of a formula, which reads stored values").
			WithHint("write scale and offset into the formula: a*0.1+5").WithField("unscale")
	}
	if l.zoom != nil && l.grid != "" {
		return rasterbase.Errorf(rasterbase.Invalid, "grid chooses among the layers' own pixels, and zoom asks for the map's").
			WithHint("leave out one of them").WithField("grid")
	}
	return nil
}

// readSRID reads a srid; 0: there is none.
func readSRID(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	digits := text
	if prefix := "EPSG:"; len(text) > len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
		digits = text[len(prefix):]
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || !isDigits(digits) || n > 1e8 {
		return 0, blame(invalid("that is no srid", text, "an EPSG code: 3857 for web mercator, 4326 for longitude and latitude"), "srid")
	}
	return n, nil
}

// plainNumber is a number as people and programs write it: no hexadecimals,
// underscores, NaN and Inf, which strconv reads too.
var plainNumber = regexp.MustCompile(`^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$`)

// finiteNumber reads a number.
func finiteNumber(text string) (float64, bool) {
	if len(text) > 400 || !plainNumber.MatchString(text) {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}

// looked is where a lookup is answered from.
type looked struct {
	*opened
	lookup  *lookup
	crs     rasterbase.CRS // of the places
	level   coverage.Level
	band    int // from 0
	scale   scale
	version string // v= of now
}

// openLookup opens what a lookup asks of. Places are in the CRS of the lookup, or else
// in that of srid.
func (s *Server) openLookup(ctx context.Context, who rasterbase.Principal, l *lookup, srid int, again bool) (*looked, error) {
	o, err := s.openExpression(ctx, who, l.expression, again)
	if err != nil {
		return nil, err
	}
	out := &looked{opened: o, lookup: l, crs: rasterbase.CRS{SRID: srid}, level: coverage.BaseLevel, scale: scale{1, 0}}
	if l.srid != 0 {
		out.crs.SRID = l.srid
	}
	d := o.cov.Describe()
	if l.formula == nil {
		if out.band = l.inputs[0].band; out.band >= len(d.Bands) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%s has no band %d: it has %d", l.inputs[0].layer, out.band, len(d.Bands)).
				WithHint("bands count from 0 in layers=").WithField("layers")
		}
	}
	if l.unscale {
		out.scale = scaleOf(d.Bands[out.band])
	}
	if err := out.setLevel(d); err != nil {
		return nil, err
	}
	if err := s.checkSRID(out.crs, d, out.level); err != nil {
		return nil, err
	}
	h := sha256.New()
	writeTexts(h, "values", s.c.Version, o.cov.Version())
	out.version = base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])[:11]
	return out, nil
}

func (o *looked) setLevel(d coverage.Description) error {
	switch z := o.lookup.zoom; {
	case z == nil && d.BaseError != nil:
		return d.BaseError
	case z == nil:
		return nil
	case !d.HasPyramid:
		return rasterbase.Errorf(rasterbase.Invalid, "there are no map tiles of %s, and so no zooms", cut(d.Name, 100)).
			WithHint("leave zoom out for the source's own pixels, or parse the layer again with a pyramid").WithField("zoom")
	default:
		o.level = coverage.ZoomLevel(*z)
	}
	return nil
}

// checkSRID tells whether a CRS is unknown, which is a mistake of whoever asked for it,
// or cannot be transformed to where the pixels are.
func (s *Server) checkSRID(from rasterbase.CRS, d coverage.Description, level coverage.Level) error {
	to := rasterbase.CRS{SRID: 3857}
	if level == coverage.BaseLevel {
		to = d.CRS
	}
	_, err := s.c.Transformer.Between(from, to)
	if err == nil || crs.SameCRS(from, to) {
		return nil
	}
	if _, world := s.c.Transformer.Between(from, rasterbase.CRS{SRID: 4326}); world == nil {
		return err // the layer's
	}
	return rasterbase.Errorf(rasterbase.Invalid, "srid %d is not known here: %w", from.SRID, err).
		WithHint("an EPSG code: 3857 for web mercator, 4326 for longitude and latitude").WithField("srid")
}

// zoomTag names a level in an ETag.
func (o *looked) zoomTag() string {
	if o.lookup.zoom == nil {
		return "base"
	}
	return strconv.Itoa(*o.lookup.zoom)
}

// tag is an ETag of an answer that depends on this and on some texts. It is weak: the
// answer may be compressed.
func (o *looked) tag(texts ...string) string {
	h := sha256.New()
	writeTexts(h, "answer", o.version, o.cov.Version(), o.zoomTag(), strconv.Itoa(o.crs.SRID), strconv.Itoa(o.band), strconv.FormatBool(o.lookup.unscale))
	for _, l := range o.layers {
		writeTexts(h, strconv.FormatInt(int64(l.ID), 10))
	}
	writeTexts(h, texts...)
	return `W/"` + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18]) + `"`
}

// valueOf is the value at a place, nil where there is none.
func (o *looked) valueOf(px coverage.Pixel) *float64 {
	if !px.Inside || len(px.Values) == 0 || !px.Values[0].Valid {
		return nil
	}
	v := o.scale.of(px.Values[0].Value)
	if o.scale == (scale{1, 0}) {
		v = px.Values[0].Value
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// readJSON is a layer that was read, in an answer.
type readJSON struct {
	ID       rasterbase.LayerID    `json:"id"`
	Revision rasterbase.RevisionID `json:"revision,omitempty"` // absent of layers with a formula
}

// readLayersOf lists the layers that were read, each once.
func (o *looked) readLayersOf() []readJSON {
	out := []readJSON{}
	for _, l := range o.layers {
		one := readJSON{ID: l.ID, Revision: l.Published}
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}
