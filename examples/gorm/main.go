// Command gorm keeps rasters in a GORM model: a raster.Raster is a field like
// any other, and a *raster.Raster is one that may be NULL. The example creates a
// plot with a raster, finds it, changes pixels and saves it again.
//
// Run it on a database in which an administrator has run
// CREATE EXTENSION postgis; CREATE EXTENSION postgis_raster;
//
//	cd examples
//	DATABASE_URL=postgres://user:password@localhost/mydb go run ./gorm
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Plot is a piece of land.
type Plot struct {
	ID   int64
	Name string
	// Moisture of the soil in percent.
	Moisture raster.Raster `gorm:"type:raster;not null"`
	// Yield in tonnes a hectare, nil before the harvest.
	Yield *raster.Raster `gorm:"type:raster"`
}

func main() {
	if err := run(context.Background(), os.Stdout, slog.New(slog.NewTextHandler(os.Stderr, nil)), os.Getenv("DATABASE_URL")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, log *slog.Logger, url string) error {
	conn, err := gorm.Open(postgres.Open(url), &gorm.Config{
		// Rasters are long: they are better left out of the logged statements.
		Logger: logger.NewSlogLogger(log, logger.Config{LogLevel: logger.Warn, ParameterizedQueries: true}),
	})
	if err != nil {
		return err
	}
	if pool, err := conn.DB(); err == nil {
		defer pool.Close()
	}
	db := conn.WithContext(ctx)
	if err := db.AutoMigrate(&Plot{}); err != nil {
		return err
	}

	plot := Plot{Name: "Long Acre", Moisture: moisture()}
	if err := db.Create(&plot).Error; err != nil {
		return err
	}

	var found Plot
	if err := db.First(&found, plot.ID).Error; err != nil {
		return err
	}
	v, _ := found.Moisture.AtCoord(0, 600035, 5100075)
	fmt.Fprintf(out, "%s: %.1f %% moisture at 600035 5100075, harvested: %t\n", found.Name, v, found.Yield != nil)

	// It has rained on the first row. A raster that came from a query is this
	// program's own, to be changed as it likes.
	for col := range found.Moisture.Width {
		found.Moisture.Bands[0].Pixels.Set(col, 60)
	}
	found.Yield = raster.New(found.Moisture.Grid, found.Moisture.SRID, rasterbase.Uint8)
	raster.Fill(found.Yield.Bands[0].Pixels, 7)
	if err := db.Save(&found).Error; err != nil {
		return err
	}

	// To PostGIS it is a raster as any other.
	var mean, harvest float64
	row := db.Model(&Plot{}).Where("id = ?", plot.ID).
		Select("(ST_SummaryStats(moisture)).mean, (ST_SummaryStats(yield)).sum * abs(ST_ScaleX(yield) * ST_ScaleY(yield)) / 10000").Row()
	if err := row.Scan(&mean, &harvest); err != nil {
		return err
	}
	fmt.Fprintf(out, "after the rain: %.2f %% on average; harvest: %.2f t\n", mean, harvest)
	return nil
}

// moisture is a raster of 4 x 3 pixels of 10 m whose values rise to the east. One
// pixel is not known.
func moisture() raster.Raster {
	grid := rasterbase.Grid{Width: 4, Height: 3, OriginX: 600000, OriginY: 5100090, ScaleX: 10, ScaleY: -10}
	r := raster.New(grid, 32612, rasterbase.Float32)
	band := &r.Bands[0]
	band.HasNodata, band.Nodata = true, -9999
	for i := range band.Pixels.Len() {
		band.Pixels.Set(i, 20+2.5*float64(i%grid.Width))
	}
	band.Pixels.Set(11, band.Nodata)
	return *r
}
