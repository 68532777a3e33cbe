package postgis_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/zonal"
)

// placedLayers lie where edges bend much, at the antimeridian, or round the world.
func placedLayers() []countedLayer {
	layer := func(name string, srid int, g rasterbase.Grid) countedLayer {
		return countedLayer{name: name, datatype: rasterbase.Categorical, tileSize: 64, source: rastertest.Source{
			Grid: g, SRID: srid, Bands: []ingest.BandInfo{{PixelType: rasterbase.Uint8, Nodata: rasterbase.FloatPtr(0)}}, Value: grain(5)}}
	}
	return []countedLayer{
		layer("UTM", 32632, grid(250000, 6600000, 8000, 70, 90)),
		layer("UTM at the antimeridian", 32660, grid(400000, 2200000, 5000, 130, 70)),
		layer("degrees", 4326, grid(4, 56, 0.11, 90, 80)),
		layer("degrees round the world", 4326, grid(-180, 90, 3, 120, 60)),
		layer("degrees from 0 to 360", 4326, grid(0, 80, 4, 90, 40)),
		layer("web mercator", 3857, grid(500000, 7100000, 9000, 100, 80)),
		layer("web mercator across the antimeridian", 3857, grid(19037508.342789244, 1500000, 25000, 80, 70)),
	}
}

// around is the box of a layer in another CRS, widened by half to each side.
func around(t *testing.T, c countedLayer, srid int) (low, high crs.Point) {
	t.Helper()
	low, high = crs.Point{X: math.Inf(1), Y: math.Inf(1)}, crs.Point{X: math.Inf(-1), Y: math.Inf(-1)}
	to := between(t, c.source.SRID, srid)
	g := c.source.Grid
	for i := range 21 * 21 {
		x, y := g.World(float64(i%21)/20*float64(g.Width), float64(i/21)/20*float64(g.Height))
		p := []crs.Point{{X: x, Y: y}}
		if err := to.Apply(context.Background(), p); err != nil {
			t.Fatal(err)
		}
		if !math.IsNaN(p[0].X) {
			low = crs.Point{X: min(low.X, p[0].X), Y: min(low.Y, p[0].Y)}
			high = crs.Point{X: max(high.X, p[0].X), Y: max(high.Y, p[0].Y)}
		}
	}
	dx, dy := (high.X-low.X)/2, (high.Y-low.Y)/2
	low, high = crs.Point{X: low.X - dx, Y: low.Y - dy}, crs.Point{X: high.X + dx, Y: high.Y + dy}
	switch srid {
	case 3857:
		low = crs.Point{X: max(low.X, -1.9e7), Y: max(low.Y, -2.1e7)}
		high = crs.Point{X: min(high.X, 2.1e7), Y: min(high.Y, 2.1e7)}
	case 4326:
		low = crs.Point{X: max(low.X, -200), Y: max(low.Y, -90)}
		high = crs.Point{X: min(high.X, 380), Y: min(high.Y, 90)}
	}
	return low, high
}

