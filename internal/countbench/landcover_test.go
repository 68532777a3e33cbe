package countbench

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/raster"
)

const (
	srid  = 32632
	pixel = 30.0 // metres
	// The upper left corner.
	west, north = 300_000.0, 5_600_000.0
)

// sideOf is RASTERBASE_BENCH_SIDE, or what is usual.
func sideOf(b *testing.B, usual int) int {
	b.Helper()
	text := os.Getenv("RASTERBASE_BENCH_SIDE")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1024 {
		b.Fatalf("RASTERBASE_BENCH_SIDE is %q", text)
	}
	return n
}

// classAt is one of ten classes: large regions with patches in them, and some noise
// along their edges, as maps of land cover have them.
func classAt(col, row int) uint8 {
	x, y := float64(col), float64(row)
	region := noise(x/900, y/900, 1) + 0.5*noise(x/300, y/300, 2)
	patch := noise(x/40, y/40, 3) + 0.4*noise(x/9, y/9, 4)
	return uint8(1 + min(9, max(0, int(5+3.4*region+2.2*patch))))
}

// noise is smooth, from -1 to 1.
func noise(x, y float64, seed uint64) float64 {
	x0, y0 := math.Floor(x), math.Floor(y)
	at := func(i, j float64) float64 {
		h := uint64(int64(x0+i))*0x9e3779b97f4a7c15 ^ uint64(int64(y0+j))*0xbf58476d1ce4e5b9 ^ seed*0x94d049bb133111eb
		h ^= h >> 31
		h *= 0xd6e8feb86659fd93
		h ^= h >> 29
		return float64(h>>11)/(1<<52) - 1
	}
	u, v := x-x0, y-y0
	u, v = u*u*(3-2*u), v*v*(3-2*v)
	return (at(0, 0)*(1-u)+at(1, 0)*u)*(1-v) + (at(0, 1)*(1-u)+at(1, 1)*u)*v
}

// writeLandCover writes a tiled GeoTIFF, strip by strip.
func writeLandCover(b *testing.B, side int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "landcover.tif")
	nodata := raster.Band{Type: rasterbase.Uint8, HasNodata: true, Nodata: 255}
	strip := func(row, rows int) *raster.Raster {
		band := nodata
		px := make(raster.Slice[uint8], side*rows)
		for i := range px {
			px[i] = classAt(i%side, row+i/side)
		}
		band.Pixels = px
		return &raster.Raster{SRID: srid, Bands: []raster.Band{band}, Grid: rasterbase.Grid{
			OriginX: west, OriginY: north - float64(row)*pixel, ScaleX: pixel, ScaleY: -pixel, Width: side, Height: rows,
		}}
	}
	layout := strip(0, 0)
	layout.Height = side
	w, err := gdal.Create(b.Context(), path, layout, gdal.WriteOptions{Compression: "LZW", Options: []string{"TILED=YES", "BIGTIFF=IF_SAFER"}})
	if err != nil {
		b.Fatal(err)
	}
	for row := 0; row < side; row += 256 {
		if err := w.Write(b.Context(), 0, row, strip(row, min(256, side-row))); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// blob is a polygon round a place in pixels, of so many vertices and pixels. Its
// radius goes up and down.
func blob(r *rand.Rand, x, y float64, vertices int, pixels float64) orb.Polygon {
	waves := [3]float64{r.Float64() * 6, r.Float64() * 6, r.Float64() * 6}
	ring := make(orb.Ring, 0, vertices+1)
	for i := range vertices {
		a := 2 * math.Pi * float64(i) / float64(vertices)
		d := 1 + 0.18*math.Sin(3*a+waves[0]) + 0.1*math.Sin(7*a+waves[1]) + 0.04*math.Sin(17*a+waves[2])
		ring = append(ring, orb.Point{d * math.Cos(a), d * math.Sin(a)})
	}
	area := 0.0
	for i, p := range ring {
		q := ring[(i+1)%len(ring)]
		area += p[0]*q[1] - q[0]*p[1]
	}
	k := math.Sqrt(pixels / (area / 2))
	for i, p := range ring {
		ring[i] = orb.Point{west + (x+k*p[0])*pixel, north - (y+k*p[1])*pixel}
	}
	return orb.Polygon{append(ring, ring[0])}
}

// writeZones writes polygons as the others read them.
func writeZones(b *testing.B, zones []orb.Geometry) string {
	b.Helper()
	all := map[string]any{"type": "FeatureCollection"}
	var features []any
	for i, g := range zones {
		features = append(features, map[string]any{
			"type": "Feature", "properties": map[string]any{"id": i}, "geometry": map[string]any{"type": "Polygon", "coordinates": g},
		})
	}
	all["features"] = features
	text, err := json.Marshal(all)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "zones.geojson")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}
