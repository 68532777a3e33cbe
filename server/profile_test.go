package server_test

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

type profileDoc struct {
	SRID    int
	Zoom    *int
	Length  float64
	Unit    string
	Version string
	Points  []struct {
		Distance, X, Y float64
		Value          *float64
	}
}

func TestProfile(t *testing.T) {
	_, s := pixels(t)
	from, to := lonLat(32*256+10, 22*256+100), lonLat(32*256+20, 22*256+100)
	pair := func(c string) string { return strings.ReplaceAll(c, ",", "") }
	wkt := "LINESTRING(" + pair(from) + "," + pair(to) + ")"
	json := `{"type":"LineString","coordinates":[[` + from + `],[` + to + `]]}`
	path := "/profile?layers=a=2&points=11&line="
	want := get(t, s, path+url.QueryEscape(wkt))
	doc := decode[profileDoc](t, want)
	if len(doc.Points) != 11 || doc.SRID != 4326 || doc.Unit != "metre" || doc.Points[0].Distance != 0 || doc.Points[10].Distance != doc.Length || doc.Length <= 0 {
		t.Fatalf("%+v", doc)
	}
	for i, p := range doc.Points {
		if p.Value == nil || *p.Value != float64(10+i) {
			t.Errorf("point %d is %v", i, p)
		}
	}
	for name, w := range map[string]string{
		"WKT with a third dimension": get(t, s, path+url.QueryEscape("linestring z ("+pair(from)+" 5,"+pair(to)+" 6)")).Body.String(),
		"EWKT":                       get(t, s, path+url.QueryEscape("SRID=4326;"+wkt)).Body.String(),
		"GeoJSON":                    get(t, s, path+url.QueryEscape(json)).Body.String(),
		"a feature":                  get(t, s, path+url.QueryEscape(`{"type":"Feature","properties":{},"geometry":`+json+`}`)).Body.String(),
		"a body":                     postTo(t, s, "/profile?layers=a=2&points=11", json).Body.String(),
		"a body of WKT":              postTo(t, s, "/profile?layers=a=2&points=11", wkt, "Content-Type", "application/x-www-form-urlencoded").Body.String(),
		"a form":                     postTo(t, s, "/profile", url.Values{"layers": {"a=2"}, "points": {"11"}, "line": {wkt}}.Encode(), "Content-Type", "application/x-www-form-urlencoded").Body.String(),
	} {
		if w != want.Body.String() {
			t.Errorf("%s: %s\nwant\n%s", name, w, want.Body)
		}
	}
	// In metres, of a formula, at a zoom, one point for each pixel.
	x0, y0 := place(32*256+10, 22*256+100)
	x1, y1 := place(32*256+30, 22*256+100)
	doc = decode[profileDoc](t, get(t, s, "/profile?layers=a=2,b=3&formula=b-a&zoom=6&line="+url.QueryEscape(fmt.Sprintf("SRID=3857;LINESTRING(%s %s,%s %s)", x0, y0, x1, y1))))
	if len(doc.Points) < 21 || len(doc.Points) > 22 || *doc.Zoom != 6 || doc.SRID != 3857 {
		t.Errorf("%d points, %+v", len(doc.Points), doc)
	}
	for _, p := range doc.Points {
		if p.Value == nil || *p.Value != 10 {
			t.Errorf("%+v", p)
		}
	}
	w := get(t, s, "/profile?layers=a=2&points=2&f=csv&srid=3857&line="+url.QueryEscape(fmt.Sprintf("LINESTRING(%s %s,0 0)", x0, y0)))
	wantStatus(t, w, 200)
	lines := strings.Split(w.Body.String(), "\n")
	if lines[0] != "distance,x,y,value" || !strings.HasSuffix(lines[1], ",10") || lines[1][:2] != "0," || !strings.HasSuffix(lines[2], ",0,0,") || len(lines) != 4 {
		t.Errorf("%q", lines)
	}
	if math.IsNaN(doc.Length) {
		t.Error("no length")
	}
}

