package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// keepSource gives a layer a source of some files, the first of which is the raster.
func keepSource(t testing.TB, st store.Store, l *rasterbase.Layer, files ...string) {
	t.Helper()
	ctx := t.Context()
	id, err := st.Sources().Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(files); i += 2 {
		if _, err := st.Sources().Put(ctx, id, files[i], strings.NewReader(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		now, err := tx.Layers().Get(ctx, l.ID)
		if err != nil {
			return err
		}
		now.Source = rasterbase.Source{ID: id, Name: files[0], Size: int64(len(files[1])), Checksum: "sha256:" + strings.Repeat("ab", 32)}
		return tx.Layers().Update(ctx, now)
	})
}

func TestSource(t *testing.T) {
	st := newStore(t)
	l := add(t, st, stripes("Land cover", nil))
	content := strings.Repeat("0123456789", 20_000)
	keepSource(t, st, l, "höhen, \"neu\".tif", content, "höhen, \"neu\".tif.aux.xml", "<PAMDataset/>")
	s := newServer(t, server.Config{Store: st})
	w := get(t, s, "/layers/land-cover/source")
	wantStatus(t, w, 200)
	h := w.Header()
	if w.Body.String() != content || h.Get("Content-Type") != "image/tiff; application=geotiff" || h.Get("Accept-Ranges") != "bytes" ||
		h.Get("ETag") != `"`+strings.Repeat("ab", 32)+`"` || h.Get("Last-Modified") == "" || h.Get("Cache-Control") != "no-cache" {
		t.Errorf("%d bytes, %v", w.Body.Len(), h)
	}
	disposition, parameters, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	if err != nil || disposition != "attachment" || parameters["filename"] != "höhen, \"neu\".tif" {
		t.Errorf("%s: %v, %v", h.Get("Content-Disposition"), parameters, err)
	}
	for _, path := range []string{"/layers/1/source", "/layers/1/source/h%C3%B6hen,%20%22neu%22.tif"} {
		head := ask(t, s, http.MethodHead, path)
		if wantStatus(t, head, 200); head.Body.Len() != 0 || head.Header().Get("Content-Length") != "200000" {
			t.Errorf("HEAD %s: %v", path, head.Header())
		}
		part := get(t, s, path, "Range", "bytes=100005-100014")
		if wantStatus(t, part, 206); part.Body.String() != "5678901234" || part.Header().Get("Content-Range") != "bytes 100005-100014/200000" {
			t.Errorf("%s: %q, %v", path, part.Body, part.Header())
		}
	}
	tag := h.Get("ETag")
	wantStatus(t, get(t, s, "/layers/1/source", "If-None-Match", tag), 304)
	wantStatus(t, get(t, s, "/layers/1/source", "If-Modified-Since", h.Get("Last-Modified")), 304)
	wantStatus(t, get(t, s, "/layers/1/source", "Range", "bytes=0-1", "If-Range", tag), 206)
	wantStatus(t, get(t, s, "/layers/1/source", "Range", "bytes=0-1", "If-Range", `"other"`), 200)
	wantStatus(t, get(t, s, "/layers/1/source", "Range", "bytes=200000-"), 416)
	if last := get(t, s, "/layers/1/source", "Range", "bytes=-3"); last.Body.String() != "789" {
		t.Errorf("the last bytes are %q", last.Body)
	}
	several := get(t, s, "/layers/1/source", "Range", "bytes=0-2,100000-100001")
	wantStatus(t, several, 206)
	_, parameters, err = mime.ParseMediaType(several.Header().Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(several.Body, parameters["boundary"])
	for _, want := range []string{"012", "01"} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(p); string(b) != want {
			t.Errorf("a part is %q", b)
		}
	}
	side := get(t, s, "/layers/1/source/h%C3%B6hen,%20%22neu%22.tif.aux.xml")
	if wantStatus(t, side, 200); side.Body.String() != "<PAMDataset/>" || side.Header().Get("Content-Type") != "application/xml" || side.Header().Get("ETag") == tag {
		t.Errorf("%s, %v", side.Body, side.Header())
	}
}

func TestSourcesThatAreNotThere(t *testing.T) {
	st := newStore(t)
	l := add(t, st, stripes("Land cover", nil)) // 1
	keepSource(t, st, l, "landcover.tif", "II*")
	add(t, st, ramp("No source")) // 2
	gone := add(t, st, ramp("Gone"))
	keepSource(t, st, gone, "gone.tif", "II*")
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		now, err := tx.Layers().Get(ctx, gone.ID)
		if err != nil {
			return err
		}
		return st.Sources().Delete(ctx, now.Source.ID)
	})
	made := rasterbase.Layer{Name: "Difference", Visibility: rasterbase.Public, Formula: &rasterbase.LayerFormula{
		Text: "a-b", Inputs: []rasterbase.FormulaInput{{Name: "a", Layer: 1}, {Name: "b", Layer: 2}},
	}}
	create(t, st, made) // 4
	s := newServer(t, server.Config{Store: st})
	for _, c := range []struct{ path, says string }{
		{"/layers/9/source", "no layer"},
		{"/layers/2/source", "not kept"},
		{"/layers/3/source", "gone"},
		{"/layers/3/source/gone.tif", "gone"},
		{"/layers/1/source/landcover.tif.aux.xml", "no file"},
		{"/layers/1/source/landcover.tif.ovr", "no file"},
		{"/layers/1/source/.", "nothing"},
		{"/layers/1/source/..", "nothing"},
		{"/layers/1/source/..%2F..%2Fcatalog.db", "nothing"},
		{"/layers/1/source/%2Fetc%2Fpasswd", "nothing"},
		{"/layers/1/source/", "nothing"},
		{"/layers/4/source", "a-b"},
		{"/layers/4/source/x.tif", "a-b"},
	} {
		if p := wantProblem(t, get(t, s, c.path), 404); !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s: %+v", c.path, p)
		}
	}
	if p := wantProblem(t, get(t, s, "/layers/4/source"), 404); !strings.Contains(p.Hint, "layers/1/source, layers/2/source") {
		t.Errorf("%+v", p)
	}
}

