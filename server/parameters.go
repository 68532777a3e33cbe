package server

import (
	"cmp"
	"errors"
	"image/color"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/render"
)

// drawing is what a query asks of pictures, whatever the tile. The zero value
// asks for a layer as it is shown. It is read once for all requests that have the
// same query, and not changed then.
type drawing struct {
	legend   string             // id or title; empty: the layer's own
	personal bool               // legend is a colormap that the sender keeps
	colormap *rasterbase.Legend // given in the query, or the named one; nil: none
	named    string             // the name of the named one
	rescale  [][2]float64       // one for all bands, or one for each
	bands    []int              // from 0, one or three; nil: as the layer is shown
	entries  string             // that are shown; empty: all

	enhance     render.Enhance
	background  *color.NRGBA // under a JPEG; nil: white
	compress    string       // of a GeoTIFF; empty: the server's
	resampling  rasterbase.Resampling
	tileSize    int // pixels a side; 0: the layer's
	unscale     bool
	algorithm   algorithm // empty: none
	terrain     terrainParameters
	aggregation bool

	inputs  []input // of /algebra
	alpha   bool    // of /algebra
	formula string  // over the inputs, or over the bands of the layer; empty: none

	version string     // v=
	params  url.Values // what was asked for, one spelling for each meaning
	key     string     // names all of it but where colours are found
}

const (
	// maxQuery is the longest query, in bytes. A colormap of thousands of values
	// has that length.
	maxQuery = 64 << 10
	// maxParameter is the longest one that is no colormap.
	maxParameter = 2000
	// maxVersion is the longest v, which has 11 bytes where it is ours.
	maxVersion = 64

	minTileSize = 64
	maxTileSize = 1024
)

// route says which parameters there are.
type route string

const (
	tileRoute    route = "tiles"
	algebraRoute route = "algebra"
)

// parametersOf gives what a request asks of pictures. What was read from a query
// is remembered, since a map asks for all its tiles with the same one.
func (s *Server) parametersOf(r *http.Request, to route) (*drawing, error) {
	raw := r.URL.RawQuery
	if raw == "" && to == tileRoute {
		return s.plain, nil
	}
	key := string(to) + "?" + raw
	if d, ok := s.drawings.get(key); ok {
		return d, nil
	}
	q, err := parseQuery(raw)
	if err != nil {
		return nil, err
	}
	if ignore(q, to) {
		return s.drawingOf(q, to)
	}
	return s.remember(key, q, to)
}

// drawingOf gives what a query asks that was read already, and in which nothing is
// ignored.
func (s *Server) drawingOf(q url.Values, to route) (*drawing, error) {
	if len(q) == 0 && to == tileRoute {
		return s.plain, nil
	}
	key := string(to) + "?" + q.Encode()
	if d, ok := s.drawings.get(key); ok {
		return d, nil
	}
	return s.remember(key, q, to)
}

// remember reads a query for the first time.
func (s *Server) remember(key string, q url.Values, to route) (*drawing, error) {
	d, err := newDrawing(q, to)
	if err != nil {
		return nil, err
	}
	s.drawings.put(key, d)
	return d, nil
}

// ignore takes out of a query what a drawing says nothing of, so that it is not
// remembered, and tells whether there was any. Caches and map libraries add some.
func ignore(q url.Values, to route) bool {
	before := len(q)
	maps.DeleteFunc(q, func(name string, _ []string) bool {
		return name != "v" && readers[name] == nil && unfollowed(to, name) == nil
	})
	return len(q) < before
}

// drawingCost is the memory that a remembered query takes, roughly: it is kept as
// it was asked, and as values of one spelling.
func drawingCost(key string, d *drawing) int64 {
	return 1000 + 4*int64(len(key)) + legendCost(d.colormap)
}

// parseQuery reads a query whole, where url.URL.Query leaves out what it cannot
// read: a picture without it would be another one. The error tells when it is too
// long.
func parseQuery(raw string) (url.Values, error) {
	if len(raw) > maxQuery {
		return nil, &statusError{http.StatusRequestURITooLong,
			rasterbase.Errorf(rasterbase.Invalid, "the query has %d bytes", len(raw)).
				WithHint("at most %d are read; a long colormap can be kept as a legend", maxQuery)}
	}
	q, err := url.ParseQuery(raw)
	if err == nil {
		return q, nil
	}
	name := ""
	for pair := range strings.SplitSeq(raw, "&") {
		if _, err := url.ParseQuery(pair); err != nil {
			name, _, _ = strings.Cut(pair, "=")
			break
		}
	}
	return nil, rasterbase.Errorf(rasterbase.Invalid, "the query cannot be read: %w", bare(err)).
		WithHint("write %%25 for %%, %%26 for & and %%3B for ;").WithField(cut(name, 40))
}

// bare is an error without the query that it repeats.
func bare(err error) error {
	if e, ok := errors.AsType[url.EscapeError](err); ok {
		return errors.New(cut(e.Error(), 60))
	}
	return errors.New(cut(err.Error(), 100))
}

// cut is a text's beginning.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// newDrawing reads a query. Parameters that would change the picture, and that
// there are not, are refused, because a picture without them would look right and
// be wrong. Others are ignored. It keeps no part of the query's own memory.
func newDrawing(q url.Values, to route) (*drawing, error) {
	d := &drawing{params: url.Values{}, version: strings.Clone(q.Get("v"))}
	if len(d.version) > maxVersion {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "v has %d bytes", len(d.version)).
			WithHint("at most %d are read", maxVersion).WithField("v")
	}
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values := slices.DeleteFunc(slices.Clone(q[name]), func(v string) bool { return v == "" })
		if len(values) == 0 && name != "alpha" {
			continue // as if it were not there
		}
		for i := range values { // parts of the address, however long that is
			values[i] = strings.Clone(values[i])
		}
		if err := d.read(to, strings.Clone(name), values); err != nil {
			return nil, err
		}
	}
	if err := d.check(to); err != nil {
		return nil, err
	}
	d.key = d.canonicalKey()
	return d, nil
}

