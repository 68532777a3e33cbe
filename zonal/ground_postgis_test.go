package zonal

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
)

var recordGround = flag.Bool("record-ground", false, "write PostGIS's areas of pixels to testdata/ground.csv")

const groundFile = "testdata/ground.csv"

// groundCase is a pixel, the one at the origin of a grid, and its area.
type groundCase struct {
	name string
	srid int
	grid rasterbase.Grid
	area float64
}

// within is how far off the area may be: more for a pixel of some 10 km.
func (c groundCase) within() float64 {
	if c.area > 1.5e6 {
		return 1e-5
	}
	return 1e-6
}

func groundCases(t *testing.T) (out []groundCase) {
	t.Helper()
	f, err := os.Open(groundFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	records, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records[1:] {
		var v [8]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(rec[i+1], 64); err != nil {
				t.Fatalf("%v: %v", rec, err)
			}
		}
		g := rasterbase.Grid{Width: 1, Height: 1, OriginX: v[1], OriginY: v[2], ScaleX: v[3], ScaleY: v[4], SkewX: v[5], SkewY: v[6]}
		out = append(out, groundCase{rec[0], int(v[0]), g, v[7]})
	}
	return out
}

// groundTransformer knows all CRSs, or the test is skipped for want of GDAL.
func groundTransformer(t *testing.T, srid int) crs.Transformer {
	t.Helper()
	if _, err := (crs.Closed{}).Between(rasterbase.CRS{SRID: srid}, rasterbase.CRS{SRID: 4326}); err == nil {
		return nil
	}
	if gdal.Version() == "" {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
			t.Fatal("GDAL is required, but this build has none")
		}
		t.Skip("this build has no GDAL")
	}
	return crs.Chain(crs.Closed{}, gdal.Transformer{})
}

func pixelArea(t *testing.T, c groundCase) float64 {
	t.Helper()
	g, err := newGround(c.grid, rasterbase.CRS{SRID: c.srid}, groundTransformer(t, c.srid))
	if err != nil {
		t.Fatal(err)
	}
	a, err := g.of(t.Context(), raster.Rect{Width: 1, Height: 1})
	if err != nil {
		t.Fatal(err)
	}
	return areaAt(a, 1, 0, 0)
}

func areaAt(a areas, width, col, row int) float64 {
	switch {
	case a.pixels != nil:
		return a.pixels[row*width+col]
	case a.rows != nil:
		return a.rows[row]
	}
	return a.uniform
}

// The areas are those that PostGIS gave.
func TestGroundIsAsRecorded(t *testing.T) {
	for _, c := range groundCases(t) {
		t.Run(c.name, func(t *testing.T) {
			got := pixelArea(t, c)
			off := got/c.area - 1
			t.Logf("%.10g m2, off by %.1e", got, off)
			if !(math.Abs(off) <= c.within()) {
				t.Errorf("%v m2, PostGIS has %v", got, c.area)
			}
		})
	}
}

// PostGIS measures a pixel, with many places along its edges, on the ellipsoid.
func TestGroundIsAsPostGISMeasures(t *testing.T) {
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	cases := groundCases(t)
	for i, c := range cases {
		ring := make([]string, 0, 4*128+1)
		at := func(col, row float64) {
			x, y := c.grid.World(col, row)
			ring = append(ring, fmt.Sprintf("%.17g %.17g", x, y))
		}
		const n = 128
		for k := range n {
			at(float64(k)/n, 0)
		}
		for k := range n {
			at(1, float64(k)/n)
		}
		for k := range n {
			at(1-float64(k)/n, 1)
		}
		for k := range n {
			at(0, 1-float64(k)/n)
		}
		ring = append(ring, ring[0])
		wkt := "POLYGON((" + strings.Join(ring, ",") + "))"
		if err := conn.QueryRow(ctx, `SELECT ST_Area(ST_Transform(ST_GeomFromText($1, $2), 4326)::geography)`, wkt, c.srid).Scan(&cases[i].area); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if *recordGround {
			continue
		}
		if got, want := pixelArea(t, c), cases[i].area; !(math.Abs(got-want) <= c.within()*want) {
			t.Errorf("%s: %v m2, PostGIS has %v, off by %.1e", c.name, got, want, got/want-1)
		}
	}
	if *recordGround {
		writeGround(t, cases)
	}
}

func writeGround(t *testing.T, cases []groundCase) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Ground areas of pixels in square metres, as PostGIS 3.3.2 measures them on the WGS 84 ellipsoid:\n")
	b.WriteString("# ST_Area(ST_Transform(pixel, 4326)::geography) of the pixel with 128 places along each edge.\n")
	b.WriteString("# Written by: go test ./zonal -run TestGroundIsAsPostGISMeasures -record-ground\n")
	b.WriteString("name,srid,origin_x,origin_y,scale_x,scale_y,skew_x,skew_y,area\n")
	for _, c := range cases {
		fmt.Fprintf(&b, "%s,%d,%v,%v,%v,%v,%v,%v,%.12g\n", c.name, c.srid,
			c.grid.OriginX, c.grid.OriginY, c.grid.ScaleX, c.grid.ScaleY, c.grid.SkewX, c.grid.SkewY, c.area)
	}
	if err := os.WriteFile(groundFile, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
