package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// pixelDoc is an answer of /pixel/{x}/{y}.
type pixelDoc struct {
	X, Y    float64
	Value   *float64
	Valid   bool
	SRID    int
	Zoom    *int
	Column  *int
	Row     *int
	Layers  []struct{ ID, Revision int64 }
	Version string
}

// value is the value, or a text for none.
func (p pixelDoc) value() string {
	if p.Value == nil {
		return "none"
	}
	return fmt.Sprint(*p.Value)
}

// place is the middle of a pixel of the world at zoom 6, in web mercator.
func place(x, y int) (string, string) {
	px, py := xyz.PixelGrid(6, 256).World(float64(x)+0.5, float64(y)+0.5)
	return decimal(px), decimal(py)
}

// decimal writes a number as it is read back, without an exponent.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// measured is a layer with a scale, 10 at the left to 265, on the grid of ramp.
func measured(name string) testlayer.Spec {
	s := ramp(name)
	s.Layer.Source.Name = "measured.tif"
	s.Bands = []rasterbase.Band{
		{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-1), Scale: 0.5, Offset: 100},
		{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-1)},
	}
	s.Value = func(band, x, y int) (float64, bool) { return float64(10 + 1000*band + x), y != 7 }
	return s
}

// coarse has pixels of two by two of those of ramp, and the same place.
func coarse(name string) testlayer.Spec {
	s := ramp(name)
	s.Layer.Source.Name = "coarse.tif"
	s.MaxZoom, s.X, s.Y, s.Width, s.Height = 5, 16*256, 11*256, 128, 128
	return s
}

func pixels(t *testing.T) (store.Store, *server.Server) {
	t.Helper()
	st := newStore(t)
	add(t, st, stripes("Land cover", nil)) // 1
	add(t, st, ramp("DEM"))                // 2
	add(t, st, measured("Measured"))       // 3
	add(t, st, coarse("Coarse"))           // 4
	return st, newServer(t, server.Config{Store: st})
}

func TestPixel(t *testing.T) {
	_, s := pixels(t)
	left, top := 32*256, 22*256
	for _, c := range []struct {
		x, y  int
		query string
		want  string
	}{
		{left + 256, top, "layers=a=1", "1"},
		{left + 256 + 383, top + 511, "layers=a=land-cover", "3"},
		{left + 256 + 384, top, "layers=a=1", "none"}, // no data
		{left - 1, top, "layers=a=2", "none"},         // outside
		{left + 17, top, "layers=a=2", "17"},
		{left + 17, top, "layers=a=dem.tif&zoom=6", "17"},
		{left + 17, top, "layers=a=2&zoom=8", "17"}, // beyond the max zoom
		{left + 17, top, "layers=a=2&zoom=5", "17"}, // the one in the middle of 16 and 17
		{left + 17, top, "layers=a=3", "27"},
		{left + 17, top, "layers=a:1=3", "1027"},
		{left + 17, top + 7, "layers=a:1=3", "none"},
		{left + 17, top, "layers=a=3&unscale=true", "113.5"},
		{left + 17, top, "layers=a:1=3&unscale=1", "1027"},
		{left + 17, top, "layers=a=2,b:1=3&formula=b-a*2", "993"},
		{left + 17, top + 7, "layers=a=2,b:1=3&formula=b-a*2", "none"},
		{left + 17, top + 7, "layers=a=2,b:1=3&formula=where(b==NULL,a,b)", "17"},
		{left + 17, top, "layers=a=2&formula=a>16", "1"},
		{left + 17, top, "layers=a=2&formula=a/0", "none"},
		{left + 17, top, "layers=a=2,b=4&formula=a*1000%2Bb", "17008"}, // the grids nest
		{left + 17, top, "layers=b=4&formula=b&zoom=5", "8"},
		{left + 17, top, "layers=a=2&formula=a-min(a)%2Bmax(a)", "272"},
	} {
		x, y := place(c.x, c.y)
		got := decode[pixelDoc](t, get(t, s, "/pixel/"+x+"/"+y+"?"+c.query))
		if got.value() != c.want || got.Valid != (c.want != "none") {
			t.Errorf("%s at %d, %d is %s (valid %v), want %s", c.query, c.x, c.y, got.value(), got.Valid, c.want)
		}
		if decimal(got.X) != x || decimal(got.Y) != y || got.SRID != 3857 || len(got.Layers) == 0 || got.Version == "" {
			t.Errorf("%s: %+v", c.query, got)
		}
	}
}

