//go:build cgo && !nogdal

package gdalchild

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
)

// outcome is what must become of a file.
type outcome struct {
	opening, reading rasterbase.Code // of the error; empty: none
}

// refusedFiles are those that must not open even with a place on the map, by
// the code of the error.
var refusedFiles = map[string]rasterbase.Code{
	"bogus.jpg":                           rasterbase.Invalid,
	"byte_zip64_local_header_zeroed.zip":  rasterbase.Invalid,
	"corrupted_z_buf_error.gz":            rasterbase.Invalid,
	"dimensions_above_31bit.jp2":          rasterbase.Invalid,
	"excessive-memory-TIFFFillStrip2.tif": rasterbase.TooLarge,
	"fakebig.gif":                         rasterbase.Invalid,
	"hfa_completedefn_recursion.img":      rasterbase.Invalid,
	"huge-number-strips.tif":              rasterbase.TooLarge,
	"image_width_above_32bit.tif":         rasterbase.Invalid,
	"scanline_more_than_2GB.tif":          rasterbase.TooLarge,
	"test_deflate_4GB.tif.zip":            rasterbase.Invalid,
	"toomanyblocks.tif":                   rasterbase.Invalid,
	"uint33.tif":                          rasterbase.Invalid,
	"unknown_compression.tif":             rasterbase.Invalid,
}

// placedFiles have a place on the map without being given one.
var placedFiles = map[string]bool{
	"6band_wrong_number_extrasamples.tif": true,
	"byte_truncated.tif":                  true,
	"byte_zstd_corrupted.tif":             true,
	"byte_zstd_corrupted2.tif":            true,
	"small_world_truncated.jp2":           true,
	"web_z5_z11_8448px.tif":               true,
	"world_lossy_5000px.tif":              true,
}

// readableFiles have only damage that GDAL passes over.
var readableFiles = map[string]bool{
	"6band_wrong_number_extrasamples.tif": true,
	"byte_corrupted.jpg":                  true,
	"tag_without_null_byte.tif":           true,
	"web_z5_z11_8448px.tif":               true,
	"world_lossy_5000px.tif":              true,
}

func expected(name string, placed bool) outcome {
	switch {
	case refusedFiles[name] != "":
		return outcome{opening: refusedFiles[name]}
	case !placed && !placedFiles[name]:
		return outcome{opening: rasterbase.Invalid}
	case readableFiles[name]:
		return outcome{}
	}
	return outcome{reading: rasterbase.Invalid}
}

// internalText matches what no message may hold: traces, addresses, absolute
// paths.
var internalText = regexp.MustCompile(`goroutine|\.cpp\b|runtime\.|\+0x|0x[0-9a-f]{4}|(^|[\s"'` + "`" + `(:])/[\w.-]+/`)

func checkMessage(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil && internalText.MatchString(err.Error()) {
		t.Errorf("%s: the message holds what users must not see: %q", what, err)
	}
}

// TestCorrupt opens every damaged file and reads all of what opens: nothing
// may hang, crash this process, or take more memory than allowed.
func TestCorrupt(t *testing.T) {
	dir := os.Getenv("RASTERBASE_TESTDATA")
	if dir == "" {
		t.Skip("RASTERBASE_TESTDATA names no folder")
	}
	files, err := filepath.Glob(filepath.Join(dir, "corrupt", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	files = append(files, filepath.Join(dir, "rgb", "world_lossy_5000px.tif"), filepath.Join(dir, "odd", "web_z5_z11_8448px.tif"))
	for _, path := range files {
		for _, placed := range []bool{false, true} {
			srid := 0
			if placed {
				// With a world file and a CRS more files open, and pixels are read.
				path, srid = withWorldFile(t, path), 4326
			}
			name := filepath.Base(path)
			p, opening, reading := readAll(t, path, srid)
			err := errors.Join(opening, reading)
			t.Logf("%-43s placed %-5v  peak %3d MiB  %v", name, placed, p.peak>>20, err)
			if p.peak > 512<<20 {
				t.Errorf("%s: the child had %d MiB", name, p.peak>>20)
			}
			if got, want := (outcome{codeOf(opening), codeOf(reading)}), expected(name, placed); got != want {
				t.Errorf("%s, placed %v: got %q, want %q (%v)", name, placed, got, want, err)
			}
			checkMessage(t, name, err)
		}
	}
}

func codeOf(err error) rasterbase.Code {
	if err == nil {
		return ""
	}
	return rasterbase.CodeOf(err)
}

func withWorldFile(t *testing.T, path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	world := strings.TrimSuffix(to, filepath.Ext(to)) + ".wld"
	if err := os.WriteFile(world, []byte("0.00001\n0\n0\n-0.00001\n10\n50\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// readAll opens a file and reads up to a hundred windows of it. It returns the
// error of opening and the last one of reading.
func readAll(t *testing.T, path string, srid int) (p *process, opening, reading error) {
	o := Opener{Timeout: 20 * time.Second}.withDefaults()
	p, err := o.start(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	d := &dataset{p: p, limits: o.Limits}
	if err := d.openWith(context.Background(), path, ingest.OpenOptions{SRID: srid}); err != nil {
		return p, err, nil
	}
	for _, warning := range d.info.Warnings {
		checkMessage(t, filepath.Base(path), errors.New(warning))
	}
	g := d.info.Grid
	const side = 1024
	windows := 0
	for y := 0; y < g.Height; y += side {
		for x := 0; x < g.Width; x += side {
			if windows++; windows > 100 {
				return p, nil, reading
			}
			w := ingest.Window{X: x, Y: y, Width: min(side, g.Width-x), Height: min(side, g.Height-y)}
			if _, err := d.Read(context.Background(), w, nil); err != nil {
				reading = err
			}
		}
	}
	return p, nil, reading
}
