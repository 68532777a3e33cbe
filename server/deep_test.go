package server_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

// tiffNumbers reads tags of a TIFF that hold whole numbers of 16 bits, or numbers
// of float64.
func tiffNumbers(t *testing.T, b []byte) map[int][]float64 {
	t.Helper()
	if len(b) < 8 || string(b[:4]) != "II*\x00" {
		t.Fatalf("it is no TIFF: %.20q", b)
	}
	le := binary.LittleEndian
	out := map[int][]float64{}
	at := int(le.Uint32(b[4:]))
	for i := range int(le.Uint16(b[at:])) {
		e := b[at+2+12*i:]
		kind, n := le.Uint16(e[2:]), int(le.Uint32(e[4:]))
		size := map[uint16]int{3: 2, 12: 8}[kind]
		if size == 0 {
			continue
		}
		values := e[8:12]
		if n*size > 4 {
			values = b[le.Uint32(e[8:]):]
		}
		tag := int(le.Uint16(e))
		for k := range n {
			if kind == 3 {
				out[tag] = append(out[tag], float64(le.Uint16(values[2*k:])))
			} else {
				out[tag] = append(out[tag], math.Float64frombits(le.Uint64(values[8*k:])))
			}
		}
	}
	return out
}

// However deep a tile is, it has the types and the place that its address says.
func TestTilesBeyondAllPixels(t *testing.T) {
	s := newServer(t, server.Config{Store: drawn(t)})
	const bits, format, scale, tie = 258, 339, 33550, 33922
	const world = 2 * 20037508.342789244
	tags := map[string]bool{}
	for _, path := range []string{
		"/tiles/1/%s.tif", "/tiles/2/%s.tif", "/tiles/3/%s.tif", "/tiles/3/%s.tif?bidx=2&unscale=true", "/tiles/2/%s.tif?algorithm=slope", "/tiles/2/%s@2x.tif?unscale=1",
		"/tiles/2/%s.tif?algorithm=hillshade", "/tiles/2/%s.tif?algorithm=terrainrgb", "/algebra/%s.tif?layers=r:0=3,g:1=3,b:2=3", "/algebra/%s.tif?layers=r:0=3,g:1=3,b:2=3&unscale=true",
	} {
		near := get(t, s, fmt.Sprintf(path, "6/40/10"))
		wantStatus(t, near, 200)
		want := tiffNumbers(t, near.Body.Bytes())
		for _, c := range []struct {
			place   string
			z, x, y float64
		}{
			{"48/1000000000000/5", 48, 1e12, 5}, {"49/1000000000000/5", 49, 1e12, 5}, {"60/0/0", 60, 0, 0}, {"60/900000000000000000/5", 60, 9e17, 5},
			{"80/1000000000000000000000000/604462909807314587353088", 80, 1e24, 1 << 79},
		} {
			w := get(t, s, fmt.Sprintf(path, c.place))
			wantStatus(t, w, 200)
			got := tiffNumbers(t, w.Body.Bytes())
			if !slices.Equal(got[bits], want[bits]) || !slices.Equal(got[format], want[format]) {
				t.Errorf("%s at %s has bits %v of formats %v, at zoom 6 %v of %v", path, c.place, got[bits], got[format], want[bits], want[format])
			}
			pixel := want[scale][0] * math.Exp2(6-c.z)
			x, y := -world/2+world*math.Ldexp(c.x, -int(c.z)), world/2-world*math.Ldexp(c.y, -int(c.z))
			if len(got[scale]) < 2 || len(got[tie]) < 5 || math.Abs(got[scale][0]-pixel) > pixel*1e-9 || math.Abs(got[scale][1]-pixel) > pixel*1e-9 ||
				math.Abs(got[tie][3]-x) > 1e-6 || math.Abs(got[tie][4]-y) > 1e-6 {
				t.Errorf("%s at %s lies at %v with pixels of %v, want %v, %v and %v", path, c.place, got[tie], got[scale], x, y, pixel)
			}
			if tag := w.Header().Get("ETag"); tags[tag] {
				t.Errorf("%s at %s has the tag of another: %s", path, c.place, tag)
			} else {
				tags[tag] = true
			}
		}
		wantStatus(t, get(t, s, fmt.Sprintf(path, "999999999/0/0")), 200)
	}
	for _, query := range []string{"algorithm=terrainrgb", "algorithm=terrarium", "algorithm=hillshade", "colormap_name=viridis", "unscale=true"} {
		want := wantPNG(t, get(t, s, "/tiles/2/6/40/10.png?"+query))
		for _, place := range []string{"48/5/5", "60/0/0", "100/7/7"} {
			if img := wantPNG(t, get(t, s, "/tiles/2/"+place+".png?"+query)); at(img, 7, 9) != at(want, 7, 9) {
				t.Errorf("%s at %s is %v, an empty tile at zoom 6 is %v", query, place, at(img, 7, 9), at(want, 7, 9))
			}
		}
	}
}
