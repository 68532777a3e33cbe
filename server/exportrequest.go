package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/geometry"
	"github.com/rasterbase/rasterbase/render"
)

// exportForm is a kind of file that an export can be.
type exportForm struct {
	media, ext string
	tiles      bool // of drawn tiles, not of values
	counts     bool // of counts, not of pixels
}

// exportForms are the values of format.
var exportForms = map[string]exportForm{
	"zip":     {media: "application/zip", ext: ".zip"},
	"tif":     {media: "image/tiff; application=geotiff", ext: ".tif"},
	"cog":     {media: "image/tiff; application=geotiff; profile=cloud-optimized", ext: ".tif"},
	"mbtiles": {media: "application/vnd.sqlite3", ext: ".mbtiles", tiles: true},
	"pmtiles": {media: "application/vnd.pmtiles", ext: ".pmtiles", tiles: true},
	"csv":     {media: csvMedia, ext: ".csv", counts: true},
	"ndjson":  {media: "application/x-ndjson", ext: ".ndjson", counts: true},
	"json":    {media: "application/json", ext: ".json", counts: true},
}

// exportNames are the parameters of exports that pictures do not have.
var exportNames = []string{
	"format", "layers", "formula", "grid", "bbox", "geom", "srid", "zoom", "minzoom", "maxzoom",
	"filename", "description", "compress", "tile_format",
}

// legendNames are the parameters of colours that files of values have a place for:
// COLORMAP.txt and a colour table.
var legendNames = []string{"legend", "store", "colormap", "colormap_name", "entries", "rescale"}

const (
	// maxExportText is the longest filename or description, in bytes.
	maxExportText = 2000
	// maxExportBody is the longest body of POST /export: a polygon of several
	// hundred thousand points.
	maxExportBody = 16 << 20
)

// exportRequest is what is asked for as a file. It is read from parameters, and
// not changed then.
type exportRequest struct {
	params     url.Values
	expression *expression
	format     string
	exportForm
	zoom, minZoom, maxZoom *int
	bbox                   *rasterbase.Bounds // in longitude and latitude
	area                   orb.Geometry       // nil: none is given
	areaSRID               int
	bands                  []int // from 0; nil: all
	compress               string
	filename, description  string
	picture                render.Format // of tile sets
	colors                 url.Values    // parameters of pictures
	count                  *countRequest // of a file of counts; nil: of pixels
}

// readExport reads the parameters of an export. Names that nothing reads are
// ignored, as everywhere; those that would change a picture and say nothing of
// this file are refused.
func (s *Server) readExport(q url.Values) (*exportRequest, error) {
	x := &exportRequest{params: url.Values{}, colors: url.Values{}, format: "zip", picture: render.PNG}
	if format := strings.ToLower(strings.Join(q["format"], "")); exportForms[format].counts {
		x.format, x.exportForm = format, exportForms[format]
		return x, x.readCounts(s, q)
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		values := slices.DeleteFunc(slices.Clone(q[name]), func(v string) bool { return v == "" })
		if name == "alpha" && len(values) == 0 {
			values = []string{"true"} // its name alone is enough
		}
		switch {
		case len(values) == 0:
			continue
		case slices.Contains(exportNames, name):
			if len(values) > 1 {
				return nil, timesGiven(name, len(values))
			}
			x.params[name] = values
		case readers[name] != nil:
			x.params[name] = values
			x.colors[name] = values
		default:
			if err := unfollowed(tileRoute, name); err != nil {
				return nil, err
			}
		}
	}
	for _, read := range []func() error{x.readForm, x.readTexts, x.readZooms, x.readArea, x.checkColors, x.readBands} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	if !x.params.Has("layers") {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "layers names no layer to export").
			WithHint("write layers=a=1, or layers=a=1,b:2=4&formula=a-b").WithField("layers")
	}
	var err error
	if x.expression, err = s.readExpression(x.params); err != nil {
		return nil, err
	}
	return x, x.checkExpression()
}

func (x *exportRequest) readForm() error {
	if f := strings.ToLower(x.params.Get("format")); f != "" {
		x.format = f
	}
	var ok bool
	if x.exportForm, ok = exportForms[x.format]; !ok {
		return blame(invalid("there are no exports of that format", x.format, "one of zip, tif, cog, mbtiles and pmtiles; and of counts csv, ndjson and json"), "format")
	}
	if t := x.params.Get("tile_format"); t != "" {
		f, err := render.ParseFormat(t)
		if err != nil || f == render.TIFF {
			return blame(invalid("tile sets have no pictures of that format", t, "one of png, jpg and webp"), "tile_format")
		}
		x.picture = f
	}
	return nil
}

