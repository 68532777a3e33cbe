package server_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/zonal"
)

// someZones are n boxes beside each other, of half a degree, the last one without a
// geometry.
func someZones(n int) string {
	features := make([]string, n)
	for i := range features {
		x, y := 6+0.5*float64(i%8), 46+0.5*float64(i/8%4)
		box := fmt.Sprintf(`{"type":"Polygon","coordinates":[[[%v,%v],[%v,%v],[%v,%v],[%v,%v],[%v,%v]]]}`, x, y, x+0.5, y, x+0.5, y+0.5, x, y+0.5, x, y)
		if i == n-1 {
			box = "null"
		}
		features[i] = fmt.Sprintf(`{"type":"Feature","id":%d,"properties":{"name":"zone %c","size":%d.50},"geometry":%s}`, 100+i, 'a'+i%26, i, box)
	}
	return `{"type":"FeatureCollection","features":[` + strings.Join(features, ",") + `]}`
}

type zonesDoc struct {
	Zones []struct {
		Zone       any
		ValueCount countedDoc
	}
}

// Each zone is counted as if it were asked about alone, and together they are what all
// of them hold.
func TestZonesAreCountedEachByItself(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st})
	body := `{"zones":` + someZones(33) + `,"id":"name"}`
	doc := decode[zonesDoc](t, call(t, s, "", "POST", "/layers/1/valuecount", body))
	if len(doc.Zones) != 33 || doc.Zones[1].Zone != "zone b" || doc.Zones[32].ValueCount.Total.Count != 0 {
		t.Fatalf("%+v", doc)
	}
	sum := 0.0
	for i, z := range doc.Zones[:32] {
		x, y := 6+0.5*float64(i%8), 46+0.5*float64(i/8%4)
		sameCounts(t, z.ValueCount, expected(t, st, 1, fmt.Sprintf("%v,%v,%v,%v", x, y, x+0.5, y+0.5), zonal.Options{}))
		sum += z.ValueCount.Total.Count
	}
	whole := decode[countedDoc](t, get(t, s, "/layers/1/valuecount?bbox=6,46,10,48"))
	if sum != whole.Total.Count {
		t.Errorf("the zones have %v pixels, and what they are parts of %v", sum, whole.Total.Count)
	}
	// Without a property they have the features' ids, and without these a number.
	doc = decode[zonesDoc](t, call(t, s, "", "POST", "/valuecount?layers=a=1", `{"zones":`+someZones(3)+`}`))
	if doc.Zones[2].Zone != 102.0 {
		t.Errorf("%+v", doc)
	}
	doc = decode[zonesDoc](t, get(t, s, "/valuecount?layers=a=1&zones="+url.QueryEscape(`{"type":"Feature","properties":null,"geometry":null}`)))
	if doc.Zones[0].Zone != 1.0 {
		t.Errorf("%+v", doc)
	}
}

func TestZonesAsTables(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st})
	for _, c := range []struct {
		target, accept, media string
		rows                  int
		first                 []string
	}{
		{"/layers/1/valuecount?f=csv&id=name", "", "text/csv; charset=utf-8", 8, []string{"zone a", "land-cover"}},
		{"/layers/1/valuecount?id=name", "text/csv", "text/csv; charset=utf-8", 8, []string{"zone a", "land-cover"}},
		{"/layers/1/statistics?f=csv&stats=mean,max", "", "text/csv; charset=utf-8", 9, []string{"100", "land-cover"}},
		{"/valuecount?layers=a=1,b=3&f=csv&id=size", "", "text/csv; charset=utf-8", 16, []string{"0.50", "land-cover"}},
	} {
		w := call(t, s, "", "POST", c.target, strings.Replace(`{"zones":ZONES}`, "ZONES", someZones(9), 1), "Accept", c.accept)
		if wantStatus(t, w, 200); w.Header().Get("Content-Type") != c.media {
			t.Errorf("%s: %v", c.target, w.Header())
		}
		rows, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || len(rows) < c.rows+1 || rows[1][0] != c.first[0] || rows[1][1] != c.first[1] {
			t.Errorf("%s: %v %q", c.target, err, rows)
		}
	}
	w := call(t, s, "", "POST", "/layers/1/valuecount?id=name", `{"zones":`+someZones(4)+`}`, "Accept", "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if wantStatus(t, w, 200); len(lines) != 4 || !strings.HasPrefix(lines[1], `{"zone":"zone b","valuecount":{`) || w.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%s", w.Body)
	}
}

