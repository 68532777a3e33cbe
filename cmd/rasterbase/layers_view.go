package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rasterbase/rasterbase"
)

type layersViewCmd struct {
	Layer string `arg:"" help:"The layer, by id, slug or file name."`
	JSON  bool   `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "layers view --help".
func (*layersViewCmd) Help() string {
	return `It makes database views of the layer's tiles, for SQL, GDAL and QGIS: one of the base tiles, which are the file's own pixels, and one of the max zoom's tiles in EPSG:3857. They follow the layer when it is parsed again, and go with it. Printed with them are the table that each shows now and how to open it; a password is left out, GDAL and QGIS take it from ~/.pgpass or PGPASSWORD.

Only a layer in a PostGIS database has views.`
}

// viewDoc is what is printed of a view.
type viewDoc struct {
	Schema string `json:"schema"`
	View   string `json:"view"`
	Tiles  string `json:"tiles"` // base, or pyramid
	Zoom   *int   `json:"zoom,omitempty"`
	Table  string `json:"table"`
	GDAL   string `json:"gdal"`
	QGIS   string `json:"qgis"`
}

// Run makes the views.
func (c *layersViewCmd) Run(ctx context.Context, a *app) (err error) {
	conf, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	db, err := postgisStore(st)
	if err != nil {
		return err
	}
	layer, err := findLayer(ctx, st, c.Layer)
	if err != nil {
		return err
	}
	views, err := db.CreateView(ctx, layer.ID)
	if err != nil {
		return err
	}
	d, err := newDatabase(conf.DatabaseURL, conf.Schema)
	if err != nil {
		return err
	}
	server, err := pgconn.ParseConfig(d.url)
	if err != nil {
		return fmt.Errorf("read the address of the database: %w", err)
	}
	docs := make([]viewDoc, len(views))
	for i, v := range views {
		docs[i] = viewDoc{Schema: d.schema, View: v.Name, Tiles: v.Kind.String(), Table: v.Table,
			GDAL: gdalAddress(server, d.schema, v.Name), QGIS: qgisAddress(server, d.schema, v.Table)}
		if v.Kind == rasterbase.Pyramid {
			docs[i].Zoom = &v.Zoom
		}
	}
	if c.JSON {
		return a.printJSON(map[string]any{"views": docs})
	}
	for i, d := range docs {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		t := newTable(a.stdout, "", "")
		t.row("view", d.Schema+"."+d.View)
		if d.Zoom == nil {
			t.row("tiles", "base: the file's own pixels")
		} else {
			t.row("tiles", "zoom "+strconv.Itoa(*d.Zoom)+" in EPSG:3857")
		}
		t.row("table now", d.Schema+"."+d.Table)
		t.row("GDAL", `gdalinfo "`+d.GDAL+`"`)
		t.row("QGIS", d.QGIS)
		t.flush()
	}
	return nil
}

// gdalAddress names a view for GDAL's PostGISRaster driver. The password is
// left to whoever uses it: ~/.pgpass or PGPASSWORD.
func gdalAddress(c *pgconn.Config, schema, table string) string {
	return fmt.Sprintf("PG:host=%s port=%d user=%s dbname=%s schema='%s' table='%s' mode=2",
		quoted(c.Host), c.Port, quoted(c.User), quoted(c.Database), schema, table)
}

// qgisAddress names a table for QGIS's provider of PostGIS rasters, which opens
// tables only.
func qgisAddress(c *pgconn.Config, schema, table string) string {
	return fmt.Sprintf(`dbname=%s host=%s port=%d user=%s table="%s"."%s" (rast)`,
		quoted(c.Database), quoted(c.Host), c.Port, quoted(c.User), schema, table)
}

// quoted is a value of a connection string.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
