package server_test

import (
	"bytes"
	"context"
	"errors"
	"image/color"
	"image/jpeg"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

func TestTileIsColouredByTheLegend(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	s := newServer(t, server.Config{Store: st})
	left := wantPNG(t, get(t, s, "/tiles/land-cover/6/33/22.png"))
	right := wantPNG(t, get(t, s, "/tiles/land-cover/6/34/23.png"))
	for _, c := range []struct {
		got, want color.NRGBA
	}{
		{at(left, 0, 0), forest}, {at(left, 127, 255), forest}, {at(left, 128, 0), water},
		{at(right, 127, 10), town}, {at(right, 128, 10), color.NRGBA{}},
	} {
		if c.got != c.want {
			t.Errorf("colour %v, want %v", c.got, c.want)
		}
	}
	jpg := get(t, s, "/tiles/land-cover/6/33/22.jpg")
	wantStatus(t, jpg, 200)
	if _, err := jpeg.Decode(jpg.Body); err != nil || jpg.Header().Get("Content-Type") != "image/jpeg" {
		t.Errorf("not a JPEG: %v %q", err, jpg.Header().Get("Content-Type"))
	}
}

func TestTileIsGreyWithoutALegend(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("Elevation"))
	img := wantPNG(t, get(t, newServer(t, server.Config{Store: st}), "/tiles/elevation/6/32/22.png"))
	for _, x := range []int{0, 100, 255} {
		c := at(img, x, 7)
		if c.R != c.G || c.G != c.B || c.A != 255 || abs(int(c.R)-x) > 1 {
			t.Errorf("value %d is drawn %v", x, c)
		}
	}
}

func abs(v int) int { return max(v, -v) }

func TestTileShowsColourBands(t *testing.T) {
	for name, interpretations := range map[string][3]string{
		"named": {"Blue", "Green", "Red"}, "unnamed": {"", "", ""},
	} {
		st := newStore(t)
		s := ramp("Photo")
		s.Bands = nil
		for _, in := range interpretations {
			s.Bands = append(s.Bands, rasterbase.Band{PixelType: rasterbase.Uint8, ColorInterp: in})
		}
		s.Value = func(band, _, _ int) (float64, bool) { return float64(10 * (band + 1)), true }
		add(t, st, s)
		want := color.NRGBA{10, 20, 30, 255}
		if name == "named" {
			want = color.NRGBA{30, 20, 10, 255}
		}
		if got := at(wantPNG(t, get(t, newServer(t, server.Config{Store: st}), "/tiles/photo/6/32/22.png")), 5, 5); got != want {
			t.Errorf("%s bands: %v, want %v", name, got, want)
		}
	}
}

func TestTileWithAnotherLegend(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	addLegend(t, st, "Only Towns", town)
	s := newServer(t, server.Config{Store: st})
	if got := at(wantPNG(t, get(t, s, "/tiles/land-cover/6/33/22.png?legend=only%20towns")), 1, 1); got != town {
		t.Errorf("colour %v, want the other legend's", got)
	}
	p := wantProblem(t, get(t, s, "/tiles/land-cover/6/33/22.png?legend=nowhere"), 404)
	if p.Parameter != "legend" || !strings.Contains(p.Detail, "nowhere") {
		t.Errorf("the legend is not named: %+v", p)
	}
}

func TestTileOfALayerNamedInManyWays(t *testing.T) {
	st := newStore(t)
	spec := stripes("Wald & Wasser", addLegend(t, st, "Cover", forest, water, town))
	spec.Layer.Source.Name = "land cover 2020.tif.zip"
	l := add(t, st, spec)
	s := newServer(t, server.Config{Store: st})
	for _, ref := range []string{"1", l.Slug, "land%20cover%202020.tif.zip", "land%20cover%202020.tif"} {
		for range 2 { // the second time from what was remembered
			if got := at(wantPNG(t, get(t, s, "/tiles/"+ref+"/6/33/22.png")), 1, 1); got != forest {
				t.Errorf("%s: %v", ref, got)
			}
		}
	}
	spec.Layer.Name = "The same again"
	add(t, st, spec)
	p := wantProblem(t, get(t, s, "/tiles/land%20cover%202020.tif/6/33/22.png"), 409)
	if !strings.Contains(p.Detail, "Wald & Wasser") || !strings.Contains(p.Detail, "The same again") {
		t.Errorf("the layers are not listed: %s", p.Detail)
	}
}

