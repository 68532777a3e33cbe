package server_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
)

// browser is a page of a headless Chromium and what it complained about.
type browser struct {
	t    testing.TB
	ctx  context.Context
	mu   sync.Mutex
	says []string
}

// newBrowser starts Chromium. Where it must be there (in CI, or when
// RASTERBASE_TEST_REQUIRE names it) its absence fails the test.
func newBrowser(t testing.TB) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		const missing = "no Chromium on the PATH: apt-get install chromium"
		if os.Getenv("CI") != "" || strings.Contains(os.Getenv("RASTERBASE_TEST_REQUIRE"), "chromium") {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	if _, err := os.Stat(filepath.Join("web", "dist", "map.js")); err != nil {
		t.Fatal("the map page's assets are not built: run `make assets`")
	}
	b := &browser{t: t}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(alloc, chromedp.WithListener(b.listen))
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as this context
		t.Fatalf("start %s: %v", path, err)
	}
	var cancel context.CancelFunc
	b.ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	return b
}

// listen collects errors: scripts that failed, and what the content security
// policy or the network refused.
func (b *browser) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *cdplog.EventEntryAdded:
		if ev.Entry.Level == "error" || ev.Entry.Level == "warning" {
			b.says = append(b.says, fmt.Sprintf("%s %s", ev.Entry.Text, ev.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		b.says = append(b.says, fmt.Sprintf("%s %+v", ev.ExceptionDetails.Text, ev.ExceptionDetails.Exception))
	}
}

func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.says
}

func evaluate[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// device sets the size of the window and the colour scheme.
func (b *browser) device(width, height int64, scheme string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		b.t.Fatal(err)
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// open goes to a page and waits until the map has drawn all of its tiles.
func (b *browser) open(url string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(url)); err != nil {
		b.t.Fatal(err)
	}
	b.settle()
}

const settled = `(() => {
	const tiles = [...document.querySelectorAll("#map .raster img.leaflet-tile")];
	return document.body.classList.contains("ready") && tiles.length > 0 && !document.querySelector(".card.loading") &&
		tiles.every((t) => t.complete && t.classList.contains("leaflet-tile-loaded") && getComputedStyle(t).opacity === "1") &&
		document.querySelectorAll(".leaflet-lines-pane canvas, .leaflet-land-pane canvas").length > 0;
})()`

func (b *browser) settle() {
	b.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if evaluate[bool](b, settled) {
			time.Sleep(150 * time.Millisecond) // the compositor shows it
			return
		}
	}
	b.t.Fatalf("the map did not finish drawing; the browser says %q", b.complaints())
}

