package server_test

import (
	"context"
	"fmt"
	"image/color"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// counting counts the transactions of a catalog.
type counting struct {
	store.Store
	views, updates *atomic.Int64
}

func newCounting(st store.Store) counting { return counting{st, new(atomic.Int64), new(atomic.Int64)} }

func (c counting) Catalog() store.Catalog { return countingCatalog{c.Store.Catalog(), c} }

type countingCatalog struct {
	store.Catalog
	c counting
}

func (c countingCatalog) View(ctx context.Context, fn func(store.Tx) error) error {
	c.c.views.Add(1)
	return c.Catalog.View(ctx, fn)
}

func (c countingCatalog) Update(ctx context.Context, fn func(store.Tx) error) error {
	c.c.updates.Add(1)
	return c.Catalog.Update(ctx, fn)
}

// knowing waits until a store can tell its generation.
func knowing(t testing.TB, st store.Store) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, ok := st.Catalog().Generation(); ok {
			return
		}
	}
	t.Fatal("the generation is not known within 30 s")
}

// twins opens a store twice, as two processes do.
type twins struct {
	name string
	open func(t testing.TB) (a, b store.Store)
}

func bothStores() []twins {
	return []twins{{"sqlite", func(t testing.TB) (store.Store, store.Store) {
		dir := t.TempDir()
		open := func() store.Store {
			st, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = st.Close() })
			return st
		}
		return open(), open()
	}}, {"postgis", func(t testing.TB) (store.Store, store.Store) {
		url := pgtest.Prepared(t, "migrated", func(url string) error {
			pool, err := pgxpool.New(t.Context(), url)
			if err != nil {
				return err
			}
			defer pool.Close()
			return postgis.Migrate(t.Context(), pool, postgis.Options{})
		})
		open := func() store.Store {
			st, err := postgis.Open(t.Context(), url, postgis.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = st.Close() })
			return st
		}
		return open(), open()
	}}}
}

// Tiles of a layer that was asked for before are answered without the catalog,
// whatever name the layer is asked by, drawn or not.
func TestTilesWithoutTheCatalog(t *testing.T) {
	for _, s := range bothStores() {
		t.Run(s.name, func(t *testing.T) {
			a, _ := s.open(t)
			lg := addLegend(t, a, "Wald.json", forest, water)
			add(t, a, stripes("Land cover", lg))
			st := newCounting(a)
			h := newServer(t, server.Config{Store: st})
			addresses := []string{
				"/tiles/1/%d/%d/%d.png", "/tiles/land-cover/%d/%d/%d.png", "/tiles/landcover.tif/%d/%d/%d.jpg",
				fmt.Sprintf("/tiles/1/%%d/%%d/%%d.png?legend=%d", lg.ID), "/tiles/land-cover/%d/%d/%d.png?legend=WALD.json",
				"/tiles/1/%d/%d/%d.png?colormap=%%7B%%221%%22:%%22red%%22%%7D", "/algebra/%d/%d/%d.png?layers=r=1,g=land-cover,b=landcover.tif",
			}
			for attempt := 1; ; attempt++ { // once more only where this machine was busy for a second
				knowing(t, a)
				for _, address := range addresses {
					wantStatus(t, get(t, h, fmt.Sprintf(address, 6, 33, 22)), 200)
				}
				generation, _ := a.Catalog().Generation()
				before := st.views.Load()
				unknown := false
				for i := range 20 {
					for _, address := range addresses {
						w := get(t, h, fmt.Sprintf(address, 6, 33+i%2, 22+i/2%2))
						wantStatus(t, w, 200)
						wantStatus(t, get(t, h, fmt.Sprintf(address, 6, 33+i%2, 22+i/2%2), "If-None-Match", w.Header().Get("ETag")), 304)
						g, ok := a.Catalog().Generation()
						unknown = unknown || !ok || g != generation
					}
				}
				read := st.views.Load() - before
				if read == 0 && st.updates.Load() == 0 {
					return
				}
				if !unknown || attempt == 10 {
					t.Fatalf("%d transactions read and %d wrote the catalog for tiles of a layer that is remembered", read, st.updates.Load())
				}
			}
		})
	}
}

// look gives what a client sees of the layer: the colour of a pixel, or the
// status.
func look(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	w := get(t, h, path)
	if w.Code != 200 {
		return fmt.Sprint(w.Code)
	}
	return fmt.Sprint(at(wantPNG(t, w), 1, 1))
}

