package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

type exported struct {
	ID          int64
	Owner       string
	Status      string
	Percent     float64
	SecondsLeft *float64 `json:"seconds_left"`
	Error       string
	FileName    string `json:"file_name"`
	Size        int64
	Layers      []int64
	Parameters  map[string][]string
	Expires     *time.Time
	URLs        struct{ Self, File string }
}

// worker runs exports until none waits or runs any more.
func worker(t testing.TB, st store.Store, h store.Handler) {
	t.Helper()
	err := st.Queue().Work(t.Context(), store.WorkOptions{
		Handlers: map[string]store.Handler{server.ExportKind: h},
		Until: func(ctx context.Context) (done bool, err error) {
			err = st.Catalog().View(ctx, func(tx store.Tx) error {
				left, err := tx.Jobs().List(ctx, []store.JobState{store.JobWaiting, store.JobRunning}, 0)
				done = len(left) == 0
				return err
			})
			return done, err
		},
	})
	if err != nil {
		t.Error(err)
	}
}

func newExporter(t testing.TB, c server.Config) *server.Exporter {
	t.Helper()
	x, err := server.NewExporter(c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func accepted(t testing.TB, w *httptest.ResponseRecorder) (e exported) {
	t.Helper()
	wantStatus(t, w, 202)
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// ordered asks for an export in the background.
func ordered(t testing.TB, s http.Handler, role, body string) exported {
	t.Helper()
	w := call(t, s, role, "POST", "/api/v1/exports", body)
	e := accepted(t, w)
	if w.Header().Get("Location") != e.URLs.Self || e.Status != "queued" || e.Percent != 0 {
		t.Errorf("%+v %v", e, w.Header())
	}
	return e
}

func sources(t testing.TB, st store.Store) int {
	t.Helper()
	all, err := st.Sources().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestAnExportInTheBackground(t *testing.T) {
	st, work := newStore(t), t.TempDir()
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest)))
	c := server.Config{Store: st, WorkDir: work, ExportRequestPixels: 1000, ExportExpiry: time.Hour}
	s := newAPI(t, st, nil, c)
	for _, body := range []string{
		`{"layers":"a=land-cover","format":"tif","filename":"mine"}`,
		`{"layers":"a:0=1","zoom":5}`,
		`{"layers":"a=1","formula":"a*2","format":"cog","bbox":[6,46,8,47]}`,
		`{"layers":"a=1","format":"mbtiles","maxzoom":4,"bbox":"6,46,8,47"}`,
		`{"layers":"a=1","format":"pmtiles","maxzoom":4}`,
	} {
		t.Run(body, func(t *testing.T) {
			e := ordered(t, s, "viewer", body)
			wantProblem(t, call(t, s, "viewer", "GET", e.URLs.Self+"/file", ""), 409)
			worker(t, st, newExporter(t, c).Handle)
			e = decode[exported](t, call(t, s, "viewer", "GET", e.URLs.Self, ""))
			if e.Status != "finished" || e.Percent != 100 || e.Size == 0 || e.FileName == "" || e.Expires == nil || len(e.Layers) != 1 {
				t.Fatalf("%+v", e)
			}
			if d := time.Until(*e.Expires); d > time.Hour || d < 50*time.Minute {
				t.Errorf("expires in %v", d)
			}
			w := call(t, s, "viewer", "GET", e.URLs.File, "")
			wantFile(t, w, w.Header().Get("Content-Type"), e.FileName, "")
			if int64(w.Body.Len()) != e.Size || w.Header().Get("Cache-Control") != "private, no-store" {
				t.Errorf("%d of %d bytes, %v", w.Body.Len(), e.Size, w.Header())
			}
			part := call(t, s, "viewer", "GET", e.URLs.File, "", "Range", "bytes=4-9")
			if wantStatus(t, part, 206); !bytes.Equal(part.Body.Bytes(), w.Body.Bytes()[4:10]) {
				t.Errorf("a part is %q", part.Body)
			}
			wantStatus(t, call(t, s, "viewer", "GET", e.URLs.File, "", "If-None-Match", w.Header().Get("ETag")), 304)
			if sources(t, st) != 1 {
				t.Errorf("%d sources", sources(t, st))
			}
			wantStatus(t, call(t, s, "viewer", "DELETE", e.URLs.Self, ""), 204)
			wantStatus(t, call(t, s, "viewer", "GET", e.URLs.Self, ""), 404)
			if left, _ := os.ReadDir(work); len(left) != 0 || sources(t, st) != 0 {
				t.Errorf("left: %v, %d sources", left, sources(t, st))
			}
		})
	}
}

func TestLargeExportsAreMadeInTheBackgroundWhenPreferred(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newAPI(t, st, nil, server.Config{WorkDir: t.TempDir(), ExportRequestPixels: 1000})
	wantProblem(t, call(t, s, "viewer", "GET", "/export?layers=a=1", ""), 413)
	wantProblem(t, call(t, s, "", "GET", "/export?layers=a=1", "", "Prefer", "respond-async"), 413)
	w := call(t, s, "viewer", "GET", "/export?layers=a=1", "", "Prefer", "wait=10, Respond-Async; x=1")
	e := accepted(t, w)
	if w.Header().Get("Location") != e.URLs.Self || w.Header().Get("Preference-Applied") != "respond-async" || e.Parameters["layers"][0] != "a=1" {
		t.Errorf("%v %+v", w.Header(), e)
	}
}

func TestExportsAreTheirOwners(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	c := server.Config{Store: st, WorkDir: t.TempDir()}
	s := newAPI(t, st, nil, c)
	e := ordered(t, s, "viewer", `{"layers":"a=1"}`)
	worker(t, st, newExporter(t, c).Handle)
	for _, path := range []string{e.URLs.Self, e.URLs.Self + "/file"} {
		wantProblem(t, call(t, s, "", "GET", path, ""), 401)
		wantProblem(t, call(t, s, "editor", "GET", path, ""), 404)
		wantStatus(t, call(t, s, "viewer", "GET", path, ""), 200)
		wantStatus(t, call(t, s, "administrator", "GET", path, ""), 200)
	}
	wantProblem(t, call(t, s, "editor", "DELETE", e.URLs.Self, ""), 404)
	for role, want := range map[string]int{"viewer": 1, "editor": 0, "administrator": 0} {
		l := decode[struct{ Items []exported }](t, call(t, s, role, "GET", "/api/v1/exports", ""))
		if len(l.Items) != want {
			t.Errorf("%s sees %+v", role, l)
		}
	}
	if l := decode[struct{ Items []exported }](t, call(t, s, "administrator", "GET", "/api/v1/exports?all=true", "")); len(l.Items) != 1 {
		t.Errorf("%+v", l)
	}
	wantProblem(t, call(t, s, "viewer", "GET", "/api/v1/exports?all=true", ""), 403)
	// The layer becomes private.
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, 1)
		if err != nil {
			return err
		}
		l.Visibility = rasterbase.Private
		return tx.Layers().Update(ctx, l)
	})
	private := newServer(t, server.Config{Store: st, Auth: keyAuth{}})
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.Exports().Create(ctx, &rasterbase.Export{Owner: "guest", Request: []byte(`{"layers":["a=1"]}`), Layers: []rasterbase.LayerID{1}, Status: rasterbase.Finished, Source: "none", FileName: "a.zip"})
	})
	wantProblem(t, get(t, private, "/api/v1/exports/2/file", "Authorization", "guest"), 403)
	wantStatus(t, get(t, private, "/api/v1/exports/2/file", "Authorization", "key"), 410) // its file has vanished
	update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Layers().Delete(ctx, 1) })
	wantProblem(t, call(t, s, "viewer", "GET", e.URLs.Self+"/file", ""), 404)
}

