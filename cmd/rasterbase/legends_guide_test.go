package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The commands of docs/guides/legends.md are typed as they stand, one block after
// the other, in a folder with the demo's rasters.
func TestTheGuideToLegends(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	if _, err := exec.LookPath("gdaldem"); err != nil {
		if strings.Contains(os.Getenv("RASTERBASE_TEST_REQUIRE"), "gdal") {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "legends.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := "set -eu\n"
	for _, b := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(b[1], "curl ") { // needs no server
			script += b[1]
		}
	}
	dir := tourFolder(t)
	cmd := exec.CommandContext(t.Context(), "bash")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(script)
	cmd.Env = append(os.Environ(), "RASTER_DATA="+filepath.Join(dir, "data"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the guide: %v\n%s", err, out)
	}
	for _, want := range []string{"Heights, entries: 7", "each matches one entry", "Relief, gradient: linear, 3 stops", "replaced legend 1, Heights"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the commands do not print %q:\n%s", want, out)
		}
	}
	for _, file := range []string{"heights.qml", "relief.clr", "coloured.tif"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
}
