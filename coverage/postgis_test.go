package coverage_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// PostGIS finds the same tiles by the convex hulls of rasters in a table.
func TestTilesAreThoseThatPostGISFinds(t *testing.T) {
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	st := open(t)
	for name, g := range map[string]rasterbase.Grid{
		"north_up": {Width: 1400, Height: 1000, OriginX: 500000, OriginY: 5200000, ScaleX: 10, ScaleY: -10},
		"rotated":  {Width: 1400, Height: 1000, OriginX: 500000, OriginY: 5200000, ScaleX: 9, SkewX: 2.5, SkewY: 4, ScaleY: -8},
	} {
		stored := slices.DeleteFunc(every(g, 64), func(a coverage.TileAddress) bool { return (a.X+2*a.Y)%7 == 0 })
		c := index(t, st, revision(g, 32632, 64), map[coverage.Level][]coverage.TileAddress{coverage.BaseLevel: stored})
		fill(t, conn, name, g, stored)
		random := rand.New(rand.NewPCG(1, 2))
		for range 60 {
			geometry := around(random, g)
			rows, err := conn.Query(ctx, `SELECT x, y FROM `+name+`
				WHERE ST_Intersects(ST_ConvexHull(rast), ST_GeomFromText($1, 32632)) ORDER BY y, x`, wkt.MarshalString(geometry))
			if err != nil {
				t.Fatal(err)
			}
			want, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a coverage.TileAddress, err error) {
				return a, row.Scan(&a.X, &a.Y)
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := tiles(t, c, coverage.TileQuery{Geometry: geometry, CRS: rasterbase.CRS{SRID: 32632}}); !slices.Equal(got, want) {
				t.Errorf("%s: %s: found %d tiles, PostGIS %d", name, wkt.MarshalString(geometry), len(got), len(want))
			}
		}
	}
}

// fill writes empty rasters, one a tile, into a table.
func fill(t *testing.T, conn *pgx.Conn, table string, g rasterbase.Grid, stored []coverage.TileAddress) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), `CREATE TEMP TABLE `+table+` (x int, y int, rast raster)`); err != nil {
		t.Fatal(err)
	}
	batch := &pgx.Batch{}
	for _, a := range stored {
		x, y := g.World(float64(a.X*64), float64(a.Y*64))
		batch.Queue(fmt.Sprintf(`INSERT INTO %s VALUES ($1, $2, ST_MakeEmptyRaster($3::int, $4::int, $5::float8, $6::float8, $7::float8, $8::float8, $9::float8, $10::float8, 32632))`, table),
			a.X, a.Y, min(64, g.Width-a.X*64), min(64, g.Height-a.Y*64), x, y, g.ScaleX, g.ScaleY, g.SkewX, g.SkewY)
	}
	if err := conn.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Fatal(err)
	}
}

// around draws a geometry that PostGIS holds to be valid, near a grid: a point,
// a line, a box, or a star around a hole.
func around(random *rand.Rand, g rasterbase.Grid) orb.Geometry {
	point := func() orb.Point {
		x, y := g.World(random.Float64()*1.4*float64(g.Width)-0.2*float64(g.Width), random.Float64()*1.4*float64(g.Height)-0.2*float64(g.Height))
		return orb.Point{x, y}
	}
	switch random.IntN(4) {
	case 0:
		return point()
	case 1:
		return orb.LineString{point(), point(), point()}
	case 2:
		return orb.MultiPoint{point(), point()}.Bound().ToPolygon()
	}
	centre, radius := point(), 500+5000*random.Float64()
	var shell, hole orb.Ring
	for i := range 16 {
		angle, r := 2*math.Pi*float64(i)/16, radius*(0.5+random.Float64()/2)
		shell = append(shell, orb.Point{centre[0] + r*math.Cos(angle), centre[1] + r*math.Sin(angle)})
		hole = append(hole, orb.Point{centre[0] + 0.4*radius*math.Cos(angle), centre[1] + 0.4*radius*math.Sin(angle)})
	}
	return orb.Polygon{append(shell, shell[0]), append(hole, hole[0])}
}
