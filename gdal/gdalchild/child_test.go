//go:build cgo && !nogdal

package gdalchild

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// writeSample writes a GeoTIFF of 300 x 200 pixels of float32 with a mask, and
// returns its path.
func writeSample(t testing.TB) string {
	t.Helper()
	g := rasterbase.Grid{Width: 300, Height: 200, OriginX: 500000, OriginY: 5500000, ScaleX: 30, ScaleY: -30}
	r := raster.New(g, 32632, rasterbase.Float32, rasterbase.Float32)
	r.Validity = make([]uint8, g.Width*g.Height)
	for i := range r.Validity {
		r.Bands[0].Pixels.Set(i, float64(i)/7)
		r.Bands[1].Pixels.Set(i, -float64(i))
		if i%5 != 0 {
			r.Validity[i] = 255
		}
	}
	path := filepath.Join(t.TempDir(), "sample.tif")
	if err := gdal.Write(context.Background(), path, r, gdal.WriteOptions{Compression: "DEFLATE", Options: []string{"TILED=YES"}}); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, o Opener, path string, opt ingest.OpenOptions) *dataset {
	t.Helper()
	d, err := o.Open(context.Background(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d.(*dataset)
}

// TestSameAsInProcess compares everything that a child says with what package
// gdal says in this process, with several requests at a time.
func TestSameAsInProcess(t *testing.T) {
	ctx, path := context.Background(), writeSample(t)
	child := open(t, Opener{}, path, ingest.OpenOptions{Parallel: 3})
	own, err := gdal.Opener{}.Open(ctx, path, ingest.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if a, b := child.Info(), own.Info(); a.Grid != b.Grid || a.CRS != b.CRS || len(a.Bands) != len(b.Bands) || a.HasMask != b.HasMask || a.Driver != b.Driver {
		t.Errorf("the child says %+v, GDAL here says %+v", a, b)
	}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			w := ingest.Window{X: i * 10, Y: i * 5, Width: 100 + i, Height: 50 + i}
			bands := [][]int{nil, {0}, {1}, {1, 0}}[i%4]
			a, err := child.Read(ctx, w, bands)
			if err != nil {
				t.Error(err)
				return
			}
			b, err := own.Read(ctx, w, bands)
			if err != nil {
				t.Error(err)
				return
			}
			if len(a.Bands) != len(b.Bands) || len(a.Masks) != len(b.Masks) {
				t.Errorf("bands %v: %d and %d masks from the child, %d and %d from GDAL here", bands, len(a.Bands), len(a.Masks), len(b.Bands), len(b.Masks))
				return
			}
			for j := range a.Bands {
				if !slices.Equal(a.Bands[j].Bytes(), b.Bands[j].Bytes()) || !slices.Equal(a.Masks[j], b.Masks[j]) {
					t.Errorf("window %+v, band %d: the pixels differ", w, j+1)
				}
			}
		})
	}
	wg.Wait()
	for _, bands := range [][]int{{}, {2}, {-1}, {0, 1, 0}} {
		if _, err := child.Read(ctx, ingest.Window{Width: 1, Height: 1}, bands); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("bands %v of two: %v", bands, err)
		}
	}
	places := make([]ingest.Place, maxPlaces+17)
	for i := range places {
		places[i] = ingest.Place{X: float64(i % 300), Y: float64(i % 200)}
	}
	same := slices.Clone(places)
	if err := child.ToMercator(ctx, places); err != nil {
		t.Fatal(err)
	}
	if err := own.ToMercator(ctx, same); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(places, same) {
		t.Error("places in EPSG:3857 differ")
	}
	if err := child.FromMercator(ctx, places); err != nil {
		t.Fatal(err)
	}
	if p := places[42]; p.X < 41.999 || p.X > 42.001 || p.Y < 41.999 || p.Y > 42.001 {
		t.Errorf("place 42 came back as %v", p)
	}
}

// TestErrorsCross checks that an error means the same on this side of the pipe.
func TestErrorsCross(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.tif")
	if err := os.WriteFile(text, []byte("not a raster"), 0o600); err != nil {
		t.Fatal(err)
	}
	vrt := filepath.Join(dir, "a.vrt")
	if err := os.WriteFile(vrt, []byte(`<VRTDataset rasterXSize="1" rasterYSize="1"/>`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, says string
		opt        ingest.OpenOptions
		code       rasterbase.Code
		field      string
	}{
		{path: text, says: "cannot be read as a raster", code: rasterbase.Invalid},
		{path: vrt, says: "VRT", code: rasterbase.Invalid},
		{path: filepath.Join(dir, "none.tif"), says: "no file", code: rasterbase.NotFound},
		{path: "/vsicurl/http://localhost/a.tif", says: "virtual file systems", code: rasterbase.Invalid},
		{path: writeSample(t), opt: ingest.OpenOptions{SRID: 99999}, says: "99999", code: rasterbase.Invalid, field: "srid"},
		{path: writeSample(t), opt: ingest.OpenOptions{Subdataset: "b"}, says: `"b"`, code: rasterbase.Invalid, field: "subdataset"},
	} {
		_, err := Opener{}.Open(context.Background(), c.path, c.opt)
		if rasterbase.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.path, err)
		}
		if e := (*rasterbase.Error)(nil); errors.As(err, &e) && e.Field != c.field {
			t.Errorf("%s: field %q, want %q", c.path, e.Field, c.field)
		}
	}
}