func TestLimitOfExportsPerOwner(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newAPI(t, st, nil, server.Config{WorkDir: t.TempDir(), ExportsPerOwner: 2})
	first := ordered(t, s, "viewer", `{"layers":"a=1"}`)
	second := ordered(t, s, "viewer", `{"layers":"a=1"}`)
	wantProblem(t, call(t, s, "viewer", "POST", "/api/v1/exports", `{"layers":"a=1"}`), 429)
	ordered(t, s, "editor", `{"layers":"a=1"}`)
	wantStatus(t, call(t, s, "viewer", "DELETE", first.URLs.Self, ""), 204)
	ordered(t, s, "viewer", `{"layers":"a=1"}`)
	// One whose job was cancelled while it waited does not count, and says so.
	update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Jobs().CancelGroup(ctx, "export:2", 0) })
	ordered(t, s, "viewer", `{"layers":"a=1"}`)
	if e := decode[exported](t, call(t, s, "viewer", "GET", second.URLs.Self, "")); e.Status != "cancelled" || e.Expires == nil {
		t.Errorf("%+v", e)
	}
}

func TestExportsThatAreRefusedAreNotQueued(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	secret(t, st)
	s := newAPI(t, st, nil, server.Config{WorkDir: t.TempDir(), ExportMaxPixels: 400_000})
	for body, status := range map[string]int{
		`{"layers":"a=9"}`:                     404,
		`{"layers":"a=1","zoom":7}`:            413,
		`{"layers":"a=1","formula":"b"}`:       400,
		`{"layers":"a=1","geom":"POINT(0 0)"}`: 400,
		`{"layers":"a=1","bands":3}`:           400, // which is no member
		`{}`:                                   400,
	} {
		wantProblem(t, call(t, s, "viewer", "POST", "/api/v1/exports", body), status)
	}
	if l := decode[struct{ Items []exported }](t, call(t, s, "viewer", "GET", "/api/v1/exports", "")); len(l.Items) != 0 {
		t.Errorf("%+v", l)
	}
}