func TestARememberedSlugMayMoveToAnotherLayer(t *testing.T) {
	st := newStore(t)
	first := add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	s := newServer(t, server.Config{Store: st})
	wantPNG(t, get(t, s, "/tiles/land-cover/6/33/22.png"))
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		first.Slug = "old-cover"
		return tx.Layers().Update(ctx, first)
	})
	add(t, st, stripes("Land cover", addLegend(t, st, "Other", town)))
	if got := at(wantPNG(t, get(t, s, "/tiles/land-cover/6/33/22.png")), 1, 1); got != town {
		t.Errorf("colour %v is not that of the layer that has the slug now", got)
	}
}

func TestTileRefusals(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	add(t, st, func() testlayer.Spec { s := ramp("Base only"); s.NoPyramid = true; return s }())
	waiting := create(t, st, rasterbase.Layer{Name: "Waiting", Visibility: rasterbase.Public})
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.Parses().Create(ctx, &rasterbase.Parse{Layer: waiting.ID, Status: rasterbase.Tiling, Planned: 4, Done: 1})
	})
	create(t, st, rasterbase.Layer{Name: "Never", Visibility: rasterbase.Public})
	broken := create(t, st, rasterbase.Layer{Name: "Broken", Visibility: rasterbase.Public})
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.Parses().Create(ctx, &rasterbase.Parse{Layer: broken.ID, Status: rasterbase.Failed, Error: "the file ends after 12 bytes"})
	})
	s := newServer(t, server.Config{Store: st})
	for _, c := range []struct {
		path      string
		status    int
		parameter string
		says      string
	}{
		{"/tiles/1/a/0/0.png", 400, "z", "a"},
		{"/tiles/1/-1/0/0.png", 400, "z", "-1"},
		{"/tiles/1/+1/0/0.png", 400, "z", ""},
		{"/tiles/1/1/0x1/0.png", 400, "x", ""},
		{"/tiles/1/1/0/1e3.png", 400, "y", ""},
		{"/tiles/1/1/0/.png", 400, "y", ""},
		{"/tiles/1/99999999999999999999/0/0.png", 400, "z", ""},
		{"/tiles/1/1/0/0.gif", 400, "format", "gif"},
		{"/tiles/1/1/0/0", 400, "format", ""},
		{"/tiles/1/1/2/0.png", 404, "x", "2"},
		{"/tiles/1/1/0/2.png", 404, "y", "2"},
		{"/tiles/1/0/1/0.png", 404, "x", ""},
		{"/tiles/1/3/99999999999999999999/0.png", 404, "x", ""},
		{"/tiles/77/1/0/0.png", 404, "layer", "77"},
		{"/tiles/nowhere/1/0/0.png", 404, "layer", "nowhere"},
		{"/tiles/waiting/1/0/0.png", 404, "layer", "its parse is creating tiles, at 25 %"},
		{"/tiles/never/1/0/0.png", 404, "layer", "never parsed"},
		{"/tiles/broken/1/0/0.png", 404, "layer", "its parse failed: the file ends after 12 bytes"},
		{"/layers/broken/tilejson.json", 404, "layer", "its parse failed: the file ends after 12 bytes"},
		{"/tiles/1/1/0/0.png?legend=1&legend=2", 400, "legend", "2 times"},
		{"/legend?layer=1&layer=2", 400, "layer", "2 times"},
		{"/tiles/base-only/1/0/0.png", 404, "layer", "pyramid"},
		{"/tiles/1/1/0", 404, "", ""},
		{"/nothing", 404, "", "/nothing"},
		{"/layers/", 404, "", ""},
		{"//layers", 404, "", ""},
		{"/layers/../layers", 404, "", ""},
	} {
		t.Run(c.path, func(t *testing.T) {
			p := wantProblem(t, get(t, s, "http://example.com"+c.path), c.status)
			if p.Parameter != c.parameter || !strings.Contains(p.Detail, c.says) {
				t.Errorf("problem %+v", p)
			}
		})
	}
}

func TestTileInsideTheGridIsTransparentWhereNothingIs(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newServer(t, server.Config{Store: st})
	for _, a := range []string{"6/0/0", "6/63/63", "12/0/4095", "48/0/0", "49/0/0", "62/0/0", "63/0/0", "64/0/0", "100/0/0", "999999999/0/0",
		"100/1267650600228229401496703205375/0"} {
		wantTransparent(t, wantPNG(t, get(t, s, "/tiles/1/"+a+".png")))
	}
}