// TestCrash kills a child as a fault in GDAL would.
func TestCrash(t *testing.T) {
	d := open(t, Opener{}, writeSample(t), ingest.OpenOptions{})
	if err := syscall.Kill(d.p.cmd.Process.Pid, syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	<-d.p.exited
	_, err := d.Read(context.Background(), ingest.Window{Width: 10, Height: 10}, nil)
	if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "SIGSEGV") || !strings.Contains(err.Error(), "sample.tif") {
		t.Errorf("after a crash: %v", err)
	}
	if err2 := d.ToMercator(context.Background(), make([]ingest.Place, 1)); err2 == nil || err2.Error() != err.Error() {
		t.Errorf("a later request says %v", err2)
	}
	if _, err := os.Stat(d.p.temp.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary folder is still there: %v", err)
	}
}

// TestStopped stops the child, so that a request never gets an answer.
func TestStopped(t *testing.T) {
	d := open(t, Opener{Timeout: 3 * time.Second}, writeSample(t), ingest.OpenOptions{})
	if err := syscall.Kill(d.p.cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Read(ctx, ingest.Window{Width: 10, Height: 10}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled request says %v", err)
	}
	_, err := d.Read(context.Background(), ingest.Window{Width: 10, Height: 10}, nil)
	if rasterbase.CodeOf(err) != rasterbase.TooLarge || !strings.Contains(err.Error(), "more than 3s") {
		t.Errorf("a request without an end says %v", err)
	}
}

// TestClosed uses a data set after Close.
func TestClosed(t *testing.T) {
	d := open(t, Opener{}, writeSample(t), ingest.OpenOptions{})
	d.Close()
	d.Close()
	if _, err := d.Read(context.Background(), ingest.Window{Width: 1, Height: 1}, nil); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestSandbox asks children for what they must not do.
func TestSandbox(t *testing.T) {
	t.Logf("in force: %q", Sandbox())
	if !slices.ContainsFunc(Sandbox(), func(s string) bool { return strings.HasSuffix(s, "files") }) {
		t.Skip("this kernel has no Landlock")
	}
	other := writeSample(t)
	o := Opener{}.withDefaults()
	p, err := o.start(writeSample(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	_, err = p.call(context.Background(), request{Op: opOpen, Path: other, Options: &ingest.OpenOptions{}}, nil,
		func(a answer, raw uint64) ([][]byte, error) { return nil, nil })
	if err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("a file outside the source's folder: %v", err)
	}
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "environ"))
	if err != nil {
		t.Fatal(err)
	}
	for v := range strings.SplitSeq(string(status), "\x00") {
		name, _, _ := strings.Cut(v, "=")
		allowed := append([]string{"", marker, "TMPDIR", "CPL_TMPDIR", "HOME", "LC_ALL", "MALLOC_ARENA_MAX", raceVariable}, dataVariables...)
		if !slices.Contains(allowed, name) {
			t.Errorf("the child inherits %s", name)
		}
	}
}

// TestNotAChild starts programs that do not call Main.
func TestNotAChild(t *testing.T) {
	for _, binary := range []string{"true", "false"} {
		path, err := exec.LookPath(binary)
		if err != nil {
			t.Skip(err)
		}
		_, err = Opener{Binary: path}.Open(context.Background(), writeSample(t), ingest.OpenOptions{})
		if rasterbase.CodeOf(err) != rasterbase.Internal || !strings.Contains(err.Error(), "did not start") {
			t.Errorf("%s as a child: %v", binary, err)
		}
	}
}

// BenchmarkOpen is the time to start a child and open a small file.
func BenchmarkOpen(b *testing.B) {
	path := writeSample(b)
	for b.Loop() {
		d, err := Opener{}.Open(context.Background(), path, ingest.OpenOptions{})
		if err != nil {
			b.Fatal(err)
		}
		d.Close()
	}
}

// BenchmarkRead is the time to read 256 x 256 pixels of two float32 bands and a
// mask through the pipe, and in this process for comparison.
func BenchmarkRead(b *testing.B) {
	ctx, path := context.Background(), writeSample(b)
	w := ingest.Window{Width: 256, Height: 200}
	for name, o := range map[string]ingest.Opener{"child": Opener{}, "in process": gdal.Opener{}} {
		b.Run(name, func(b *testing.B) {
			d, err := o.Open(ctx, path, ingest.OpenOptions{})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			b.SetBytes(256 * 200 * 9)
			for b.Loop() {
				if _, err := d.Read(ctx, w, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
