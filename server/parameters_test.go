package server_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// A picture that does not follow what was asked for would look right.
func TestParametersThatAreNotFollowedAreRefused(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	s := newServer(t, server.Config{Store: st})
	for _, parameter := range []string{
		"bidx=2", "formula=x*2", "colormap={}", "colormap_name=viridis", "rescale=0,10", "entries=1,2", "enhance_color=2",
		"enhance_contrast=1.5", "enhance_brightness=1", "enhance_sharpness=1", "resampling=bilinear", "tilesize=512",
		"algorithm=hillshade", "unscale=true", "expression=b1", "bidx=", "legend=Cover&bidx=1&bidx=2",
	} {
		for _, path := range []string{"/tiles/1/6/33/22.png?", "/tiles/77/6/33/22.png?", "/layers/1/tilejson.json?"} {
			p := wantProblem(t, get(t, s, path+parameter), 400)
			name, _, _ := strings.Cut(strings.TrimPrefix(parameter, "legend=Cover&"), "=")
			if p.Parameter != name || !strings.Contains(p.Detail, name) || !strings.Contains(p.Detail, "this version") {
				t.Errorf("%s%s: %+v", path, parameter, p)
			}
		}
	}
	want := get(t, s, "/tiles/1/6/33/22.png").Body.String()
	for _, parameter := range []string{"v=old", "v=1&v=2", "_=1700000000", "cachebuster=1", "access_token=abc", "legend="} {
		w := get(t, s, "/tiles/1/6/33/22.png?"+parameter)
		if wantStatus(t, w, 200); w.Body.String() != want {
			t.Errorf("%s changes the tile", parameter)
		}
	}
}

func TestOnlySoManyTilesAreDrawnAtOnce(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	var now, most atomic.Int32
	reading, goOn := make(chan struct{}, 16), make(chan struct{})
	s := newServer(t, server.Config{Store: faulty{st, func(ctx context.Context, k store.TileKey) (*raster.Raster, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		reading <- struct{}{}
		select {
		case <-goOn:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return st.Tiles().Get(ctx, k)
	}}, MaxDrawing: 2})
	var all sync.WaitGroup
	ask := func(ctx context.Context, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		all.Go(func() { s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", path, nil)) })
		return w
	}
	var answers []*httptest.ResponseRecorder
	for _, place := range []string{"6/33/22", "6/34/22", "6/33/23", "6/34/23", "5/16/11", "5/17/11"} {
		answers = append(answers, ask(t.Context(), "/tiles/1/"+place+".png"))
	}
	<-reading
	<-reading
	// One that waits for its turn can leave, and does not hold up the others.
	leaving, leave := context.WithCancel(t.Context())
	gone := ask(leaving, "/tiles/1/4/8/5.png")
	time.Sleep(50 * time.Millisecond) // those that wait would be reading by now
	leave()
	close(goOn)
	all.Wait()
	for _, w := range answers {
		wantStatus(t, w, 200)
	}
	if gone.Code == 200 {
		t.Error("a tile was drawn for someone who had left")
	}
	if n := most.Load(); n != 2 {
		t.Errorf("%d tiles were drawn at once", n)
	}
	wantStatus(t, get(t, s, "/tiles/1/4/8/5.png"), 200)
}
