//go:build cgo && !nogdal

package gdalchild

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// goTrace is how the Go runtime ends a program.
const goTrace = `fatal error: runtime: cannot allocate memory

runtime stack:
runtime.throw({0x12d2a4b?, 0x7f0b9c7b8d10?})
	/usr/local/go/src/runtime/panic.go:1094 +0x48 fp=0x7f0b9c7b8cc8 sp=0x7f0b9c7b8c98 pc=0x4a7d28
runtime.(*mheap).sysAlloc(0x1a3f2c0, 0x2800000?, 0x1a4f4d0, 0x1)
	/usr/local/go/src/runtime/malloc.go:750 +0x3b6

goroutine 21 gp=0xc000102a80 m=3 mp=0xc00008f008 [running]:
example.org/a/gdal.reader.bands({{0x13f1e50, 0xc0000b4000}, ...})
	/home/build/gdal/dataset.go:214 +0x1cd fp=0xc00012fcb8 sp=0xc00012fc10 pc=0x9d2b0d
created by example.org/a/gdal.(*service).start in goroutine 1
	/home/build/gdal/child.go:139 +0x1a5

rax    0x0
r10    0x8
rflags 0x246
`

// collectorTrace is how the Go runtime's collector ends a program that has no
// memory left, and cgoTrace how it tells of a fault in C.
const (
	collectorTrace = "SIGSEGV: segmentation violation\nPC=0x43817d m=4 sigcode=1 addr=0x0\n\n" +
		"goroutine 0 gp=0xbffb0941860 m=4 mp=0xbffb0975808 [idle]:\nruntime.(*spanQueue).tryDrain(0x7f6c00000400?)\n"
	cgoTrace = "SIGSEGV: segmentation violation\nPC=0x7f2e m=0 sigcode=1 addr=0x0\nsignal arrived during cgo execution\n\n" +
		"goroutine 1 gp=0x1 m=0 mp=0x1 [syscall]:\nruntime.cgocall(0x1, 0x2)\n"
)

// TestFaults tells a lack of memory from a fault in C.
func TestFaults(t *testing.T) {
	for text, memory := range map[string]bool{goTrace: false, collectorTrace: true, cgoTrace: false} {
		if runtimeFault.MatchString(text) != memory {
			t.Errorf("taken for a lack of memory: %v\n%s", !memory, text)
		}
	}
}

// TestOutputCut prints more than is kept.
func TestOutputCut(t *testing.T) {
	var o output
	for i := range 1000 {
		fmt.Fprintf(&o, "line %04d of many\n", i)
	}
	lines := strings.Split(strings.TrimSuffix(o.String(), "\n"), "\n")
	if len(o.String()) > headSize+tailSize || lines[0] != "line 0000 of many" || lines[len(lines)-1] != "line 0999 of many" {
		t.Errorf("kept %q", o.String())
	}
	for _, l := range lines {
		if l != "..." && len(l) != len("line 0000 of many") {
			t.Errorf("a part of a line is left: %q", l)
		}
	}
}