func (x *exportRequest) readTexts() error {
	x.filename, x.description, x.compress = x.params.Get("filename"), x.params.Get("description"), x.params.Get("compress")
	for _, name := range []string{"filename", "description", "compress"} {
		if n := len(x.params.Get(name)); n > maxExportText {
			return rasterbase.Errorf(rasterbase.Invalid, "%s has %d bytes", name, n).WithHint("at most %d are kept", maxExportText).WithField(name)
		}
	}
	return nil
}

func (x *exportRequest) readZooms() error {
	for _, z := range []struct {
		name  string
		to    **int
		tiles bool
	}{{"zoom", &x.zoom, false}, {"minzoom", &x.minZoom, true}, {"maxzoom", &x.maxZoom, true}} {
		text := x.params.Get(z.name)
		switch n, err := strconv.Atoi(text); {
		case text == "":
		case err != nil || n < 0:
			return blame(invalid("that is no zoom", text, "a whole number from 0 on"), z.name)
		case z.tiles != x.tiles:
			return rasterbase.Errorf(rasterbase.Invalid, "%s says nothing of a %s", z.name, x.format).
				WithHint("zoom is of zip, tif and cog; minzoom and maxzoom of mbtiles and pmtiles").WithField(z.name)
		default:
			*z.to = &n
		}
	}
	return nil
}

func (x *exportRequest) readArea() error {
	box, geom, srid := x.params.Get("bbox"), x.params.Get("geom"), x.params.Get("srid")
	switch {
	case box != "" && geom != "":
		return conflict("bbox", "geom")
	case geom != "" && x.tiles:
		return rasterbase.Errorf(rasterbase.Invalid, "a tile set holds whole tiles, and none are cut by a polygon").
			WithHint("bbox=west,south,east,north chooses the tiles").WithField("geom")
	case srid != "" && geom == "":
		return rasterbase.Errorf(rasterbase.Invalid, "srid is the CRS of geom, and there is none").
			WithHint("bbox is in EPSG:4326; geom=POLYGON((...))&srid=3857 is in another CRS").WithField("srid")
	case box != "":
		b, err := readBBox(box)
		x.bbox = &b
		return err
	case geom == "":
		return nil
	}
	var err error
	if x.area, x.areaSRID, err = geometry.ReadAreas(geom); err != nil {
		return err
	}
	if srid != "" {
		n, err := strconv.Atoi(srid)
		if err != nil || n <= 0 {
			return blame(invalid("that is no srid", srid, "a number such as 3857"), "srid")
		}
		if x.areaSRID != 0 && x.areaSRID != n {
			return rasterbase.Errorf(rasterbase.Invalid, "srid is %d, and geom says that it is in %d", n, x.areaSRID).
				WithHint("leave out one of them").WithField("srid")
		}
		x.areaSRID = n
	}
	if x.areaSRID == 0 {
		x.areaSRID = 4326
	}
	return nil
}

// readBBox reads west,south,east,north in degrees. West is greater than east across
// the antimeridian.
func readBBox(text string) (b rasterbase.Bounds, err error) {
	parts := strings.Split(text, ",")
	var v [4]float64
	ok := len(parts) == 4
	for i := 0; ok && i < 4; i++ {
		v[i], err = strconv.ParseFloat(strings.TrimSpace(parts[i]), 64)
		ok = err == nil && !math.IsNaN(v[i]) && !math.IsInf(v[i], 0)
	}
	b = rasterbase.Bounds{West: v[0], South: v[1], East: v[2], North: v[3]}
	if !ok || b.South >= b.North || b.South < -90 || b.North > 90 || math.Abs(b.West) > 180 || math.Abs(b.East) > 180 || b.West == b.East {
		return b, blame(invalid("that is no box", text, "write bbox=west,south,east,north in degrees of longitude and latitude, such as 5.9,45.8,10.5,47.8"), "bbox")
	}
	return b, nil
}

// checkColors refuses what the file has no place for.
func (x *exportRequest) checkColors() error {
	if x.tiles {
		if x.params.Has("compress") {
			return rasterbase.Errorf(rasterbase.Invalid, "compress says nothing of tiles").WithHint("leave it out; tile_format=webp makes them smaller").WithField("compress")
		}
		return nil
	}
	if x.params.Has("tile_format") {
		return rasterbase.Errorf(rasterbase.Invalid, "tile_format says nothing of a %s", x.format).WithHint("it is of mbtiles and pmtiles").WithField("tile_format")
	}
	for _, name := range slices.Sorted(maps.Keys(x.colors)) {
		if name != "bidx" && !slices.Contains(legendNames, name) {
			return rasterbase.Errorf(rasterbase.Invalid, "a %s holds values, and %s says nothing of them", x.format, name).
				WithHint("leave it out, or ask for mbtiles or pmtiles, which hold pictures").WithField(name)
		}
	}
	return nil
}