func TestPixelTellsWhereItLooked(t *testing.T) {
	_, s := pixels(t)
	x, y := place(32*256+17, 22*256+3)
	got := decode[pixelDoc](t, get(t, s, "/pixel/"+x+"/"+y+"?layers=a=2,b=3&formula=a%2Bb"))
	if got.Zoom != nil || *got.Column != 17 || *got.Row != 3 || len(got.Layers) != 2 || got.Layers[1].ID != 3 || got.Layers[1].Revision == 0 {
		t.Errorf("%+v", got)
	}
	got = decode[pixelDoc](t, get(t, s, "/pixel/"+x+"/"+y+"?layers=a=2&zoom=4"))
	if *got.Zoom != 4 || *got.Column != (32*256+17)/4 || *got.Row != (22*256+3)/4 {
		t.Errorf("%+v", got)
	}
	got = decode[pixelDoc](t, get(t, s, "/pixel/0/0?layers=a=2&srid=4326"))
	if got.Column != nil || got.Row != nil || got.Value != nil || got.SRID != 4326 {
		t.Errorf("outside: %+v", got)
	}
	lon, lat := xyz.ToLonLat(xyz.PixelGrid(6, 256).World(32*256+17.5, 22*256+3.5))
	for _, path := range []string{
		fmt.Sprintf("/pixel/%v/%v?layers=a=2&srid=4326", lon, lat),
		fmt.Sprintf("/pixel/%e/%e?layers=a=2&srid=EPSG:4326", lon, lat),
		fmt.Sprintf("/pixel/%+.9f/%+.9f?layers=a=2&srid=4326", lon, lat),
	} {
		if got := decode[pixelDoc](t, get(t, s, path)); got.value() != "17" {
			t.Errorf("%s is %s", path, got.value())
		}
	}
}

func TestPixelRefuses(t *testing.T) {
	st, s := pixels(t)
	bent := ramp("Bent") // on a grid that no other has
	bent.X += 3
	bent.MaxZoom, bent.Width = 5, 100
	add(t, st, bent) // 5
	flat := ramp("Flat")
	flat.NoPyramid = true
	add(t, st, flat) // 6
	for _, c := range []struct {
		path, parameter string
		status          int
	}{
		{"/pixel/abc/0?layers=a=1", "x", 400},
		{"/pixel/0/NaN?layers=a=1", "y", 400},
		{"/pixel/inf/0?layers=a=1", "x", 400},
		{"/pixel/1e999/0?layers=a=1", "x", 400},
		{"/pixel/0x10/0?layers=a=1", "x", 400},
		{"/pixel/1_0/0?layers=a=1", "x", 400},
		{"/pixel/1,5/0?layers=a=1", "x", 400},
		{"/pixel/" + strings.Repeat("1", 500) + "/0?layers=a=1", "x", 400},
		{"/pixel/0/0", "layers", 400},
		{"/pixel/0/0?layers=1", "layers", 400},
		{"/pixel/0/0?layers=a=99", "layers", 404},
		{"/pixel/0/0?layers=a=nothing", "layers", 404},
		{"/pixel/0/0?layers=a:5=1", "layers", 400},
		{"/pixel/0/0?layers=a:5=1&formula=a", "layers", 400},
		{"/pixel/0/0?layers=a=1&formula=a*b", "formula", 400},
		{"/pixel/0/0?layers=a=1,b=2&formula=a", "layers", 400},
		{"/pixel/0/0?layers=a=1,b=2", "formula", 400},
		{"/pixel/0/0?layers=a=1&formula=3*a+bc+abc%2F", "formula", 400},
		{"/pixel/0/0?layers=a=1&srid=99999", "srid", 400},
		{"/pixel/0/0?layers=a=1&srid=x", "srid", 400},
		{"/pixel/0/0?layers=a=1&srid=-1", "srid", 400},
		{"/pixel/0/0?layers=a=1&zoom=-1", "zoom", 400},
		{"/pixel/0/0?layers=a=1&zoom=99", "zoom", 400},
		{"/pixel/0/0?layers=a=1&zoom=1.5", "zoom", 400},
		{"/pixel/0/0?layers=a=6&zoom=1", "zoom", 400},
		{"/pixel/0/0?layers=a=1&unscale=perhaps", "unscale", 400},
		{"/pixel/0/0?layers=a=1&formula=a&unscale=true", "unscale", 400},
		{"/pixel/0/0?layers=a=1&formula=a&grid=b", "grid", 400},
		{"/pixel/0/0?layers=a=2,b=5&formula=a*b", "grid", 400},
		{"/pixel/0/0?layers=a=2,b=5&formula=a*b&grid=a&zoom=3", "grid", 400},
		{"/pixel/0/0?layers=a=1&layers=b=2", "layers", 400},
		{"/pixel/0/0?layers=a=1&bidx=2", "bidx", 400},
	} {
		if p := wantProblem(t, get(t, s, c.path), c.status); p.Parameter != c.parameter || p.Hint == "" && !strings.Contains(c.path, "formula") {
			t.Errorf("%s: parameter %q (%s), hint %q; want %q", c.path, p.Parameter, p.Detail, p.Hint, c.parameter)
		}
	}
	p := wantProblem(t, get(t, s, "/pixel/0/0?layers=a=1&srid=99999"), 400)
	if !strings.Contains(p.Detail, "99999") {
		t.Errorf("the srid is not named: %s", p.Detail)
	}
	// What is advised works.
	x, y := place(32*256+40, 22*256+40)
	for _, more := range []string{"&grid=a", "&grid=b", "&zoom=3"} {
		decode[pixelDoc](t, get(t, s, "/pixel/"+x+"/"+y+"?layers=a=2,b=5&formula=a*b"+more))
	}
}