func TestProfileIsNeverStale(t *testing.T) {
	_, s := pixels(t)
	path := "/profile?layers=a=2&line=LINESTRING(1+46,2+46)"
	w := get(t, s, path)
	tag, doc := w.Header().Get("ETag"), decode[profileDoc](t, w)
	wantStatus(t, get(t, s, path, "If-None-Match", tag), 304)
	wantStatus(t, get(t, s, path+"&f=csv", "If-None-Match", tag), 200)
	wantStatus(t, get(t, s, path+"&points=3", "If-None-Match", tag), 200)
	if got := get(t, s, path+"&v="+doc.Version).Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Error(got)
	}
}

func TestProfileRefuses(t *testing.T) {
	_, s := pixels(t)
	for _, c := range []struct{ query, parameter string }{
		{"layers=a=2", "line"},
		{"layers=a=2&line=POINT(0+0)", "line"},
		{"layers=a=2&line=LINESTRING(0+0)", "line"},
		{"layers=a=2&line=LINESTRING(0+0,0+0)", "line"},
		{"layers=a=2&line=LINESTRING(0+0,1)", "line"},
		{"layers=a=2&line=LINESTRING(0+0,1+1)x", "line"},
		{"layers=a=2&line=LINESTRING(0+0,1e999+1)", "line"},
		{"layers=a=2&line=SRID=x%3BLINESTRING(0+0,1+1)", "line"},
		{"layers=a=2&line=LINESTRING+EMPTY", "line"},
		{"layers=a=2&line={}", "line"},
		{`layers=a=2&line={"type":"LineString","coordinates":[[1],[2]]}`, "line"},
		{`layers=a=2&line={"type":"FeatureCollection","features":[]}`, "line"},
		{"layers=a=2&line=LINESTRING(0+0,1+1)&points=1", "points"},
		{"layers=a=2&line=LINESTRING(0+0,1+1)&points=10001", "points"},
		{"layers=a=2&line=SRID=3857%3BLINESTRING(0+0,1+1)&srid=4326", "srid"},
		{"layers=a=2&line=LINESTRING(0+0,1+1)&srid=99999", "srid"},
		{"layers=a=2&line=LINESTRING(0+0,1+1)&f=png", "f"},
		{"layers=a=2,b=3&line=LINESTRING(0+0,1+1)", "formula"},
		{"line=LINESTRING(0+0,1+1)", "layers"},
	} {
		if p := wantProblem(t, get(t, s, "/profile?"+c.query), 400); p.Parameter != c.parameter || p.Hint == "" {
			t.Errorf("%s: %+v", c.query, p)
		}
	}
	wantProblem(t, postTo(t, s, "/profile?layers=a=2&line=LINESTRING(0+0,1+1)", "LINESTRING(0 0,1 1)"), 400)
	wantProblem(t, postTo(t, s, "/profile?layers=a=2", strings.Repeat(" ", 2<<20)), 413)
}

// A client that is answered 429 is told when to come again.
func TestTooMuchOfOneClient(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("DEM"))
	s := newServer(t, server.Config{Store: st, MaxPerClient: 1})
	full := s.Occupy("192.0.2.1:1234")
	defer full()
	w := get(t, s, "/profile?layers=a=1&line=LINESTRING(0+0,1+1)") // of httptest's 192.0.2.1
	wantProblem(t, w, 429)
	if w.Header().Get("Retry-After") == "" {
		t.Error("it does not say when to come again")
	}
	wantProblem(t, postTo(t, s, "/pixel?layers=a=1", "x,y\n"), 429)
	wantStatus(t, get(t, s, "/pixel/0/0?layers=a=1"), 200) // a single one computes little
}

func FuzzProfileLine(f *testing.F) {
	for _, seed := range []string{
		"LINESTRING(0 0,1 1)", "SRID=3857;LINESTRING Z (0 0 1,1 1 1)", "LINESTRING EMPTY", "SRID=;LINESTRING(0 0,1 1)", "LINESTRING(((", ";", "SRID=1",
		`{"type":"LineString","coordinates":[[0,0],[1,1]]}`, `{"type":"Feature","geometry":{"type":"Feature","geometry":{"type":"Feature"}}}`, `{"type":"Feature","geometry":null}`, `{`,
	} {
		f.Add(seed)
	}
	s := newStoreOf(f)
	f.Fuzz(func(t *testing.T, line string) {
		w := get(t, s, "/profile?layers=a=1&points=3&line="+url.QueryEscape(line))
		if w.Code != 200 && w.Code != 400 && w.Code != 414 && w.Code != 501 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
