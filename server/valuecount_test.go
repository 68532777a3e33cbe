package server_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/geometry"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/zonal"
)

// countedDoc is what a test looks at of an answer.
type countedDoc struct {
	Layers []struct {
		ID       int64
		Slug     string
		Revision int64
	}
	Band                   int
	Group, Coverage, Level string
	Densified              bool
	Counts                 []countedRow
	Total                  struct{ Count, Area float64 }
	Unclassed              float64
	Pixels                 struct{ Valid, Nodata, Outside float64 }
	Statistics             map[string]float64
	Made                   map[string]any
	AreaUnit               string `json:"area_unit"`
}

type countedRow struct {
	Value, Min, Max, Area *float64
	Name                  string
	Count, Share          float64
}

// countable is a store with a categorical layer of which a legend names two classes of
// three, a continuous one beside it, another categorical one in the same place as the
// first, and one with six bands.
func countable(t testing.TB) store.Store {
	t.Helper()
	st := newStore(t)
	lg := addLegend(t, st, "Cover", forest, water)
	add(t, st, stripes("Land cover", lg))
	add(t, st, ramp("Elevation"))
	later := stripes("Later cover", lg)
	later.Value = func(_, _, y int) (float64, bool) { return float64(y/256 + 1), true }
	add(t, st, later)
	scene := ramp("Scene")
	scene.Bands = nil
	for range 6 {
		scene.Bands = append(scene.Bands, rasterbase.Band{PixelType: rasterbase.Int32, Nodata: rasterbase.FloatPtr(-1)})
	}
	scene.Value = func(band, x, _ int) (float64, bool) { return float64((band + 1) * x), true }
	add(t, st, scene)
	return st
}

// someField is a polygon of three stripes and of what is nodata at the right of them.
const someField = "POLYGON((6 46, 10.8 46.2, 10.2 48.1, 7 48, 6 46))"

const someFieldJSON = `{"type":"Polygon","coordinates":[[[6,46],[10.8,46.2],[10.2,48.1],[7,48],[6,46]]]}`

// expected counts without the server.
func expected(t *testing.T, st store.Store, layer rasterbase.LayerID, text string, o zonal.Options) *zonal.Result {
	t.Helper()
	cov, err := coverage.Open(t.Context(), st, layer)
	if err != nil {
		t.Fatal(err)
	}
	g, srid, err := geometry.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	o.CRS.SRID = srid
	if srid == 0 {
		o.CRS.SRID = 4326
	}
	r, err := zonal.ValueCount(t.Context(), cov, g, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sameCounts compares an answer with what was counted without the server.
func sameCounts(t *testing.T, doc countedDoc, want *zonal.Result) {
	t.Helper()
	b := want.Bands[0]
	if len(doc.Counts) != len(b.Counts) || doc.Total.Count != b.Valid || doc.Pixels.Valid != b.Valid || doc.Pixels.Nodata != b.Nodata || doc.Pixels.Outside != want.Made.Outside {
		t.Fatalf("%+v, want %+v", doc, *want)
	}
	for i, row := range b.Counts {
		got := doc.Counts[i]
		if got.Count != row.Count || got.Value != nil && *got.Value != row.Value || got.Min != nil && (*got.Min != row.Low || *got.Max != row.High) ||
			got.Area != nil && math.Abs(*got.Area-row.Area) > 1e-9*row.Area {
			t.Errorf("row %d is %+v, want %+v", i, got, row)
		}
	}
	if doc.Made["tiles_read"] != float64(want.Made.TilesRead) || doc.Made["pixels_read"] != float64(want.Made.PixelsRead) || doc.Made["exact"] != want.Made.Exact {
		t.Errorf("made %v, want %+v", doc.Made, want.Made)
	}
}

func TestCountsAreThoseOfZonal(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st})
	field := "geom=" + url.QueryEscape(someField)
	for _, c := range []struct {
		layer rasterbase.LayerID
		query string
		geom  string
		want  zonal.Options
	}{
		{1, field, someField, zonal.Options{}},
		{1, field + "&coverage=touched", someField, zonal.Options{Placement: zonal.Placement{Rule: footprint.Touched}}},
		{1, field + "&all_touched=true", someField, zonal.Options{Placement: zonal.Placement{Rule: footprint.Touched}}},
		{1, field + "&coverage=fraction&area=ha", someField, zonal.Options{Placement: zonal.Placement{Rule: footprint.Fraction}, Query: zonal.Query{Area: zonal.Hectares}}},
		{1, field + "&densify=false", someField, zonal.Options{Placement: zonal.Placement{VerticesOnly: true}}},
		{1, field + "&zoom=4", someField, zonal.Options{Placement: zonal.Placement{Level: coverage.ZoomLevel(4)}}},
		{1, "bbox=6,46,8,47", "6,46,8,47", zonal.Options{}},
		{1, "bbox=700000,5800000,900000,6000000&srid=3857", "SRID=3857;POLYGON((700000 5800000,900000 5800000,900000 6000000,700000 6000000,700000 5800000))", zonal.Options{}},
		{2, "geom=LINESTRING(1+47,4+48)&srid=4326&bins=4&range=10,90", "LINESTRING(1 47,4 48)", zonal.Options{Query: zonal.Query{Bins: 4, Range: &[2]float64{10, 90}}}},
		{2, "geom=" + url.QueryEscape("POLYGON((1 46,5 46,5 48,1 46))") + "&categorical=true", "POLYGON((1 46,5 46,5 48,1 46))", zonal.Options{Query: zonal.Query{Group: zonal.ByValue}}},
		{4, "geom=POINT(3+47)&bidx=6&group=value", "POINT(3 47)", zonal.Options{Query: zonal.Query{Bands: []int{5}, Group: zonal.ByValue}}},
	} {
		t.Run(c.query, func(t *testing.T) {
			doc := decode[countedDoc](t, get(t, s, fmt.Sprintf("/layers/%d/valuecount?%s", c.layer, c.query)))
			sameCounts(t, doc, expected(t, st, c.layer, c.geom, c.want))
			if doc.Densified == c.want.VerticesOnly || doc.Coverage != c.want.Rule.String() || len(doc.Layers) != 1 || doc.Layers[0].ID != int64(c.layer) || doc.Layers[0].Revision == 0 {
				t.Errorf("%+v", doc)
			}
		})
	}
}