func between(t *testing.T, from, to int) crs.Transform {
	t.Helper()
	f, err := crs.Closed{}.Between(rasterbase.CRS{SRID: from}, rasterbase.CRS{SRID: to})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// inPolygon tells by the even-odd rule whether a place is in a polygon.
func inPolygon(p orb.Polygon, x, y float64) bool {
	odd := false
	for _, r := range p {
		for i := 1; i < len(r); i++ {
			a, b := r[i-1], r[i]
			if (a[1] > y) != (b[1] > y) && x < a[0]+(y-a[1])/(b[1]-a[1])*(b[0]-a[0]) {
				odd = !odd
			}
		}
	}
	return odd
}

// centres tells of each pixel of a layer whether its centre is in a polygon of another
// CRS, and whether that is less than 0.03 pixel from its edge.
func centres(t *testing.T, c countedLayer, p orb.Polygon, srid int) (inside, near func(col, row int) bool) {
	t.Helper()
	to := between(t, c.source.SRID, srid)
	turn := 0.0
	switch srid {
	case 4326:
		turn = 360
	case 3857:
		turn = 2 * 20037508.342789244
	}
	at := func(col, row float64) bool {
		x, y := c.source.Grid.World(col, row)
		q := []crs.Point{{X: x, Y: y}}
		if err := to.Apply(context.Background(), q); err != nil {
			t.Fatal(err)
		}
		for k := -2.0; k <= 2; k++ {
			if inPolygon(p, q[0].X+k*turn, q[0].Y) {
				return true
			}
		}
		return false
	}
	inside = func(col, row int) bool { return at(float64(col)+0.5, float64(row)+0.5) }
	near = func(col, row int) bool {
		const d = 0.03
		x, y := float64(col)+0.5, float64(row)+0.5
		n := 0
		for _, v := range [][2]float64{{x, y}, {x - d, y - d}, {x + d, y - d}, {x - d, y + d}, {x + d, y + d}} {
			if at(v[0], v[1]) {
				n++
			}
		}
		return n != 0 && n != 5
	}
	return inside, near
}

// Edges are straight in the polygon's own CRS, and the pixels are those that have their
// centre inside of them. Centres within 0.03 pixel of an edge may be on either side.
func TestValueCountInOtherCRSs(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	for _, c := range placedLayers() {
		t.Run(c.name, func(t *testing.T) {
			id := c.add(t, db)
			r := rand.New(rand.NewPCG(11, uint64(id)))
			srids := []int{4326, 3857}
			if c.source.SRID != 4326 || c.source.Grid.Width == 90 && c.source.Grid.Height == 80 {
				srids = append(srids, 32632)
			}
			for _, srid := range srids {
				if srid == 32632 && c.source.Grid.OriginX > 1e6 || srid == 32632 && c.source.SRID == 32660 {
					srid = 32660
				}
				low, high := around(t, c, srid)
				for n := range 12 {
					p := orb.Polygon{anyRing(r, low, high, n)}
					if n == 0 && srid == 4326 {
						p = orb.Polygon{{{-180, -90}, {180, -90}, {180, 90}, {-180, 90}, {-180, -90}}}
					}
					checkPlaced(t, db, c, id, p, srid, func(text string) map[float64]int64 {
						return valueCount(t, pool, "$1::bigint, ST_GeomFromText($2, $3)", int64(id), text, srid)
					})
				}
			}
		})
	}
}

// anyRing is a ring in a box: few corners or many.
func anyRing(r *rand.Rand, low, high crs.Point, n int) orb.Ring {
	x, y := low.X+r.Float64()*(high.X-low.X), low.Y+r.Float64()*(high.Y-low.Y)
	size := 0.1 + r.Float64()
	corners := []int{3, 4, 5, 60}[n%4]
	var ring orb.Ring
	for i := range corners {
		sin, cos := math.Sincos(2 * math.Pi * (float64(i) + r.Float64()/2) / float64(corners))
		ring = append(ring, orb.Point{
			min(max(x+size*cos*(high.X-low.X)/2, low.X), high.X),
			min(max(y+size*sin*(high.Y-low.Y)/2, low.Y), high.Y),
		})
	}
	return append(ring, ring[0])
}

// checkPlaced compares an answer with what every pixel says, and with zonal.
func checkPlaced(t *testing.T, db database, c countedLayer, id rasterbase.LayerID, p orb.Polygon, srid int, ask func(text string) map[float64]int64) {
	t.Helper()
	text := wkt.MarshalString(p)
	inside, near := centres(t, c, p, srid)
	want, edge := c.counts(0, inside), c.counts(0, near)
	got := ask(text)
	cov, err := coverage.Open(t.Context(), db, id)
	if err != nil {
		t.Fatal(err)
	}
	in, err := zonal.ValueCount(t.Context(), cov, p, zonal.Options{Placement: zonal.Placement{CRS: rasterbase.CRS{SRID: srid}}})
	if err != nil {
		t.Fatal(err)
	}
	ours := map[float64]int64{}
	for _, row := range in.Bands[0].Counts {
		ours[row.Value] = int64(row.Count)
	}
	for v := range 5 {
		v := float64(v)
		if d := got[v] - want[v]; d > edge[v] || -d > edge[v] {
			t.Fatalf("counted %v, there are %v, and %v are near an edge, in %d %s", got, want, edge, srid, text)
		}
		if d := got[v] - ours[v]; d > edge[v] || -d > edge[v] {
			t.Fatalf("counted %v, zonal counts %v, and %v are near an edge, in %d %s", got, ours, edge, srid, text)
		}
	}
}

// Polygons that share their edges share no pixel, and leave none out, whatever their
// sizes are and however their edges bend.
func TestPartsOfAnAreaAddUp(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	c := placedLayers()[0]
	id := c.add(t, db)
	r := rand.New(rand.NewPCG(3, 4))
	// Corners of fields, moved about; columns are of very different widths.
	xs, ys := []float64{-4, 4, 4.2, 9, 9.01, 15, 30}, []float64{40, 51, 51.5, 54, 70}
	at := func(i, j int) orb.Point { return orb.Point{xs[i], ys[j]} }
	moved := map[[2]int]orb.Point{}
	for i := range xs {
		for j := range ys {
			p := at(i, j)
			if i > 0 && i < len(xs)-1 && j > 0 && j < len(ys)-1 {
				p[0], p[1] = p[0]+r.Float64()*0.004, p[1]+r.Float64()*0.2
			}
			moved[[2]int{i, j}] = p
		}
	}
	total := map[float64]int64{}
	fields := 0
	for i := range len(xs) - 1 {
		for j := range len(ys) - 1 {
			ring := orb.Ring{moved[[2]int{i, j}], moved[[2]int{i + 1, j}], moved[[2]int{i + 1, j + 1}], moved[[2]int{i, j + 1}], moved[[2]int{i, j}]}
			for v, n := range valueCount(t, pool, "$1::bigint, ST_GeomFromText($2)", int64(id), wkt.MarshalString(orb.Polygon{ring})) {
				total[v] += n
			}
			fields++
		}
	}
	var border orb.Ring
	for i := range xs {
		border = append(border, at(i, 0))
	}
	for j := 1; j < len(ys); j++ {
		border = append(border, at(len(xs)-1, j))
	}
	for i := len(xs) - 2; i >= 0; i-- {
		border = append(border, at(i, len(ys)-1))
	}
	for j := len(ys) - 2; j >= 0; j-- {
		border = append(border, at(0, j))
	}
	whole := valueCount(t, pool, "$1::bigint, ST_GeomFromText($2)", int64(id), wkt.MarshalString(orb.Polygon{border}))
	for v, n := range whole {
		if total[v] != n {
			t.Errorf("%d fields have %d pixels of the value %v, and together %d", fields, total[v], v, n)
		}
	}
	if len(whole) != len(total) || len(whole) == 0 {
		t.Errorf("the fields have %v, and together %v", total, whole)
	}
}