// Answers are kept as tiles are: for long at addresses that name what they were made
// of, and not without asking otherwise.
func TestPixelIsNeverStale(t *testing.T) {
	st, s := pixels(t)
	x, y := place(32*256+17, 22*256)
	path := "/pixel/" + x + "/" + y + "?layers=a=2,b=3&formula=b-a"
	first := get(t, s, path)
	doc, tag := decode[pixelDoc](t, first), first.Header().Get("ETag")
	if got := first.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control %q", got)
	}
	if got := get(t, s, path+"&v="+doc.Version).Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("Cache-Control of a current address %q", got)
	}
	wantStatus(t, get(t, s, path, "If-None-Match", tag), 304)
	wantStatus(t, ask(t, s, http.MethodHead, path), 200)
	other, _ := place(32*256+18, 22*256)
	for _, differs := range []string{
		strings.Replace(path, x, other, 1), path + "&zoom=6", "/pixel/" + x + "/" + y + "?layers=a=2,b=3&formula=a-b", "/pixel/" + x + "/" + y + "?layers=a=2",
	} {
		if w := get(t, s, differs, "If-None-Match", tag); w.Code != 200 {
			t.Errorf("%s has the ETag of another", differs)
		}
	}
	next := measured("Measured")
	next.Value = testlayer.Constant(5)
	if _, err := testlayer.Publish(t.Context(), st, 3, next); err != nil {
		t.Fatal(err)
	}
	w := get(t, s, path+"&v="+doc.Version, "If-None-Match", tag)
	if got := decode[pixelDoc](t, w); got.value() != "-12" || got.Version == doc.Version || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("after a parse: %+v, %q", got, w.Header().Get("Cache-Control"))
	}
}

func TestPixelOfPrivateLayers(t *testing.T) {
	st := newStore(t)
	secret(t, st)               // 1
	add(t, st, ramp("Heights")) // 2
	s := newServer(t, server.Config{Store: st, Auth: keyAuth{}})
	for _, path := range []string{"/pixel/0/0?layers=a=1", "/pixel/0/0?layers=a=2,b=1&formula=a*b&zoom=3", "/profile?layers=a=1&line=LINESTRING(0+0,1+1)"} {
		if p := wantProblem(t, get(t, s, path), 404); p.Parameter != "layers" {
			t.Errorf("%s: %+v", path, p)
		}
		w := get(t, s, path, "Authorization", "key")
		wantStatus(t, w, 200)
		if got := w.Header().Get("Cache-Control"); got != "private, no-store" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
	}
}

// Coordinates in the path are read whole or refused.
func FuzzPixelPath(f *testing.F) {
	for _, seed := range []string{"0", "-1.5", "1e6", "+3", ".5", "5.", "1e", "NaN", "-inf", "0x1p-2", "1_000", "", "%00", "1e999", "1e-999"} {
		f.Add(seed, "3")
	}
	st := newStoreOf(f)
	f.Fuzz(func(t *testing.T, x, y string) {
		if x == "" || y == "" || len(x)+len(y) > 2000 {
			return
		}
		w := get(t, st, "/pixel/"+url.PathEscape(x)+"/"+url.PathEscape(y)+"?layers=a=1")
		switch w.Code {
		case 200:
			var doc pixelDoc
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
				t.Fatal(err)
			}
			var gx, gy float64
			if _, err := fmt.Sscan(x, &gx); err != nil || gx != doc.X {
				t.Fatalf("%q became %v", x, doc.X)
			}
			if _, err := fmt.Sscan(y, &gy); err != nil || gy != doc.Y {
				t.Fatalf("%q became %v", y, doc.Y)
			}
		case 400, 404, 308, 301:
		default:
			t.Fatalf("%q, %q: %d %s", x, y, w.Code, w.Body)
		}
	})
}

// newStoreOf is a server with one layer.
func newStoreOf(t testing.TB) *server.Server {
	st := newStore(t)
	add(t, st, ramp("DEM"))
	return newServer(t, server.Config{Store: st})
}

// onlyClosed is a Transformer that knows one CRS more than others do.
type onlyClosed struct{ crs.Closed }

// A layer with a CRS that has no closed form is no mistake of whoever asks.
func TestPixelWithoutATransformer(t *testing.T) {
	st := newStore(t)
	l := add(t, st, ramp("DEM"))
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		rev, err := tx.Revisions().Get(ctx, l.Published)
		if err != nil {
			return err
		}
		next := *rev
		next.ID, next.State, next.CRS = 0, "", rasterbase.CRS{SRID: 2193}
		if err := tx.Revisions().Create(ctx, &next); err != nil {
			return err
		}
		_, err = tx.Revisions().Publish(ctx, next.ID)
		return err
	})
	s := newServer(t, server.Config{Store: st, Transformer: onlyClosed{}})
	p := wantProblem(t, get(t, s, "/pixel/0/0?layers=a=1"), 501)
	if p.Parameter == "srid" || !strings.Contains(p.Detail, "2193") {
		t.Errorf("%+v", p)
	}
}