func TestOverzoomRepeatsPixels(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	s := newServer(t, server.Config{Store: st})
	// Pixel 127|128 of tile 6/33/22 is the border of forest and water.
	img := wantPNG(t, get(t, s, "/tiles/1/8/132/88.png"))
	if at(img, 255, 0) != forest {
		t.Errorf("got %v", at(img, 255, 0))
	}
	img = wantPNG(t, get(t, s, "/tiles/1/8/134/88.png"))
	if at(img, 0, 0) != water {
		t.Errorf("got %v", at(img, 0, 0))
	}
	deep := wantPNG(t, get(t, s, "/tiles/1/48/145135534866432/96757023244288.png")) // 33<<42, 22<<42
	if at(deep, 0, 0) != forest {
		t.Errorf("got %v", at(deep, 0, 0))
	}
}

func TestTilesAreNeverStale(t *testing.T) {
	st := newStore(t)
	lg := addLegend(t, st, "Cover", forest, water, town)
	l := add(t, st, stripes("Land cover", lg))
	s := newServer(t, server.Config{Store: st})
	type tileJSON struct{ Tiles []string }
	address := func() string {
		u := decode[tileJSON](t, get(t, s, "/layers/1/tilejson.json")).Tiles[0]
		return strings.NewReplacer("{z}", "6", "{x}", "33", "{y}", "22").Replace(u)
	}
	old := address()
	first := get(t, s, old)
	wantStatus(t, first, 200)
	if got := first.Header().Get("Cache-Control"); got != "public, max-age=86400, immutable" {
		t.Errorf("with the current v=: %q", got)
	}
	plain := get(t, s, "/tiles/1/6/33/22.png")
	if got := plain.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("without v=: %q", got)
	}
	etag := first.Header().Get("ETag")
	if etag == "" || plain.Header().Get("ETag") != etag {
		t.Errorf("ETags %q and %q", etag, plain.Header().Get("ETag"))
	}
	same := get(t, s, "/tiles/1/6/33/22.png", "If-None-Match", `"x", W/`+etag)
	wantStatus(t, same, 304)
	if same.Body.Len() != 0 || same.Header().Get("ETag") != etag {
		t.Error("a 304 has no body and repeats the ETag")
	}

	// A legend that changes, and a re-parse: the very next request is new.
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		lg.Entries[0].Color = rasterbase.Color(town)
		return tx.Legends().Update(ctx, lg)
	})
	changed := get(t, s, old, "If-None-Match", etag)
	if got := at(wantPNG(t, changed), 1, 1); got != town {
		t.Errorf("after the legend changed: %v", got)
	}
	if got := changed.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("with an outdated v=: %q", got)
	}
	again := stripes("Land cover", lg)
	again.Value = testlayer.Constant(2)
	if _, err := testlayer.Publish(t.Context(), st, l.ID, again); err != nil {
		t.Fatal(err)
	}
	parsed := get(t, s, old, "If-None-Match", changed.Header().Get("ETag"))
	if got := at(wantPNG(t, parsed), 1, 1); got != water {
		t.Errorf("after a re-parse: %v", got)
	}
	if now := address(); now == old {
		t.Errorf("the version did not change: %s", now)
	}
}

func TestCachingCanBeTurnedOff(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newServer(t, server.Config{Store: st, CacheTimeout: -1})
	u := decode[struct{ Tiles []string }](t, get(t, s, "/layers/1/tilejson.json")).Tiles[0]
	u = strings.NewReplacer("{z}", "6", "{x}", "33", "{y}", "22").Replace(u)
	if got := get(t, s, u).Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control %q", got)
	}
}

// faulty is a store whose tiles are read through get.
type faulty struct {
	store.Store
	get func(context.Context, store.TileKey) (*raster.Raster, error)
}

func (f faulty) Tiles() store.Tiles { return faultyTiles{f.Store.Tiles(), f.get} }

type faultyTiles struct {
	store.Tiles
	get func(context.Context, store.TileKey) (*raster.Raster, error)
}

func (f faultyTiles) Get(ctx context.Context, k store.TileKey) (*raster.Raster, error) {
	return f.get(ctx, k)
}