func TestSourcesOfPrivateLayers(t *testing.T) {
	st := newStore(t)
	l := secret(t, st)
	keepSource(t, st, l, "secret.tif", "II*")
	s := newServer(t, server.Config{Store: st, Auth: keyAuth{}})
	for _, path := range []string{"/layers/1/source", "/layers/1/source/secret.tif", "/layers/1/source/other.tif"} {
		if p := wantProblem(t, get(t, s, path), 404); !strings.Contains(p.Detail, "there is no layer") {
			t.Errorf("%s: %+v", path, p)
		}
	}
	w := get(t, s, "/layers/1/source", "Authorization", "key")
	if wantStatus(t, w, 200); w.Header().Get("Cache-Control") != "private, no-store" {
		t.Errorf("%v", w.Header())
	}
}

// A token is the password of HTTP Basic, which GDAL and QGIS send.
func TestSourcesWithATokenAsThePassword(t *testing.T) {
	st := newStore(t)
	l := secret(t, st)
	keepSource(t, st, l, "secret.tif", "II*")
	var token string
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		anna := &rasterbase.User{Name: "anna", Role: rasterbase.Viewer}
		if err := tx.Users().Create(ctx, anna); err != nil {
			return err
		}
		var row rasterbase.Token
		token, row = auth.NewToken(anna.ID, "gdal", time.Now().Add(time.Hour))
		return tx.Tokens().Create(ctx, &row)
	})
	a := auth.New(st.Catalog(), auth.Options{})
	defer a.Close()
	s := newServer(t, server.Config{Store: st, Auth: a})
	wantStatus(t, get(t, s, "/layers/1/source/secret.tif"), 404)
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("anna:"+password))
	}
	wantStatus(t, get(t, s, "/layers/1/source/secret.tif", "Authorization", basic("wrong")), 401)
	if w := get(t, s, "/layers/1/source/secret.tif", "Authorization", basic(token)); w.Code != 200 || w.Body.String() != "II*" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// GDAL opens a source at its address, finds its side-cars, and reads the same values.