// Features come back as they were, with what was counted among their properties, as from
// TiTiler.
func TestFeaturesComeBack(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st})
	type feature struct {
		Type       string
		ID         any
		Geometry   json.RawMessage
		Properties map[string]json.RawMessage
	}
	w := call(t, s, "", "POST", "/layers/elevation/statistics?stats=mean", someZones(3), "Content-Type", "application/geo+json")
	all := decode[struct {
		Type     string
		Features []feature
	}](t, w)
	if w.Header().Get("Content-Type") != "application/geo+json" || all.Type != "FeatureCollection" || len(all.Features) != 3 {
		t.Fatalf("%s", w.Body)
	}
	f := all.Features[1]
	if string(f.Properties["size"]) != "1.50" || f.ID != 101.0 || !strings.Contains(string(f.Properties["statistics"]), `"b1":{`) || !strings.HasPrefix(string(f.Geometry), `{"type":"Polygon"`) {
		t.Errorf("%s", w.Body)
	}
	if got := string(all.Features[2].Geometry); got != "null" {
		t.Errorf("a feature without a geometry has %s", got)
	}
	one := decode[feature](t, call(t, s, "", "POST", "/layers/1/valuecount", `{"type":"Feature","properties":null,"geometry":`+someFieldJSON+`}`))
	if one.Type != "Feature" || !strings.Contains(string(one.Properties["valuecount"]), `"counts":[{"value":1`) {
		t.Errorf("%+v", one)
	}
	// In another CRS than GeoJSON's they say so.
	w = call(t, s, "", "POST", "/layers/1/valuecount?srid=3857", strings.Replace(someZones(1), `"features"`, `"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::3857"}},"features"`, 1))
	if wantStatus(t, w, 200); !strings.Contains(w.Body.String(), `"name":"urn:ogc:def:crs:EPSG::3857"`) {
		t.Errorf("%s", w.Body)
	}
}

