package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/xyz"
)

// postTo sends a body; header is name and value pairs.
func postTo(t testing.TB, h http.Handler, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// lonLat is the middle of a pixel of the world at zoom 6, in degrees.
func lonLat(x, y int) string {
	lon, lat := xyz.ToLonLat(xyz.PixelGrid(6, 256).World(float64(x)+0.5, float64(y)+0.5))
	return fmt.Sprintf("%v, %v", lon, lat)
}

func TestPointsOfGeoJSON(t *testing.T) {
	_, s := pixels(t)
	a, b, far := lonLat(32*256+17, 22*256), lonLat(32*256+18, 22*256+7), "0, 0"
	point := func(c string) string { return `{"type":"Point","coordinates":[` + c + `]}` }
	for name, c := range map[string]struct{ query, body, want, media string }{
		"collection": {
			"layers=a=2,b=3&formula=a%2Bb",
			`{"type":"FeatureCollection","name":"<mine>","features":[
				{"type":"Feature","id":12345678901234567890,"properties":{"z":1.50,"value":"old","a":null},"geometry":` + point(a) + `},
				{"type":"Feature","properties":{"a":{"value":1,"b":[{}, "}]\"" ]},"\u0076alue":7,"\u00e9":"é"},"geometry":{"type":"MultiPoint","coordinates":[]}},
				{"type":"Feature","properties":null,"geometry":` + point(b) + `,"bbox":[0,0,1,1]},
				{"type":"Feature","geometry":null},
				{"type":"Feature","properties":{},"geometry":{"type":"MultiPoint","coordinates":[[` + a + `, 300],[` + far + `]]}}],"more":[1e400]}`,
			`{"type":"FeatureCollection","name":"<mine>","features":[
{"type":"Feature","id":12345678901234567890,"properties":{"z":1.50,"a":null,"value":44},"geometry":` + point(a) + `},
{"type":"Feature","properties":{"a":{"value":1,"b":[{}, "}]\"" ]},"\u00e9":"é","value":[]},"geometry":{"type":"MultiPoint","coordinates":[]}},
{"type":"Feature","properties":{"value":null},"geometry":` + point(b) + `,"bbox":[0,0,1,1]},
{"type":"Feature","geometry":null,"properties":{"value":null}},
{"type":"Feature","properties":{"value":[44,null]},"geometry":{"type":"MultiPoint","coordinates":[[` + a + `, 300],[` + far + `]]}}],"more":[1e400]}
`, "application/geo+json",
		},
		"feature": {
			"layers=a=2", `{"type":"Feature","properties":{},"geometry":` + point(a) + `}`,
			`{"type":"Feature","properties":{"value":17},"geometry":` + point(a) + "}\n", "application/geo+json",
		},
		"none": {
			"layers=a=2", `{"type":"FeatureCollection","features":[]}`,
			`{"type":"FeatureCollection","features":[]}` + "\n", "application/geo+json",
		},
	} {
		w := postTo(t, s, "/pixel?"+c.query, c.body)
		wantStatus(t, w, 200)
		if got := w.Body.String(); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
		if got := w.Header().Get("Content-Type"); got != c.media {
			t.Errorf("%s is %s", name, got)
		}
	}
	type answer struct {
		SRID   int
		Zoom   *int
		Points []pixelDoc
	}
	x, y := place(32*256+17, 22*256)
	for body, want := range map[string]string{
		point(a): "4326 17",
		`{"type":"MultiPoint","coordinates":[[` + a + `],[` + b + `]]}`:                                                                 "4326 17 18",
		`{"type":"Point","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::3857"}},"coordinates":[` + x + `,` + y + `]}`: "3857 17",
		`{"type":"Point","coordinates":[]}`: "4326 none",
	} {
		got := decode[answer](t, postTo(t, s, "/pixel?layers=a=2", body))
		text := fmt.Sprint(got.SRID)
		for _, p := range got.Points {
			text += " " + p.value()
		}
		if text != want {
			t.Errorf("%s: %s, want %s", body, text, want)
		}
	}
	got := decode[answer](t, postTo(t, s, "/pixel?layers=a=2&srid=3857&zoom=5", point(x+","+y)))
	if got.SRID != 3857 || *got.Zoom != 5 || got.Points[0].value() != "17" {
		t.Errorf("%+v", got)
	}
	w := postTo(t, s, "/pixel?layers=a=2&f=csv&srid=3857", point(x+","+y))
	if want := "x,y,value\n" + x + "," + y + ",17\n"; w.Body.String() != want {
		t.Errorf("%s, want %s", w.Body, want)
	}
}

func TestPointsOfCSV(t *testing.T) {
	_, s := pixels(t)
	x, y := place(32*256+17, 22*256)
	degrees := strings.ReplaceAll(lonLat(32*256+18, 22*256), " ", "")
	for name, c := range map[string]struct{ body, want string }{
		"columns":          {"name,x,y\nA," + x + "," + y + "\nB,,\n", "name,x,y,value\nA," + x + "," + y + ",17\nB,,,\n"},
		"lon and lat":      {"Lon,LAT\r\n" + degrees + "\r\n", "Lon,LAT,value\n" + degrees + ",18\n"},
		"byte order mark":  {"\ufeffx,y\n" + x + "," + y, "x,y,value\n" + x + "," + y + ",17\n"},
		"no header":        {x + "," + y + ",note\n0,0,\n", x + "," + y + ",note,17\n0,0,,\n"},
		"semicolons":       {"x;y;n\n" + x + ";" + y + ";a,b\n", "x;y;n;value\n" + x + ";" + y + ";a,b;17\n"},
		"tabs":             {"x\ty\n" + x + "\t" + y + "\n", "x\ty\tvalue\n" + x + "\t" + y + "\t17\n"},
		"of a spreadsheet": {"n,x,y\n=1+1," + x + "," + y + "\n\"@a,\"\"b\"\"\"," + x + "," + y + "\n", "n,x,y,value\n=1+1," + x + "," + y + ",17\n\"@a,\"\"b\"\"\"," + x + "," + y + ",17\n"},
		"asked again":      {"x,value,y\n" + x + ",old," + y + "\n", "x,value,y\n" + x + ",17," + y + "\n"},
		"header alone":     {"x,y\n", "x,y,value\n"},
	} {
		for _, header := range [][]string{{"Accept", "text/csv"}, {"Accept", "text/html, text/csv;q=0.9, */*;q=0.1", "Content-Type", "text/csv"}} {
			w := postTo(t, s, "/pixel?layers=a=2", c.body, header...)
			if wantStatus(t, w, 200); w.Body.String() != c.want {
				t.Errorf("%s: %q, want %q", name, w.Body, c.want)
			}
			if got := w.Header().Get("Content-Type"); got != "text/csv; charset=utf-8" {
				t.Error(got)
			}
		}
	}
	got := decode[struct{ Points []pixelDoc }](t, postTo(t, s, "/pixel?layers=a=2", "x,y\n"+x+","+y+"\n,\n", "Accept", "application/json"))
	if len(got.Points) != 2 || got.Points[0].value() != "17" || got.Points[1].value() != "none" {
		t.Errorf("%+v", got)
	}
	w := postTo(t, s, "/pixel?layers=a=2&f=csv", "x,y\n"+x+","+y+"\n", "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != "x,y,value\n"+x+","+y+",17\n" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestPointsRefuse(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("DEM"))
	secret(t, st) // 2
	s := newServer(t, server.Config{Store: st, Auth: keyAuth{}, MaxPoints: 3})
	for _, c := range []struct {
		query, body string
		status      int
		says        string
	}{
		{"", "x,y\n", 400, "layers"},
		{"layers=a=1", "", 400, "empty"},
		{"layers=a=1", " \n", 400, "empty"},
		{"layers=a=1", "a,b\n1,2\n", 400, "columns x and y"},
		{"layers=a=1", "x,y\n1,2,3\n", 400, "line 2"},
		{"layers=a=1", "x,y\n1,\"2\n", 400, "line"},
		{"layers=a=1", "x,y\n1,2\n1,two\n", 400, "line 3"},
		{"layers=a=1", "x,y\n1,NaN\n", 400, "line 2"},
		{"layers=a=1", "x,y\n1,\n", 400, "line 2"},
		{"layers=a=1", "1,2\n1,inf\n", 400, "line 2"},
		{"layers=a=1", "x,y\n1,2\n1,2\n1,2\n1,2\n", 413, "3 points"},
		{"layers=a=1", `{"type":"MultiPoint","coordinates":[[1,2],[1,2],[1,2],[1,2]]}`, 413, "3 points"},
		{"layers=a=1", `{`, 400, "GeoJSON"},
		{"layers=a=1", `[[1,2]]`, 400, "GeoJSON"},
		{"layers=a=1", `{"type":"Point"}`, 400, "coordinates"},
		{"layers=a=1", `{"type":"Point","coordinates":[1]}`, 400, "two numbers"},
		{"layers=a=1", `{"type":"Point","coordinates":["1","2"]}`, 400, "numbers"},
		{"layers=a=1", `{"type":"Point","coordinates":[1e999,2]}`, 400, "numbers"},
		{"layers=a=1", `{"type":"Polygon","coordinates":[]}`, 400, "Polygon"},
		{"layers=a=1", `{"type":"FeatureCollection"}`, 400, "features"},
		{"layers=a=1", `{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null},{"type":"Feature","geometry":{"type":"LineString"}}]}`, 400, "feature 2"},
		{"layers=a=1", `{"type":"FeatureCollection","features":[1]}`, 400, "feature 1"},
		{"layers=a=1&srid=3857", `{"type":"Point","crs":{"properties":{"name":"EPSG:4326"}},"coordinates":[1,2]}`, 400, "4326"},
		{"layers=a=1", `{"type":"Point","crs":{"properties":{"name":"mine"}},"coordinates":[1,2]}`, 400, "mine"},
		{"layers=a=1", `{"type":"FeatureCollection","features":[],"features":[]}`, 400, "twice"},
		{"layers=a=1", `{"type":"Feature","properties":5,"geometry":null}`, 400, "properties"},
		{"layers=a=1&f=xml", "x,y\n", 400, "xml"},
		{"layers=a=2", "x,y\n1,2\n", 404, "layer"},
		{"layers=a=1,b=2&formula=a*b", "x,y\n1,2\n", 404, "layer"},
		{"layers=a=1", "x,y\n" + strings.Repeat(" ", 33<<20), 413, "long"},
		{"layers=a=1", strings.Repeat("x,", 2000), 400, "columns"},
		{"layers=a=1", "x,y\n1,2\n1,2,\"" + strings.Repeat("\n", 1<<20+100), 400, "longer"},
		{"layers=a=1", `{"type":"FeatureCollection","features":[` + strings.Repeat(`{"type":"Feature","geometry":{"type":"MultiPoint","coordinates":[]}},`, 3) + `{}]}`, 413, "3 features"},
		{"layers=a=1", `{"type":"Feature","geometry":{"type":"Point","type":"Point","coordinates":[1,2]}}`, 400, "twice"},
		{"layers=a=1", `{"type":"Feature","geometry":[1,2]}`, 400, "object"},
		{"layers=a=1", `{"type":"Point","coordinates":[null,1]}`, 400, "numbers"},
		{"layers=a=1", `{"type":"MultiPoint","coordinates":[1,2]}`, 400, "lists of numbers"},
		{"layers=a=1", `{"type":"Feature","properties":{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`, 400, "deep"},
	} {
		if p := wantProblem(t, postTo(t, s, "/pixel?"+c.query, c.body), c.status); !strings.Contains(p.Detail+p.Parameter, c.says) {
			t.Errorf("%s %.80s: %+v", c.query, c.body, p)
		}
	}
	if p := wantProblem(t, postTo(t, s, "/pixel?layers=a=1", "1,2\n1,2\n1,2\n1,2\n"), 413); !strings.Contains(p.Hint, "max_points") {
		t.Errorf("the setting is not named: %s", p.Hint)
	}
}

// Points have the values of the pixels one by one.
func TestPointsAgreeWithPixels(t *testing.T) {
	_, s := pixels(t)
	rapid.Check(t, func(rt *rapid.T) {
		query := rapid.SampledFrom([]string{"layers=a=1", "layers=a:1=3&unscale=true", "layers=a=2,b=4&formula=a%2Bb", "layers=a=2,b=3&formula=a*b&zoom=5"}).Draw(rt, "query")
		var body strings.Builder
		body.WriteString("x,y\n")
		n := rapid.IntRange(1, 12).Draw(rt, "points")
		var paths []string
		for range n {
			x, y := place(rapid.IntRange(32*256-50, 35*256).Draw(rt, "x"), rapid.IntRange(22*256-50, 24*256+50).Draw(rt, "y"))
			fmt.Fprintf(&body, "%s,%s\n", x, y)
			paths = append(paths, "/pixel/"+x+"/"+y+"?"+query)
		}
		w := postTo(t, s, "/pixel?"+query+"&f=csv", body.String())
		wantStatus(t, w, 200)
		rows, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || len(rows) != n+1 {
			rt.Fatalf("%d rows of %d: %v", len(rows)-1, n, err)
		}
		for i, path := range paths {
			want := decode[pixelDoc](t, get(t, s, path)).value()
			if got := rows[i+1][2]; got != want && (got != "" || want != "none") {
				rt.Fatalf("%s is %s, and one of many %s", path, want, got)
			}
		}
	})
}

// Whatever the body, the answer is a document in its form, or says what is wrong.
func FuzzPoints(f *testing.F) {
	for _, seed := range []string{
		"x,y\n1,2\n", "lon;lat\n1;2", "1,2\n3,4", "x,y\n,\n", "\"", "x,y,value\n1,2,3", "\ufeffx,y\n1,2", "x,y\r\n\r\n1,2\r\n",
		`{"type":"Point","coordinates":[1,2]}`, `{"type":"Feature","properties":{"a":1},"geometry":{"type":"MultiPoint","coordinates":[[1,2],[3,4]]}}`,
		`{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null}],"features":[]}`, `{"type":"Feature","geometry":null,"geometry":{"type":"Point","coordinates":[1,2]}}`,
		`{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"value":1,"value":2}}]}`, `[]`, `{}`, `{"type":1}`, `{"type":"Point","coordinates":[[[`,
	} {
		f.Add(seed)
	}
	s := newStoreOf(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, form := range []string{"json", "csv"} {
			w := postTo(t, s, "/pixel?layers=a=1&f="+form, body)
			switch {
			case w.Code == 400 || w.Code == 413:
			case w.Code != 200:
				t.Fatalf("%d %s", w.Code, w.Body)
			case form == "json" && !json.Valid(w.Body.Bytes()):
				t.Fatalf("no JSON: %s", w.Body)
			case form == "csv":
				in := csv.NewReader(bytes.NewReader(w.Body.Bytes()))
				line, _, _ := strings.Cut(body, "\n")
				if !strings.Contains(line, ",") && strings.Contains(line, ";") && !strings.HasPrefix(strings.TrimSpace(body), "{") {
					in.Comma = ';'
				} else if !strings.Contains(line, ",") && strings.Contains(line, "\t") && !strings.HasPrefix(strings.TrimSpace(body), "{") {
					in.Comma = '\t'
				}
				if _, err := in.ReadAll(); err != nil {
					t.Fatalf("no CSV: %v in %q of %q", err, w.Body, body)
				}
			}
		}
	})
}