// TestReason checks what of a child's last words is told.
func TestReason(t *testing.T) {
	_, cut, _ := strings.Cut(goTrace, "runtime.(*mheap)")
	for _, c := range []struct{ name, said, want string }{
		{"nothing", "", ""},
		{"a Go death of memory", goTrace, "out of memory"},
		{"the end of one", cut, ""},
		{"a C++ death of memory", "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n", "out of memory"},
		{"a signal", "SIGSEGV: segmentation violation\nPC=0x7f2e m=0 sigcode=1 addr=0x10\nsignal arrived during cgo execution\n\n" + cut, ""},
		{"a panic", "panic: runtime error: index out of range [5] with length 3\n\n" + cut, "index out of range [5] with length 3"},
		{"a signal in Go", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x1]\n" + cut, ""},
		{"an assertion", "lib: ../../src/tif_dirread.c:123: TIFFRead: Assertion `n > 0' failed.\nAborted\n", "Aborted"},
		{"a path", "sample: cannot open /home/build/secret/sample.tif: denied\n", "sample: cannot open sample.tif: denied"},
		{"several lines", "first\nsecond\n", "first"},
		{"a long line", strings.Repeat("é", 300), strings.Repeat("é", 200) + "..."},
	} {
		var o output
		fmt.Fprint(&o, c.said)
		if got := o.reason(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// writeBlocks writes a compressed GeoTIFF of uint16 that is stored in one block,
// unless the options say otherwise.
func writeBlocks(t *testing.T, width, height, bands int, options ...string) string {
	t.Helper()
	g := rasterbase.Grid{Width: width, Height: height, OriginX: 0, OriginY: 10, ScaleX: 0.0001, ScaleY: -0.0001}
	types := make([]rasterbase.PixelType, bands)
	for i := range types {
		types[i] = rasterbase.Uint16
	}
	r := raster.New(g, 4326, types...)
	for _, b := range r.Bands {
		b.Pixels.Set(width*height-1, 1)
	}
	path := filepath.Join(t.TempDir(), "wide.tif")
	o := gdal.WriteOptions{Compression: "DEFLATE", Options: append(options, fmt.Sprintf("BLOCKYSIZE=%d", height))}
	if err := gdal.Write(context.Background(), path, r, o); err != nil {
		t.Fatal(err)
	}
	runtime.GC() // the raster is not used any more
	return path
}

// TestOutOfMemory lets children run out of memory, in GDAL and in the Go
// runtime.
func TestOutOfMemory(t *testing.T) {
	for _, c := range []struct {
		name   string
		o      Opener
		path   string
		window ingest.Window
		dies   bool
	}{
		{"a block in GDAL", Opener{MemoryLimit: 64 << 20, CacheBytes: 16 << 20, Limits: gdal.Limits{BlockBytes: 1 << 30}},
			writeBlocks(t, 12000, 4000, 1), ingest.Window{Width: 2000, Height: 2000}, false},
		{"pixels in Go", Opener{MemoryLimit: 48 << 20, CacheBytes: 1 << 20, Limits: gdal.Limits{ReadBytes: 1 << 30}},
			writeBlocks(t, 10000, 5000, 1, "TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256"), ingest.Window{Width: 10000, Height: 5000}, true},
	} {
		d := open(t, c.o, c.path, ingest.OpenOptions{})
		_, err := d.Read(context.Background(), c.window, nil)
		limit := fmt.Sprintf("%d MiB", c.o.MemoryLimit>>20)
		if rasterbase.CodeOf(err) != rasterbase.TooLarge || !strings.Contains(err.Error(), limit) || !strings.Contains(err.Error(), "wide.tif") {
			t.Errorf("%s: %v", c.name, err)
		}
		// A trace of the Go runtime, or a word of the race detector's.
		if c.dies && d.p.stderr.String() == "" {
			t.Errorf("%s: the child has not died", c.name)
		}
		t.Logf("%s: %v", c.name, err)
		checkMessage(t, c.name, err)
	}
}

// TestLargeBlocks opens files whose blocks are a good part of a child's memory:
// what has half of it is read, by one handle, and what has more is refused.
func TestLargeBlocks(t *testing.T) {
	o := Opener{MemoryLimit: 192 << 20, CacheBytes: 48 << 20}
	for _, c := range []struct {
		name                    string
		bands, height, parallel int
	}{
		{"one band of 95 MiB", 1, 5000, 1},
		{"three bands of 95 MiB", 3, 1660, 1},
		{"two of 67 MiB fit", 1, 3500, 2},
	} {
		path := writeBlocks(t, 10000, c.height, c.bands, "INTERLEAVE=PIXEL")
		d := open(t, o, path, ingest.OpenOptions{Parallel: 2})
		if cap(d.slots) != c.parallel {
			t.Errorf("%s: %d requests at a time, want %d", c.name, cap(d.slots), c.parallel)
		}
		const side = 512
		w := ingest.Window{X: 10000 - side, Y: c.height - side, Width: side, Height: side}
		b, err := d.Read(context.Background(), w, []int{c.bands - 1})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if v := b.Bands[0].At(side*side - 1); v != 1 {
			t.Errorf("%s: the last pixel is %v", c.name, v)
		}
		if _, err := d.Read(context.Background(), w, nil); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		d.Close()
		t.Logf("%s: peak %d MiB", c.name, d.p.peak>>20)
	}
	_, err := o.Open(context.Background(), writeBlocks(t, 10000, 5100, 1), ingest.OpenOptions{})
	if rasterbase.CodeOf(err) != rasterbase.TooLarge {
		t.Fatalf("a block of more than half of the memory: %v", err)
	}
	for _, part := range []string{"10000 x 5100", "97.3 MiB", "96.0 MiB", "gdal_translate -co TILED=YES IN OUT"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message does not say %q: %v", part, err)
		}
	}
}
