package server_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

func TestThePageListsLayersOfEveryStatus(t *testing.T) {
	st := newStore(t)
	lg := addLegend(t, st, "Cover", forest, water, town)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		lg.Entries[1].Semantics = rasterbase.Semantics{Name: `Wasser "& mehr"`}
		return tx.Legends().Update(ctx, lg)
	})
	add(t, st, stripes(`<script>alert("x")</script>`, lg))
	add(t, st, ramp("خريطة 地图"))
	failed := create(t, st, rasterbase.Layer{Name: "broken.tif", Visibility: rasterbase.Public})
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.Parses().Create(ctx, &rasterbase.Parse{Layer: failed.ID, Status: rasterbase.Failed, Error: "no CRS in <b>it</b>"})
	})
	w := call(t, newAPI(t, st, nil, server.Config{Version: "1.2.3"}), "editor", "GET", "/", "")
	wantStatus(t, w, 200)
	body := w.Body.String()
	for _, want := range []string{
		"&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;", "خريطة 地图", "Wasser &#34;&amp; mehr&#34;", `fill="#1B7837"`,
		"broken.tif", "failed", "no CRS in &lt;b&gt;it&lt;/b&gt;", "layers/1/tilejson.json", "legend/1", "1.2.3", "stop-color=\"#000000\"",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not hold %s", want)
		}
	}
	if strings.Contains(body, "<script>alert") || strings.Contains(body, "<b>it") {
		t.Error("a name is markup")
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("content security policy %q", policy)
	}
	for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if strings.HasPrefix(m[1], "/") || strings.Contains(m[1], "//") {
			t.Errorf("%q is not relative", m[1])
		}
	}
}

func TestThePageListsTheNewestFirst(t *testing.T) {
	st := newStore(t)
	for i := range 103 { // more than one page of the list
		create(t, st, rasterbase.Layer{Name: fmt.Sprintf("number %03d", i), Visibility: rasterbase.Public})
	}
	s := newServer(t, server.Config{Store: st})
	var names []string
	for _, m := range regexp.MustCompile(`<bdi>(number \d+)</bdi>`).FindAllStringSubmatch(get(t, s, "/").Body.String(), -1) {
		names = append(names, m[1])
	}
	if len(names) != 100 || names[0] != "number 102" || names[99] != "number 003" || !slices.IsSortedFunc(names, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("the page lists %q", names)
	}
	if first := decode[list](t, get(t, s, "/layers")).Items[0].Name; first != "number 000" {
		t.Errorf("the list as JSON begins with %s", first)
	}
}

func TestLongLegendsAreFolded(t *testing.T) {
	for _, c := range []struct{ entries, folded int }{{3, 0}, {10, 0}, {11, 3}, {23, 15}} {
		st := newStore(t)
		var values []float64
		lg := &rasterbase.Legend{Title: "Classes of cover"}
		for i := range c.entries {
			values = append(values, float64(i+1))
			lg.Entries = append(lg.Entries, rasterbase.Entry{Semantics: rasterbase.Semantics{Name: fmt.Sprintf("class %d", i+1)}, Expression: fmt.Sprint(i + 1)})
		}
		update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Legends().Create(ctx, lg) })
		spec := classes("Land cover", rasterbase.Categorical, values...)
		spec.Layer.Legend = lg.ID
		add(t, st, spec)
		page := get(t, newServer(t, server.Config{Store: st}), "/").Body.String()
		_, rest, _ := strings.Cut(page, `<div class="legend">`)
		rest, _, _ = strings.Cut(rest, `<div class="controls">`)
		first, more, found := strings.Cut(rest, "<details>")
		if n := strings.Count(first, "<li>"); n != c.entries-c.folded {
			t.Errorf("%d entries: %d are shown at first", c.entries, n)
		}
		if n := strings.Count(more, "<li>"); n != c.folded || found != (c.folded > 0) {
			t.Errorf("%d entries: %d are folded", c.entries, n)
		}
		if found && !strings.Contains(more, fmt.Sprintf("Show all %d<", c.entries)) {
			t.Errorf("%d entries: the page does not say how many there are", c.entries)
		}
		if !strings.Contains(first, "Classes of cover") {
			t.Error("the legend's title is missing")
		}
	}
}