func TestWrongCountsAreExplained(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st, CountMaxZones: 3, CountMaxVertices: 4, CountMaxPixels: 70_000})
	for _, c := range []struct {
		path, parameter string
		status          int
	}{
		{"/valuecount", "layers", 400},
		{"/valuecount?layers=a", "layers", 400},
		{"/valuecount?layers=a=99", "layers", 404},
		{"/layers/99/valuecount", "layer", 404},
		{"/layers/landcover.tif/valuecount", "layer", 409},
		{"/layers/1/valuecount?layers=a=1", "layers", 400},
		{"/layers/1/valuecount?geom=POLYGON((6+46,7+46,7+47,6+45))", "geom", 400},
		{"/layers/1/valuecount?geom=POLYGON((6+46,7+46,7+47,6.5+47.5,6+46))", "geom", 413},
		{"/layers/1/valuecount?geom=CIRCLE(6+46)", "geom", 400},
		{"/layers/1/valuecount?geom=POINT(6+46)&coverage=fraction", "coverage", 400},
		{"/layers/1/valuecount?geom=POINT(6+46)&bbox=6,46,7,47", "geom", 400},
		{"/layers/1/valuecount?geometry=POINT(6+46)", "geometry", 400},
		{"/layers/1/valuecount?bbox=7,46,7,47", "bbox", 400},
		{"/layers/1/valuecount?bbox=7,46,6,47&srid=3857", "bbox", 400},
		{"/layers/1/valuecount?srid=3857", "srid", 400},
		{"/layers/1/valuecount?geom=POINT(6+46)&srid=x", "srid", 400},
		{"/layers/1/valuecount?geom=POINT(6+46)&srid=99999", "srid", 400},
		{"/layers/1/valuecount?geom=SRID%3D3857%3BPOINT(6+46)&srid=4326", "srid", 400},
		{"/layers/1/valuecount?id=name", "id", 400},
		{"/layers/1/valuecount?zones=%7B%7D", "zones", 400},
		{"/layers/1/valuecount?zones=" + url.QueryEscape(`{"type":"FeatureCollection","features":[]}`), "zones", 400},
		{"/layers/1/valuecount?id=x&zones=" + url.QueryEscape(`{"type":"Feature","properties":{},"geometry":null}`), "zones", 400},
		{"/layers/1/valuecount?zones=" + url.QueryEscape(someZones(4)), "zones", 413},
		{"/layers/1/valuecount?zones=" + url.QueryEscape(someZones(2)), "zones", 413}, // five vertices
		{"/layers/1/valuecount?group=colour", "group", 400},
		{"/layers/1/valuecount?group=none", "group", 400},
		{"/layers/2/valuecount?group=legend", "group", 400},
		{"/layers/1/valuecount?group=value&legend=Cover", "legend", 400},
		{"/layers/1/valuecount?legend=None", "legend", 404},
		{"/layers/1/valuecount?legend=Cover&colormap=%7B%221%22:%22red%22%7D", "legend", 400},
		{"/layers/1/valuecount?legend=Cover&store=session", "store", 401},
		{"/layers/1/valuecount?group=value&bins=3", "bins", 400},
		{"/layers/2/valuecount?bins=0", "bins", 400},
		{"/layers/2/valuecount?range=5,1", "range", 400},
		{"/layers/2/valuecount?range=NaN,1", "range", 400},
		{"/layers/1/valuecount?coverage=half", "coverage", 400},
		{"/layers/1/valuecount?coverage=center&all_touched=true", "all_touched", 400},
		{"/layers/1/valuecount?all_touched=maybe", "all_touched", 400},
		{"/layers/1/valuecount?densify=2", "densify", 400},
		{"/layers/1/valuecount?zoom=-1", "zoom", 400},
		{"/layers/1/valuecount?zoom=30", "zoom", 400},
		{"/layers/1/valuecount?area=bushel", "area", 400},
		{"/layers/1/valuecount?bidx=0", "bidx", 400},
		{"/layers/4/valuecount?bidx=7", "bidx", 400},
		{"/layers/4/valuecount?bidx=1&bidx=1", "bidx", 400},
		{"/valuecount?layers=a:6=4", "layers", 400},
		{"/valuecount?layers=a:1=4&bidx=1", "bidx", 400},
		{"/valuecount?layers=a=1,b=2&bidx=1", "bidx", 400},
		{"/valuecount?layers=a=1,b=2&grid=a", "grid", 400},
		{"/valuecount?layers=a=1,b=2&formula=a", "layers", 400},
		{"/valuecount?layers=a=1&formula=a%2B", "formula", 400},
		{"/layers/1/valuecount?formula=c", "formula", 400},
		{"/layers/1/valuecount?formula=b2", "formula", 400},
		{"/layers/1/valuecount?formula=b1&bidx=1", "bidx", 400},
		{"/layers/1/statistics?stats=average", "stats", 400},
		{"/layers/1/statistics?percentiles=101", "percentiles", 400},
		{"/layers/1/statistics?p=x", "p", 400},
		{"/layers/1/statistics?p=5&percentiles=5", "p", 400},
		{"/layers/1/statistics?c=1", "c", 400},
		{"/layers/1/statistics?unscale=true", "unscale", 400},
		{"/layers/1/statistics?expression=b1", "expression", 400},
		{"/layers/1/statistics?zoom=4&zoom=5", "zoom", 400},
		{"/layers/2/statistics?range=0,1&histogram_range=0,1", "range", 400},
		{"/layers/1/valuecount?f=xml", "f", 400},
		{"/crosstab?layers=a=1", "layers", 400},
		{"/crosstab?layers=a=1,b=2", "layers", 400},
		{"/crosstab?layers=a=1,b=3&formula=a-b", "formula", 400},
		{"/crosstab?layers=a=1,b=3&stats=mean", "stats", 400},
		{"/crosstab?layers=a=1,b=3", "geom", 413}, // 262144 pixels are read
		{"/layers/4/statistics", "", 200},
		{"/valuecount?layers=a=4&formula=a*2&geom=POLYGON((0.1+45.2,1+45.2,1+46,0.1+45.2))&group=value", "", 200},
	} {
		w := get(t, s, c.path)
		if c.status == 200 {
			wantStatus(t, w, 200)
			continue
		}
		if w.Code != c.status {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
			continue
		}
		if p := wantProblem(t, w, c.status); p.Parameter != c.parameter || p.Hint == "" {
			t.Errorf("%s: %+v", c.path, p)
		}
	}
	for _, c := range []struct {
		body, media, parameter string
		status                 int
	}{
		{`{"geom":{"type":"Point","coordinates":[1]}}`, "application/json", "geom", 400},
		{`{"type":"Circle","coordinates":[6,46]}`, "application/json", "coordinates", 400},
		{`{"geometry":{"type":"Point","coordinates":[6,46]}}`, "application/json", "geometry", 400},
		{`{"polygon":"POINT(6 46)"}`, "application/json", "polygon", 400},
		{`{"type":"Feature","geometry":{"type":"Point","coordinates":[6]}}`, "application/json", "zones", 400},
		{`{"type":"FeatureCollection","features":[{"type":"Polygon","coordinates":[]}]}`, "application/json", "", 400},
		{`{`, "application/json", "", 400},
		{`[1]`, "application/json", "", 415},
		{"a=1;%zz", "application/x-www-form-urlencoded", "", 400},
		{"nothing at all", "text/plain", "geom", 400},
		{`{"count":"crosstab"}`, "application/json", "layers", 400},
	} {
		w := call(t, s, "", "POST", "/layers/1/valuecount?zoom=4", c.body, "Content-Type", c.media)
		if w.Code == 200 && c.parameter == "layers" {
			continue // the route says what is counted
		}
		if p := wantProblem(t, w, c.status); p.Parameter != c.parameter {
			t.Errorf("%s: %+v", c.body, p)
		}
	}
	wantProblem(t, call(t, s, "", "POST", "/layers/1/valuecount?geom=POINT(6+46)", `{"geom":"POINT(6 46)"}`), 400)
	wantProblem(t, call(t, s, "", "POST", "/layers/1/valuecount", strings.Repeat(" ", 33<<20)), 413)
}