// After a change, whatever it is, the next request through the same server shows
// it; through another server on the same database, every request from a second
// later on.
func TestEveryChangeShows(t *testing.T) {
	t.Parallel()
	for _, s := range bothStores() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			a, b := s.open(t)
			lg := addLegend(t, a, "Wald.json", forest, water, town)
			l := add(t, a, stripes("Land cover", lg))
			here, there := newServer(t, server.Config{Store: a}), newServer(t, server.Config{Store: b})
			recolor := func(c color.NRGBA) func() {
				return func() {
					update(t, a, func(ctx context.Context, tx store.Tx) error {
						lg.Entries[0].Color = rasterbase.Color(c)
						return tx.Legends().Update(ctx, lg)
					})
				}
			}
			edit := func(change func()) func() {
				return func() {
					update(t, a, func(ctx context.Context, tx store.Tx) (err error) {
						if l, err = tx.Layers().Get(ctx, l.ID); err != nil {
							return err
						}
						change()
						return tx.Layers().Update(ctx, l)
					})
				}
			}
			for _, c := range []struct {
				what   string
				change func()
				want   string
			}{
				{"nothing", func() {}, fmt.Sprint(forest)},
				{"an entry's colour", recolor(town), fmt.Sprint(town)},
				{"a re-parse", func() {
					again := stripes("Land cover", lg)
					again.Value = testlayer.Constant(2)
					if _, err := testlayer.Publish(t.Context(), a, l.ID, again); err != nil {
						t.Fatal(err)
					}
				}, fmt.Sprint(water)},
				{"another legend", func() {
					other := addLegend(t, a, "Other", town, forest)
					edit(func() { l.Legend = other.ID })()
				}, fmt.Sprint(forest)},
				{"a hidden layer", edit(func() { l.Visibility = rasterbase.Private }), "404"},
				{"a shown layer", edit(func() { l.Visibility = rasterbase.Public }), fmt.Sprint(forest)},
				{"another slug", edit(func() { l.Slug = "moved" }), "404"},
				{"the slug of before", edit(func() { l.Slug = "land-cover" }), fmt.Sprint(forest)},
				{"a deleted layer", func() {
					update(t, a, func(ctx context.Context, tx store.Tx) error { return tx.Layers().Delete(ctx, l.ID) })
				}, "404"},
			} {
				const path = "/tiles/land-cover/6/33/22.png"
				knowing(t, a)
				knowing(t, b)
				look(t, here, path) // so that it is remembered
				look(t, there, path)
				c.change()
				if got := look(t, here, path); got != c.want {
					t.Errorf("%s: the next request gives %s, want %s", c.what, got, c.want)
				}
				time.Sleep(time.Second)
				if got := look(t, there, path); got != c.want {
					t.Errorf("%s: another server gives %s a second later, want %s", c.what, got, c.want)
				}
			}
		})
	}
}

// Many ask while a legend is changed again and again: whoever asks after a change
// sees it.
func TestChangesShowUnderLoad(t *testing.T) {
	st := newStore(t)
	lg := addLegend(t, st, "Wald.json", color.NRGBA{A: 255})
	add(t, st, stripes("Land cover", lg))
	h := newServer(t, server.Config{Store: st})
	knowing(t, st)
	if got := look(t, h, "/tiles/1/6/33/22.png"); got != fmt.Sprint(color.NRGBA{A: 255}) { // and is remembered
		t.Fatalf("before all changes: %s", got)
	}
	var done atomic.Int32 // the red of the last change that was kept
	ended := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				want := done.Load()
				r := httptest.NewRequest(http.MethodGet, "/tiles/1/6/33/22.png", nil)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if got := at(wantPNG(t, w), 1, 1); int32(got.R) < want {
					t.Errorf("red is %d after it was made %d", got.R, want)
				}
			}
		})
	}
	for red := range 60 {
		lg.Entries[0].Color = rasterbase.Color{R: uint8(red + 1), A: 255}
		update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Legends().Update(ctx, lg) })
		done.Store(int32(red + 1))
	}
	close(ended)
	clients.Wait()
}

// frozen is a store whose catalog says that nothing ever changes, as one does
// that learns of changes late.
type frozen struct{ store.Store }

func (f frozen) Catalog() store.Catalog { return frozenCatalog{f.Store.Catalog()} }

type frozenCatalog struct{ store.Catalog }

func (frozenCatalog) Generation() (uint64, bool) { return 1, true }