// The same field in all forms has the same answer.
func TestGeometriesComeInManyForms(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st})
	want := get(t, s, "/layers/1/valuecount?geom="+url.QueryEscape(someField)).Body.String()
	if !strings.Contains(want, `{"value":2,"count":`) {
		t.Fatal(want)
	}
	feature := `{"type":"Feature","properties":{},"geometry":` + someFieldJSON + `}`
	form := url.Values{"geom": {someField}}.Encode()
	for _, c := range []struct{ name, method, target, media, body string }{
		{"EWKT", "GET", "/layers/1/valuecount?geom=" + url.QueryEscape("SRID=4326;"+someField), "", ""},
		{"GeoJSON", "GET", "/layers/1/valuecount?geom=" + url.QueryEscape(someFieldJSON), "", ""},
		{"a feature", "GET", "/layers/land-cover/valuecount?geom=" + url.QueryEscape(feature), "", ""},
		{"features", "GET", "/layers/1/valuecount?geom=" + url.QueryEscape(`{"type":"FeatureCollection","features":[`+feature+`]}`), "", ""},
		{"layers", "GET", "/valuecount?layers=a=1&geom=" + url.QueryEscape(someField), "", ""},
		{"a band", "GET", "/valuecount?layers=a:0=land-cover&geom=" + url.QueryEscape(someField), "", ""},
		{"JSON", "POST", "/layers/1/valuecount", "application/json", `{"geom":` + someFieldJSON + `}`},
		{"WKT in JSON", "POST", "/valuecount", "application/json", `{"layers":"a=1","geom":"` + someField + `"}`},
		{"a form", "POST", "/layers/1/valuecount", "application/x-www-form-urlencoded", form},
		{"GeoJSON as the body", "POST", "/layers/1/valuecount", "application/geo+json", someFieldJSON},
		{"GeoJSON as JSON", "POST", "/layers/1/valuecount", "application/json", someFieldJSON},
		{"GeoJSON by curl", "POST", "/layers/1/valuecount", "application/x-www-form-urlencoded", someFieldJSON},
		{"WKT by curl", "POST", "/layers/1/valuecount", "application/x-www-form-urlencoded", someField},
		{"EWKT as text", "POST", "/layers/1/valuecount", "text/plain", "SRID=4326;" + someField},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := call(t, s, "", c.method, c.target, c.body, "Content-Type", c.media)
			if wantStatus(t, w, 200); w.Body.String() != want {
				t.Errorf("%s\nwant\n%s", w.Body, want)
			}
		})
	}
}

