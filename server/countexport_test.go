package server_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// fileOf fetches the file of an export that has finished.
func fileOf(t *testing.T, s *server.Server, role string, e exported) string {
	t.Helper()
	e = decode[exported](t, call(t, s, role, "GET", e.URLs.Self, ""))
	if e.Status != "finished" || e.Percent != 100 {
		t.Fatalf("%+v", e)
	}
	w := call(t, s, role, "GET", e.URLs.File, "")
	if wantStatus(t, w, 200); int64(w.Body.Len()) != e.Size || !strings.Contains(w.Header().Get("Content-Disposition"), e.FileName) {
		t.Errorf("%d bytes, %+v, %v", w.Body.Len(), e, w.Header())
	}
	return w.Body.String()
}

// What is counted in the background is what the routes answer, however many zones.
func TestCountsInTheBackground(t *testing.T) {
	st, work := countable(t), t.TempDir()
	c := server.Config{Store: st, WorkDir: work, CountMaxZones: 10, CountMaxPixels: 70_000, ExportExpiry: time.Hour}
	s := newAPI(t, st, nil, c)
	const many = 600 // more than are counted at once
	for _, x := range []struct{ body, route, same, media, name string }{
		{`{"layers":"a=1","format":"csv","id":"name","zones":ZONES}`, "/layers/1/valuecount?f=csv", `{"id":"name","zones":ZONES}`, "text/csv; charset=utf-8", "land-cover-valuecount.csv"},
		{`{"layers":"a=1","format":"ndjson","zones":ZONES,"group":"legend"}`, "/valuecount?layers=a=1&f=ndjson", `{"zones":ZONES,"group":"legend"}`, "application/x-ndjson", "land-cover-valuecount.ndjson"},
		{`{"layers":"a=1,b=3","format":"json","count":"crosstab","zones":ZONES}`, "/crosstab?layers=a=1,b=3", `{"zones":ZONES}`, "application/json", "crosstab.json"},
		{`{"layers":"a=4","format":"json","count":"statistics","stats":["mean","median"],"percentiles":[10],"filename":"mine"}`, "/layers/4/statistics?stats=mean,median&percentiles=10", `{}`, "application/json", "mine.json"},
		{`{"layers":"a=1,b=2","formula":"a*0+b","format":"json","range":[0,3],"bins":3,"zoom":6}`, "/valuecount?layers=a=1,b=2&formula=a*0%2Bb&range=0,3&bins=3&zoom=6", `{}`, "application/json", "valuecount.json"},
	} {
		t.Run(x.body, func(t *testing.T) {
			zones := someZones(many)
			e := ordered(t, s, "viewer", strings.Replace(x.body, "ZONES", zones, 1))
			if strings.Contains(x.body, "ZONES") && (sources(t, st) != 1 || e.Parameters["zones"][0] != "600 zones") {
				t.Errorf("%d sources, %.200v", sources(t, st), e.Parameters["zones"])
			}
			worker(t, st, newExporter(t, c).Handle)
			got := fileOf(t, s, "viewer", e)
			w := call(t, newServer(t, server.Config{Store: st, CountMaxZones: many}), "", "POST", x.route, strings.Replace(x.same, "ZONES", zones, 1))
			if wantStatus(t, w, 200); got != w.Body.String() {
				t.Errorf("%.300s\nwant\n%.300s", got, w.Body)
			}
			e = decode[exported](t, call(t, s, "viewer", "GET", e.URLs.Self, ""))
			if w := call(t, s, "viewer", "GET", e.URLs.File, ""); w.Header().Get("Content-Type") != x.media || e.FileName != x.name {
				t.Errorf("%s %v", e.FileName, w.Header())
			}
			wantStatus(t, call(t, s, "editor", "GET", e.URLs.File, ""), 404)
			wantStatus(t, call(t, s, "viewer", "DELETE", e.URLs.Self, ""), 204)
			if left, _ := os.ReadDir(work); len(left) != 0 || sources(t, st) != 0 {
				t.Errorf("left: %v, %d sources", left, sources(t, st))
			}
		})
	}
}

// Whoever prefers it has counts made in the background by the routes themselves.
func TestCountsPreferredLater(t *testing.T) {
	st := countable(t)
	c := server.Config{Store: st, WorkDir: t.TempDir(), CountMaxZones: 2}
	s := newAPI(t, st, nil, c)
	zones := someZones(5)
	p := wantProblem(t, call(t, s, "viewer", "POST", "/layers/1/valuecount?f=csv", zones), 413)
	if p.Parameter != "zones" || !strings.Contains(p.Hint, "respond-async") {
		t.Errorf("%+v", p)
	}
	w := call(t, s, "viewer", "POST", "/layers/1/valuecount?f=csv&id=name", zones, "Prefer", "respond-async")
	e := accepted(t, w)
	if w.Header().Get("Preference-Applied") != "respond-async" || w.Header().Get("Location") != e.URLs.Self {
		t.Errorf("%v", w.Header())
	}
	worker(t, st, s.ExportHandler())
	rows, err := csv.NewReader(strings.NewReader(fileOf(t, s, "viewer", e))).ReadAll()
	if err != nil || len(rows) < 5 || rows[1][0] != "zone a" {
		t.Errorf("%v %q", err, rows)
	}
	// Nobody has no background.
	wantProblem(t, call(t, s, "", "POST", "/layers/1/valuecount", zones, "Prefer", "respond-async"), 413)
	wantProblem(t, call(t, s, "viewer", "POST", "/layers/1/valuecount?group=colour", zones, "Prefer", "respond-async"), 400)
	wantProblem(t, call(t, s, "viewer", "POST", "/layers/none/valuecount", zones, "Prefer", "respond-async"), 404)
	for _, x := range []struct{ path, form string }{{"/layers/4/statistics?formula=b2-b1&stats=max", "json"}, {"/crosstab?layers=a=1,b=3&f=csv", "csv"}} {
		e := accepted(t, call(t, s, "viewer", "GET", x.path, "", "Prefer", "respond-async"))
		worker(t, st, s.ExportHandler())
		want := get(t, s, x.path)
		if got := fileOf(t, s, "viewer", e); got != want.Body.String() || e.Parameters["format"][0] != x.form {
			t.Errorf("%s\nwant\n%s", got, want.Body)
		}
	}
}

