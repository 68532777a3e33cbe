package postgis_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/postgis"
)

// countedLayer is a layer whose pixels a test knows.
type countedLayer struct {
	name     string
	source   rastertest.Source
	datatype rasterbase.Datatype
	tileSize int
	noBase   bool // the same pixels, as the max zoom of a pyramid
}

// value is a pixel and whether it is valid.
func (c countedLayer) value(band, col, row int) (float64, bool) {
	v := c.source.Value(band, col, row)
	b := c.source.Bands[band]
	valid := v-v == 0 && (b.Nodata == nil || v != float64(*b.Nodata)) && (c.source.Mask == nil || c.source.Mask(band, col, row))
	return v, valid
}

// add parses the layer into a database.
func (c countedLayer) add(t testing.TB, db database) rasterbase.LayerID {
	t.Helper()
	if c.noBase {
		return c.addZoom(t, db)
	}
	path := filepath.Join(t.TempDir(), c.name+".syn")
	if err := os.WriteFile(path, []byte("not looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	opener := &rastertest.Opener{Sources: map[string]rastertest.Source{filepath.Base(path): c.source}}
	l, err := ingest.Import(t.Context(), db, opener, ingest.Request{Source: path,
		Settings: rasterbase.Settings{Datatype: c.datatype, TileSize: c.tileSize, NoPyramid: true}})
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	return l.ID
}

// zoomX and zoomY are the first pixel of a layer that has a pyramid alone, at zoom 6.
const (
	noBaseZoom   = 6
	zoomX, zoomY = 391, 287
)

// addZoom makes a layer without base tiles.
func (c countedLayer) addZoom(t testing.TB, db database) rasterbase.LayerID {
	t.Helper()
	spec := testlayer.Spec{Layer: rasterbase.Layer{Name: c.name}, Datatype: c.datatype, TileSize: c.tileSize, MaxZoom: noBaseZoom,
		X: zoomX, Y: zoomY, Width: c.source.Grid.Width, Height: c.source.Grid.Height, Value: c.value}
	for _, b := range c.source.Bands {
		spec.Bands = append(spec.Bands, rasterbase.Band{PixelType: b.PixelType, Nodata: b.Nodata})
	}
	l, err := testlayer.Add(t.Context(), db, spec)
	if err != nil {
		t.Fatal(err)
	}
	execute(t, newPool(t, db.url), fmt.Sprintf(`UPDATE rasterbase.revisions SET document = document || '{"no_base": true, "base_tiles": 0}' WHERE id = %d`, l.Published),
		fmt.Sprintf(`DROP TABLE rasterbase.tiles_%d_%d_base`, l.ID, l.Published))
	return l.ID
}

// grain is noise: one of n values.
func grain(n int) func(band, col, row int) float64 {
	return func(band, col, row int) float64 {
		h := uint64(col)*0x9e3779b97f4a7c15 ^ uint64(row)*0xbf58476d1ce4e5b9 ^ uint64(band)<<40
		h = (h ^ h>>31) * 0xd6e8feb86659fd93
		return float64((h ^ h>>29) % uint64(n))
	}
}

// exactGrid has an origin and scales that floats hold, so that vertices are where the
// witness has them.
func exactGrid(width, height int) rasterbase.Grid {
	return rasterbase.Grid{OriginX: 524288, OriginY: 5242880, ScaleX: 16, ScaleY: -16, Width: width, Height: height}
}

// countedLayers are of all kinds that are counted in different ways.
func countedLayers() []countedLayer {
	band := func(p rasterbase.PixelType, nodata float64) []ingest.BandInfo {
		b := ingest.BandInfo{PixelType: p}
		if nodata != 0.5 {
			b.Nodata = rasterbase.FloatPtr(nodata)
		}
		return []ingest.BandInfo{b}
	}
	const none = 0.5
	many := append(append(append(band(rasterbase.Uint8, 9), band(rasterbase.Int32, none)...), band(rasterbase.Uint8, 0)...), band(rasterbase.Uint8, 3)...)
	skewed, southUp := exactGrid(70, 50), exactGrid(70, 50)
	skewed.SkewX, skewed.SkewY = 4, 8
	southUp.ScaleY = 16
	shifted := func(by float64, f func(band, col, row int) float64) func(band, col, row int) float64 {
		return func(band, col, row int) float64 { return f(band, col, row) + by }
	}
	hole := func(_, col, row int) bool { return col/7%3 != row/5%3 }
	whole := func(_, _, _ int) bool { return true }
	return []countedLayer{
		{name: "bytes", source: rastertest.Source{Grid: exactGrid(83, 61), SRID: 32632, Bands: band(rasterbase.Uint8, 5), Value: grain(7)}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "zero is nodata", source: rastertest.Source{Grid: exactGrid(83, 61), SRID: 32632, Bands: band(rasterbase.Uint8, 0), Value: grain(4)}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "masked bytes", source: rastertest.Source{Grid: exactGrid(140, 61), SRID: 32632, Bands: band(rasterbase.Uint8, none), Value: grain(7), Mask: hole}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "masked nowhere", source: rastertest.Source{Grid: exactGrid(70, 70), SRID: 32632, Bands: band(rasterbase.Uint8, none), Value: grain(3), Mask: whole}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "negative shorts", source: rastertest.Source{Grid: exactGrid(83, 61), SRID: 25832, Bands: band(rasterbase.Int16, -32768), Value: shifted(-30, grain(60))}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "large integers", source: rastertest.Source{Grid: exactGrid(83, 61), SRID: 32632, Bands: band(rasterbase.Uint32, none), Value: shifted(4294967000, grain(100))}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "many values", source: rastertest.Source{Grid: exactGrid(83, 61), SRID: 32632, Bands: band(rasterbase.Int32, -1), Value: grain(900)}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "elevation", source: rastertest.Source{Grid: exactGrid(83, 61), SRID: 32632, Bands: band(rasterbase.Int16, 7), Value: grain(3000)}, datatype: rasterbase.Continuous, tileSize: 64},
		{name: "floats", source: rastertest.Source{Grid: exactGrid(83, 61), SRID: 32632, Bands: band(rasterbase.Float32, math.NaN()), Value: func(_, col, row int) float64 {
			// Some have no value, some differ by less than PostGIS tells apart, some are -0.
			return [...]float64{math.NaN(), 0, math.Copysign(0, -1), 1.0 / (1 << 26), 1.5, math.Inf(1)}[int(grain(6)(0, col, row))]
		}}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "doubles", source: rastertest.Source{Grid: exactGrid(83, 61), SRID: 32632, Bands: band(rasterbase.Float64, 0), Value: func(_, col, row int) float64 {
			return grain(40)(0, col, row) * 1e-9
		}}, datatype: rasterbase.Continuous, tileSize: 64},
		{name: "bits", source: rastertest.Source{Grid: exactGrid(83, 61), SRID: 32632, Bands: band(rasterbase.Bit1, none), Value: grain(2)}, datatype: rasterbase.Mask, tileSize: 64},
		{name: "four bands", source: rastertest.Source{Grid: exactGrid(70, 70), SRID: 32632, Bands: many, Value: grain(11)}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "five bands", source: rastertest.Source{Grid: exactGrid(70, 70), SRID: 32632, Bands: append(many[:4:4], band(rasterbase.Float32, 4)...), Value: grain(11)}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "skewed", source: rastertest.Source{Grid: skewed, SRID: 32632, Bands: band(rasterbase.Uint8, none), Value: grain(7)}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "south up", source: rastertest.Source{Grid: southUp, SRID: 32632, Bands: band(rasterbase.Uint16, 2), Value: grain(7)}, datatype: rasterbase.Categorical, tileSize: 64},
		{name: "no base", source: rastertest.Source{Grid: rasterbase.Grid{Width: 70, Height: 75}, SRID: 3857, Bands: band(rasterbase.Int16, 3), Value: grain(7)}, datatype: rasterbase.Categorical, tileSize: 16, noBase: true},
		{name: "no base, masked", source: rastertest.Source{Grid: rasterbase.Grid{Width: 70, Height: 75}, SRID: 3857, Bands: band(rasterbase.Uint8, none), Value: grain(7), Mask: hole}, datatype: rasterbase.Categorical, tileSize: 16, noBase: true},
	}
}

// eighths is how many parts of a pixel the witness's coordinates count: vertices lie on
// centres and borders of pixels often.
const eighths = 8

// corner is a vertex in eighths of a pixel from the upper left of the raster.
type corner struct{ x, y int64 }

// shape is polygons of rings, which are not closed.
type shape [][][]corner

// wkt is the shape in the CRS of a grid.
func (s shape) wkt(world func(col, row float64) (x, y float64)) string {
	var b strings.Builder
	b.WriteString("MULTIPOLYGON(")
	for i, p := range s {
		b.WriteString([]string{"(", ",("}[min(i, 1)])
		for j, r := range p {
			b.WriteString([]string{"(", ",("}[min(j, 1)])
			for k, v := range append(r[:len(r):len(r)], r[0]) {
				x, y := world(float64(v.x)/eighths, float64(v.y)/eighths)
				fmt.Fprintf(&b, "%s%v %v", []string{"", ","}[min(k, 1)], x, y)
			}
			b.WriteString(")")
		}
		b.WriteString(")")
	}
	return b.String() + ")"
}

// holds tells by exact arithmetic whether the centre of a pixel is in any polygon: left
// and upper edges are inside, right and lower ones are not.
func (s shape) holds(col, row int) bool {
	x, y := int64(col)*eighths+eighths/2, int64(row)*eighths+eighths/2
	for _, p := range s {
		odd := false
		for _, r := range p {
			for i, b := range r {
				a := r[(i+len(r)-1)%len(r)]
				if a.y > b.y {
					a, b = b, a
				}
				if a.y <= y && y < b.y && (b.x-a.x)*(y-a.y) <= (x-a.x)*(b.y-a.y) {
					odd = !odd
				}
			}
		}
		if odd {
			return true
		}
	}
	return false
}

// anyShape makes polygons of all kinds over a raster and beyond it.
func anyShape(r *rand.Rand, width, height int) shape {
	across := int64(eighths * max(width, height))
	var s shape
	for range 1 + r.IntN(3) {
		c := corner{r.Int64N(across+across/2) - across/4, r.Int64N(across+across/2) - across/4}
		size := 1 + r.Int64N(across/2)
		near := func() corner { return corner{c.x + r.Int64N(2*size+1) - size, c.y + r.Int64N(2*size+1) - size} }
		round := func(size int64, n int) []corner {
			out := make([]corner, n)
			for i := range out {
				sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
				d := float64(size) * (0.5 + r.Float64()/2)
				out[i] = corner{c.x + int64(d*cos), c.y + int64(d*sin)}
			}
			return out
		}
		on := func(ring []corner, part int64) []corner {
			for i, v := range ring {
				ring[i] = corner{v.x/eighths*eighths + part, v.y/eighths*eighths + part}
			}
			return ring
		}
		switch r.IntN(6) {
		case 0: // a ring that crosses itself
			ring := make([]corner, 4+r.IntN(8))
			for i := range ring {
				ring[i] = near()
			}
			s = append(s, [][]corner{ring})
		case 1: // round, with a hole
			s = append(s, [][]corner{round(size, 3+r.IntN(40)), round(size/3+1, 3+r.IntN(9))})
		case 2: // along the borders of pixels
			a, b := near(), near()
			s = append(s, [][]corner{on([]corner{a, {b.x, a.y}, b, {a.x, b.y}}, 0)})
		case 3: // vertices on centres
			s = append(s, [][]corner{on(round(size, 3+r.IntN(9)), eighths/2)})
		case 4: // thinner than a pixel
			a, b := near(), near()
			s = append(s, [][]corner{{a, b, {b.x + r.Int64N(5), b.y + r.Int64N(5)}, {a.x + r.Int64N(5), a.y}}})
		case 5: // all of it
			s = append(s, [][]corner{{{-80, -80}, {across + 80, -80}, {across + 80, across + 80}, {-80, across + 80}}})
		}
	}
	return s
}

// counts are the valid pixels of a band by value whose pixels the function takes.
func (c countedLayer) counts(band int, take func(col, row int) bool) map[float64]int64 {
	out := map[float64]int64{}
	for row := range c.source.Grid.Height {
		for col := range c.source.Grid.Width {
			if v, ok := c.value(band, col, row); ok && take(col, row) {
				out[v+0]++
			}
		}
	}
	return out
}

// world is where the pixels of the layer are.
func (c countedLayer) world() func(col, row float64) (x, y float64) {
	if !c.noBase {
		return c.source.Grid.World
	}
	return func(col, row float64) (x, y float64) {
		const half = 20037508.342789244
		side := 2 * half / float64(c.tileSize<<noBaseZoom)
		return -half + (zoomX+col)*side, half - (zoomY+row)*side
	}
}

// valueCount asks for what is counted; arguments begin with the layer.
func valueCount(t testing.TB, pool interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, arguments string, values ...any) map[float64]int64 {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT value, count FROM rasterbase.valuecount(`+arguments+`)`, values...)
	if err != nil {
		t.Fatal(err)
	}
	out := map[float64]int64{}
	var v float64
	var n int64
	last := math.Inf(-1)
	_, err = pgx.ForEachRow(rows, []any{&v, &n}, func() error {
		if v <= last || n <= 0 || v == 0 && math.Signbit(v) {
			return fmt.Errorf("%d pixels of the value %v come after those of %v", n, v, last)
		}
		out[v], last = n, v
		return nil
	})
	if err != nil {
		t.Fatalf("valuecount(%s) of %v: %v", arguments, values, err)
	}
	return out
}

// Each pixel is counted whose centre is inside, and no other.
func TestValueCountIsThatOfEveryPixel(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	for _, c := range countedLayers() {
		t.Run(c.name, func(t *testing.T) {
			id := int64(c.add(t, db))
			r := rand.New(rand.NewPCG(7, uint64(id)))
			for range 15 {
				s := anyShape(r, c.source.Grid.Width, c.source.Grid.Height)
				text := s.wkt(c.world())
				band := r.IntN(len(c.source.Bands))
				want := c.counts(band, s.holds)
				got := valueCount(t, pool, "$1::bigint, ST_GeomFromText($2, $3), $4", id, text, c.source.SRID, band+1)
				if c.noBase { // whose places are not exact
					equalNearly(t, c, band, s, got, want, text)
				} else if !maps.Equal(got, want) {
					t.Fatalf("counted %v, and there are %v, of band %d in %s", got, want, band+1, text)
				}
				wantStatistics(t, pool, got, "$1::bigint, ST_GeomFromText($2, $3), $4", id, text, c.source.SRID, band+1)
			}
			for band := range c.source.Bands {
				want := c.counts(band, func(int, int) bool { return true })
				if got := valueCount(t, pool, "$1::bigint, band => $2", id, band+1); !maps.Equal(got, want) {
					t.Errorf("the whole band %d has %v, and there are %v", band+1, got, want)
				}
				wantStatistics(t, pool, want, "$1::bigint, band => $2", id, band+1)
			}
		})
	}
}

// equalNearly leaves out pixels whose centre is on an edge.
func equalNearly(t *testing.T, c countedLayer, band int, s shape, got, want map[float64]int64, text string) {
	t.Helper()
	edge := c.counts(band, func(col, row int) bool { return s.near(col, row) })
	for v := range maps.Keys(c.counts(band, func(int, int) bool { return true })) {
		if d := got[v] - want[v]; d > edge[v] || -d > edge[v] {
			t.Fatalf("counted %v, and there are %v, of band %d in %s", got, want, band+1, text)
		}
	}
}

// near tells whether the centre of a pixel is on an edge.
func (s shape) near(col, row int) bool {
	x, y := int64(col)*eighths+eighths/2, int64(row)*eighths+eighths/2
	for _, p := range s {
		for _, r := range p {
			for i, b := range r {
				a := r[(i+len(r)-1)%len(r)]
				if (b.x-a.x)*(y-a.y) == (x-a.x)*(b.y-a.y) && min(a.x, b.x) <= x && x <= max(a.x, b.x) && min(a.y, b.y) <= y && y <= max(a.y, b.y) {
					return true
				}
			}
		}
	}
	return false
}

// wantStatistics compares the statistics with those of the counts.
func wantStatistics(t testing.TB, pool *pgxpool.Pool, counts map[float64]int64, arguments string, values ...any) {
	t.Helper()
	var n int64
	var sum, squares float64
	low, high := math.Inf(1), math.Inf(-1)
	for v, c := range counts {
		n, sum, low, high = n+c, sum+v*float64(c), min(low, v), max(high, v)
	}
	mean := sum / float64(n)
	for v, c := range counts {
		squares += float64(c) * (v - mean) * (v - mean)
	}
	var gotN int64
	var gotSum float64
	var got [4]*float64
	err := pool.QueryRow(t.Context(), `SELECT count, sum, mean, min, max, std FROM rasterbase.statistics(`+arguments+`)`, values...).
		Scan(&gotN, &gotSum, &got[0], &got[1], &got[2], &got[3])
	if err != nil {
		t.Fatalf("statistics(%s) of %v: %v", arguments, values, err)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(b), 1e-3*math.Abs(high), 1e-12) }
	if gotN != n || !near(gotSum, sum) {
		t.Fatalf("%d pixels of the sum %v, and there are %d of %v", gotN, gotSum, n, sum)
	}
	for i, want := range []float64{mean, low, high, math.Sqrt(squares / float64(n))} {
		if (got[i] == nil) != (n == 0) || n > 0 && !near(*got[i], want) {
			t.Fatalf("mean, min, max, std have %v at %d, and it is %v", got[i], i, want)
		}
	}
}
