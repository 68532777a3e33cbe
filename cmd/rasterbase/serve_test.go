package main

import (
	"bufio"
	"context"
	"fmt"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// program is a running rasterbase with its standard output, line by line.
type program struct {
	*exec.Cmd
	lines  *bufio.Scanner
	stderr *strings.Builder
}

// start runs the real program in a folder until the test ends.
func start(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	return startBinary(t, "rasterbase", dir, args...)
}

func startBinary(t *testing.T, binary, dir string, args ...string) *program {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	p := &program{Cmd: cmd, stderr: &strings.Builder{}}
	cmd.Stderr = p.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return p
}

// until reads lines until one begins like this, and gives its rest.
func (p *program) until(t *testing.T, prefix string) string {
	t.Helper()
	for p.lines.Scan() {
		if rest, ok := strings.CutPrefix(p.lines.Text(), prefix); ok {
			return rest
		}
	}
	p.Wait()
	t.Fatalf("the program ended before it printed %q:\n%s", prefix, p.stderr)
	return ""
}

// stop asks the program to end, and gives what it ended with.
func (p *program) stop() error {
	p.Process.Signal(os.Interrupt)
	for p.lines.Scan() {
	}
	return p.Wait()
}

func TestServeDemoShowsBothRastersAndImportsThemOnce(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	dir := t.TempDir()
	for _, first := range []bool{true, false} {
		p := start(t, dir, "serve", "--demo", "--addr", "127.0.0.1:0")
		base := strings.TrimSuffix(p.until(t, "rasterbase is at "), "/")
		for range 2 {
			address := p.until(t, "  "+base+"/tiles/")
			resp := getPage(t, base+"/tiles/"+address)
			img, err := png.Decode(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			colours := map[string]bool{}
			for y := range img.Bounds().Dy() {
				for x := range img.Bounds().Dx() {
					r, g, b, a := img.At(x, y).RGBA()
					if a > 0 {
						colours[fmt.Sprint(r>>8, g>>8, b>>8)] = true
					}
				}
			}
			if len(colours) < 5 {
				t.Errorf("%s has %d colours", address, len(colours))
			}
		}
		resp := getPage(t, base+"/")
		page, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Storm Lake vegetation", "Storm Lake elevation"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("the page does not show %q (first start: %v)", want, first)
			}
		}
		if err := p.stop(); err != nil {
			t.Errorf("the server ended with %v:\n%s", err, p.stderr)
		}
	}
	out, err := output(dir, "layers")
	if err != nil || strings.Count(out, "finished") != 2 {
		t.Errorf("after two starts there are these layers: %s %v", out, err)
	}
}

func TestImportBesideARunningServer(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	dir := t.TempDir()
	p := start(t, dir, "serve", "--addr", "127.0.0.1:0")
	base := strings.TrimSuffix(p.until(t, "rasterbase is at "), "/")
	file, err := filepath.Abs("../../demo/storm_lake_elevation.tif")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := output(dir, "import", file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	getPage(t, base+"/tiles/storm_lake_elevation.tif/12/759/1456.png").Body.Close()
	if err := p.stop(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, p.stderr)
	}
}

func TestServeOnAPortInUseSaysTheWayOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	out, err := output(dir, "serve", "--addr", l.Addr().String())
	if err == nil || !strings.Contains(out, "is in use by another program") || !strings.Contains(out, "hint: ") {
		t.Errorf("%v: %s", err, out)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("it left %v behind", entries)
	}
}

func TestInterruptedImportLeavesNothing(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	dir := t.TempDir()
	big := bigRaster(t, dir)
	cmd := exec.Command("rasterbase", "import", big, "--legend", writeLegend(t, dir))
	cmd.Dir = dir
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "creating tiles") {
			cmd.Process.Signal(os.Interrupt)
		}
	}
	err = cmd.Wait()
	if err == nil || !strings.Contains(strings.Join(said, "\n"), "interrupted; nothing of it was kept") {
		t.Errorf("the import ended with %v and said %q", err, said)
	}
	if out, err := output(dir, "layers", "--json"); err != nil || !strings.Contains(out, `"layers": []`) {
		t.Errorf("afterwards there are layers: %s %v", out, err)
	}
	if out, err := output(dir, "legends", "--json"); err != nil || !strings.Contains(out, `"legends": []`) {
		t.Errorf("afterwards there are legends: %s %v", out, err)
	}
	for _, kind := range []string{"tiles/*.db", "sources/*"} {
		if left, err := filepath.Glob(filepath.Join(dir, "rasterbase-data", kind)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
}

// utm33 is EPSG:32633 as side-car files of ESRI's formats have it.
const utm33 = `PROJCS["WGS_1984_UTM_Zone_33N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",15.0],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]`

// bigRaster writes an ESRI ASCII grid that takes a while to parse.
func bigRaster(t *testing.T, dir string) string {
	t.Helper()
	const side = 1800
	path := filepath.Join(dir, "big.asc")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "ncols %d\nnrows %d\nxllcorner 500000\nyllcorner 4000000\ncellsize 10\n", side, side)
	var line []byte
	for y := range side {
		line = line[:0]
		for x := range side {
			line = append(strconv.AppendInt(line, int64(x^y), 10), ".5 "...)
		}
		w.Write(append(line, '\n')) // Flush tells what failed
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	prj := filepath.Join(dir, "big.prj")
	if err := os.WriteFile(prj, []byte(utm33), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeLegend(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "legend.json")
	if err := os.WriteFile(path, []byte(`[{"name":"All","expression":"x >= 0","color":"#336699"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// output runs the program to its end and gives what it printed.
func output(dir string, args ...string) (string, error) {
	cmd := exec.Command("rasterbase", args...)
	cmd.Dir = dir
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func getPage(t *testing.T, address string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", address, resp.Status)
	}
	return resp
}