func TestCountsByLegendAndSemantics(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st})
	doc := decode[countedDoc](t, get(t, s, "/layers/1/valuecount?group=legend"))
	if len(doc.Counts) != 2 || doc.Counts[0].Name != "Forest" || doc.Counts[0].Count != 65536 || doc.Unclassed != 65536 || doc.Group != "legend" {
		t.Errorf("%+v", doc)
	}
	if got := decode[countedDoc](t, get(t, s, "/layers/1/valuecount?legend=cover")); !reflect.DeepEqual(got, doc) {
		t.Errorf("%+v", got)
	}
	doc = decode[countedDoc](t, get(t, s, "/layers/elevation/valuecount?colormap="+url.QueryEscape(`{"x < 100":"red","x >= 100":"blue"}`)))
	if len(doc.Counts) != 2 || doc.Counts[0].Count != 25600 || doc.Unclassed != 0 {
		t.Errorf("%+v", doc)
	}
	doc = decode[countedDoc](t, get(t, s, "/layers/1/valuecount?group=legend&entries=water"))
	if len(doc.Counts) != 1 || doc.Counts[0].Name != "Water" || doc.Unclassed != 2*65536 {
		t.Errorf("%+v", doc)
	}
	both := decode[struct {
		Layers    map[string]countedDoc
		Semantics []struct {
			Name   string
			Counts map[string]float64
			Areas  map[string]float64
		}
	}](t, get(t, s, "/valuecount?layers=before=1,after=later-cover&group=semantics&area=km2"))
	if len(both.Layers) != 2 || len(both.Semantics) != 2 || both.Semantics[0].Name != "Forest" ||
		!reflect.DeepEqual(both.Semantics[0].Counts, map[string]float64{"before": 65536, "after": 131072}) {
		t.Errorf("%+v", both)
	}
	if a := both.Semantics[1].Areas["after"]; a == 0 || a != *both.Layers["after"].Counts[1].Area {
		t.Errorf("%+v", both.Semantics)
	}
}

type bandStatistics struct {
	Count, Sum, Mean, Min, Max, Std, Median float64
	P2                                      float64  `json:"percentile_2"`
	P98                                     float64  `json:"percentile_98"`
	P50                                     *float64 `json:"percentile_50"`
	ValidPercent                            float64  `json:"valid_percent"`
	Histogram                               [][]float64
	About                                   countedDoc
}

func TestStatisticsAsTiTilerNamesThem(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st})
	all := decode[map[string]bandStatistics](t, get(t, s, "/layers/elevation/statistics"))
	b := all["b1"]
	if len(all) != 1 || b.Count != 65536 || b.Min != 0 || b.Max != 255 || b.Mean != 127.5 || b.Median != 127.5 || b.P2 != 5 || b.P98 != 250 ||
		b.ValidPercent != 100 || len(b.Histogram) != 2 || len(b.Histogram[0]) != 10 || len(b.Histogram[1]) != 11 || b.About.Level != "base" {
		t.Errorf("%+v", all)
	}
	six := decode[map[string]bandStatistics](t, get(t, s, "/layers/scene/statistics?p=50&p=2&stats=mean&bbox=1,46,3,48"))
	if len(six) != 6 || six["b6"].Mean != 6*six["b1"].Mean || six["b6"].P50 == nil || six["b1"].Histogram != nil || six["b6"].About.Band != 6 {
		t.Errorf("%+v", six)
	}
	values := decode[map[string]bandStatistics](t, get(t, s, "/statistics?layers=a=1&categorical=true&histogram_bins="))
	if got := values["b1"].Histogram; !reflect.DeepEqual(got, [][]float64{{65536, 65536, 65536}, {1, 2, 3}}) {
		t.Errorf("%v", got)
	}
	formula := decode[map[string]bandStatistics](t, get(t, s, "/layers/scene/statistics?formula=b3-b2-b1&stats=max,min"))
	if b := formula["b1"]; len(formula) != 1 || b.Min != 0 || b.Max != 0 {
		t.Errorf("%+v", formula)
	}
	layers := decode[struct {
		Layers map[string]map[string]bandStatistics
	}](t, get(t, s, "/statistics?layers=e=2,s:4=scene&stats=max"))
	if layers.Layers["e"]["b1"].Max != 255 || layers.Layers["s"]["b5"].Max != 5*255 {
		t.Errorf("%+v", layers)
	}
	// What the entries of a legend are is no histogram.
	w := get(t, s, "/layers/1/statistics?stats=mean&group=legend")
	if wantStatus(t, w, 200); !strings.Contains(w.Body.String(), `"counts":[{"name":"Forest"`) || strings.Contains(w.Body.String(), "histogram") {
		t.Errorf("%s", w.Body)
	}
}