// The bar of a layer of whole numbers has the colours between them too.
func TestTheBarOfALayerOfWholeNumbers(t *testing.T) {
	for name, g := range map[string]*rasterbase.Gradient{
		"relative": {Relative: true, Interpolation: rasterbase.Linear, Stops: []rasterbase.Stop{
			{At: 0, Color: rasterbase.Color{G: 100, A: 255}}, {At: 1, Color: rasterbase.Color{R: 250, A: 255}},
		}},
		"of heights": {Interpolation: rasterbase.Linear, Stops: []rasterbase.Stop{
			{At: 1000.5, Color: rasterbase.Color{G: 100, A: 255}}, {At: 2500.25, Color: rasterbase.Color{R: 250, A: 255}},
		}},
		"colormap":                {Colormap: "viridis"},
		"colormap with its range": {Colormap: "viridis", Min: new(1000.5), Max: new(2001.0)},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			lg := &rasterbase.Legend{Title: "Heights", Gradient: g}
			update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Legends().Create(ctx, lg) })
			spec := ramp("Elevation")
			spec.Bands = []rasterbase.Band{{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-9999), Unit: "m"}}
			spec.Value = func(_, x, _ int) (float64, bool) { return float64(1024 + x*1872/255), true }
			spec.Layer.Legend = lg.ID
			add(t, st, spec)
			page := get(t, newServer(t, server.Config{Store: st}), "/").Body.String()
			stops := regexp.MustCompile(`<stop offset="[^"]*" stop-color="([^"]*)" stop-opacity="([^"]*)"/>`).FindAllStringSubmatch(page, -1)
			if len(stops) != 33 {
				t.Fatalf("%d stops", len(stops))
			}
			for i, stop := range stops {
				if stop[2] != "1" {
					t.Errorf("stop %d is %s, %s opaque", i, stop[1], stop[2])
				}
			}
			if stops[0][1] == stops[16][1] || stops[16][1] == stops[32][1] {
				t.Errorf("the colours are %s, %s, %s", stops[0][1], stops[16][1], stops[32][1])
			}
		})
	}
}

func TestThePageWithoutLayersSaysHowToImport(t *testing.T) {
	if body := get(t, newServer(t, server.Config{Store: newStore(t)}), "/").Body.String(); !strings.Contains(body, "rasterbase import") {
		t.Error("the page does not say how to begin")
	}
}

func TestThePageOutlivesALegendThatCannotBeUsed(t *testing.T) {
	st := newStore(t)
	lg := addLegend(t, st, "Cover", forest)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		lg.Entries[0].Expression = "((x"
		return tx.Legends().Update(ctx, lg)
	})
	add(t, st, stripes("Land cover", lg))
	s := newServer(t, server.Config{Store: st})
	w := get(t, s, "/")
	wantStatus(t, w, http.StatusOK)
	if !strings.Contains(w.Body.String(), "cannot be drawn") {
		t.Error("the page does not say so")
	}
	wantProblem(t, get(t, s, "/tiles/1/6/33/22.png"), 500)
	if p := wantProblem(t, get(t, s, "/tiles/1/6/33/22.png?legend=cover"), 400); p.Parameter != "legend" {
		t.Errorf("%+v", p)
	}
}

func TestAssets(t *testing.T) {
	s := newServer(t, server.Config{Store: newStore(t)})
	page := get(t, s, "/").Body.String()
	css := regexp.MustCompile(`href="(assets/page\.css\?[0-9a-f]+)"`).FindStringSubmatch(page)
	if css == nil {
		t.Fatal("the page has no style")
	}
	w := get(t, s, "/"+css[1])
	wantStatus(t, w, 200)
	if got := w.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("Cache-Control %q", got)
	}
	if got := get(t, s, "/assets/page.css").Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("without a version: %q", got)
	}
	for _, path := range []string{"/assets/page.html", "/assets/README.md", "/assets/none.js"} {
		wantProblem(t, get(t, s, path), 404)
	}
}

func TestFavicon(t *testing.T) {
	s := newServer(t, server.Config{Store: newStore(t)})
	w := get(t, s, "/favicon.ico")
	wantStatus(t, w, 200)
	if got := w.Header().Get("Content-Type"); got != "image/svg+xml" || !strings.Contains(w.Body.String(), "<svg") {
		t.Errorf("%s: %.60s", got, w.Body)
	}
}

func TestASlashTooManyIsTold(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("Elevation"))
	s := newServer(t, server.Config{Store: st})
	for path, hint := range map[string]string{"/layers/": "/layers", "/layers/1/": "/layers/1", "/healthz/": "/healthz"} {
		if p := wantProblem(t, get(t, s, path), 404); !strings.HasSuffix(p.Hint, ": "+hint) {
			t.Errorf("%s: %q", path, p.Hint)
		}
	}
	if p := wantProblem(t, get(t, s, "/nowhere/"), 404); !strings.Contains(p.Hint, "layers lists") {
		t.Errorf("%+v", p)
	}
}
