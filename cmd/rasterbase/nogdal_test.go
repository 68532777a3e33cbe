package main

import (
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// TestProgramWithoutGDAL builds the program without cgo, as on a machine
// without a C compiler, and gives it what the program with GDAL has parsed.
func TestProgramWithoutGDAL(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL to prepare a store with")
	}
	dir := t.TempDir()
	without := filepath.Join(dir, "rasterbase")
	build := exec.Command("go", "build", "-o", without, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build without cgo: %v\n%s", err, out)
	}
	file, err := filepath.Abs("../../demo/storm_lake_elevation.tif")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := output(dir, "import", file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	cmd := exec.Command(without, "import", file)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "without GDAL") {
		t.Errorf("importing ended with %v and said %s", err, out)
	}

	empty := startBinary(t, without, t.TempDir(), "serve", "--demo", "--addr", "127.0.0.1:0")
	empty.until(t, "the demo is not imported: this program was built without GDAL")
	if err := empty.stop(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, empty.stderr)
	}

	parse, drop := queueParse(t, filepath.Join(dir, "rasterbase-data"), file)
	p := startBinary(t, without, dir, "serve", "--addr", "127.0.0.1:0")
	base := strings.TrimSuffix(p.until(t, "rasterbase is at "), "/")
	resp := getPage(t, base+"/tiles/storm-lake-elevation/12/759/1456.png")
	_, err = png.Decode(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Error(err)
	}
	waitsForAnother(t, filepath.Join(dir, "rasterbase-data"), parse, drop)
	if err := p.stop(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, p.stderr)
	}
	if out, err := output(dir, "layers", "reparse", "2"); err != nil {
		t.Errorf("the program with GDAL does not take the parse up: %v: %s", err, out)
	}
}

// queueParse adds a layer whose parse waits, and after it a job that a worker
// without GDAL does too: to drop a revision that is not there.
func queueParse(t *testing.T, data, file string) (parse, drop store.JobID) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ticket, err := ingest.New(ingest.Config{Store: st, Opener: gdal.Opener{}}).Add(t.Context(), ingest.Request{Source: file})
	if err != nil {
		t.Fatal(err)
	}
	j, err := jobs.New("drop", map[string]int64{"layer": int64(ticket.Layer), "revision": 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	var jobs []*store.Job
	err = st.Catalog().Update(t.Context(), func(tx store.Tx) (err error) {
		if jobs, err = tx.Jobs().ListGroup(t.Context(), fmt.Sprintf("parse:%d", ticket.Parse), nil, 1); err != nil {
			return err
		}
		return tx.Jobs().Enqueue(t.Context(), j)
	})
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	return jobs[0].ID, j.ID
}

// waitsForAnother checks that the parse is still waiting when the job queued
// after it is done.
func waitsForAnother(t *testing.T, data string, parse, drop store.JobID) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var waiting, done *store.Job
	for done == nil || done.State != store.JobDone {
		err := st.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
			if waiting, err = tx.Jobs().Get(t.Context(), parse); err != nil {
				return err
			}
			done, err = tx.Jobs().Get(t.Context(), drop)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if done.State == store.JobFailed {
			t.Fatalf("dropping failed: %s", done.Error)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if waiting.State != store.JobWaiting || waiting.Attempt != 0 || waiting.Error != "" {
		t.Errorf("the parse is %s after %d attempts: %s", waiting.State, waiting.Attempt, waiting.Error)
	}
}
