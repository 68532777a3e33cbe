// Package browsertest drives the map page in a headless Chromium, for tests.
package browsertest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
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
)

// Browser is a page of a headless Chromium and what it complained about.
type Browser struct {
	t    testing.TB
	ctx  context.Context
	mu   sync.Mutex
	says []string
}

// New starts Chromium for the time of a test. Where it must be there (in CI, or
// when RASTERBASE_TEST_REQUIRE names it) its absence fails the test; so does
// that of the map page's script among the built assets in a folder.
func New(t testing.TB, assets string) *Browser {
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
	if _, err := os.Stat(filepath.Join(assets, "map.js")); err != nil {
		t.Fatal("the map page's assets are not built: run `make assets`")
	}
	b := &Browser{t: t}
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
func (b *Browser) listen(ev any) {
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

// Complaints lists what the browser complained about so far.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.says
}

// Evaluate gives the value of a JavaScript expression.
func Evaluate[T any](b *Browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Device sets the size of the window and the colour scheme.
func (b *Browser) Device(width, height int64, scheme string) {
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

// Open goes to the map page and waits until its map has drawn all of its tiles.
func (b *Browser) Open(url string) {
	b.t.Helper()
	b.Go(url)
	b.Settle()
}

// Go goes to a page.
func (b *Browser) Go(url string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(url)); err != nil {
		b.t.Fatal(err)
	}
}

// Click moves the mouse to a place on the screen and presses its left button there.
func (b *Browser) Click(x, y float64) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.MouseEvent(chromedp.MouseMoved, x, y), chromedp.MouseClickXY(x, y)); err != nil {
		b.t.Fatal(err)
	}
}

// Until waits until a JavaScript expression is true.
func (b *Browser) Until(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if Evaluate[bool](b, expression) {
			time.Sleep(150 * time.Millisecond) // the compositor shows it
			return
		}
	}
	b.t.Fatalf("%s stayed false; the browser says %q", expression, b.Complaints())
}

const settled = `(() => {
	const tiles = [...document.querySelectorAll("#map .raster img.leaflet-tile")];
	return document.body.classList.contains("ready") && tiles.length > 0 && !document.querySelector(".card.loading") &&
		tiles.every((t) => t.complete && t.classList.contains("leaflet-tile-loaded") && getComputedStyle(t).opacity === "1") &&
		document.querySelectorAll(".leaflet-lines-pane canvas, .leaflet-land-pane canvas").length > 0;
})()`

// Settle waits until all tiles of the map are drawn.
func (b *Browser) Settle() {
	b.t.Helper()
	b.Until(settled)
}

// Shot takes a screenshot; it is kept when RASTERBASE_SCREENSHOTS names a folder.
func (b *Browser) Shot(name string) image.Image {
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

// Place is where on the screen a pixel of a zoom, counted in pixels of tiles of
// 256, is drawn by a layer's tiles.
func (b *Browser) Place(layer int64, zoom int, x, y float64) image.Point {
	b.t.Helper()
	at := Evaluate[[]float64](b, fmt.Sprintf(`(() => {
		for (const img of document.querySelectorAll("#map .raster img.leaflet-tile")) {
			const m = new URL(img.src).pathname.match(/\/tiles\/%d\/(\d+)\/(\d+)\/(\d+)\.png$/);
			if (!m) continue;
			const size = 256 * 2 ** (%d - m[1]);
			const fx = %v / size - m[2], fy = %v / size - m[3];
			if (fx < 0 || fx >= 1 || fy < 0 || fy >= 1) continue;
			const r = img.getBoundingClientRect();
			return [r.left + fx * r.width, r.top + fy * r.height];
		}
		return [];
	})()`, layer, zoom, x, y))
	if len(at) != 2 {
		b.t.Fatalf("no tile of layer %d shows pixel %v, %v", layer, x, y)
	}
	return image.Pt(int(at[0]), int(at[1]))
}
