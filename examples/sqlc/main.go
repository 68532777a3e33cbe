// Command sqlc keeps rasters in a table of its own through the code that sqlc
// generates: sqlc.yaml maps the type raster to raster.Raster, and to a
// *raster.Raster where it may be NULL. The example stores a raster, asks
// PostGIS and the raster itself for the value at a place, and draws it.
//
// Run it on a database in which an administrator has run
// CREATE EXTENSION postgis; CREATE EXTENSION postgis_raster;
//
//	cd examples
//	DATABASE_URL=postgres://user:password@localhost/mydb go run ./sqlc hill.png
package main

import (
	"context"
	_ "embed"
	"fmt"
	"image/png"
	"io"
	"log"
	"math"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/examples/sqlc/db"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/raster/pgxraster"
)

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate

//go:embed schema.sql
var schema string

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: sqlc PICTURE.png")
	}
	if err := run(context.Background(), os.Stdout, os.Getenv("DATABASE_URL"), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, url, picture string) error {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	config.AfterConnect = pgxraster.Register // every connection knows the type raster
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, schema); err != nil {
		return err
	}
	queries := db.New(pool)

	id, err := queries.CreateTerrain(ctx, db.CreateTerrainParams{Name: "Round Hill", Elevation: hill()})
	if err != nil {
		return err
	}

	// PostGIS looks a value up …
	x, y := 501500.0, 4998500.0
	at, err := queries.TerrainsAt(ctx, db.TerrainsAtParams{X: x, Y: y})
	if err != nil {
		return err
	}
	for _, t := range at {
		fmt.Fprintf(out, "%s is %g m high at %.0f %.0f, says PostGIS\n", t.Name, t.Elevation, x, y)
	}

	// … and so does the raster, once it is here.
	terrain, err := queries.GetTerrain(ctx, id)
	if err != nil {
		return err
	}
	v, _ := terrain.Elevation.AtCoord(0, x, y)
	fmt.Fprintf(out, "%s is %g m high at %.0f %.0f, says the raster; snow is known: %t\n", terrain.Name, v, x, y, terrain.Snow != nil)

	snow := snowOn(&terrain.Elevation)
	if err := queries.SetSnow(ctx, db.SetSnowParams{ID: id, Snow: snow}); err != nil {
		return err
	}
	return draw(picture, &terrain.Elevation)
}

// hill is a raster of 100 x 100 pixels of 30 m with a hill in its middle.
func hill() raster.Raster {
	grid := rasterbase.Grid{Width: 100, Height: 100, OriginX: 500000, OriginY: 5000000, ScaleX: 30, ScaleY: -30}
	r := raster.New(grid, 32612, rasterbase.Int16)
	for i := range r.Bands[0].Pixels.Len() {
		dx, dy := float64(i%100-50), float64(i/100-50)
		r.Bands[0].Pixels.Set(i, 1000+800*math.Exp(-(dx*dx+dy*dy)/800))
	}
	return *r
}

// snowOn is 1 above 1,500 m.
func snowOn(elevation *raster.Raster) *raster.Raster {
	snow := raster.New(elevation.Grid, elevation.SRID, rasterbase.Bit1)
	for i := range snow.Bands[0].Pixels.Len() {
		if elevation.Bands[0].Pixels.At(i) > 1500 {
			snow.Bands[0].Pixels.Set(i, 1)
		}
	}
	return snow
}

// draw writes a raster as a PNG file, coloured by a legend.
func draw(file string, r *raster.Raster) (err error) {
	colours, err := legend.ParseJSON("Elevation", []byte(`[
		{"name": "valley", "expression": "x < 1200", "color": "#7FA65B"},
		{"name": "slope", "expression": "(x >= 1200) & (x < 1500)", "color": "#C8AA6E"},
		{"name": "summit", "expression": "x >= 1500", "color": "white"}]`))
	if err != nil {
		return err
	}
	colormap, err := legend.Compile(colours, r.Bands[0].Type)
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := png.Encode(f, r.Image(colormap)); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
