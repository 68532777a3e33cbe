package admin_test

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/browsertest"
	"github.com/rasterbase/rasterbase/store"
)

// enqueue puts a job into the queue that no worker of the test takes.
func (s *site) enqueue(kind string) store.JobID {
	s.t.Helper()
	j := store.Job{Kind: kind, Args: json.RawMessage(`{}`)}
	if err := s.st.Catalog().Update(s.t.Context(), func(tx store.Tx) error { return tx.Jobs().Enqueue(s.t.Context(), &j) }); err != nil {
		s.t.Fatal(err)
	}
	return j.ID
}

// An operator sees the queue, cancels a job and has a failed parse tried again.
func TestJobsByForms(t *testing.T) {
	s := newSite(t)
	s.addUser("root", rasterbase.Administrator)
	v := s.visit("root")
	v.get("jobs").want(t, 200, "There are no jobs")
	s.enqueue("of <b>nobody")
	v.get("jobs").want(t, 200, "of <b>nobody", "waiting")
	v.post("jobs/1/cancel", nil).want(t, 200, "cancelled")
	v.get("jobs?state=waiting").want(t, 200, "No job is waiting")
	v.post("jobs/99/cancel", nil).want(t, 404, "99")

	// A parse whose raster is none fails, with a way to try again.
	path := s.keep("none.tif", []byte("this is no raster"))
	v.post("layers", url.Values{"path": {path}, "name": {"None"}})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		p := v.get("jobs?state=failed")
		if strings.Contains(p.html, `class="status bad">failed`) {
			p.want(t, 200, "Layer 1", "Parse again")
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job has not failed: %s", p.text())
		}
	}
}

func TestHealthAndSettings(t *testing.T) {
	content := vegetation(t)
	s := newSite(t)
	s.addUser("root", rasterbase.Administrator)
	v := s.visit("root")
	v.send("layers", "storm.tif", content, url.Values{"name": {"Storm Lake"}})
	v.parsed("layers/1")
	for range 3 {
		v.do(v.request("GET", "../tiles/1/0/0/0.png", nil, "")).want(t, 200)
	}
	v.get("health").want(t, 200, "State ready", "Layers 1", "in 1 revision", "0 failed", "From the memory of this server 66.67 % 2", "Drawn 33.33 % 1")
	v.get("settings").want(t, 200, "RASTER_ADDR", ":8080", "flag --addr", "RASTER_WEBHOOK_SECRET xxxxx")

	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(1280, 900, "light")
	b.Go(s.root)
	fill(b, map[string]string{"name": "root", "password": password})
	b.Until(`document.querySelector("#list") !== null`)
	s.enqueue("of nobody")
	for _, look := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"", 1280, 900, "light"}, {"-phone", 390, 844, "dark"}} {
		b.Device(look.width, look.height, look.scheme)
		for _, page := range []string{"health", "settings", "jobs"} {
			b.Go(s.root + page)
			b.Until(`document.readyState === "complete"`)
			wantFits(t, b, page+look.name)
			wantAccessible(t, b)
			b.Shot("admin-" + page + look.name)
		}
	}
	for _, says := range b.Complaints() {
		t.Errorf("the browser says %s", says)
	}
}