func TestGDALReadsSources(t *testing.T) {
	needGDALTools(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "height.tif")
	run := func(program string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = append(os.Environ(), "no_proxy=*", "GDAL_HTTP_TIMEOUT=20")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", program, args, err, out)
		}
		return string(out)
	}
	asc := "ncols 4\nnrows 3\nxllcorner 500000\nyllcorner 5200000\ncellsize 10\n1 2 3 4\n5 6 7 8\n9 10 11 12\n"
	if err := os.WriteFile(filepath.Join(dir, "in.asc"), []byte(asc), 0o600); err != nil {
		t.Fatal(err)
	}
	run("gdal_translate", "-q", "-a_srs", "EPSG:32632", "-outsize", "400%", "400%", filepath.Join(dir, "in.asc"), name)
	run("gdalinfo", "-stats", name) // writes a side-car
	st := newStore(t)
	l, err := ingest.Import(t.Context(), st, gdal.Opener{}, ingest.Request{Source: name})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked []string
	s := newServer(t, server.Config{Store: st})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.URL.Path)
		mu.Unlock()
		s.ServeHTTP(w, r)
	}))
	defer web.Close()
	address := fmt.Sprintf("/vsicurl/%s/layers/%d/source/height.tif", web.URL, l.ID)
	if out := run("gdalinfo", address); !strings.Contains(out, "Size is 16, 12") || !strings.Contains(out, "32632") || !strings.Contains(out, "STATISTICS_MAXIMUM=12") {
		t.Errorf("%s\n", out)
	}
	for _, at := range [][2]string{{"0", "0"}, {"15", "11"}, {"9", "5"}} {
		want, got := run("gdallocationinfo", "-valonly", name, at[0], at[1]), run("gdallocationinfo", "-valonly", address, at[0], at[1])
		if got != want || strings.TrimSpace(got) == "" {
			t.Errorf("pixel %v is %q, want %q", at, got, want)
		}
	}
	if out := run("gdalinfo", fmt.Sprintf("/vsicurl/%s/layers/%d/source", web.URL, l.ID)); !strings.Contains(out, "Size is 16, 12") {
		t.Error(out)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.ContainsFunc(asked, func(a string) bool { return strings.HasSuffix(a, ".aux.xml") }) {
		t.Errorf("no side-car was looked for: %v", asked)
	}
}

// needGDALTools skips where there is no GDAL to make and read files.
func needGDALTools(t *testing.T) {
	t.Helper()
	for _, program := range []string{"gdal_translate", "gdalinfo", "gdallocationinfo"} {
		if _, err := exec.LookPath(program); err != nil || !gdal.Available {
			if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
				t.Fatalf("RASTERBASE_TEST_REQUIRE asks for gdal, and there is no %s, or this build has none", program)
			}
			t.Skipf("there is no %s, or this build has no GDAL", program)
		}
	}
}

// failing is a file that cannot be read beyond a place.
type failing struct {
	store.SourceFile
	at int64
}

func (f failing) Read(p []byte) (int, error) {
	now, err := f.Seek(0, io.SeekCurrent)
	if err == nil && now >= f.at {
		return 0, fmt.Errorf("the disk is broken")
	}
	return f.SourceFile.Read(p[:min(len(p), int(f.at-now))])
}

type failingSources struct{ store.Sources }

func (s failingSources) Open(ctx context.Context, id, name string) (store.SourceFile, error) {
	f, err := s.Sources.Open(ctx, id, name)
	return failing{f, 1000}, err
}

type failingStore struct{ store.Store }

func (s failingStore) Sources() store.Sources { return failingSources{s.Store.Sources()} }

// A client can tell that a source was not sent whole.
func TestASourceThatBreaksOff(t *testing.T) {
	st := newStore(t)
	l := add(t, st, stripes("Land cover", nil))
	keepSource(t, st, l, "landcover.tif", strings.Repeat("x", 100_000))
	log, lines := captured()
	web := httptest.NewServer(newServer(t, server.Config{Store: failingStore{st}, Log: log}))
	defer web.Close()
	res, err := http.Get(web.URL + "/layers/1/source")
	if err == nil { // what was read was sent before the rest could not be
		defer res.Body.Close()
		if b, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%d bytes look like the whole", len(b))
		}
	}
	web.Close() // the handler has ended then, and what it logged is there
	if !bytes.Contains(lines.Bytes(), []byte("the disk is broken")) {
		t.Errorf("the log does not say why: %s", lines)
	}
}