// readBands reads bidx=1&bidx=3 or bidx=1,3 of files of values.
func (x *exportRequest) readBands() error {
	if x.tiles || !x.colors.Has("bidx") {
		return nil
	}
	for one := range strings.SplitSeq(strings.Join(x.colors["bidx"], ","), ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(one), 10, 16)
		if err != nil || n == 0 {
			return blame(invalid("that is no band", one, "bidx counts bands from 1: bidx=1,3"), "bidx")
		}
		x.bands = append(x.bands, int(n)-1)
	}
	delete(x.colors, "bidx")
	return nil
}

// checkExpression tells what layers and formulas leave no place for, and which bands
// are meant of one layer.
func (x *exportRequest) checkExpression() error {
	inputs := x.expression.inputs
	single := x.single()
	switch {
	case !single && x.params.Has("bidx"):
		return rasterbase.Errorf(rasterbase.Invalid, "bidx chooses bands of one layer").WithHint("in a formula write layers=a:0=1,b:1=1").WithField("bidx")
	case x.expression.formula == nil && len(inputs) > 1 && !x.tiles:
		return rasterbase.Errorf(rasterbase.Invalid, "%d layers make one file of values by a formula alone", len(inputs)).
			WithHint("write formula=, or export each of them").WithField("formula")
	}
	name, _, _ := strings.Cut(x.params.Get("layers"), "=")
	if single && strings.Contains(name, ":") {
		if x.params.Has("bidx") {
			return conflict("bidx", "layers")
		}
		if x.tiles {
			x.colors.Set("bidx", strconv.Itoa(inputs[0].band+1))
		} else {
			x.bands = []int{inputs[0].band}
		}
	}
	return nil
}

// single tells whether one layer is asked for as it is.
func (x *exportRequest) single() bool {
	return x.expression.formula == nil && len(x.expression.inputs) == 1
}

// parametersIn reads the parameters of a request from its address and its body.
func (s *Server) parametersIn(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil || r.Method != http.MethodPost {
		return q, err
	}
	body, err := readExportBody(w, r)
	if err != nil {
		return nil, err
	}
	for name, values := range body {
		if q.Has(name) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%s is given in the address and in the body", name).
				WithHint("give it once").WithField(name)
		}
		q[name] = values
	}
	return q, nil
}

func readExportBody(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxExportBody))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, rasterbase.Errorf(rasterbase.TooLarge, "the body is too long").WithHint("at most %d bytes", maxExportBody)
	}
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the body cannot be read: %w", err)
	}
	if len(b) == 0 {
		return nil, nil
	}
	contentType := r.Header.Get("Content-Type")
	if isJSON(contentType) {
		return valuesOfJSON(b)
	}
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, &statusError{http.StatusUnsupportedMediaType,
			rasterbase.Errorf(rasterbase.Invalid, "the body is of a type that is not read here").
				WithHint("send a form (application/x-www-form-urlencoded) or application/json")}
	}
	q, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the form cannot be read: %w", bare(err))
	}
	return q, nil
}

// valuesOfJSON makes parameters of the members of a JSON object: texts, numbers and
// switches as they are written, lists with commas, and objects as JSON.
func valuesOfJSON(b []byte) (url.Values, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the body cannot be read: %w", err).WithHint(`send an object such as {"layers": "a=1"}`)
	}
	q := url.Values{}
	for name, raw := range members {
		text, err := textOfJSON(name, raw)
		if err != nil {
			return nil, blame(err, name)
		}
		if text != "" {
			q.Set(name, text)
		}
	}
	return q, nil
}

func textOfJSON(name string, raw json.RawMessage) (string, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || bytes.Equal(raw, []byte("null")):
		return "", nil
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case raw[0] == '[' && name != "colormap":
		var all []json.RawMessage
		if err := json.Unmarshal(raw, &all); err != nil {
			return "", err
		}
		texts := make([]string, len(all))
		for i, one := range all {
			if one = bytes.TrimSpace(one); len(one) > 0 && (one[0] == '[' || one[0] == '{') {
				return "", rasterbase.Errorf(rasterbase.Invalid, "%s is a list of other than numbers and texts", name)
			}
			var err error
			if texts[i], err = textOfJSON(name, one); err != nil {
				return "", err
			}
		}
		return strings.Join(texts, ","), nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return "", fmt.Errorf("compact %s: %w", name, err)
	}
	return compact.String(), nil
}