// Tiles that are gone make the server ask the catalog, whatever it remembers.
func TestGoneTilesAreNotRemembered(t *testing.T) {
	st := newStore(t)
	lg := addLegend(t, st, "Wald.json", forest, water)
	spec := stripes("Land cover", lg)
	l := add(t, st, spec)
	h := newServer(t, server.Config{Store: frozen{st}})
	if got := look(t, h, "/tiles/1/6/33/22.png"); got != fmt.Sprint(forest) {
		t.Fatalf("before: %s", got)
	}
	spec.Value = testlayer.Constant(2)
	if _, err := testlayer.Publish(t.Context(), st, l.ID, spec); err != nil {
		t.Fatal(err)
	}
	old := store.RevisionKey{Layer: l.ID, Revision: l.Published}
	if err := st.Tiles().Drop(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := look(t, h, "/tiles/1/6/34/22.png"); got != fmt.Sprint(water) {
			t.Errorf("after the tiles were dropped: %s", got)
		}
	}
}

// With a cache timeout below zero each request reads the catalog and draws.
func TestNoCaches(t *testing.T) {
	a := newStore(t)
	add(t, a, stripes("Land cover", nil))
	st := newCounting(a)
	seen := &origins{from: map[string]int{}}
	h := newServer(t, server.Config{Store: st, CacheTimeout: -1, TileCache: 1 << 20, Observer: seen})
	for i := range 5 {
		before := st.views.Load()
		wantStatus(t, get(t, h, "/tiles/1/6/33/22.png"), 200)
		if st.views.Load() == before {
			t.Errorf("request %d did not read the catalog", i+1)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if seen.from["drawn"] != 5 || len(seen.from) != 1 {
		t.Errorf("the tiles came from %v", seen.from)
	}
}

// origins counts where tiles came from.
type origins struct {
	mu   sync.Mutex
	from map[string]int
}

func (o *origins) Request(string, string, int, int64, time.Duration) {}

func (o *origins) Tile(from string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.from[from]++
}

// fickle is an Auth that lets people read until it does not, without a change in
// the catalog.
type fickle struct {
	keyAuth
	closed *atomic.Bool
	asked  *atomic.Int32
}

func (f fickle) May(ctx context.Context, p rasterbase.Principal, a rasterbase.Action, l *rasterbase.Layer) error {
	f.asked.Add(1)
	if f.closed.Load() {
		return rasterbase.Errorf(rasterbase.Forbidden, "closed")
	}
	return f.keyAuth.May(ctx, p, a, l)
}

// What is remembered is told only to those who may read it: Auth is asked for each
// request.
func TestMemoryAsksAuth(t *testing.T) {
	st := newStore(t)
	secret(t, st)
	add(t, st, stripes("Open", nil))
	f := fickle{closed: new(atomic.Bool), asked: new(atomic.Int32)}
	h := newServer(t, server.Config{Store: st, Auth: f})
	knowing(t, st)
	for i := range 3 {
		for _, c := range []struct {
			path, key string
			status    int
		}{
			{"/tiles/secret/6/33/22.png", "key", 200}, {"/tiles/secret/6/33/22.png", "", 404},
			{"/tiles/secret.tif/6/33/22.png", "", 404}, {"/tiles/secret.tif/6/33/22.png", "key", 200},
			{"/tiles/open/6/33/22.png", "", 200}, {"/tiles/landcover.tif/6/33/22.png", "guest", 200},
		} {
			before := f.asked.Load()
			wantStatus(t, get(t, h, c.path, "Authorization", c.key), c.status)
			if f.asked.Load() == before {
				t.Errorf("round %d: Auth is not asked about %s", i+1, c.path)
			}
		}
	}
	f.closed.Store(true)
	wantStatus(t, get(t, h, "/tiles/open/6/33/22.png"), 404)
}

// unknowing is a store whose catalog cannot tell whether it changed.
type unknowing struct{ store.Store }

func (u unknowing) Catalog() store.Catalog { return unknowingCatalog{u.Store.Catalog()} }

type unknowingCatalog struct{ store.Catalog }

func (unknowingCatalog) Generation() (uint64, bool) { return 0, false }

// BenchmarkCachedTile compares tiles whose layer is remembered with those for which
// the catalog is read each time. The encoded tile is in memory in both cases.
func BenchmarkCachedTile(b *testing.B) {
	for _, s := range bothStores() {
		for _, remembering := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/remembered=%v", s.name, remembering), func(b *testing.B) {
				st, _ := s.open(b)
				add(b, st, stripes("Land cover", addLegend(b, st, "Wald.json", forest, water)))
				knowing(b, st)
				if !remembering {
					st = unknowing{st}
				}
				h := newServer(b, server.Config{Store: st})
				r := httptest.NewRequest(http.MethodGet, "/tiles/land-cover/6/33/22.png", nil)
				for b.Loop() {
					w := httptest.NewRecorder()
					if h.ServeHTTP(w, r); w.Code != 200 {
						b.Fatalf("status %d", w.Code)
					}
				}
			})
		}
	}
}
