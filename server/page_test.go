package server_test

import (
	"context"
	"net/http"
	"regexp"
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
	w := get(t, newServer(t, server.Config{Store: st, Version: "1.2.3"}), "/")
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
