package admin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/browsertest"
)

// fill types into the fields of a page's form, and sends it.
func fill(b *browsertest.Browser, fields map[string]string) {
	for name, value := range fields {
		browsertest.Evaluate[bool](b, fmt.Sprintf(`document.querySelector('main form [name=%q]').value = %q, true`, name, value))
	}
	browsertest.Evaluate[bool](b, `document.querySelector('main form button.main').click(), true`)
}

// drop drops a file on the page.
func drop(b *browsertest.Browser, name string, content []byte) {
	browsertest.Evaluate[bool](b, fmt.Sprintf(`(() => {
		const bytes = Uint8Array.from(atob(%q), (c) => c.charCodeAt(0));
		const data = new DataTransfer();
		data.items.add(new File([bytes], %q));
		document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
		return true;
	})()`, base64.StdEncoding.EncodeToString(content), name))
}

// wantAccessible complains of what axe-core finds that is serious: missing labels, weak
// contrast, a wrong order of headings and the like.
func wantAccessible(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not there: run `make assets`: %v", err)
	}
	browsertest.Evaluate[bool](b, string(script)+`; window.found = null; axe.run().then((r) => {
		window.found = r.violations.filter((v) => ["serious", "critical"].includes(v.impact))
			.map((v) => v.id + ": " + v.help + ": " + v.nodes.map((n) => n.html).join(" ")).join("\n");
	}), true`)
	b.Until(`window.found !== null`)
	if found := browsertest.Evaluate[string](b, `window.found`); found != "" {
		t.Errorf("%s", found)
	}
}

// wantFits complains of a page that is wider than its window.
func wantFits(t *testing.T, b *browsertest.Browser, page string) {
	t.Helper()
	if wide := browsertest.Evaluate[float64](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
		t.Errorf("%s is %v pixels wider than the window", page, wide)
	}
}

// From the first start to a raster on the map, in a browser.
func TestTheAdminInABrowser(t *testing.T) {
	content := vegetation(t)
	s := newSite(t)
	code, err := s.users.SetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(1280, 900, "light")
	b.Go(s.root + "setup?code=" + code)
	b.Shot("admin-setup")
	wantAccessible(t, b)
	fill(b, map[string]string{"name": "root", "password": password, "again": password})
	b.Until(`location.pathname.endsWith("/admin/layers") && !!document.getElementById("drop")`)

	// Two files are dropped; one is no raster.
	drop(b, "<script>alert(1)<x>.tif", content)
	drop(b, "خريطة 地图.tif", []byte("this is no raster"))
	b.Until(`document.querySelectorAll("#uploads li").length === 2 && [...document.querySelectorAll("#uploads li")].every((li) => li.querySelector("a, .bad"))`)
	if names := browsertest.Evaluate[string](b, `[...document.querySelectorAll("#uploads .name")].map((n) => n.textContent).join("|")`); names != "<script>alert(1)<x>.tif|خريطة 地图.tif" {
		t.Errorf("the files are called %s", names)
	}
	b.Until(`document.querySelectorAll("#list tbody tr").length === 2`)
	b.Shot("admin-layers-uploading")

	// Its page follows the parse, and has the map of it.
	link := browsertest.Evaluate[string](b, `document.querySelector("#uploads a").href`)
	b.Go(link)
	b.Until(`document.querySelector(".status.good") !== null`)
	b.Until(`[...document.querySelectorAll("#map img.leaflet-tile")].some((i) => i.complete && i.naturalWidth > 0)`)
	browsertest.Evaluate[bool](b, `document.getElementById("map").dispatchEvent(new MouseEvent("mousemove", { clientX: 640, clientY: document.getElementById("map").getBoundingClientRect().top + 190, bubbles: true })), true`)
	b.Until(`/-?[0-9.]+, -?[0-9.]+: [0-9]+/.test(document.getElementById("value").textContent)`)
	b.Shot("admin-layer")

	// The settings are kept, and the parse that they need is seen to its end.
	fill(b, map[string]string{"name": "Vegetation", "max_zoom": "8"})
	b.Until(`document.querySelector("h1")?.textContent === "Vegetation" && document.querySelector(".status.good") !== null && document.body.textContent.includes("of zooms 0 to 8")`)

	for _, look := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"phone", 390, 844, "light"}, {"dark", 1280, 900, "dark"}} {
		b.Device(look.width, look.height, look.scheme)
		for _, page := range []string{"layers", "layers/1"} {
			b.Go(s.root + page)
			b.Until(`document.readyState === "complete"`)
			wantFits(t, b, page+look.name)
			wantAccessible(t, b)
			b.Shot("admin-" + strings.ReplaceAll(page, "/", "-") + "-" + look.name)
		}
	}
	for _, says := range b.Complaints() {
		t.Errorf("the browser says %s", says)
	}
}

// A private layer is shown to those who are signed in, and is as one that is not there
// to all others.
func TestPrivateLayersInABrowser(t *testing.T) {
	s := newSite(t)
	s.addUser("anna", rasterbase.Viewer)
	l := s.addLayer(rasterbase.Layer{Name: "Secret hills", Visibility: rasterbase.Private})
	path := s.server + fmt.Sprintf("layers/%d", l.ID)
	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Go(path)
	if got := browsertest.Evaluate[string](b, `document.body.textContent`); !strings.Contains(got, "there is no layer") {
		t.Errorf("a stranger sees %s", got)
	}
	b.Go(s.root)
	fill(b, map[string]string{"name": "anna", "password": password})
	b.Until(`document.body?.textContent.includes("Secret hills") === true`)
	b.Go(path)
	if got := browsertest.Evaluate[string](b, `document.body.textContent`); !strings.Contains(got, "Secret hills") {
		t.Errorf("who is signed in sees %s", got)
	}
}

// An upload whose connection is lost goes on where it stopped, and the file is whole.
func TestUploadsSurviveALostConnection(t *testing.T) {
	content := vegetation(t)
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Go(s.root)
	fill(b, map[string]string{"name": "ed", "password": password})
	b.Until(`document.getElementById("drop") !== null`)
	s.cuts.Store(1)
	drop(b, "storm_lake_elevation.tif", content)
	b.Until(`document.querySelector("#uploads a") !== null`)
	if s.cuts.Load() > 0 || s.resumed.Load() < 1 {
		t.Errorf("the connection was to be lost %d times more; the browser asked %d times how far it was", s.cuts.Load(), s.resumed.Load())
	}
	sum := sha256.Sum256(content)
	s.visit("ed").parsed("layers/1").want(t, 200, "storm_lake_elevation.tif", "sha256:"+hex.EncodeToString(sum[:]))
	b.Device(1280, 900, "light")
	b.Go(s.root + "layers/1")
	b.Until(`[...document.querySelectorAll("#map img.leaflet-tile")].some((i) => i.complete && i.naturalWidth > 0)`)
	b.Shot("admin-layer-of-an-upload")
}
