package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The lines of docs/guides/http-api.md are typed as they stand, with the address
// of a server, and each of them does what the guide says.
func TestTheGuideToTheHTTPAPI(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	for _, program := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			if strings.Contains(os.Getenv("RASTERBASE_TEST_REQUIRE"), "gdal") {
				t.Fatalf("the guide needs %s: %v", program, err)
			}
			t.Skip(err)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "http-api.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := tourFolder(t)
	t.Setenv("RASTER_DATA", filepath.Join(dir, "data"))
	t.Setenv("RASTER_ALLOWED_PATHS", dir)
	p := start(t, dir, "serve", "--addr", "127.0.0.1:0")
	t.Setenv("RASTERBASE", strings.TrimSuffix(p.until(t, "rasterbase is at "), "/"))

	script := "set -euo pipefail\n"
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	for _, b := range blocks {
		script += b[1] + "echo '--- end of a block'\n"
	}
	cmd := exec.CommandContext(t.Context(), "bash")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(script)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("the guide: %v\n%s\n%s", err, &out, &errs)
	}
	printed := strings.Split(out.String(), "--- end of a block\n")
	if len(printed) != len(blocks)+1 || len(blocks) != 17 {
		t.Fatalf("%d blocks printed:\n%s", len(blocks), &out)
	}
	for i, want := range map[int]string{
		2:  `"name":"Elevation"`,
		3:  `"status":"finished"`,
		4:  `"max_zoom": 12,`,
		5:  `{"name":"Lake","expression":"366","color":"#2166AC"}` + "\n5\n\"Heights\"\n",
		6:  `"column":4`,
		7:  `{"title":"Copy","entries":3}` + "\n[]\n",
		9:  `"dawn"`,
		11: `["finished",100,"relief.pmtiles"]`,
		12: "[2494,3046]\n" + `{"count":4782,"area":430.4`,
		13: "zone,layer,mean,max\nThe lake,elevation,2",
		14: "\"private\"\n\"queued\"\n\"queued\"\n\"cancelled\"\n",
		16: `"parameter": "source"`,
	} {
		if !strings.Contains(printed[i], want) {
			t.Errorf("block %d does not print %s:\n%s\n%s", i+1, want, printed[i], blocks[i][1])
		}
	}
	if err := p.stop(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, p.stderr)
	}
}
