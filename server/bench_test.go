package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// BenchmarkTile answers land-cover tiles of 256x256 pixels with a legend: cold
// reads, decodes and encodes each of them, warm has them in memory, and
// unchanged answers 304 to a browser that has them.
func BenchmarkTile(b *testing.B) {
	st := newStore(b)
	spec := stripes("Land cover", addLegend(b, st, "Cover", forest, water, town))
	spec.Value = func(_, x, y int) (float64, bool) { return float64(1 + (x/7*31+y/5*17+x*y/997)%3), true }
	add(b, st, spec)
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
		answerAll(b, s, requests)
	}
	b.Run("cold", func(b *testing.B) { run(b, newServer(b, server.Config{Store: st, TileCache: -1})) })
	b.Run("warm", func(b *testing.B) { run(b, newServer(b, server.Config{Store: st})) })
	b.Run("unchanged", func(b *testing.B) { run(b, newServer(b, server.Config{Store: st}), "If-None-Match") })
}

// answerAll answers requests in turn.
func answerAll(b *testing.B, s *server.Server, requests []*http.Request) {
	discard := &discarded{header: http.Header{}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		clear(discard.header)
		s.ServeHTTP(discard, requests[i%len(requests)])
	}

	if discard.status >= 400 {
		b.Fatalf("status %d", discard.status)
	}
	b.ReportMetric(float64(discard.bytes)/float64(b.N), "B/tile")
}

// side is the square root of the number of different tiles of BenchmarkColdTiles.
const side = 45

// BenchmarkColdTiles answers 2,025 different tiles one after the other, with all
// caches off: each is read from SQLite, unpacked, coloured and encoded.
func BenchmarkColdTiles(b *testing.B) {
	long := &rasterbase.Legend{Title: "Long"}
	for i := range 5000 {
		long.Entries = append(long.Entries, rasterbase.Entry{
			Semantics: rasterbase.Semantics{Name: fmt.Sprint("class ", i)}, Expression: fmt.Sprint(i),
			Color: rasterbase.Color{R: uint8(i), G: uint8(i >> 4), B: uint8(i * 7), A: 255},
		})
	}
	for _, c := range []struct {
		name   string
		pixels rasterbase.PixelType
		value  func(band, x, y int) (float64, bool)
		legend *rasterbase.Legend
		query  string
	}{
		{"uint8 classes", rasterbase.Uint8, func(_, x, y int) (float64, bool) { return float64((x/7*31 + y/5*17 + x*y/997) % 11), true }, nil, ""},
		{"int16 in grey", rasterbase.Int16, terrace, nil, ""},
		{"int16 in viridis", rasterbase.Int16, terrace, nil, "?colormap_name=viridis"},
		{"float32 in viridis", rasterbase.Float32, hills, nil, "?colormap_name=viridis"},
		{"float32 as hillshade", rasterbase.Float32, hills, nil, "?algorithm=hillshade"},
		{"5,000 entries", rasterbase.Int16, func(_, x, y int) (float64, bool) { return float64((x/7*31 + y/5*17 + x*y/997) % 5000), true }, long, ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			st := newStore(b)
			spec := ramp("Layer")
			spec.Bands = []rasterbase.Band{{PixelType: c.pixels, Nodata: rasterbase.FloatPtr(-1)}}
			if c.name == "uint8 classes" {
				spec.Datatype, spec.Bands[0].Nodata = rasterbase.Categorical, rasterbase.FloatPtr(255)
			}
			if c.legend != nil {
				if err := st.Catalog().Update(b.Context(), func(tx store.Tx) error { return tx.Legends().Create(context.Background(), c.legend) }); err != nil {
					b.Fatal(err)
				}
				spec.Layer.Legend = c.legend.ID
			}
			spec.MaxZoom, spec.X, spec.Y, spec.Width, spec.Height = 9, 256*256, 170*256, side*256, side*256
			spec.Value = c.value
			add(b, st, spec)
			s := newServer(b, server.Config{Store: st, CacheTimeout: -1})
			var requests []*http.Request
			for i := range side * side {
				requests = append(requests, httptest.NewRequest("GET", fmt.Sprintf("/tiles/1/9/%d/%d.png%s", 256+i%side, 170+i/side, c.query), nil))
			}
			answerAll(b, s, requests)
		})
	}
}

// hills are smooth heights, and terrace their whole metres.
func hills(_, x, y int) (float64, bool) {
	u, v := float64(x%4096)/4096, float64(y%4096)/4096
	return 400 + 900*u*(1-u)*4 + 700*v*(1-v)*4 + float64((x*7919+y*104729)%97)/40, true
}

func terrace(_, x, y int) (float64, bool) {
	v, ok := hills(0, x, y)
	return float64(int(v)), ok
}

// discarded is a ResponseWriter that keeps nothing but sizes.
type discarded struct {
	header http.Header
	bytes  int
	status int
}

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { d.bytes += len(b); return len(b), nil }
func (d *discarded) WriteHeader(status int)      { d.status = max(d.status, status) }

// BenchmarkAlgebraTile answers tiles of the NDVI of two layers of 256x256 pixels: cold
// reads and unpacks both, computes, colours and encodes each of them, warm has them in
// memory, and stored is the first of the layers alone, as cold, to compare with.
func BenchmarkAlgebraTile(b *testing.B) {
	st := newStore(b)
	for i, name := range []string{"Red", "Near infrared"} {
		spec := stripes(name, nil)
		spec.Layer.Source.Name, spec.Datatype = name, rasterbase.Continuous
		spec.Bands = []rasterbase.Band{{PixelType: rasterbase.Uint16, Nodata: rasterbase.FloatPtr(0)}}
		spec.Value = func(_, x, y int) (float64, bool) {
			v, _ := hills(0, x+i*1000, y)
			return float64(int(v)), (x+y)%97 != 0
		}
		add(b, st, spec)
	}
	const ndvi = "/algebra/6/%d/%d.png?layers=r=1,n=2&formula=(n-r)/(n%%2Br)&rescale=-1,1&colormap_name=rdylgn"
	for _, c := range []struct {
		name, address string
		cache         int64
	}{
		{"cold", ndvi, -1},
		{"warm", ndvi, 0},
		{"stored", "/tiles/1/6/%d/%d.png?rescale=0,3000&colormap_name=rdylgn", -1},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newServer(b, server.Config{Store: st, TileCache: c.cache})
			var requests []*http.Request
			for i := range 4 {
				requests = append(requests, httptest.NewRequest("GET", fmt.Sprintf(c.address, 33+i%2, 22+i/2), nil))
			}
			answerAll(b, s, requests)
		})
	}
}
