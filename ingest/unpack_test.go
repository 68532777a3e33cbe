package ingest_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"

	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
)

// entry is a file in a zip.
type entry struct{ name, text string }

func zipped(t testing.TB, name string, entries ...entry) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestZip(t *testing.T) {
	o := &rastertest.Opener{Sources: map[string]rastertest.Source{
		"a.syn": wavy(rasterbase.Uint8, 1, 30, 20, nil, 5), "b.syn": wavy(rasterbase.Uint8, 2, 40, 20, nil, 5),
	}}
	a, b := entry{"a.syn", "x"}, entry{"data/2020/b.syn", "y"}
	text := entry{"README.md", "about it"}
	tests := []struct {
		name       string
		entries    []entry
		subdataset string
		width      int // of the raster found; 0: an error
		code       rasterbase.Code
		says       []string
	}{
		{name: "one", entries: []entry{a}, width: 30},
		{name: "in a folder", entries: []entry{{"data/", ""}, text, b}, width: 40},
		{name: "with side-cars", entries: []entry{a, {"a.syn.aux.xml", "<x/>"}, {"a.prj", "p"}, {"a.tfw", "1"}}, width: 30},
		{name: "several, one named", entries: []entry{a, b}, subdataset: "data/2020/b.syn", width: 40},
		{name: "several", entries: []entry{a, b, text}, code: rasterbase.Invalid, says: []string{"a.syn", "data/2020/b.syn", "--subdataset"}},
		{name: "several, another named", entries: []entry{a, b}, subdataset: "c.syn", code: rasterbase.NotFound, says: []string{"c.syn"}},
		{name: "none", entries: []entry{text}, code: rasterbase.Invalid, says: []string{"raster", "README.md"}},
		{name: "empty", code: rasterbase.Invalid, says: []string{"no file"}},
		{name: "side-cars only", entries: []entry{{"a.prj", "p"}}, code: rasterbase.Invalid, says: []string{"no file"}},
		{name: "parent folder", entries: []entry{a, {"../evil.syn", "x"}}, code: rasterbase.Invalid, says: []string{"../evil.syn", "unsafe"}},
		{name: "absolute", entries: []entry{{"/etc/evil.syn", "x"}}, code: rasterbase.Invalid, says: []string{"/etc/evil.syn"}},
		{name: "hidden parent", entries: []entry{{"a/../../evil.syn", "x"}}, code: rasterbase.Invalid, says: []string{"unsafe"}},
		{name: "twice", entries: []entry{a, a}, code: rasterbase.Invalid, says: []string{"a.syn"}},
		{name: "too large", entries: []entry{a, {"zeros.bin", strings.Repeat("\x00", 1<<20)}}, code: rasterbase.TooLarge, says: []string{"more bytes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st, work := swift(t), t.TempDir()
			p := ingest.New(ingest.Config{Store: st, Opener: o, WorkDir: work, Limits: ingest.Limits{SourceBytes: 1 << 19}})
			path := zipped(t, "rasters.zip", tt.entries...)
			layer, err := p.Import(t.Context(), ingest.Request{Source: path, Settings: rasterbase.Settings{Subdataset: tt.subdataset}}, nil)
			if tt.width > 0 {
				if err != nil {
					t.Fatal(err)
				}
				if g := contents(t, st, layer.ID).rev.Grid; g.Width != tt.width || layer.Name != "rasters" {
					t.Errorf("layer %q has the grid %+v", layer.Name, g)
				}
			} else {
				refusal(t, err, tt.code, tt.says, work)
				nothingStored(t, st)
			}
			emptyFolder(t, work)
		})
	}
}

// refusal checks an error for the user: its code, what it names, and that it
// does not show where files were unpacked.
func refusal(t *testing.T, err error, code rasterbase.Code, says []string, work string) {
	t.Helper()
	if err == nil || rasterbase.CodeOf(err) != code {
		t.Fatalf("the error is %v (%s)", err, rasterbase.CodeOf(err))
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
	if strings.Contains(err.Error(), work) || strings.Contains(err.Error(), "rasterbase-source") {
		t.Errorf("%q shows the temporary folder", err)
	}
}

func emptyFolder(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files are left in the temporary folder: %v, %v", left, err)
	}
}

func TestSeveralRastersAreListed(t *testing.T) {
	o := &rastertest.Opener{Sources: map[string]rastertest.Source{
		"a.syn": wavy(rasterbase.Uint8, 1, 30, 20, nil, 5), "b.syn": wavy(rasterbase.Uint8, 2, 40, 20, nil, 5),
	}}
	_, err := ingest.New(ingest.Config{Store: swift(t), Opener: o}).Plan(t.Context(), ingest.Request{
		Source: zipped(t, "rasters.zip", entry{"a.syn", "x"}, entry{"sub/b.syn", "y"})})
	several, ok := errors.AsType[*ingest.SeveralRasters](err)
	if !ok {
		t.Fatalf("the error is %v", err)
	}
	var names []string
	for _, r := range several.Rasters {
		names = append(names, r.Name)
	}
	if !slices.Equal(names, []string{"a.syn", "sub/b.syn"}) {
		t.Errorf("listed are %q", names)
	}
}