// A polygon can be long: the list tells of its beginning, and one that is longer than
// what is kept is refused.
func TestLongPolygonsOfExports(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newAPI(t, st, nil, server.Config{WorkDir: t.TempDir()})
	ask := func(vertices int) *httptest.ResponseRecorder {
		geom := "POLYGON((6 48" + strings.Repeat(", 8 48.5", vertices) + ", 7 50, 6 48))"
		return call(t, s, "viewer", "POST", "/api/v1/exports", `{"layers":"a=1","geom":"`+geom+`"}`)
	}
	wantProblem(t, ask(200_000), 413)
	w := ask(1000)
	wantStatus(t, w, 202)
	one := decode[exported](t, call(t, s, "viewer", "GET", "/api/v1/exports/1", ""))
	list := decode[struct{ Items []exported }](t, call(t, s, "viewer", "GET", "/api/v1/exports", ""))
	if n := len(one.Parameters["geom"][0]); n < 8000 {
		t.Errorf("by itself it has %d bytes of its polygon", n)
	}
	if len(list.Items) != 1 || len(list.Items[0].Parameters["geom"][0]) != 1000 {
		t.Errorf("%+v", list)
	}
}

// hurt is a store that fails when tiles are read, as fail says.
type hurt struct {
	store.Store
	fail func(ctx context.Context) error
}

func (h hurt) Tiles() store.Tiles { return hurtTiles{h.Store.Tiles(), h.fail} }

type hurtTiles struct {
	store.Tiles
	fail func(ctx context.Context) error
}

func (h hurtTiles) Get(ctx context.Context, key store.TileKey) (*raster.Raster, error) {
	if err := h.fail(ctx); err != nil {
		return nil, err
	}
	return h.Tiles.Get(ctx, key)
}

func (h hurtTiles) GetMany(ctx context.Context, keys []store.TileKey) ([]*raster.Raster, error) {
	if err := h.fail(ctx); err != nil {
		return nil, err
	}
	return h.Tiles.GetMany(ctx, keys)
}

// once runs one attempt of the newest job as a worker would.
func once(t testing.TB, st store.Store, h store.Handler, attempt int) error {
	t.Helper()
	var all []*store.Job
	err := st.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
		all, err = tx.Jobs().List(t.Context(), nil, 1)
		return err
	})
	if err != nil || len(all) != 1 {
		t.Fatal(err)
	}
	j := *all[0]
	j.Attempt = attempt
	return h(t.Context(), &j)
}

func TestFailuresOfExportsAreReadable(t *testing.T) {
	st, work := newStore(t), t.TempDir()
	add(t, st, stripes("Land cover", nil))
	c := server.Config{WorkDir: work}
	s := newAPI(t, st, nil, c)
	e := ordered(t, s, "viewer", `{"layers":"a=1"}`)
	c.Store = hurt{st, func(context.Context) error { return errors.New("open /var/secret/path: input/output error") }}
	x := newExporter(t, c)
	if err := once(t, st, x.Handle, 1); err == nil {
		t.Error("no error")
	}
	if now := decode[exported](t, call(t, s, "viewer", "GET", e.URLs.Self, "")); now.Status != "queued" || now.Error != "" {
		t.Errorf("after the first attempt: %+v", now)
	}
	if err := once(t, st, x.Handle, 3); err == nil {
		t.Error("no error")
	}
	now := decode[exported](t, call(t, s, "viewer", "GET", e.URLs.Self, ""))
	if now.Status != "failed" || now.Error == "" || strings.Contains(now.Error, "secret") || now.Expires == nil {
		t.Errorf("after the last one: %+v", now)
	}
	if left, _ := os.ReadDir(work); len(left) != 0 || sources(t, st) != 0 {
		t.Errorf("left: %v, %d sources", left, sources(t, st))
	}
	wantProblem(t, call(t, s, "viewer", "GET", e.URLs.Self+"/file", ""), 409)

	// What trying again does not mend is told at once.
	e = ordered(t, s, "viewer", `{"layers":"a=1"}`)
	update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Layers().Delete(ctx, 1) })
	c.Store = st
	var permanent *store.Permanent
	if err := once(t, st, newExporter(t, c).Handle, 1); !errors.As(err, &permanent) {
		t.Errorf("%v", err)
	}
	if now = decode[exported](t, call(t, s, "viewer", "GET", e.URLs.Self, "")); now.Status != "failed" || !strings.Contains(now.Error, "no layer") {
		t.Errorf("%+v", now)
	}
}

