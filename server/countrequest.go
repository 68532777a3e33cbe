package server

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/zonal"
	"github.com/rasterbase/rasterbase/zonal/report"
)

// What a configuration that says nothing of counts means.
const (
	DefaultCountMaxPixels   = 1_000_000_000 // read at most, for an answer in a request
	DefaultCountMaxVertices = 1_000_000     // at most, of one geometry
	DefaultCountMaxZones    = 1000          // at most, in a request
)

// countKind is what is told of pixels.
type countKind string

const (
	valueCounts countKind = "valuecount"
	statistics  countKind = "statistics"
	crossTabs   countKind = "crosstab"
)

// countNames are the parameters of counts. Those of colours are legendNames.
var countNames = []string{
	"count", "layers", "formula", "grid", "geom", "bbox", "srid", "zones", "id", "coverage", "all_touched", "densify", "zoom",
	"group", "bins", "range", "categorical", "area", "bidx", "stats", "percentiles", "p", "unscale", "f", "format", "filename", "description",
}

// countLists are those that can be given several times.
var countLists = []string{"bidx", "percentiles", "p", "stats"}

// countNicknames are names that other servers have for the same.
var countNicknames = map[string]string{"histogram_bins": "bins", "histogram_range": "range"}

// countElsewhere are parameters that change numbers on other routes or other servers. An
// answer that ignored them would look right and be wrong.
var countElsewhere = map[string]string{
	"expression":    "write layers=a=1,b=2&formula=a-b",
	"coord_crs":     "srid= is the CRS of the geometry: 4326 for longitude and latitude",
	"dst_crs":       "leave it out: pixels are counted in the layer's own CRS, or with zoom= in EPSG:3857",
	"nodata":        "leave it out: where there is no data is what the layer says",
	"resampling":    "leave it out: values are those of the pixels, and never blended",
	"c":             "leave it out: every value that there is has a row of its own",
	"rescale":       "range= is where the bins of a histogram begin and end",
	"geometry":      "geom= is the geometry: WKT, EWKT or GeoJSON",
	"geojson":       "geom= is the geometry, as GeoJSON too",
	"wkt":           "geom= is the geometry, as WKT too",
	"colormap_name": "pixels are counted by the entries of a legend= or a colormap=",
}

// maxPercentiles is the most percentiles that are asked for at once.
const maxPercentiles = 100

// countRequest is what is to be counted. It is read from parameters, and not changed
// then.
type countRequest struct {
	params     url.Values
	kind       countKind
	expression *expression
	placement  zonal.Placement // but for the level and the transformer
	zoom       *int
	query      zonal.Query  // but for classes and what is bounded
	grouping   string       // legend or semantics; empty: neither
	colors     url.Values   // of the legend
	only       []string     // the statistics that are told; nil: none are
	geometry   orb.Geometry // nil: everything
	zones      *countZones  // nil: there is one geometry at most
	form       string       // json, csv or ndjson
}

// separate reports whether several layers are counted each by itself.
func (c *countRequest) separate() bool {
	return c.kind != crossTabs && c.expression.formula == nil && len(c.expression.inputs) > 1
}

// readCount reads the parameters of counts, in which layers names what is counted and
// count what is told of it. Names that nothing reads are ignored, as everywhere.
func (s *Server) readCount(q url.Values) (*countRequest, error) {
	c := &countRequest{params: url.Values{}, colors: url.Values{}}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if err := c.take(name, q[name]); err != nil {
			return nil, err
		}
	}
	switch c.kind = countKind(strings.ToLower(cmp.Or(c.params.Get("count"), string(valueCounts)))); c.kind {
	case valueCounts, statistics, crossTabs:
	default:
		return nil, blame(invalid("there are no such counts", c.params.Get("count"), "one of valuecount, statistics and crosstab"), "count")
	}
	var err error
	if c.expression, err = s.readExpression(c.params); err != nil {
		return nil, err
	}
	for _, read := range []func() error{c.readForm, c.readPlace, c.readGeometry, c.readGroup, c.readBins, c.readStatistics, c.readBands, c.check} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// take keeps a parameter that counts have.
func (c *countRequest) take(name string, values []string) error {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return strings.TrimSpace(v) == "" })
	known := cmp.Or(countNicknames[name], name)
	switch {
	case len(values) == 0:
		return nil
	case countElsewhere[name] != "":
		return rasterbase.Errorf(rasterbase.Invalid, "%s says nothing of counts", name).WithHint("%s", countElsewhere[name]).WithField(name)
	case slices.Contains(legendNames, name):
		if len(values) > 1 {
			return timesGiven(name, len(values))
		}
		c.params[name], c.colors[name] = values, values
		return nil
	case !slices.Contains(countNames, known):
		return nil
	case c.params.Has(known):
		return conflict(known, name)
	case len(values) > 1 && !slices.Contains(countLists, known):
		return timesGiven(name, len(values))
	}
	c.params[known] = values
	return nil
}