// read reads one parameter.
func (d *drawing) read(to route, name string, values []string) error {
	if err := unfollowed(to, name); err != nil {
		return err
	}
	for _, v := range values {
		if len(v) > maxParameter && name != "colormap" && name != "formula" && readers[name] != nil {
			return rasterbase.Errorf(rasterbase.Invalid, "%s has %d bytes", name, len(v)).
				WithHint("at most %d are read", maxParameter).WithField(name)
		}
	}
	reader := readers[name]
	if reader == nil {
		return nil
	}
	if len(values) > 1 && name != "rescale" && name != "scale" && name != "bidx" {
		return timesGiven(name, len(values))
	}
	canonical, err := reader(d, name, values)
	if err != nil {
		return blame(err, name)
	}
	if canonical != "" {
		d.params.Set(name, canonical)
	}
	return nil
}

// unfollowed tells of parameters that change pictures elsewhere, or on other routes.
func unfollowed(to route, name string) error {
	unknown := []string{"expression", "color_formula", "nodata", "buffer"}
	other := []string{"scale", "layers", "grid"}
	hint := "leave it out"
	if to == algebraRoute {
		other = nil
	}
	if slices.Contains(unknown, name) || slices.Contains(other, name) || strings.HasPrefix(name, "enhance_") && readers[name] == nil {
		return rasterbase.Errorf(rasterbase.Invalid, "this version draws no %s by %.40q", to, name).WithHint("%s", hint).WithField(name)
	}
	return nil
}

// conflicts are parameters that say different things of the same.
var conflicts = [][2]string{
	{"legend", "colormap"}, {"legend", "colormap_name"}, {"colormap", "colormap_name"}, {"rescale", "scale"},
}

// check tells what does not go together.
func (d *drawing) check(to route) error {
	for _, c := range conflicts {
		if d.params.Has(c[0]) && d.params.Has(c[1]) {
			return conflict(c[0], c[1])
		}
	}
	if d.personal && d.legend == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "store=session names no colormap").
			WithHint("legend= names one of yours").WithField("store")
	}
	if len(d.bands) == 3 {
		for _, name := range []string{"legend", "colormap", "colormap_name", "entries"} {
			if d.params.Has(name) {
				return conflict(name, "bidx")
			}
		}
	}
	if to == algebraRoute {
		return d.checkAlgebra()
	}
	return d.checkAlgorithm()
}

func conflict(a, b string) *rasterbase.Error {
	return rasterbase.Errorf(rasterbase.Invalid, "%s and %s cannot be given together", a, b).
		WithHint("leave out one of them").WithField(a)
}

// checkFormat tells what a format leaves no place for.
func (d *drawing) checkFormat(f render.Format) error {
	var names []string
	switch {
	case f == render.TIFF:
		for _, name := range []string{"legend", "colormap", "colormap_name", "entries", "rescale", "scale", "alpha", "aggregation", "background",
			"enhance_color", "enhance_contrast", "enhance_brightness", "enhance_sharpness"} {
			if d.params.Has(name) {
				return rasterbase.Errorf(rasterbase.Invalid, "a GeoTIFF holds values and no colours: %s says nothing of them", name).
					WithHint("leave it out, or ask for .png").WithField(name)
			}
		}
	case f == render.JPEG:
		if d.algorithm.encodes() {
			return rasterbase.Errorf(rasterbase.Invalid, "heights do not survive a JPEG").WithHint("ask for .png or .webp").WithField("algorithm")
		}
		names = []string{"compress"}
	default:
		names = []string{"compress", "background"}
	}
	for _, name := range names {
		if d.params.Has(name) {
			return rasterbase.Errorf(rasterbase.Invalid, "%s says nothing of a %s", name, f).
				WithHint("compress is for .tif, background for .jpg").WithField(name)
		}
	}
	return nil
}

// canonicalKey names what is asked for, but for a legend: that is named by what
// is in it.
func (d *drawing) canonicalKey() string {
	rest := url.Values{}
	for name, values := range d.params {
		if name != "legend" && name != "store" {
			rest[name] = values
		}
	}
	return rest.Encode()
}

// query gives the parameters for an address.
func (d *drawing) query() url.Values {
	out := url.Values{}
	for name, values := range d.params {
		out[name] = slices.Clone(values)
	}
	return out
}

// size is the side of a tile in pixels, of a layer with tiles of its own size.
func (d *drawing) size(own int, double bool) int {
	size := cmp.Or(d.tileSize, own)
	if double {
		size *= 2
	}
	return size
}

// single reads a parameter that may be given once.
func single(q url.Values, name string) (string, error) {
	switch values := q[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", timesGiven(name, len(q[name]))
}

func timesGiven(name string, times int) error {
	return rasterbase.Errorf(rasterbase.Invalid, "%s is given %d times", name, times).
		WithHint("give it once").WithField(name)
}

// namedColormap makes a legend of a named colormap.
func namedColormap(name string) (*rasterbase.Legend, error) {
	if _, err := legend.Named(name); err != nil {
		return nil, err
	}
	return &rasterbase.Legend{Title: name, Gradient: &rasterbase.Gradient{Colormap: name, Relative: true}}, nil
}
