package server_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

// countPieces are what random questions for counts are made of.
var countPieces = map[string][]string{
	"layers":      {"a=1", "a=1,b=3", "a=2,b=4", "a:5=4", "a:9=4", "a", "a=,b=", "a=99"},
	"formula":     {"a", "b1*2", "a+b", "a/", "x", "b1/0"},
	"grid":        {"a", "c"},
	"geom":        {"POINT(6 46)", "LINESTRING(6 46,9 47)", someField, someFieldJSON, "POLYGON EMPTY", "{", `{"type":"Feature","geometry":null}`, "SRID=3857;POINT(0 0)", "6,46,7,47", "POLYGON((6 46,1e308 46,7 -1e308,6 46))", "GEOMETRYCOLLECTION(POINT(6 46),POLYGON((6 46,7 46,7 47,6 46)))"},
	"bbox":        {"6,46,7,47", "170,-10,-170,10", "1,2,3", "-180,-90,180,90"},
	"srid":        {"4326", "3857", "EPSG:3857", "99999", "-1", "32632"},
	"zones":       {someZones(3), `{"type":"FeatureCollection","features":[]}`, `{"type":"FeatureCollection","features":[null]}`, "{}", "[]"},
	"id":          {"name", "none", "size"},
	"coverage":    {"center", "touched", "fraction", "CENTRE", "all"},
	"all_touched": {"true", "false", "x"}, "densify": {"false", "x"},
	"zoom":  {"0", "4", "6", "7", "40", "41", "-1"},
	"group": {"auto", "value", "legend", "semantics", "histogram", "none", "x"},
	"bins":  {"1", "7", "65536", "65537", "0"}, "range": {"0,10", "10,0", "NaN,1", "-1e308,1e308", "1"},
	"area": {"m2", "ha", "km2", "acres", "x"}, "bidx": {"1", "6", "1,2", "7", "0", ","},
	"stats": {"mean", "all", "median,unique", "min", "x"}, "percentiles": {"2,98", "50", "101", "NaN"}, "p": {"5", "-5"},
	"categorical": {"true", "x"}, "unscale": {"true", "false"}, "legend": {"Cover", "1", "none"}, "entries": {"forest", "1", "x"},
	"colormap": {`{"1":"red","x>1":"blue"}`, "{", `{"continuous":true,"from":"red","to":"blue"}`}, "f": {"json", "csv", "ndjson", "x"}, "count": {"crosstab", "x"},
	"store": {"session"}, "histogram_bins": {"4"},
}

// randomCount is some question for counts.
func randomCount(r *rand.Rand) (path string, q url.Values) {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	path = pick("/layers/1/valuecount", "/layers/2/valuecount", "/layers/4/statistics", "/layers/99/statistics", "/valuecount", "/statistics", "/crosstab")
	q = url.Values{}
	if !strings.HasPrefix(path, "/layers") {
		q.Set("layers", pick(countPieces["layers"]...))
	}
	names := make([]string, 0, len(countPieces))
	for name := range countPieces {
		names = append(names, name)
	}
	slices.Sort(names)
	for range r.IntN(5) {
		name := pick(names...)
		for range 1 + r.IntN(8)/7 {
			q.Add(name, pick(countPieces[name]...))
		}
	}
	return path, q
}

// countedWell asks a question, in the address or in a body.
func countedWell(t *testing.T, h http.Handler, method, path, query, media, body string) {
	t.Helper()
	u := &url.URL{Scheme: "http", Host: "example.com", Path: path, RawQuery: query}
	r := httptest.NewRequestWithContext(context.Background(), method, "/", strings.NewReader(body))
	r.URL, r.RequestURI = u, path+"?"+query
	r.Header.Set("Content-Type", media)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	switch w.Code {
	case 200:
		if w.Body.Len() == 0 || w.Header().Get("ETag") == "" {
			t.Errorf("%s %s answers nothing", r.RequestURI, body)
		}
	case 400, 401, 404, 409, 413, 414, 415, 501:
		p := wantProblem(t, w, w.Code)
		if p.Parameter == "" && w.Code == 400 && !strings.Contains(p.Detail, "query") && !strings.Contains(p.Detail, "body") && !strings.Contains(p.Detail, "form") {
			t.Errorf("%s %s: no parameter is named: %+v", r.RequestURI, body, p)
		}
	default:
		t.Errorf("%s %s answers %d: %.500s", r.RequestURI, body, w.Code, w.Body)
	}
}

func TestNoQuestionForCountsIsAFailureOfOurs(t *testing.T) {
	questions := 400
	if testing.Short() {
		questions = 100
	}
	log, written := captured()
	s := newServer(t, server.Config{Store: countable(t), Log: log, CountMaxPixels: 1 << 21})
	r := rand.New(rand.NewPCG(5, 6))
	for range questions {
		path, q := randomCount(r)
		if r.IntN(2) == 0 {
			countedWell(t, s, "GET", path, q.Encode(), "", "")
		} else {
			countedWell(t, s, "POST", path, "", "application/x-www-form-urlencoded", q.Encode())
		}
		if t.Failed() {
			t.Fatalf("%s", written)
		}
		written.Reset()
	}
}

func FuzzCounts(f *testing.F) {
	s, err := server.New(server.Config{Store: countable(f), Log: slog.New(slog.DiscardHandler), CountMaxPixels: 1 << 21})
	if err != nil {
		f.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		_, q := randomCount(r)
		f.Add(uint8(r.IntN(4)), q.Encode(), "application/json", "")
	}
	for _, body := range []string{someFieldJSON, someZones(2), `{"geom":` + someFieldJSON + `}`, someField, `{"type":"Feature"}`, `{"zones":[1]}`, `{"geom":null}`, "a=1&b=2"} {
		f.Add(uint8(r.IntN(4)), "", "application/json", body)
		f.Add(uint8(r.IntN(4)), "", "application/x-www-form-urlencoded", body)
	}
	paths := []string{"/layers/1/valuecount", "/layers/4/statistics", "/valuecount", "/crosstab"}
	f.Fuzz(func(t *testing.T, path uint8, query, media, body string) {
		method := "POST"
		if body == "" {
			method = "GET"
		}
		countedWell(t, s, method, paths[int(path)%len(paths)], query, media, body)
	})
}
