package pgxraster_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
)

// literal writes a number as SQL.
func literal(v float64) string {
	switch {
	case math.IsNaN(v):
		return "'NaN'::float8"
	case math.IsInf(v, 0):
		return fmt.Sprintf("'%vInfinity'::float8", map[bool]string{true: "-"}[v < 0])
	}
	return strconv.FormatFloat(v, 'g', -1, 64) + "::float8"
}

// drawMade draws SQL by which PostGIS makes a raster of bands with values.
func drawMade(t *rapid.T) string {
	g := drawGrid(t, 5)
	types := rapid.SliceOfN(rapid.SampledFrom(rasterbase.PixelTypes), 0, 10).Draw(t, "types")
	if len(types) == 0 && rapid.Bool().Draw(t, "no pixels") {
		g.Width, g.Height = 0, 0
	}
	return makeBands(t, g, drawSRID(t), types, drawValue)
}

func makeBands(t *rapid.T, g rasterbase.Grid, srid int, types []rasterbase.PixelType, value func(rasterbase.PixelType) *rapid.Generator[float64]) string {
	made := fmt.Sprintf("ST_MakeEmptyRaster(%d, %d, %s, %s, %s, %s, %s, %s, %d)", g.Width, g.Height,
		literal(g.OriginX), literal(g.OriginY), literal(g.ScaleX), literal(g.ScaleY), literal(g.SkewX), literal(g.SkewY), srid)
	for i, p := range types {
		nodata := "NULL"
		if rapid.Bool().Draw(t, "has nodata") {
			nodata = literal(value(p).Draw(t, "nodata"))
		}
		made = fmt.Sprintf("ST_AddBand(%s, '%s'::text, %s, %s)", made, p.PostGIS(), literal(value(p).Draw(t, "initial")), nodata)
		if rapid.Bool().Draw(t, "with values") {
			rows := make([]string, g.Height)
			for y := range rows {
				row := make([]string, g.Width)
				for x := range row {
					row[x] = literal(value(p).Draw(t, "pixel"))
				}
				rows[y] = "[" + strings.Join(row, ",") + "]"
			}
			made = fmt.Sprintf("ST_SetValues(%s, %d, 1, 1, ARRAY[%s])", made, i+1, strings.Join(rows, ","))
		}
		switch rapid.IntRange(0, 5).Draw(t, "mark") {
		case 0:
			made = fmt.Sprintf("ST_SetBandNoDataValue(%s, %d, NULL)", made, i+1)
		case 1:
			if nodata != "NULL" {
				made = fmt.Sprintf("ST_SetBandIsNoData(%s, %d)", made, i+1)
			}
		}
	}
	return made
}

// drawWhole draws whole numbers that most types can hold.
func drawWhole(p rasterbase.PixelType) *rapid.Generator[float64] {
	lo, hi := p.Range()
	return rapid.Map(rapid.IntRange(int(max(lo, -100)), int(min(hi, 100))), func(v int) float64 { return float64(v) })
}

// derived are ways in which PostGIS makes rasters of others, a and b, which
// overlap and have the same bands, 1 of them at least.
var derived = map[string]string{
	"union":              `(SELECT ST_Union(r, 1) FROM unnest(ARRAY[a, b]) r)`,
	"union of means":     `(SELECT ST_Union(r, 1, 'MEAN') FROM unnest(ARRAY[a, b]) r)`,
	"union of all bands": `(SELECT ST_Union(r) FROM unnest(ARRAY[a, b]) r)`,
	"map algebra":        `ST_MapAlgebra(a, 1, '32BF', '[rast] / 3.0')`,
	"algebra of two":     `ST_MapAlgebra(a, 1, b, 1, '[rast1] + [rast2]', '16BSI', 'UNION', '[rast2]', '[rast1]', NULL)`,
	"what two share":     `ST_MapAlgebra(a, 1, b, 1, '[rast1] * [rast2]', '64BF', 'INTERSECTION')`,
	"clip":               `ST_Clip(a, ST_Buffer(ST_Centroid(a::geometry), 1.2))`,
	"clip to nothing":    `ST_Clip(a, ST_Translate(a::geometry, 3.5, 0), true)`,
	"clip without crop":  `ST_Clip(a, ST_Translate(a::geometry, 2, 1), ARRAY[-1]::float8[], false)`,
	"resample":           `ST_Resample(a, 7, 5)`,
	"bilinear":           `ST_Resample(a, 0.7, -0.7, NULL, NULL, 0, 0, 'Bilinear')`,
	"turned":             `ST_SetRotation(a, 0.3)`,
	"rescale":            `ST_Rescale(a, 2.5, -2.5, 'Lanczos')`,
	"transform":          `ST_Transform(ST_SetSRID(a, 4326), 3857)`,
	"burnt polygon":      `ST_AsRaster(ST_Buffer(ST_Centroid(a::geometry), 2), 0.5, -0.5, '8BUI', 7, 0)`,
	"burnt for several":  `ST_AsRaster(ST_Centroid(a::geometry), a, ARRAY['8BSI','32BF'], ARRAY[-5, 0.1], ARRAY[-128, 'NaN']::float8[])`,
	"reclass":            `ST_Reclass(a, 1, '0-50:1,(50-100:2', '2BUI', 3)`,
	"slope":              `ST_Slope(a, 1, '32BF')`,
	"band":               `ST_Band(a, ST_NumBands(a))`,
	"tile":               `(SELECT r FROM ST_Tile(a, 2, 2, true, -1) r OFFSET 1 LIMIT 1)`,
	"shifted":            `ST_SetUpperLeft(ST_SetSkew(ST_SetScale(a, 3, 2), 0.25), -1e-9, 1e9)`,
	"without bands":      `ST_MakeEmptyRaster(a)`,
	"read from WKB":      `ST_RastFromHexWKB(ST_AsHexWKB(a))`,
}