// The route of exports sends counts as a file too.
func TestExportsOfCounts(t *testing.T) {
	st := countable(t)
	s := newServer(t, server.Config{Store: st, WorkDir: t.TempDir(), CountMaxZones: 2})
	w := get(t, s, "/export?layers=a=1&format=csv&bbox=6,46,8,47")
	body := wantFile(t, w, "text/csv; charset=utf-8", "land-cover-valuecount.csv", "zone,layer")
	if want := get(t, s, "/layers/1/valuecount?f=csv&bbox=6,46,8,47").Body.String(); string(body) != want {
		t.Errorf("%s\nwant\n%s", body, want)
	}
	wantStatus(t, get(t, s, "/export?layers=a=1&format=csv&bbox=6,46,8,47", "If-None-Match", w.Header().Get("ETag")), 304)
	wantProblem(t, call(t, s, "", "POST", "/export", `{"layers":"a=1","format":"csv","zones":`+someZones(3)+`}`), 413)
	if p := wantProblem(t, get(t, s, "/export?layers=a=1&format=csv&group=x"), 400); p.Parameter != "group" {
		t.Errorf("%+v", p)
	}
}

// What goes wrong with counts in the background is told, and their zones stay as long as
// they can be needed.
func TestCountsThatFailInTheBackground(t *testing.T) {
	st := countable(t)
	c := server.Config{Store: st, WorkDir: t.TempDir(), CountMaxPixels: 10}
	s := newAPI(t, st, nil, c)
	e := ordered(t, s, "viewer", `{"layers":"a=1","format":"json","count":"statistics","zones":`+someZones(2)+`}`)
	worker(t, st, newExporter(t, c).Handle)
	e = decode[exported](t, call(t, s, "viewer", "GET", e.URLs.Self, ""))
	if e.Status != "failed" || !strings.Contains(e.Error, "pixels") {
		t.Errorf("%+v", e)
	}
	wantStatus(t, call(t, s, "viewer", "DELETE", e.URLs.Self, ""), 204)
	if n := sources(t, st); n != 0 {
		t.Errorf("%d sources", n)
	}
	// The first attempt finds the revision gone, and the second one has the zones.
	e = ordered(t, s, "viewer", `{"layers":"a=1","format":"ndjson","zones":`+someZones(3)+`}`)
	reads := 0
	flaky := hurt{st, func(context.Context) error {
		if reads++; reads == 1 {
			return store.ErrRevisionGone
		}
		return nil
	}}
	worker(t, st, newExporter(t, server.Config{Store: flaky, WorkDir: t.TempDir()}).Handle)
	if got := fileOf(t, s, "viewer", e); strings.Count(got, "\n") != 3 || reads < 2 {
		t.Errorf("%s after %d reads", got, reads)
	}
	// The queue refuses more than somebody may have, and keeps no zones of that.
	few := newAPI(t, st, nil, server.Config{Store: st, ExportsPerOwner: 1})
	body := `{"layers":"a=1","format":"csv","zones":` + someZones(3) + `}`
	ordered(t, few, "editor", body)
	before := sources(t, st)
	wantProblem(t, call(t, few, "editor", "POST", "/api/v1/exports", body), 429)
	if n := sources(t, st); n != before {
		t.Errorf("%d sources, and %d before", n, before)
	}
}

// A count in the background is stopped when it is deleted, and its zones go.
func TestDeletedCountsStop(t *testing.T) {
	st := countable(t)
	c := server.Config{Store: st, WorkDir: t.TempDir()}
	s := newAPI(t, st, nil, c)
	e := ordered(t, s, "viewer", `{"layers":"a=1","format":"csv","zones":`+someZones(3)+`}`)
	wantStatus(t, call(t, s, "viewer", "DELETE", e.URLs.Self, ""), 204)
	worker(t, st, newExporter(t, c).Handle)
	if n := sources(t, st); n != 0 {
		t.Errorf("%d sources", n)
	}
}

// The right to the layers is asked when the file is fetched.
func TestFilesOfCountsNeedTheRight(t *testing.T) {
	st := countable(t)
	hidden := map[rasterbase.LayerID]bool{}
	c := server.Config{Store: st, WorkDir: t.TempDir()}
	base := newAPI(t, st, nil, c)
	e := ordered(t, base, "viewer", `{"layers":"a=1","format":"json"}`)
	worker(t, st, newExporter(t, c).Handle)
	var doc countedDoc
	if err := json.Unmarshal([]byte(fileOf(t, base, "viewer", e)), &doc); err != nil || doc.Total.Count != 3*65536 {
		t.Errorf("%v %+v", err, doc)
	}
	e = decode[exported](t, call(t, base, "viewer", "GET", e.URLs.Self, ""))
	hidden[1] = true
	s := newServer(t, server.Config{Store: st, Auth: hidingAuth{roleAuth{}, &hidden}})
	wantProblem(t, call(t, s, "viewer", "GET", e.URLs.File, ""), 403)
}