// Who may not read a layer, or see a legend, is answered as if it did not exist.
func TestWhoMayCount(t *testing.T) {
	st := countable(t)
	hidden := secret(t, st)
	lg := entriesOf(t, "Hidden classes", "1", "#112233")
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Legends().Create(ctx, lg); err != nil {
			return err
		}
		hidden.Legend = lg.ID
		return tx.Layers().Update(ctx, hidden)
	})
	s := newServer(t, server.Config{Store: st, Auth: keyAuth{}})
	for _, path := range []string{
		"/layers/secret/valuecount", "/layers/secret/statistics", "/valuecount?layers=a=1,b=secret", "/statistics?layers=a=1,b=secret&formula=a-b",
		"/crosstab?layers=a=1,b=secret", "/layers/1/valuecount?legend=Hidden+classes",
	} {
		for _, guest := range []string{"", "guest"} {
			if guest != "" && strings.Contains(path, "legend") {
				continue // guests may edit here, and see all legends
			}
			p := wantProblem(t, get(t, s, path, "Authorization", guest), 404)
			if strings.Contains(p.Detail+p.Hint, "Secret") {
				t.Errorf("%s tells of it: %+v", path, p)
			}
		}
		w := get(t, s, path, "Authorization", "key")
		if wantStatus(t, w, 200); w.Header().Get("Cache-Control") != "private, no-store" || !strings.Contains(w.Header().Get("Vary"), "Authorization") {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
	if w := get(t, s, "/layers/secret/valuecount?group=legend", "Authorization", "key"); !strings.Contains(w.Body.String(), "Hidden classes 1") {
		t.Errorf("%s", w.Body)
	}
}

// Counts take the turns of their client.
func TestCountsTakeTurns(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st, MaxPerClient: 1})
	free := s.Occupy("192.0.2.1:1234")
	w := get(t, s, "/layers/1/valuecount")
	if wantProblem(t, w, 429); w.Header().Get("Retry-After") == "" {
		t.Errorf("%v", w.Header())
	}
	free()
	wantStatus(t, get(t, s, "/layers/1/valuecount"), 200)
}

func TestCountsStopWhenTheClientLeaves(t *testing.T) {
	st := countable(t)
	ctx, cancel := context.WithCancel(t.Context())
	var reads atomic.Int64
	s := newServer(t, server.Config{Store: hurt{st, func(ctx context.Context) error {
		reads.Add(1)
		cancel()
		<-ctx.Done()
		return context.Cause(ctx)
	}}})
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/layers/2/statistics?bbox=1,46,3,48", nil)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 499 || w.Body.Len() != 0 || reads.Load() == 0 {
		t.Errorf("%d %s after %d reads", w.Code, w.Body, reads.Load())
	}
}

// A layer that is parsed anew while it is counted is counted again.
func TestCountsAreMadeAgainWhenTheRevisionIsGone(t *testing.T) {
	st := countable(t)
	var reads atomic.Int64
	s := newServer(t, server.Config{Store: hurt{st, func(context.Context) error {
		if reads.Add(1) == 1 {
			return store.ErrRevisionGone
		}
		return nil
	}}})
	doc := decode[countedDoc](t, get(t, s, "/layers/1/valuecount?geom="+url.QueryEscape(someField)))
	sameCounts(t, doc, expected(t, st, 1, someField, zonal.Options{}))
	if reads.Load() < 2 {
		t.Errorf("%d reads", reads.Load())
	}
}
