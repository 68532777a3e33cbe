// Package pgxraster teaches pgx the PostGIS type raster, so that a
// [raster.Raster] is scanned from, and given as a parameter for, a column of
// that type, and a slice of them for an array:
//
//	config, err := pgxpool.ParseConfig(url)
//	config.AfterConnect = pgxraster.Register
//	pool, err := pgxpool.NewWithConfig(ctx, config)
//	…
//	var r raster.Raster
//	err = pool.QueryRow(ctx, `SELECT rast FROM elevation WHERE id = $1`, id).Scan(&r)
//	_, err = pool.Exec(ctx, `INSERT INTO elevation (rast) VALUES ($1)`, &r)
//
// Without it pgx reads and writes single rasters too, through
// [raster.Raster.Scan] and [raster.Raster.Value]; registering adds arrays,
// rows.Values and what is built on it, composite types with rasters in them,
// and rasters as parameters of the simple protocol.
//
// # NULL
//
// A column that may be NULL is scanned into a *raster.Raster variable or field,
// given by its address, or a sql.Null[raster.Raster]. A nil *raster.Raster is
// NULL as a parameter.
//
// # The binary form
//
// PostgreSQL cannot send or receive a raster in binary: the type has no such
// functions. The codec therefore uses hexadecimal text, two bytes for one. Large
// rasters are read faster in binary through a cast, which needs no codec, and
// written faster as WKB:
//
//	SELECT rast::bytea FROM elevation                        -- into a *raster.Raster
//	INSERT INTO elevation (rast) VALUES (ST_RastFromWKB($1)) -- what MarshalBinary gives
//
// pgx's CopyFrom sends binary only, so that it cannot fill a raster column and
// says so. A pgx.Batch of 20 to 100 INSERT statements with ST_RastFromWKB can,
// and is no slower than COPY.
package pgxraster
