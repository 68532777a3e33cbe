package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

// BenchmarkTile answers land-cover tiles of 256x256 pixels with a legend: cold
// reads, decodes and encodes each of them, warm has them in memory, and
// unchanged answers 304 to a browser that has them.
func BenchmarkTile(b *testing.B) {
	st := newStore(b)
	spec := stripes("Land cover", addLegend(b, st, "Cover", forest, water, town))
	spec.Value = func(_, x, y int) (float64, bool) { return float64(1 + (x/7*31+y/5*17+x*y/997)%3), true }
	add(b, st, spec)
	discard := &discarded{header: http.Header{}}
	run := func(b *testing.B, s *server.Server, header ...string) {
		var requests []*http.Request
		for i := range 4 {
			r := httptest.NewRequest("GET", fmt.Sprintf("/tiles/1/6/%d/%d.png", 33+i%2, 22+i/2), nil)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != 200 {
				b.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if len(header) > 0 {
				r.Header.Set("If-None-Match", w.Header().Get("ETag"))
			}
			requests = append(requests, r)
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			clear(discard.header)
			s.ServeHTTP(discard, requests[i%len(requests)])
		}
	}
	b.Run("cold", func(b *testing.B) { run(b, newServer(b, server.Config{Store: st, TileCache: -1})) })
	b.Run("warm", func(b *testing.B) { run(b, newServer(b, server.Config{Store: st})) })
	b.Run("unchanged", func(b *testing.B) { run(b, newServer(b, server.Config{Store: st}), "If-None-Match") })
}

// discarded is a ResponseWriter that keeps nothing.
type discarded struct{ header http.Header }

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarded) WriteHeader(int)             {}