// broken changes the bytes of a zip's headers, local and central.
func broken(t *testing.T, path string, at func(local, central []byte)) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at(b[bytes.Index(b, []byte("PK\x03\x04")):], b[bytes.Index(b, []byte("PK\x01\x02")):])
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestZipsThatCannotBeUnpacked(t *testing.T) {
	u16 := binary.LittleEndian.PutUint16
	tests := []struct {
		name  string
		spoil func(local, central []byte)
		says  string
	}{
		{"encrypted", func(l, c []byte) { u16(l[6:], 1|8); u16(c[8:], 1|8) }, "password"},
		{"unsupported method", func(l, c []byte) { u16(l[8:], 97); u16(c[10:], 97) }, "deflate"},
		{"wrong checksum", func(_, c []byte) { c[16] ^= 0xff }, "checksum"},
		{"damaged data", func(l, _ []byte) { l[30+len("a.syn")] = 0xff }, "unpacked"},
		{"no directory", func(_, c []byte) { copy(c, "XXXX") }, "zip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := zipped(t, "rasters.zip", entry{"a.syn", strings.Repeat("some text ", 50)})
			broken(t, path, tt.spoil)
			work := t.TempDir()
			p := ingest.New(ingest.Config{Store: swift(t), Opener: opener(rastertest.Source{}), WorkDir: work})
			_, err := p.Plan(t.Context(), ingest.Request{Source: path})
			refusal(t, err, rasterbase.Invalid, []string{"rasters.zip", tt.says}, work)
			emptyFolder(t, work)
		})
	}
}

func TestGzip(t *testing.T) {
	pack := func(name string, text []byte) string {
		path := filepath.Join(t.TempDir(), name)
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write(text)
		if err := errors.Join(err, z.Close(), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := pack("raster.syn.gz", []byte("x"))
	short := filepath.Join(t.TempDir(), "short.syn.gz")
	b, err := os.ReadFile(good)
	if err := errors.Join(err, os.WriteFile(short, b[:len(b)-9], 0o600)); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "plain.syn.gz")
	if err := os.WriteFile(plain, []byte("not packed at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path string
		code rasterbase.Code
		says string
	}{
		{good, "", ""}, {short, rasterbase.Invalid, "unpacked"}, {plain, rasterbase.Invalid, "gzip"},
		{pack("bomb.syn.gz", make([]byte, 1<<20)), rasterbase.TooLarge, "more bytes"},
		{pack("other.txt.gz", []byte("x")), rasterbase.Invalid, "other.txt"},
	} {
		t.Run(filepath.Base(tt.path), func(t *testing.T) {
			work := t.TempDir()
			p := ingest.New(ingest.Config{Store: swift(t), Opener: opener(wavy(rasterbase.Uint8, 1, 30, 20, nil, 5)), WorkDir: work, Limits: ingest.Limits{SourceBytes: 1 << 19}})
			layer, err := p.Import(t.Context(), ingest.Request{Source: tt.path}, nil)
			emptyFolder(t, work)
			if tt.code != "" {
				refusal(t, err, tt.code, []string{tt.says}, work)
				return
			}
			if err != nil || layer.Name != "raster" || layer.Source.Name != "raster.syn.gz" {
				t.Errorf("the layer is %+v, the error %v", layer, err)
			}
		})
	}
}

// Whatever an opener says of a file, the folder that it was unpacked to is not
// shown, neither on inspection nor in the parse's record.
func TestMessagesShowNoTemporaryPath(t *testing.T) {
	for _, failing := range []int64{1, 2} { // the inspection; the parse
		o := opener(wavy(rasterbase.Uint8, 1, 30, 20, nil, 5))
		o.BeforeOpen = func(_ context.Context, n int64, path string) error {
			if n >= 2*failing { // each opens twice: to find the raster, and to read it
				return rasterbase.Errorf(rasterbase.Invalid, "libx: %s: unexpected end", path).WithField("source")
			}
			return nil
		}
		st, work := swift(t), t.TempDir()
		p := ingest.New(ingest.Config{Store: st, Opener: o, WorkDir: work})
		_, err := p.Import(t.Context(), ingest.Request{Source: zipped(t, "rasters.zip", entry{"raster.syn", "x"})}, nil)
		refusal(t, err, rasterbase.Invalid, []string{"libx: raster.syn: unexpected end"}, work)
		emptyFolder(t, work)
	}
}

func TestSourcesThatAreNotFiles(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.tif")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := ingest.New(ingest.Config{Store: swift(t), Opener: opener(rastertest.Source{})})
	for path, code := range map[string]rasterbase.Code{
		"": rasterbase.Invalid, dir: rasterbase.Invalid, empty: rasterbase.Invalid,
		filepath.Join(dir, "none.tif"): rasterbase.NotFound, "/vsicurl/http://localhost/x.tif": rasterbase.Invalid,
	} {
		_, err := p.Plan(t.Context(), ingest.Request{Source: path})
		if rasterbase.CodeOf(err) != code {
			t.Errorf("%q: %v (%s)", path, err, rasterbase.CodeOf(err))
		}
	}
}
