package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/fetch"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/s3test"
	"github.com/rasterbase/rasterbase/s3"
)

// webServer serves the files of a script's folder, and some ill-meant answers.
// It gives the server's address.
func webServer(e *testscript.Env) string {
	files := http.FileServer(http.Dir(e.WorkDir))
	mux := http.NewServeMux()
	mux.HandleFunc("/files/{name...}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.StripPrefix("/files", files).ServeHTTP(w, r)
	})
	mux.HandleFunc("/private/", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.StripPrefix("/private", files).ServeHTTP(w, r)
	})
	mux.HandleFunc("/download", func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("file")
		w.Header().Set("Content-Disposition", `attachment; filename="../own `+name+`"`)
		http.ServeFile(w, r, filepath.Join(e.WorkDir, filepath.Base(name)))
	})
	for path, to := range map[string]string{
		"/moved.tif":    "/files/storm_lake_elevation.tif?token=secret",
		"/metadata.tif": "http://169.254.169.254/latest/meta-data/",
		"/inside.tif":   "http://10.0.0.1/dem.tif",
		"/circle.tif":   "/circle.tif",
	} {
		mux.Handle(path, http.RedirectHandler(to, http.StatusFound))
	}
	mux.HandleFunc("/short.tif", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 10)) // the test sees what comes of it
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/large.tif", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(1<<50))
	})
	mux.HandleFunc("/slow.tif", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("II"))
		w.(http.Flusher).Flush()
		<-r.Context().Done() // until the client has had enough
	})
	mux.HandleFunc("/endless.tif", func(w http.ResponseWriter, _ *http.Request) {
		for b := make([]byte, 1<<16); ; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	})
	s := httptest.NewServer(mux)
	e.Defer(s.Close)
	return s.URL
}

// The clients can be a parser's Fetcher by themselves, in programs that want
// one kind of address only.
var _ = []ingest.Fetcher{(*fetch.Client)(nil), (*s3.Client)(nil), (*fetcher)(nil)}

// TestImportFromS3 imports from a store as its owner, as nobody, and with the
// wrong key.
func TestImportFromS3(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	server := s3test.Start(t)
	server.Bucket(t, "scenes", false)
	server.Bucket(t, "open-data", true)
	dir := t.TempDir()
	t.Setenv("RASTER_DATA", "data")
	for _, r := range demo.Rasters() {
		if err := unpack(r, dir); err != nil {
			t.Fatal(err)
		}
	}
	dem, err := os.ReadFile(filepath.Join(dir, "storm_lake_elevation.tif"))
	if err != nil {
		t.Fatal(err)
	}
	server.Put(t, "scenes", "2020/dem.tif", dem)
	server.Put(t, "open-data", "dem.tif", dem)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "none"))
	t.Setenv("RASTER_S3_ENDPOINT_URL", server.URL)

	imports := func(address string, want ...string) {
		t.Helper()
		out, err := output(dir, "import", address)
		for _, part := range want {
			if !strings.Contains(out, part) {
				t.Errorf("%s: %v\n%s", address, err, out)
			}
		}
	}
	imports("s3://open-data/dem.tif", "s3://open-data/dem.tif: layer 1, dem (continuous)")
	imports("s3://scenes/2020/dem.tif", "s3://scenes/2020/dem.tif: access denied", "no credentials were found")
	t.Setenv("AWS_ACCESS_KEY_ID", s3test.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3test.SecretKey)
	imports("s3://scenes/2020/dem.tif", "s3://scenes/2020/dem.tif: layer 2, dem-2 (continuous)")
	imports("s3://scenes/2021/dem.tif", "there is no such key in bucket scenes")
	imports("s3://others/dem.tif", "there is no bucket others")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	imports("s3://scenes/2020/dem.tif", "access denied: the secret key is wrong")

	if out, err := output(dir, "layers", "show", "2", "--json"); err != nil || !strings.Contains(out, `"origin": "s3://scenes/2020/dem.tif"`) {
		t.Errorf("%v\n%s", err, out)
	}
	kept, err := filepath.Glob(filepath.Join(dir, "data", "sources", "*", "dem.tif"))
	if err != nil || len(kept) != 2 {
		t.Fatalf("%q, %v", kept, err)
	}
	for _, path := range kept {
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, dem) {
			t.Errorf("%s has %d bytes, %v", path, len(b), err)
		}
	}
}

func TestProgressOfDownloads(t *testing.T) {
	var b strings.Builder
	p := &progress{w: &b, name: "dem.tif"}
	for _, done := range []int64{0, 50, 51, 1 << 20, 2 << 20} {
		p.downloading(done, 2<<20)
	}
	p.downloading(1<<30, -1)
	want := "dem.tif: downloading (0 B of 2.0 MiB)\ndem.tif: downloading (1.0 MiB of 2.0 MiB)\ndem.tif: downloading (2.0 MiB of 2.0 MiB)\ndem.tif: downloading (1.0 GiB)\n"
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
	b.Reset()
	p = &progress{w: &b, name: "dem.tif", bar: true}
	p.downloading(1<<20, 2<<20)
	if want := "\rdem.tif [###############---------------]  50%  downloading  1.0 MiB of 2.0 MiB"; b.String() != want {
		t.Errorf("%q", b.String())
	}
}
