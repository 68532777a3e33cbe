package server_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

// heap is the memory in use, in MiB, once what nobody needs was freed.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools and weak pointers held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) >> 20
}

// Whatever anybody asks, what is remembered of it stays small: addresses are long,
// and most of what they can hold says nothing.
func TestQueriesDoNotFillTheMemory(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("Heights"))
	const queries, length = 700, 60000 // 40 MiB each
	long := strings.Repeat("a", length)
	for name, address := range map[string]func(i int) string{
		"a version":       func(i int) string { return fmt.Sprint("/tiles/1/6/32/22.png?v=", i, long) },
		"what is ignored": func(i int) string { return fmt.Sprint("/tiles/1/6/32/22.png?_=", i, long) },
		"short ones with a long": func(i int) string {
			return fmt.Sprint("/tiles/1/6/32/22.png?colormap_name=viridis&rescale=0,", i+1, "&_=", long)
		},
		"versions with a long": func(i int) string { return fmt.Sprint("/tiles/1/6/32/22.png?v=", i, "&_=", long) },
		"pictures of a legend": func(i int) string { return fmt.Sprint("/legend.png?layer=1&colormap_name=viridis&_=", i, long) },
		"three layers": func(i int) string {
			return fmt.Sprint("/algebra/6/32/22.png?layers=r=1,g=1,b=1&rescale=0,", i+1, "&_=", long)
		},
		"the description of them": func(i int) string { return fmt.Sprint("/layers/1/tilejson.json?rescale=0,", i+1, "&_=", long) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newServer(t, server.Config{Store: st, TileCache: -1})
			knowing(t, st)
			etag := ""
			before := heap()
			for i := range queries {
				// A tile that was seen is not drawn: this is about queries.
				w := ask(t, h, http.MethodGet, address(i), "If-None-Match", "*")
				if etag = w.Header().Get("ETag"); w.Code != 200 && w.Code != 304 && w.Code != 400 {
					t.Fatalf("status %d: %s", w.Code, w.Body)
				}
			}
			if grown := heap() - before; grown > 24 {
				t.Errorf("%d queries of %d bytes keep %d MiB (the last tag is %s)", queries, length, grown, etag)
			}
			runtime.KeepAlive(h)
		})
	}
}

func TestLongVersionsAreTold(t *testing.T) {
	s := newServer(t, server.Config{Store: drawn(t)})
	wantStatus(t, get(t, s, "/tiles/1/6/33/22.png?v="+strings.Repeat("a", 64)), 200)
	for _, path := range []string{"/tiles/1/6/33/22.png?", "/legend.png?layer=1&", "/layers/1/tilejson.json?", "/algebra/6/32/22.png?layers=r=2,g=2,b=2&"} {
		if p := wantProblem(t, get(t, s, path+"v="+strings.Repeat("a", 65)), 400); p.Parameter != "v" {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

// The picture of a layer's legend reads no longer query than its tiles do.
func TestLegendPicturesReadOnlySoMuch(t *testing.T) {
	s := newServer(t, server.Config{Store: drawn(t)})
	for _, form := range []string{"png", "svg"} {
		if p := wantProblem(t, get(t, s, "/legend."+form+"?layer=1&colormap="+strings.Repeat("x", 1<<17)), 414); p.Hint == "" {
			t.Errorf("%s: %+v", form, p)
		}
	}
	plain := get(t, s, "/legend.svg?layer=1")
	wantStatus(t, plain, 200)
	if w := get(t, s, "/legend.svg?layer=1&_=5&color=&cachebuster=1"); w.Body.String() != plain.Body.String() {
		t.Error("what is ignored changes the picture")
	}
}

// No tile that is asked for has more than 1024 pixels a side, however it is asked.
func TestTilesHaveALargestSize(t *testing.T) {
	st := drawn(t)
	large := ramp("Large")
	large.TileSize, large.X, large.Y, large.Width, large.Height = 1024, 32*1024, 22*1024, 16, 16
	add(t, st, large) // 4
	s := newServer(t, server.Config{Store: st})
	for _, path := range []string{
		"/tiles/2/6/32/22.png?tilesize=1024", "/tiles/2/6/32/22@2x.png?tilesize=512", "/tiles/4/6/32/22.png", "/tiles/4/6/32/22@2x.png?tilesize=512",
		"/algebra/6/32/22@2x.png?layers=r=3,g:1=3,b:2=3&tilesize=512",
	} {
		if b := wantPNG(t, get(t, s, path)).Bounds(); b.Dx() != 1024 || b.Dy() != 1024 {
			t.Errorf("%s is %v", path, b)
		}
	}
	for _, path := range []string{
		"/tiles/2/6/32/22@2x.png?tilesize=1024", "/tiles/2/6/32/22@2x.webp?tilesize=514", "/tiles/2/6/32/22@2x.tif?tilesize=1000&unscale=true",
		"/tiles/2/60/0/0@2x.png?tilesize=1024", "/tiles/4/6/32/22@2x.png", "/algebra/6/32/22@2x.png?layers=r=3,g:1=3,b:2=3&tilesize=1024",
	} {
		if p := wantProblem(t, get(t, s, path), 400); p.Parameter != "tilesize" || p.Hint == "" {
			t.Errorf("%s: %+v", path, p)
		}
	}
}