// A worker that dies in the middle leaves a record that says running. The next
// attempt begins anew.
func TestAWorkerThatDies(t *testing.T) {
	st, work := newStore(t), t.TempDir()
	add(t, st, stripes("Land cover", nil))
	c := server.Config{Store: st, WorkDir: work}
	s := newAPI(t, st, nil, c)
	e := ordered(t, s, "viewer", `{"layers":"a=1"}`)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		dead, err := tx.Exports().Get(ctx, 1)
		if err != nil {
			return err
		}
		dead.Status, dead.Done, dead.Started = rasterbase.Running, dead.Planned/2, time.Now().Add(-time.Minute)
		return tx.Exports().Update(ctx, dead)
	})
	half := decode[exported](t, call(t, s, "viewer", "GET", e.URLs.Self, ""))
	if half.Status != "running" || half.Percent != 50 || half.SecondsLeft == nil || *half.SecondsLeft < 30 {
		t.Errorf("%+v", half)
	}
	worker(t, st, s.ExportHandler())
	if now := decode[exported](t, call(t, s, "viewer", "GET", e.URLs.Self, "")); now.Status != "finished" || sources(t, st) != 1 {
		t.Errorf("%+v, %d sources", now, sources(t, st))
	}
	// Another attempt has nothing to do.
	if err := once(t, st, s.ExportHandler(), 2); err != nil || sources(t, st) != 1 {
		t.Errorf("%v, %d sources", err, sources(t, st))
	}
	// One that ended with its last worker is not running for ever.
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.Exports().Create(ctx, &rasterbase.Export{Owner: "the viewer", Request: []byte(`{"layers":["a=1"]}`), Status: rasterbase.Running})
	})
	l := decode[struct{ Items []exported }](t, call(t, s, "viewer", "GET", "/api/v1/exports", ""))
	if len(l.Items) != 2 || l.Items[0].Status != "failed" || l.Items[0].Error == "" {
		t.Errorf("%+v", l)
	}
}

// Deleting or cancelling an export stops the worker that makes it, and nothing is
// left.
func TestDeletingAnExportStopsIt(t *testing.T) {
	for _, how := range []string{"delete", "cancel"} {
		t.Run(how, func(t *testing.T) {
			st, work := newStore(t), t.TempDir()
			add(t, st, stripes("Land cover", nil))
			c := server.Config{WorkDir: work}
			s := newAPI(t, st, nil, c)
			e := ordered(t, s, "viewer", `{"layers":"a=1"}`)
			var asked atomic.Bool
			c.Store = hurt{st, func(ctx context.Context) error {
				switch {
				case asked.Swap(true):
				case how == "delete":
					wantStatus(t, call(t, s, "viewer", "DELETE", e.URLs.Self, ""), 204)
				default:
					update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Jobs().CancelGroup(ctx, "export:1", 0) })
				}
				<-ctx.Done()
				return ctx.Err()
			}}
			worker(t, st, newExporter(t, c).Handle)
			if left, _ := os.ReadDir(work); len(left) != 0 || sources(t, st) != 0 {
				t.Errorf("left: %v, %d sources", left, sources(t, st))
			}
			w := call(t, s, "viewer", "GET", e.URLs.Self, "")
			if how == "delete" {
				wantStatus(t, w, 404)
			} else if now := decode[exported](t, w); now.Status != "cancelled" {
				t.Errorf("%+v", now)
			}
		})
	}
}

// An export reads the layers that its owner had the right to, and no others that a
// formula has come to read.
func TestAnExportReadsNoOtherLayers(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	secret(t, st)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.Layers().Create(ctx, &rasterbase.Layer{Name: "Twice", Visibility: rasterbase.Public,
			Formula: &rasterbase.LayerFormula{Text: "x*2", Inputs: []rasterbase.FormulaInput{{Name: "x", Layer: 1}}}})
	})
	c := server.Config{Store: st, WorkDir: t.TempDir()}
	s := newAPI(t, st, nil, c)
	e := ordered(t, s, "viewer", `{"layers":"a=twice"}`)
	if len(e.Layers) != 2 {
		t.Errorf("%+v", e)
	}
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, 3)
		if err != nil {
			return err
		}
		l.Formula.Inputs[0].Layer = 2
		return tx.Layers().Update(ctx, l)
	})
	worker(t, st, newExporter(t, c).Handle)
	if now := decode[exported](t, call(t, s, "viewer", "GET", e.URLs.Self, "")); now.Status != "failed" || !strings.Contains(now.Error, "ask for it again") {
		t.Errorf("%+v", now)
	}
}
