package server_test

import (
	"context"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// entriesOf makes a legend of expressions and colours.
func entriesOf(t *testing.T, title string, pairs ...string) *rasterbase.Legend {
	t.Helper()
	lg := &rasterbase.Legend{Title: title}
	for i := 0; i < len(pairs); i += 2 {
		c, err := rasterbase.ParseColor(pairs[i+1])
		if err != nil {
			t.Fatal(err)
		}
		lg.Entries = append(lg.Entries, rasterbase.Entry{Semantics: rasterbase.Semantics{Name: title + " " + pairs[i]}, Expression: pairs[i], Color: c})
	}
	return lg
}

// The tiles that django-raster's own tests expect come out the same, but for the
// half pixels by which its warp differs from GDAL's at the borders of classes.
func TestTilesOfDjangoRaster(t *testing.T) {
	data := os.Getenv("RASTERBASE_TESTDATA")
	if data == "" {
		t.Skip("RASTERBASE_TESTDATA names no folder with real rasters")
	}
	if !gdal.Available {
		t.Skip("this build has no GDAL")
	}
	data = filepath.Join(data, "expected", "django_raster")
	st := newStore(t)
	for _, lg := range []*rasterbase.Legend{
		entriesOf(t, "Other", "4", "#654321"),
		entriesOf(t, "Legend with Expression", "(x >= 2) & (x < 5)", "#123456"),
	} {
		update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Legends().Create(ctx, lg) })
	}
	l, err := ingest.Import(t.Context(), st, gdal.Opener{}, ingest.Request{
		Source: filepath.Join(data, "raster.tif.zip"), Name: "Raster",
		Settings: rasterbase.Settings{Datatype: rasterbase.Categorical}, Legend: entriesOf(t, "MyLegend", "4", "#123456"),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, server.Config{Store: st})
	address := "/tiles/" + l.Slug + "/11/552/858.png"
	for _, c := range []struct{ golden, path string }{
		{"test_tms_existing_tile", address},
		{"test_tms_existing_tile", address + "?legend=mylegend"},
		// Without a legend django-raster draws classes in grey from the smallest to
		// the largest, and cuts off what rounding would add.
		{"test_tms_existing_tile_without_legend", address + "?rescale=0,9"},
		{"test_tms_legend_query_arg", address + "?legend=other"},
		{"test_tms_manual_colormap_query_arg", address + "?colormap=" + url.QueryEscape(`{"4": [101, 67, 33, 255]}`)},
		{"test_tms_manual_colormap_query_arg_hex", address + "?colormap=" + url.QueryEscape(`{"4": "654321"}`)},
		{"test_tms_nonexisting_tile", "/tiles/" + l.Slug + "/100/0/0.png"},
		// Its formulas have no legend in these tests: grey from the smallest result to
		// the largest, which is 32 times the class in the second.
		{"test_algebra_basic", algebra("a="+l.Slug, "a", "0,9")},
		{"test_algebra_nested", algebra("a="+l.Slug+",b="+l.Slug, "((a*5)+(b*3))*4", "0,288")},
		{"test_tms_existing_tile", algebra("a="+l.Slug, "a", "") + "&legend=mylegend"},
	} {
		want := readPNG(t, filepath.Join(data, c.golden+".png"))
		got := wantPNG(t, get(t, s, c.path))
		if share := sameColors(t, got, want); share < 0.98 {
			t.Errorf("%s: %.2f %% of the pixels of %s are the same", c.path, 100*share, c.golden)
		} else {
			t.Logf("%.2f %% of the pixels of %s", 100*share, c.golden)
		}
	}
	wantProblem(t, get(t, s, "/tiles/1234/11/552/858.png"), 404)
	wantMistakesOfDjangoRaster(t, s, l.Slug)
	// Last match wins, also where expressions overlap.
	both := get(t, s, address+"?aggregation=true&colormap="+url.QueryEscape(`{"4": "#654321", "(x >= 2) & (x < 5)": "#123456"}`))
	wantStatus(t, both, 200)
	one := get(t, s, address+"?aggregation=true&legend=legend+with+expression")
	if share := sameColors(t, wantPNG(t, both), wantPNG(t, one)); share != 1 {
		t.Errorf("%.2f %% of the pixels are the later entry's", 100*share)
	}
	if got := both.Header().Get("Aggregation"); !strings.HasPrefix(got, `{"4": 0, "(x >= 2) & (x < 5)": 8`) {
		t.Errorf("aggregation %s", got)
	}
}

// algebra is the address of the tile of all goldens.
func algebra(layers, formula, rescale string) string {
	q := url.Values{"layers": {layers}, "formula": {formula}}
	if rescale != "" {
		q.Set("rescale", rescale)
	}
	return "/algebra/11/552/858.png?" + q.Encode()
}

// wantMistakesOfDjangoRaster checks the requests that django-raster refuses.
func wantMistakesOfDjangoRaster(t *testing.T, s http.Handler, slug string) {
	t.Helper()
	for query, parameter := range map[string]string{
		"layers=a=" + slug + "&formula=a*b":                               "formula",
		"layers=a=" + slug + "&formula=" + url.QueryEscape("3*a bc abc/"): "formula",
		"formula=a":                     "layers",
		"layers=a=" + slug:              "layers",
		"layers=a&formula=a":            "layers",
		"layers=" + slug + "&formula=x": "layers",
	} {
		if p := wantProblem(t, get(t, s, "/algebra/11/552/858.png?"+query), 400); p.Parameter != parameter || p.Hint == "" {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

func readPNG(t *testing.T, name string) image.Image {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// sameColors is the share of pixels that two pictures have in common; wholly
// transparent ones are the same whatever their colour, and so are neighbouring greys.
func sameColors(t *testing.T, a, b image.Image) float64 {
	t.Helper()
	if a.Bounds() != b.Bounds() {
		t.Fatalf("a picture of %v and one of %v", a.Bounds(), b.Bounds())
	}
	same := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if p, q := at(a, x, y), at(b, x, y); p == q || p.A == 0 && q.A == 0 || isGrey(p) && isGrey(q) && p.A == q.A && abs(int(p.R)-int(q.R)) <= 1 {
				same++
			}
		}
	}
	return float64(same) / float64(a.Bounds().Dx()*a.Bounds().Dy())
}
