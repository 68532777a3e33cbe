package admin_test

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/admin"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/internal/browsertest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/sqlite"
)

// A base map of another host is below the layers on all maps, and that host is the only
// other one that pages may load from.
func TestBasemapsOfAnotherHost(t *testing.T) {
	var asked atomic.Int32
	tiles := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		img := image.NewNRGBA(image.Rect(0, 0, 256, 256))
		draw.Draw(img, img.Rect, image.NewUniform(color.NRGBA{200, 30, 120, 255}), image.Point{}, draw.Src)
		if err := png.Encode(w, img); err != nil {
			t.Error(err)
		}
	}))
	defer tiles.Close()
	st, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	users := auth.New(st.Catalog(), auth.Options{})
	defer users.Close()
	basemap := rasterbase.Basemap{URL: tiles.URL + "/{z}/{x}/{y}.png", Attribution: "Somebody's <b>map"}
	api, err := server.New(server.Config{Store: st, Auth: users, Accounts: users, Basemap: basemap})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	pages, err := admin.New(admin.Config{API: api, Auth: users, Accounts: users, Basemap: basemap})
	if err != nil {
		t.Fatal(err)
	}
	api.Mount("/admin", pages)
	web := httptest.NewServer(api)
	defer web.Close()
	s := &site{t: t, st: st, users: users, root: web.URL + "/admin/", server: web.URL + "/"}
	s.addUser("anna", rasterbase.Viewer)

	_, err = testlayer.Add(t.Context(), st, testlayer.Spec{
		Layer: rasterbase.Layer{Name: "Hills", Visibility: rasterbase.Public}, Datatype: rasterbase.Continuous,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}, MaxZoom: 4, X: 8 * 256, Y: 5 * 256, Width: 100, Height: 100,
		Value: func(_, x, _ int) (float64, bool) { return float64(x), true },
	})
	if err != nil {
		t.Fatal(err)
	}

	for _, address := range []string{s.server, s.root + "sign-in"} {
		resp, err := http.Get(address) //nolint:noctx // of this test
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "img-src 'self' data: "+tiles.URL+";") || strings.Count(csp, "http") != 1 {
			t.Errorf("%s: Content-Security-Policy: %s", address, csp)
		}
	}
	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(1280, 900, "light")
	shown := `[...document.querySelectorAll("img.leaflet-tile")].some((i) => i.complete && i.naturalWidth > 0 && i.src.startsWith("` + tiles.URL + `")) && document.body.textContent.includes("Somebody's <b>map")`
	b.Go(s.server)
	b.Until(shown)
	b.Go(s.root + "sign-in?next=" + url.QueryEscape("ask"))
	fill(b, map[string]string{"name": "anna", "password": password})
	b.Until(shown)
	b.Shot("admin-basemap")
	b.Go(s.root + "layers/1")
	b.Until(shown)
	if asked.Load() == 0 {
		t.Error("no tile was asked for")
	}
	for _, says := range b.Complaints() {
		t.Errorf("the browser says %s", says)
	}

	if _, err := admin.New(admin.Config{API: api, Auth: users, Basemap: rasterbase.Basemap{URL: "https://tile.example.org/"}}); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("%v", err)
	}
	if _, err := server.New(server.Config{Store: st, Basemap: rasterbase.Basemap{URL: "https://tile.example.org/"}}); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("%v", err)
	}
}