func TestAStorageFailureIsToldByItsIDAlone(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	for name, cause := range map[string]error{
		"disk": errors.New("disk of db7.internal is on fire"),
		"lost": store.ErrNotExist, // the summaries say that the tile is there
	} {
		t.Run(name, func(t *testing.T) {
			log, written := captured()
			s := newServer(t, server.Config{Store: faulty{st, func(context.Context, store.TileKey) (*raster.Raster, error) { return nil, cause }}, Log: log})
			w := get(t, s, "/tiles/1/6/33/22.png")
			p := wantProblem(t, w, 500)
			if strings.Contains(w.Body.String(), "fire") || strings.Contains(w.Body.String(), "missing") {
				t.Errorf("the cause is told: %s", w.Body)
			}
			if !strings.Contains(written.String(), p.ID) || name == "disk" && !strings.Contains(written.String(), "db7.internal") {
				t.Errorf("the cause is not in the log under its id: %s", written)
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("ETag") != "" {
				t.Errorf("a failure can be cached: %v", w.Header())
			}
		})
	}
}

func TestATileWhoseRevisionIsDroppedMeanwhileComesFromTheNewOne(t *testing.T) {
	st := newStore(t)
	l := add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	first := l.Published
	again := stripes("Land cover", nil)
	again.Value = testlayer.Constant(2)
	var once sync.Once
	s := newServer(t, server.Config{Store: faulty{st, func(ctx context.Context, k store.TileKey) (*raster.Raster, error) {
		once.Do(func() { // a re-parse ends between the look-up and the read
			if _, err := testlayer.Publish(ctx, st, l.ID, again); err != nil {
				t.Error(err)
			}
			if err := st.Tiles().Drop(ctx, store.RevisionKey{Layer: l.ID, Revision: first}); err != nil {
				t.Error(err)
			}
		})
		return st.Tiles().Get(ctx, k)
	}}})
	if got := at(wantPNG(t, get(t, s, "/tiles/1/6/33/22.png")), 1, 1); got != water {
		t.Errorf("got %v", got)
	}
}

func TestOneTileIsDrawnOnceForAllWhoAsk(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	var reads atomic.Int32
	reading, goOn := make(chan struct{}), make(chan struct{})
	s := newServer(t, server.Config{Store: faulty{st, func(ctx context.Context, k store.TileKey) (*raster.Raster, error) {
		if reads.Add(1) == 1 {
			close(reading)
		}
		select {
		case <-goOn:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return st.Tiles().Get(ctx, k)
	}}})
	request := func(ctx context.Context) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/tiles/1/6/33/22.png", nil))
		return w
	}
	// The first client leaves while its tile is read; the others must not suffer.
	leaving, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { request(leaving) })
	<-reading
	codes := make([]int, 8)
	for i := range codes {
		all.Go(func() { codes[i] = request(t.Context()).Code })
	}
	time.Sleep(50 * time.Millisecond) // lets them join; late ones are served from the cache
	leave()
	time.Sleep(10 * time.Millisecond)
	close(goOn)
	all.Wait()
	for _, code := range codes {
		if code != 200 {
			t.Errorf("status %d", code)
		}
	}
	if n := reads.Load(); n != 1 {
		t.Errorf("the tile was read %d times", n)
	}
}

func TestHeadAndOtherMethods(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newServer(t, server.Config{Store: st})
	for _, path := range []string{"/", "/layers", "/layers/1", "/tiles/1/6/33/22.png", "/healthz"} {
		full, head := get(t, s, path), ask(t, s, "HEAD", path)
		wantStatus(t, head, 200)
		if head.Body.Len() != 0 || head.Header().Get("Content-Type") != full.Header().Get("Content-Type") ||
			head.Header().Get("Content-Length") != full.Header().Get("Content-Length") {
			t.Errorf("HEAD %s answers %v with %d bytes", path, head.Header(), head.Body.Len())
		}
	}
	w := ask(t, s, "POST", "/layers")
	wantProblem(t, w, 405)
	if w.Header().Get("Allow") == "" {
		t.Error("a 405 names the methods that work")
	}
	wantProblem(t, ask(t, s, "DELETE", "/nothing"), 404)
}

func TestOtherOriginsMayRead(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newServer(t, server.Config{Store: st})
	if got := get(t, s, "/tiles/1/6/33/22.png").Header().Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("Access-Control-Allow-Origin %q", got)
	}
	pre := ask(t, s, "OPTIONS", "/tiles/1/6/33/22.png", "Origin", "https://a.example", "Access-Control-Request-Headers", "if-none-match")
	wantStatus(t, pre, 204)
	some := newServer(t, server.Config{Store: st, CORSOrigins: []string{"https://a.example"}})
	for origin, want := range map[string]string{"https://a.example": "https://a.example", "https://b.example": ""} {
		w := get(t, some, "/layers", "Origin", origin)
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: %q", origin, got)
		}
		if !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Origin") {
			t.Error("the answer depends on the origin and does not say so")
		}
	}
}

func TestCachedTilesAreTheSame(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	warm, cold := newServer(t, server.Config{Store: st}), newServer(t, server.Config{Store: st, TileCache: -1})
	want := get(t, cold, "/tiles/1/6/33/22.png").Body.Bytes()
	for range 3 {
		if !bytes.Equal(get(t, warm, "/tiles/1/6/33/22.png").Body.Bytes(), want) {
			t.Fatal("the cache changed a tile")
		}
	}
}
