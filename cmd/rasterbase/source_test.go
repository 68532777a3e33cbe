package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// A source is sent whole and in parts from wherever it is kept: a folder, or pieces in
// a database.
func TestSourcesAreSentFromEveryStore(t *testing.T) {
	if !gdal.Available {
		t.Skip("this build has no GDAL")
	}
	const file = "../../demo/storm_lake_elevation.tif"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(t *testing.T) (store.Store, error){
		"sqlite": func(t *testing.T) (store.Store, error) {
			return sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
		},
		"postgis": func(t *testing.T) (store.Store, error) {
			address := pgtest.Database(t)
			pool, err := pgxpool.New(t.Context(), address)
			if err != nil {
				return nil, err
			}
			defer pool.Close()
			if err := postgis.Migrate(t.Context(), pool, postgis.Options{}); err != nil {
				return nil, err
			}
			return postgis.Open(t.Context(), address, postgis.Options{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			st, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			l, err := ingest.Import(t.Context(), st, gdal.Opener{}, ingest.Request{Source: file})
			if err != nil {
				t.Fatal(err)
			}
			s, err := server.New(server.Config{Store: st})
			if err != nil {
				t.Fatal(err)
			}
			get := func(header ...string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(http.MethodGet, "/layers/"+l.Slug+"/source", nil)
				for i := 0; i+1 < len(header); i += 2 {
					r.Header.Set(header[i], header[i+1])
				}
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				return w
			}
			whole := get()
			if whole.Code != 200 || !bytes.Equal(whole.Body.Bytes(), want) {
				t.Errorf("%d, %d bytes of %d", whole.Code, whole.Body.Len(), len(want))
			}
			middle := get("Range", "bytes=10000-20001", "If-Range", whole.Header().Get("ETag"))
			if middle.Code != 206 || !bytes.Equal(middle.Body.Bytes(), want[10000:20002]) {
				t.Errorf("%d, %d bytes of the middle", middle.Code, middle.Body.Len())
			}
			if end := get("Range", "bytes=-100"); !bytes.Equal(end.Body.Bytes(), want[len(want)-100:]) {
				t.Errorf("the end has %d bytes", end.Body.Len())
			}
		})
	}
}
