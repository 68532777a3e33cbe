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

// pieces are what random queries are made of: values that are right, nearly right
// and wrong.
var pieces = map[string][]string{
	"legend":           {"1", "cover", "Only Towns", "99", "", "\x00", "🗺"},
	"store":            {"session", "database", "x"},
	"colormap":         {`{"1":"red"}`, `{"x>2":[1,2,3]}`, `[[[0,10],[1,2,3,4]]]`, `{"continuous":true,"from":"red","to":"blue"}`, `{`, `null`, `[]`, `{}`, `{"range":[1,0],"colormap_name":"viridis"}`, `{"1":`, `{"stops":[[0,"red"],[1,"blue"]]}`, `{"stops":[[1e400,"red"]]}`, `{"x/0":"red"}`},
	"colormap_name":    {"viridis", "VIRIDIS_R", "magma", "tab10", "none", "_r", ""},
	"rescale":          {"0,1", "0,255", "1,0", "NaN,1", "0,Inf", "-1e308,1e308", "1", "0,1,2,3", "0,1,0,2,0,3", ",", "0,1,", "1e-320,1e-319"},
	"scale":            {"5", "0,5", "5,10000", "x", "-1"},
	"bidx":             {"1", "2", "1,2,3", "6,5,4", "0", "7", "1,2", "-1", "1e9"},
	"entries":          {"1", "1,2", "forest", "9", ",", "(1,2)"},
	"enhance_color":    {"0", "1", "2", "NaN", "-1", "1e9"},
	"enhance_contrast": {"0", "0.5", "2", "Inf"}, "enhance_brightness": {"0", "3", ""}, "enhance_sharpness": {"0", "2", "-2"},
	"background": {"red", "00f", "#00f", "x"}, "compress": {"none", "LZW", "zstd", "jpeg", "DEFLATE", "packbits", "x"},
	"resampling": {"nearest", "bilinear", "cubic", "mode"}, "tilesize": {"64", "100", "256", "300", "1025", "0"},
	"unscale": {"true", "false", "x"}, "aggregation": {"true", "0"}, "alpha": {"", "true", "x"},
	"algorithm":        {"hillshade", "slope", "terrainrgb", "terrarium", "x"},
	"algorithm_params": {"{}", `{"azimuth":10}`, `{"angle_altitude":-1}`, `[`, `{"z_exaggeration":1e-6}`},
	"layers":           {"r=1,g=2,b=3", "r:5=3,g:1=3,b=3", "r=2,g=2,b=2", "r=1", "a=1", "r=,g=,b=", "r:6=3,g=1,b=1"},
	"formula":          {"a", "a*"}, "v": {"1"}, "_": {"1"},
}

// randomAddress is the address of some picture.
func randomAddress(r *rand.Rand) string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	path := "/tiles/" + pick("1", "2", "3", "scene", "nowhere") + "/"
	query := url.Values{}
	if r.IntN(5) == 0 {
		path = "/algebra/"
		query.Set("layers", pieces["layers"][r.IntN(len(pieces["layers"]))])
	}
	path += pick("6/33/22", "6/32/22", "6/32/22", "6/34/23", "7/65/44", "3/4/2", "0/0/0", "9/260/180", "48/1/1", "100/0/0", "6/64/0", "x/0/0", "6/-1/0")
	path += pick("", "", "", "@2x", "@3x") + "." + pick("png", "png", "png", "jpg", "webp", "tif", "gif", "")
	names := make([]string, 0, len(pieces))
	for name := range pieces {
		names = append(names, name)
	}
	slices.Sort(names)
	for range r.IntN(4) {
		name := pick(names...)
		for range 1 + r.IntN(8)/7 {
			query.Add(name, pick(pieces[name]...))
		}
	}
	text := query.Encode()
	if r.IntN(20) == 0 && len(text) > 0 { // broken somewhere
		at := r.IntN(len(text))
		text = text[:at] + string(rune(33+r.IntN(90))) + text[at:]
	}
	return path + "?" + strings.Map(func(c rune) rune {
		if c <= ' ' || c == '#' || c > 126 {
			return -1
		}
		return c
	}, text)
}

func answersWell(t *testing.T, h http.Handler, address string) {
	t.Helper()
	u, err := url.Parse("http://example.com" + address)
	if err != nil {
		return // no client sends it
	}
	r := (&http.Request{Method: "GET", URL: u, Host: "example.com", Header: http.Header{}, RequestURI: address}).WithContext(context.Background())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	switch w.Code {
	case 200:
		if w.Body.Len() == 0 || w.Header().Get("ETag") == "" {
			t.Errorf("%s answers nothing", address)
		}
	case 400, 401, 404, 409, 414, 501:
		p := wantProblem(t, w, w.Code)
		if p.Parameter == "" && w.Code == 400 && !strings.Contains(p.Detail, "query") {
			t.Errorf("%s: no parameter is named: %+v", address, p)
		}
	default:
		t.Errorf("%s answers %d: %.500s", address, w.Code, w.Body)
	}
}

func TestNoQueryIsAFailureOfOurs(t *testing.T) {
	queries := 4000
	if testing.Short() {
		queries = 1000
	}
	log, written := captured()
	s := newServer(t, server.Config{Store: drawn(t), Log: log})
	r := rand.New(rand.NewPCG(1, 2))
	for range queries {
		answersWell(t, s, randomAddress(r))
		if t.Failed() {
			t.Fatalf("%s", written)
		}
		written.Reset()
	}
}

func FuzzParameters(f *testing.F) {
	st := drawn(f)
	s, err := server.New(server.Config{Store: st, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		_, query, _ := strings.Cut(randomAddress(r), "?")
		f.Add(uint8(r.IntN(4)), query)
	}
	paths := []string{"/tiles/1/6/33/22.png", "/tiles/2/6/32/22.png", "/tiles/3/6/32/22@2x.webp", "/algebra/6/32/22.png"}
	f.Fuzz(func(t *testing.T, path uint8, query string) {
		answersWell(t, s, paths[int(path)%len(paths)]+"?"+query)
	})
}