func TestCrossTabs(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st})
	doc := decode[struct {
		Layers        []struct{ Slug string }
		Rows, Columns []float64
		Counts, Areas [][]float64
		Pixels        struct{ Valid, Nodata float64 }
	}](t, get(t, s, "/crosstab?layers=a=land-cover,b=3&area=km2"))
	if !reflect.DeepEqual(doc.Rows, []float64{1, 2, 3}) || !reflect.DeepEqual(doc.Columns, []float64{1, 2}) || doc.Counts[2][1] != 32768 ||
		doc.Pixels.Valid != 3*65536 || doc.Pixels.Nodata != 65536 || doc.Areas[0][0] == 0 || doc.Layers[1].Slug != "later-cover" {
		t.Errorf("%+v", doc)
	}
	w := call(t, s, "", "POST", "/crosstab?f=csv", `{"layers":"a=1,b=3","zones":{"type":"FeatureCollection","features":[{"type":"Feature","id":"=one","properties":null,"geometry":`+someFieldJSON+`}]}}`)
	if wantStatus(t, w, 200); !strings.HasPrefix(w.Body.String(), "zone,a,b,count,area,valid,nodata,outside,a_layer,a_revision,a_source_checksum,b_layer,b_revision,b_source_checksum\n'=one,1,1,") ||
		!strings.Contains(w.Body.String(), ",,23606,0,0,land-cover,1,,later-cover,3,\n") {
		t.Errorf("%s", w.Body)
	}
}

func TestTagsOfCounts(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st})
	const path = "/layers/1/valuecount?bbox=6,46,8,47"
	w := get(t, s, path, "Origin", "https://app.example")
	tag := w.Header().Get("ETag")
	if wantStatus(t, w, 200); tag == "" || w.Header().Get("Cache-Control") != "no-cache" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%v", w.Header())
	}
	wantStatus(t, get(t, s, path, "If-None-Match", tag), 304)
	head := ask(t, s, http.MethodHead, path)
	if wantStatus(t, head, 200); head.Body.Len() != 0 || head.Header().Get("ETag") != tag || head.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%v", head.Header())
	}
	for _, other := range []string{path + "&area=ha", path + "&f=csv", "/layers/1/valuecount?bbox=6,46,8,47.5", "/layers/1/statistics?bbox=6,46,8,47"} {
		if got := get(t, s, other).Header().Get("ETag"); got == tag || got == "" {
			t.Errorf("%s has the tag %s", other, got)
		}
	}
	options := ask(t, s, "OPTIONS", "/layers/1/valuecount")
	if got := options.Header().Get("Allow"); got != "GET, HEAD, POST, OPTIONS" {
		t.Errorf("%q", got)
	}
	// A new parse and another legend have other tags.
	byLegend := get(t, s, "/layers/1/valuecount?group=legend").Header().Get("ETag")
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		lg, err := tx.Legends().FindTitle(ctx, "Cover")
		if err != nil {
			return err
		}
		lg.Entries[0].Expression = "x < 3"
		return tx.Legends().Update(ctx, lg)
	})
	w = get(t, s, "/layers/1/valuecount?group=legend", "If-None-Match", byLegend)
	if doc := decode[countedDoc](t, w); doc.Counts[0].Count != 65536 && doc.Counts[0].Count != 2*65536 || w.Header().Get("ETag") == byLegend {
		t.Errorf("%+v", doc)
	}
	wantStatus(t, get(t, s, path, "If-None-Match", tag), 304)
}