func TestReadsWhatPostGISMakes(t *testing.T) {
	conn := registered(t)
	exec(t, conn, `SET statement_timeout = '60s'`)
	t.Run("bands", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { checkMade(t, conn, drawMade(t)) })
	})
	for name, expression := range derived {
		t.Run(name, func(t *testing.T) {
			some := false
			rapid.Check(t, func(t *rapid.T) {
				types := rapid.SliceOfN(rapid.SampledFrom(rasterbase.PixelTypes), 1, 3).Draw(t, "types")
				g := rasterbase.Grid{Width: rapid.IntRange(3, 6).Draw(t, "width"), Height: rapid.IntRange(3, 6).Draw(t, "height"), ScaleX: 1, ScaleY: -1}
				a := makeBands(t, g, 0, types, drawWhole)
				g.OriginX, g.OriginY = 2, -1
				b := makeBands(t, g, 0, types, drawWhole)
				if checkMade(t, conn, fmt.Sprintf("(SELECT %s FROM (SELECT %s AS a, %s AS b) q)", expression, a, b)) {
					some = true
				}
			})
			if !some {
				t.Error("PostGIS made nothing but NULL")
			}
		})
	}
}

// checkMade reads what PostGIS makes, compares it with what PostGIS says of it,
// and writes it back. It is false when PostGIS made NULL.
func checkMade(t *rapid.T, conn *pgx.Conn, expression string) bool {
	t.Helper()
	var made *string
	if err := conn.QueryRow(t.Context(), "SELECT "+expression, pgx.QueryExecModeDescribeExec).Scan(&made); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	if made == nil { // an operation on nothing
		return false
	}
	r, err := raster.ParseHexWKB(*made)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	f := ask(t, conn, "$1", *made)
	f.check(t, r)
	written, err := r.HexWKB()
	if err != nil {
		t.Fatal(err)
	}
	// Pixels below the mark that a whole band is nodata are read as nodata, and
	// written so.
	if written != *made && !slices.Contains(f.flagged, true) {
		t.Fatalf("%s\nmade       %s\nwrote back %s", expression, *made, written)
	}
	again := ask(t, conn, "$1", r)
	if again.text != written || !same(again.Metadata, f.Metadata) || fmt.Sprint(again.flagged) != fmt.Sprint(f.flagged) {
		t.Fatalf("%s\nmade    %+v\nwritten %+v", expression, f, again)
	}
	again.check(t, r)
	return true
}

// PostGIS keeps a band without pixels that it does not read itself.
func TestNoPixelsButBands(t *testing.T) {
	conn := connect(t, pgtest.Database(t))
	var r raster.Raster
	var text string
	err := conn.QueryRow(t.Context(), `SELECT r, r::text FROM (SELECT ST_AddBand(ST_MakeEmptyRaster(0, 0, 0, 0, 1, 1, 0, 0, 4326), '8BUI'::text, 0, NULL) r) q`).Scan(&r, &text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.HexWKB(); err != nil || got != text || len(r.Bands) != 1 || r.Bands[0].Pixels.Len() != 0 {
		t.Errorf("%s is read as %+v and written as %s, %v", text, r, got, err)
	}
	if _, err := conn.Exec(t.Context(), `SELECT $1::raster`, &r); err == nil {
		t.Error("PostGIS reads it now: say so in the documentation")
	}
}

// A band outside the database is an error that names the file.
func TestOutOfDatabaseBand(t *testing.T) {
	conn := connect(t, pgtest.Database(t))
	outside := "01" + "0000" + "0100" + strings.Repeat("00", 48) + "E6100000" + "0200" + "0200" + // 2x2 pixels, one band
		"C4" + "05" + "00" + hex.EncodeToString([]byte("/data/dem.tif\x00"))
	var path string
	if err := conn.QueryRow(t.Context(), `SELECT ST_BandPath($1::raster)`, outside).Scan(&path); err != nil || path != "/data/dem.tif" {
		t.Fatalf("PostGIS says the band is in %q, %v", path, err)
	}
	var r raster.Raster
	err := conn.QueryRow(t.Context(), `SELECT $1::raster`, outside).Scan(&r)
	if rasterbase.CodeOf(err) != rasterbase.Unsupported || !strings.Contains(err.Error(), `"/data/dem.tif"`) {
		t.Errorf("the error is %v", err)
	}
}
