// Package postgis keeps everything in PostgreSQL with PostGIS: the catalog, the
// queue, the source files, and the tiles as rows with a native raster column,
// which SQL, QGIS and GDAL read as well.
//
//	db, err := postgis.Open(ctx, "postgres://user@host/database", postgis.Options{})
//
// opens a store with connections of its own; [New] uses a host's pool, and
// [DB.WithTx] a host's transaction. The schema is made by [Migrate].
//
// Everything lives in one schema of the operator's choice: tables that are named
// as what they hold (layers, revisions, legends, users, tokens, uploads, …), the
// history of migrations, and the tables of tiles. Each revision has a table for
// each kind of tiles, zoom and band set, named
//
//	tiles_<layer>_<revision>_base
//	tiles_<layer>_<revision>_z<zoom>       both with _s<band set> from the second set on
//
// with one grid, pixel type and nodata each, so that PostGIS's raster_columns
// and raster_overviews tell the truth about them. All are partitions of the
// table tiles. The view published_tiles shows those that readers see, and
// [DB.CreateView] makes a view of one layer.
package postgis