// shot takes a screenshot; it is kept when RASTERBASE_SCREENSHOTS names a folder.
func (b *browser) shot(name string) image.Image {
	b.t.Helper()
	raw, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if dir := os.Getenv("RASTERBASE_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), raw, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	return img
}

// place is where on the screen a pixel of zoom 6 is drawn by a layer's tiles.
func (b *browser) place(layer rasterbase.LayerID, x, y float64) image.Point {
	b.t.Helper()
	at := evaluate[[]float64](b, fmt.Sprintf(`(() => {
		for (const img of document.querySelectorAll("#map .raster img.leaflet-tile")) {
			const m = new URL(img.src).pathname.match(/\/tiles\/%d\/(\d+)\/(\d+)\/(\d+)\.png$/);
			if (!m) continue;
			const size = 256 * 2 ** (6 - m[1]);
			const fx = %v / size - m[2], fy = %v / size - m[3];
			if (fx < 0 || fx >= 1 || fy < 0 || fy >= 1) continue;
			const r = img.getBoundingClientRect();
			return [r.left + fx * r.width, r.top + fy * r.height];
		}
		return [];
	})()`, layer, x, y))
	if len(at) != 2 {
		b.t.Fatalf("no tile of layer %d shows pixel %v, %v", layer, x, y)
	}
	return image.Pt(int(at[0]), int(at[1]))
}

func TestThePageDrawsLayers(t *testing.T) {
	st := newStore(t)
	cover := add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	hills := add(t, st, ramp("Elevation"))
	create(t, st, rasterbase.Layer{Name: "<script>alert(1)</script> خريطة 地图", Visibility: rasterbase.Public})
	// Mounted below a path, so that every address of the page must be relative.
	mux := http.NewServeMux()
	mux.Handle("/host/raster/", http.StripPrefix("/host/raster", newServer(t, server.Config{Store: st})))
	web := httptest.NewServer(mux)
	defer web.Close()

	b := newBrowser(t)
	b.device(1280, 800, "light")
	b.open(web.URL + "/host/raster/")
	check := func(name string) {
		t.Helper()
		img := b.shot(name)
		for i, want := range []color.NRGBA{forest, water, town} {
			p := b.place(cover.ID, float64(33*256+64+128*i), 22*256+256)
			if got := at(img, p.X, p.Y); got != want {
				t.Errorf("%s: value %d is drawn %v at %v, want %v", name, i+1, got, p, want)
			}
		}
		p := b.place(hills.ID, 32*256+128, 22*256+128)
		if got := at(img, p.X, p.Y); got.R != got.G || got.G != got.B || abs(int(got.R)-128) > 6 {
			t.Errorf("%s: height 128 is drawn %v", name, got)
		}
	}
	check("light")
	if name := evaluate[string](b, `document.querySelector('[data-layer="3"] h2').textContent`); name != "<script>alert(1)</script> خريطة 地图" {
		t.Errorf("the name is shown as %q", name)
	}
	if u := evaluate[string](b, `document.getElementById("url-1").value`); u != web.URL+"/host/raster/tiles/1/{z}/{x}/{y}.png" {
		t.Errorf("the tile address is %q", u)
	}

	// A layer that is switched off is gone from the map.
	before := b.place(cover.ID, 33*256+64, 22*256+256)
	evaluate[bool](b, `document.getElementById("toggle-1").click(), true`)
	b.settle()
	if got := at(b.shot("switched-off"), before.X, before.Y); got == forest {
		t.Error("the layer is still drawn")
	}
	evaluate[bool](b, `document.getElementById("toggle-1").click(), true`)
	b.settle()

	// The view is in the address, and a reload shows it again.
	evaluate[bool](b, `document.querySelector('[data-layer="1"] [data-zoom]').click(), true`)
	b.settle()
	view := evaluate[string](b, `location.hash`)
	if !strings.HasPrefix(view, "#") || strings.Count(view, "/") != 2 {
		t.Errorf("the address has the view %q", view)
	}
	b.open(web.URL + "/host/raster/?again" + view)
	if got := evaluate[string](b, `location.hash`); got != view {
		t.Errorf("after a reload the view is %q, before %q", got, view)
	}

	for _, d := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"dark", 1280, 800, "dark"}, {"phone", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"}} {
		b.device(d.width, d.height, d.scheme)
		b.open(web.URL + "/host/raster/?" + d.name)
		check(d.name)
		if wide := evaluate[int64](b, `document.documentElement.scrollWidth`); wide > d.width {
			t.Errorf("%s: the page is %d pixels wide", d.name, wide)
		}
	}
	if says := b.complaints(); len(says) > 0 {
		t.Errorf("the browser complains: %q", says)
	}
}

func TestThePageWithTilesOfOtherSizes(t *testing.T) {
	for _, size := range []int{64, 100, 512} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			st := newStore(t)
			s := stripes("Land cover", addLegend(t, st, "Cover", forest, water, town))
			s.TileSize = size
			s.X, s.Y = 33*size, 22*size
			s.Width, s.Height = 2*size, 2*size
			s.Value = func(_, x, _ int) (float64, bool) { return float64(4*x/s.Width + 1), 4*x/s.Width < 3 }
			l := add(t, st, s)
			web := httptest.NewServer(newServer(t, server.Config{Store: st}))
			defer web.Close()
			b := newBrowser(t)
			b.device(1000, 700, "light")
			b.open(web.URL)
			img := b.shot(fmt.Sprintf("tilesize-%d", size))
			for i, want := range []color.NRGBA{forest, water, town} {
				p := b.place(l.ID, float64(33*256+64+128*i), 22*256+256)
				if got := at(img, p.X, p.Y); got != want {
					t.Errorf("value %d is drawn %v at %v, want %v", i+1, got, p, want)
				}
			}
		})
	}
}