// list gives the parts of a parameter that may be given several times, or with commas.
func (c *countRequest) list(name string) (out []string) {
	for one := range strings.SplitSeq(strings.Join(c.params[name], ","), ",") {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}

// toggle reads a switch.
func (c *countRequest) toggle(name string, otherwise bool) (bool, error) {
	text := c.params.Get(name)
	if text == "" {
		return otherwise, nil
	}
	v, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, blame(invalid("that is neither true nor false", text, name+"=true or "+name+"=false"), name)
	}
	return v, nil
}

// countForms are the files that counts can be.
var countForms = []string{"json", "csv", "ndjson"}

func (c *countRequest) readForm() error {
	name := "f"
	if c.params.Has("format") {
		name = "format"
	}
	c.form = strings.ToLower(cmp.Or(c.params.Get(name), "json"))
	if c.form == "geojson" && name == "f" {
		c.form = "json"
	}
	if !slices.Contains(countForms, c.form) {
		return blame(invalid("there are no answers of that format", c.form, "one of json, csv and ndjson"), name)
	}
	return nil
}

// readPlace reads which pixels are counted.
func (c *countRequest) readPlace() error {
	touched, err := c.toggle("all_touched", false)
	if err != nil {
		return err
	}
	if c.placement.Rule, err = report.ParseRule(c.params.Get("coverage"), touched); err != nil {
		return err
	}
	dense, err := c.toggle("densify", true)
	if err != nil {
		return err
	}
	c.placement.VerticesOnly = !dense
	if c.params.Has("zoom") {
		z, err := bounded(c.params, "zoom", 0, 0, maxAskedZoom)
		if err != nil {
			return err
		}
		c.zoom = &z
	}
	unscale, err := c.toggle("unscale", false)
	if err == nil && unscale {
		err = rasterbase.Errorf(rasterbase.Invalid, "counts and statistics are those of stored values").
			WithHint("write scale and offset as a formula: formula=b1*0.1+5, or layers=a=1&formula=a*0.1+5").WithField("unscale")
	}
	return err
}

// grouped are the values of group.
var grouped = []string{"auto", "value", "legend", "semantics", "histogram", "none"}

// readGroup reads what is counted together.
func (c *countRequest) readGroup() error {
	group := strings.ToLower(c.params.Get("group"))
	categorical, err := c.toggle("categorical", false)
	switch {
	case err != nil:
		return err
	case group != "" && !slices.Contains(grouped, group):
		return blame(invalid("there is no such group", group, "one of "+strings.Join(grouped, ", ")), "group")
	case categorical && group != "" && group != "value":
		return conflict("categorical", "group")
	case categorical:
		group = "value"
	case group == "" && len(c.colors) > 0:
		group = "legend"
	case group == "" && (c.params.Has("bins") || c.params.Has("range")):
		group = "histogram"
	case group == "" && c.kind == statistics && c.params.Has("stats"):
		group = "none"
	}
	switch group {
	case "legend", "semantics":
		c.grouping, c.query.Group = group, zonal.ByClass
		return nil
	case "":
		c.query.Group = zonal.Auto
	default:
		c.query.Group = zonal.Group(group)
	}
	for _, name := range legendNames {
		if c.colors.Has(name) {
			return rasterbase.Errorf(rasterbase.Invalid, "group=%s counts by no legend, and %s gives one", group, name).
				WithHint("group=legend or group=semantics count by it").WithField(name)
		}
	}
	return nil
}

// readBins reads where pixels are put into, and areas.
func (c *countRequest) readBins() (err error) {
	for _, name := range []string{"bins", "range"} {
		if c.params.Has(name) && c.query.Group != zonal.Histogram && c.query.Group != zonal.Auto {
			return rasterbase.Errorf(rasterbase.Invalid, "%s is of a histogram, and group is another one", name).
				WithHint("leave out one of them").WithField(name)
		}
	}
	if c.query.Bins, err = bounded(c.params, "bins", 0, 1, 1<<16); err != nil {
		return err
	}
	if text := c.params.Get("range"); text != "" {
		parts := strings.Split(text, ",")
		var r [2]float64
		ok := len(parts) == 2
		for i := 0; ok && i < 2; i++ {
			r[i], ok = finiteNumber(strings.TrimSpace(parts[i]))
		}
		if !ok || !(r[0] < r[1]) {
			return blame(invalid("that is no range", text, "two numbers, the lower one first: range=0,100"), "range")
		}
		c.query.Range = &r
	}
	c.query.Area, err = zonal.ParseAreaUnit(c.params.Get("area"))
	return err
}

