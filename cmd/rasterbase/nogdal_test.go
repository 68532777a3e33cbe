package main

import (
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "no GDAL") {
		t.Errorf("importing ended with %v and said %s", err, out)
	}

	p := startBinary(t, without, dir, "serve", "--demo", "--addr", "127.0.0.1:0")
	base := strings.TrimSuffix(p.until(t, "rasterbase is at "), "/")
	resp := fetch(t, base+"/tiles/storm-lake-elevation/12/759/1456.png")
	_, err = png.Decode(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Error(err)
	}
	if err := p.stop(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, p.stderr)
	}
	if log := p.stderr.String(); !strings.Contains(log, "built without GDAL") {
		t.Errorf("it does not say why a demo layer is missing:\n%s", log)
	}
}
