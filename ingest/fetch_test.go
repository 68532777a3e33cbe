package ingest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/store"
)

// shelf is a Fetcher that has its files at hand.
type shelf struct {
	name   string
	body   io.Reader
	size   int64
	err    error
	asked  []string
	closed int
}

func (s *shelf) Open(_ context.Context, address string) (string, int64, io.ReadCloser, error) {
	s.asked = append(s.asked, address)
	if s.err != nil {
		return "", 0, nil, s.err
	}
	return s.name, s.size, struct {
		io.Reader
		io.Closer
	}{s.body, closer(func() error { s.closed++; return nil })}, nil
}

type closer func() error

func (c closer) Close() error { return c() }

func demoElevation(t testing.TB) []byte {
	t.Helper()
	if !gdal.Available {
		t.Skip("this build has no GDAL")
	}
	for _, r := range demo.Rasters() {
		if r.File == "storm_lake_elevation.tif" {
			b, err := r.Contents()
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	t.Fatal("the demo has no elevation")
	return nil
}

const secretAddress = "https://user:secret@example.org/data/dem.tif?token=secret#x"

// TestImportOfAnAddress: it is downloaded once, kept with its checksum, and
// remembered without its secrets.
func TestImportOfAnAddress(t *testing.T) {
	want := demoElevation(t)
	db := open(t)
	f := &shelf{name: "own_name.tif", body: iotest.HalfReader(bytes.NewReader(want)), size: int64(len(want))}
	p := ingest.New(ingest.Config{Store: db, Opener: gdal.Opener{}, Fetcher: f})
	var statuses []rasterbase.Status
	layer, err := p.Import(t.Context(), ingest.Request{Source: secretAddress}, func(s rasterbase.Parse) {
		if len(statuses) == 0 || statuses[len(statuses)-1] != s.Status {
			statuses = append(statuses, s.Status)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(want)
	src := layer.Source
	if src.Name != "own_name.tif" || layer.Name != "own_name" || src.Origin != "https://example.org/data/dem.tif" ||
		src.Size != int64(len(want)) || src.Checksum != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("%+v", layer)
	}
	if !slices.Equal(f.asked, []string{secretAddress}) || f.closed != 1 {
		t.Errorf("asked for %q, closed %d times", f.asked, f.closed)
	}
	if len(statuses) < 2 || statuses[0] != rasterbase.Downloading || statuses[len(statuses)-1] != rasterbase.Finished {
		t.Errorf("the statuses were %q", statuses)
	}
	kept, err := db.Sources().Open(t.Context(), src.ID, src.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if b, err := io.ReadAll(kept); err != nil || !bytes.Equal(b, want) {
		t.Errorf("%d bytes are kept, %v", len(b), err)
	}
}

func TestPlanOfAnAddressLeavesNothing(t *testing.T) {
	b := demoElevation(t)
	db := open(t)
	var done, size int64
	p := ingest.New(ingest.Config{Store: db, Opener: gdal.Opener{}, Fetcher: &shelf{name: "dem.tif", body: bytes.NewReader(b), size: -1}})
	plan, err := p.Plan(t.Context(), ingest.Request{Source: secretAddress, Downloading: func(d, s int64) { done, size = d, s }})
	if err != nil || plan.Driver != "GTiff" {
		t.Errorf("%+v, %v", plan, err)
	}
	if done != int64(len(b)) || size != -1 {
		t.Errorf("in the end %d of %d bytes", done, size)
	}
	noSources(t, db)
}

// noSources makes sure that nothing is kept.
func noSources(t *testing.T, st store.Store) {
	t.Helper()
	ids, err := st.Sources().List(t.Context())
	if err != nil || len(ids) > 0 {
		t.Errorf("sources %v are left, %v", ids, err)
	}
}

func TestAddressesThatCannotBeImported(t *testing.T) {
	good := demoElevation(t)
	broke := rasterbase.Errorf(rasterbase.Busy, "https://example.org/data/dem.tif: broke off").WithHint("try again")
	for name, c := range map[string]struct {
		f      *shelf
		limits ingest.Limits
		free   int64
		code   rasterbase.Code
		part   string
	}{
		"not found":     {&shelf{err: rasterbase.Errorf(rasterbase.NotFound, "not there")}, ingest.Limits{}, 1 << 40, rasterbase.NotFound, "not there"},
		"no raster":     {&shelf{name: "page.html", body: strings.NewReader("<html>Please sign in"), size: -1}, ingest.Limits{}, 1 << 40, rasterbase.Invalid, "page.html cannot be read as a raster"},
		"bad name":      {&shelf{name: "../x.tif", body: bytes.NewReader(good), size: -1}, ingest.Limits{}, 1 << 40, rasterbase.Invalid, `"../x.tif"`},
		"empty":         {&shelf{name: "dem.tif", body: strings.NewReader(""), size: 0}, ingest.Limits{}, 1 << 40, rasterbase.Invalid, "https://example.org/data/dem.tif is empty"},
		"announced":     {&shelf{name: "dem.tif", body: bytes.NewReader(good), size: 5000}, ingest.Limits{SourceBytes: 4999}, 1 << 40, rasterbase.TooLarge, "has 5000 bytes, more than the 4999 bytes allowed"},
		"not announced": {&shelf{name: "dem.tif", body: bytes.NewReader(good), size: -1}, ingest.Limits{SourceBytes: 4999}, 1 << 40, rasterbase.TooLarge, "has more than the 4999 bytes allowed"},
		"endless":       {&shelf{name: "dem.tif", body: endless{}, size: -1}, ingest.Limits{SourceBytes: 1 << 20}, 1 << 40, rasterbase.TooLarge, "more than"},
		"full disk":     {&shelf{name: "dem.tif", body: bytes.NewReader(good), size: int64(len(good))}, ingest.Limits{FreeDisk: 1000}, 1000 + int64(len(good)) - 1, rasterbase.TooLarge, "there is no room on the disk"},
		"filling disk":  {&shelf{name: "dem.tif", body: endless{}, size: -1}, ingest.Limits{FreeDisk: 1000}, -1, rasterbase.TooLarge, "there is no room on the disk"},
		"breaks off":    {&shelf{name: "dem.tif", body: io.MultiReader(bytes.NewReader(good[:1000]), iotest.ErrReader(broke)), size: -1}, ingest.Limits{}, 1 << 40, rasterbase.Busy, broke.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			looks := int64(0)
			free := func() (int64, error) {
				looks++
				if c.free < 0 { // it shrinks
					return 2000 - 999*looks, nil
				}
				return c.free, nil
			}
			p := ingest.New(ingest.Config{Store: db, Opener: gdal.Opener{}, Fetcher: c.f, Limits: c.limits, FreeDisk: free})
			for _, try := range []func() error{
				func() error { _, err := p.Add(t.Context(), ingest.Request{Source: secretAddress}); return err },
			} {
				err := try()
				if rasterbase.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.part) || strings.Contains(err.Error(), "secret") {
					t.Errorf("%v", err)
				}
				if strings.Contains(err.Error(), string(filepath.Separator)+"sources"+string(filepath.Separator)) {
					t.Errorf("the error shows where the source was kept: %v", err)
				}
			}
			noSources(t, db)
			layers := 0
			err := db.Catalog().View(t.Context(), func(tx store.Tx) error {
				_, n, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
				layers = n
				return err
			})
			if err != nil || layers > 0 {
				t.Errorf("%d layers, %v", layers, err)
			}
			if c.f.err == nil && c.f.closed != 1 {
				t.Errorf("closed %d times", c.f.closed)
			}
		})
	}
}

// endless is a file without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestCancelledDownloadLeavesNothing(t *testing.T) {
	demoElevation(t)
	db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	body := io.MultiReader(strings.NewReader("begin"), readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, context.Cause(ctx)
	}))
	p := ingest.New(ingest.Config{Store: db, Opener: gdal.Opener{}, Fetcher: &shelf{name: "dem.tif", body: body, size: -1}})
	if _, err := p.Add(ctx, ingest.Request{Source: secretAddress}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	noSources(t, db)
}

type readerFunc func(b []byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestAddressesWithoutAFetcher(t *testing.T) {
	demoElevation(t)
	_, err := parser(t, open(t), gdal.Opener{}).Plan(t.Context(), ingest.Request{Source: secretAddress})
	if rasterbase.CodeOf(err) != rasterbase.Unsupported || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func TestFullDiskRefusesAFileToo(t *testing.T) {
	b := demoElevation(t)
	path := filepath.Join(t.TempDir(), "dem.tif")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db := open(t)
	p := ingest.New(ingest.Config{Store: db, Opener: gdal.Opener{}, FreeDisk: func() (int64, error) { return 1 << 20, nil }})
	if _, err := p.Add(t.Context(), ingest.Request{Source: path}); rasterbase.CodeOf(err) != rasterbase.TooLarge {
		t.Errorf("%v", err)
	}
	noSources(t, db)
}

func TestOrigins(t *testing.T) {
	for source, want := range map[string]string{
		secretAddress:                          "https://example.org/data/dem.tif",
		"https://example.org":                  "https://example.org",
		"https://example.org?secret":           "https://example.org",
		"https://u:p@ss@example.org:8080/a@b/": "https://example.org:8080/a@b/",
		"https://secret#@example.org/x":        "https://secret",
		"s3://bucket/a key?with#signs@2x.tif":  "s3://bucket/a key?with#signs@2x.tif",
		"s3://key:secret@bucket/scene.tif":     "s3://bucket/scene.tif",
		"HTTPS://example.org/X":                "HTTPS://example.org/X",
		"/data/dem.tif":                        "/data/dem.tif",
		"dem.tif?x":                            "dem.tif?x",
		`C://data/dem.tif`:                     `C://data/dem.tif`,
	} {
		if got := ingest.OriginOf(source); got != want {
			t.Errorf("OriginOf(%q) = %q, want %q", source, got, want)
		}
	}
}

// TestOriginsHaveNoSecrets puts secrets wherever an address can have one.
func TestOriginsHaveNoSecrets(t *testing.T) {
	word := rapid.StringMatching(`[a-z0-9.:@%!$&'()*+,;=_~-]{0,12}`)
	rapid.Check(t, func(t *rapid.T) {
		path := strings.ReplaceAll(word.Draw(t, "path"), "/", "")
		address := fmt.Sprintf("https://%sSECRET%s@example.org/%s?%sSECRET#%sSECRET", word.Draw(t, "user"), word.Draw(t, "password"), path, word.Draw(t, "query"), word.Draw(t, "fragment"))
		if got := ingest.OriginOf(address); got != "https://example.org/"+path {
			t.Fatalf("%s: %s", address, got)
		}
	})
}