// readStatistics reads which statistics are told. Those of the route of statistics are
// all of them unless some are named, and two percentiles.
func (c *countRequest) readStatistics() error {
	names := c.list("stats")
	for i, name := range names {
		names[i] = strings.ToLower(name)
		if _, ok := report.Needs(names[i]); !ok && names[i] != "all" {
			return blame(invalid("there is no such statistic", name, "some of "+strings.Join(report.StatisticNames(), ",")+", or all"), "stats")
		}
	}
	texts := c.list("percentiles")
	field := "percentiles"
	if more := c.list("p"); len(more) > 0 {
		if len(texts) > 0 {
			return conflict("p", "percentiles")
		}
		texts, field = more, "p"
	}
	for _, text := range texts {
		v, ok := finiteNumber(text)
		if !ok || v < 0 || v > 100 {
			return blame(invalid("that is no percentile", text, "numbers from 0 to 100: percentiles=5,50,95"), field)
		}
		if !slices.Contains(c.query.Percentiles, v) {
			c.query.Percentiles = append(c.query.Percentiles, v)
		}
	}
	if len(c.query.Percentiles) > maxPercentiles {
		return rasterbase.Errorf(rasterbase.Invalid, "those are more than %d percentiles", maxPercentiles).WithHint("ask for fewer").WithField(field)
	}
	if c.kind == statistics && len(names) == 0 {
		names = []string{"all"}
		if len(texts) == 0 {
			c.query.Percentiles = []float64{2, 98}
		}
	}
	c.want(names)
	return nil
}

// want notes what has to be found out for the statistics named.
func (c *countRequest) want(names []string) {
	if slices.Contains(names, "all") {
		names = report.StatisticNames()
	}
	if len(names) > 0 || len(c.query.Percentiles) > 0 {
		c.only = append([]string{}, names...)
	}
	for _, name := range names {
		need, _ := report.Needs(name)
		c.query.Stats |= need
	}
	if len(c.query.Percentiles) > 0 {
		c.query.Stats |= zonal.Quantiles
	}
}

// readBands reads bidx, which counts from 1, and the band in layers=a:2=1, which counts
// from 0. Statistics are those of all bands if none is named.
func (c *countRequest) readBands() error {
	inputs := c.expression.inputs
	several := c.expression.formula != nil || len(inputs) > 1
	name, _, _ := strings.Cut(c.params.Get("layers"), "=")
	written := !several && strings.Contains(name, ":")
	switch {
	case c.params.Has("bidx") && several:
		return rasterbase.Errorf(rasterbase.Invalid, "bidx chooses bands of one layer").
			WithHint("write layers=a:0=1,b:1=1, where bands count from 0").WithField("bidx")
	case c.params.Has("bidx") && written:
		return conflict("bidx", "layers")
	case written:
		c.query.Bands = []int{inputs[0].band}
		return nil
	}
	for _, text := range c.list("bidx") {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return blame(invalid("that is no band", text, "bidx counts bands from 1: bidx=1,3"), "bidx")
		}
		if slices.Contains(c.query.Bands, int(n)-1) {
			return rasterbase.Errorf(rasterbase.Invalid, "band %d is named twice", n).WithHint("name it once").WithField("bidx")
		}
		c.query.Bands = append(c.query.Bands, int(n)-1)
	}
	return nil
}

// check tells what does not go together.
func (c *countRequest) check() error {
	if c.kind == crossTabs {
		return c.checkCrossTab()
	}
	switch {
	case c.expression.grid != "" && c.expression.formula == nil:
		return rasterbase.Errorf(rasterbase.Invalid, "grid chooses among the grids that a formula reads, and there is none").
			WithHint("leave it out: each layer is counted on its own pixels").WithField("grid")
	case c.expression.grid != "" && c.zoom != nil:
		return rasterbase.Errorf(rasterbase.Invalid, "grid chooses among the layers' own pixels, and zoom asks for the map's").
			WithHint("leave out one of them").WithField("grid")
	case c.query.Group == zonal.NoGroup && c.only == nil:
		return rasterbase.Errorf(rasterbase.Invalid, "group=none counts nothing, and no statistics are asked for").
			WithHint("stats=mean,max or percentiles=50, or another group").WithField("group")
	}
	return nil
}

// layerParameters are the parameters of a route that has the layer in its path: layers
// names it, or its bands that the formula uses.
func (s *Server) layerParameters(l *rasterbase.Layer, q url.Values) error {
	for _, name := range []string{"layers", "grid"} {
		if q.Get(name) != "" {
			return rasterbase.Errorf(rasterbase.Invalid, "%s says nothing of one layer", name).
				WithHint("valuecount, statistics and crosstab without a layer before them take several").WithField(name)
		}
	}
	text := strings.TrimSpace(q.Get("formula"))
	if text == "" {
		q.Set("layers", fmt.Sprintf("a=%d", l.ID))
		return nil
	}
	if q.Get("bidx") != "" {
		return conflict("bidx", "formula")
	}
	o := s.c.Formula
	o.Names, o.Reductions = nil, true
	f, err := algebra.Parse(text, o)
	if err != nil {
		return mistake(err)
	}
	var inputs []string
	for _, name := range f.Variables() {
		band, ok := bandNamed(name, 1<<16)
		if !ok {
			return rasterbase.Errorf(rasterbase.Invalid, "the formula uses %s, which is no band of layer %d", cut(name, 40), l.ID).
				WithHint("its bands are b1, b2 and so on, and x is b1; /valuecount and /statistics take several layers").WithField("formula")
		}
		inputs = append(inputs, fmt.Sprintf("%s:%d=%d", name, band, l.ID))
	}
	if len(inputs) == 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "the formula uses no band of the layer").WithHint("its bands are b1, b2 and so on, and x is b1").WithField("formula")
	}
	q.Set("layers", strings.Join(inputs, ","))
	return nil
}
