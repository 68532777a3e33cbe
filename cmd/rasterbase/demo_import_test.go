package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/sqlite"
)

// demoSays starts a server and gives what it prints until the text.
func demoSays(t *testing.T, dir, until string) string {
	t.Helper()
	p := start(t, dir, "serve", "--demo", "--addr", "127.0.0.1:0")
	p.until(t, "rasterbase is at ")
	var said strings.Builder
	for p.lines.Scan() {
		said.WriteString(p.lines.Text() + "\n")
		if strings.Contains(p.lines.Text(), until) {
			break
		}
	}
	if err := p.stop(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, p.stderr)
	}
	return said.String()
}

func slugs(t *testing.T, dir string) (all []string) {
	t.Helper()
	out, err := output(dir, "layers", "--json")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var doc struct{ Layers []struct{ Slug string } }
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	for _, l := range doc.Layers {
		all = append(all, l.Slug)
	}
	return all
}

func TestTheDemoStaysOutOfAStoreWithOtherLayers(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	dir := t.TempDir()
	if err := unpack(demo.Rasters()[1], dir); err != nil {
		t.Fatal(err)
	}
	if out, err := output(dir, "import", demo.Rasters()[1].File); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	said := demoSays(t, dir, "demo")
	if !strings.Contains(said, "the demo is not imported") {
		t.Errorf("it says %q", said)
	}
	if got := slugs(t, dir); len(got) != 1 {
		t.Errorf("there are %q", got)
	}
}

func TestADemoLayerThatWasDeletedStaysAway(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	dir := t.TempDir()
	gone, left := demo.Rasters()[0], demo.Rasters()[1]
	demoSays(t, dir, "/tiles/"+left.Slug)
	if out, err := output(dir, "layers", "delete", gone.Slug, "--yes"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	said := demoSays(t, dir, "/tiles/"+left.Slug)
	if !strings.Contains(said, "/layers/"+left.Slug) || strings.Contains(said, gone.Slug) || strings.Contains(said, "importing") {
		t.Errorf("it says %q", said)
	}
	if got := slugs(t, dir); len(got) != 1 || got[0] != left.Slug {
		t.Errorf("there are %q", got)
	}
}

// The program ended when the first of the two was queued, and its parse was
// given up.
func TestADemoImportThatWasCutOffIsFinished(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	dir := t.TempDir()
	st, err := sqlite.Open(t.Context(), dir+"/rasterbase-data", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := demoImport{store: st, parser: ingest.New(ingest.Config{Store: st, Opener: gdal.Opener{}}), out: new(strings.Builder), workDir: dir}
	first := demo.Rasters()[0]
	id, err := d.add(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.parser.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	demoSays(t, dir, "/tiles/"+demo.Rasters()[1].Slug)
	if got := slugs(t, dir); len(got) != 2 || got[0] != first.Slug {
		t.Errorf("there are %q", got)
	}
}
