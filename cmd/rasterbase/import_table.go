package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/tempdir"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/raster"
)

// databaseTable is a table of rasters in a database.
type databaseTable struct {
	url    string // of the database
	origin string // the address as it was given, without the password
	ref    postgis.TableRef
}

// isDatabase tells whether the address of a source names a database.
func isDatabase(source string) bool {
	return strings.HasPrefix(source, "postgis://") || isPostgres(source)
}

// newDatabaseTable reads postgis://user@host/database?table=NAME, with schema,
// column and band beside it. Other parameters are the database's.
func newDatabaseTable(source string) (t databaseTable, err error) {
	u, err := url.Parse(source)
	if err != nil {
		return t, rasterbase.Errorf(rasterbase.Invalid, "the address of the database cannot be read").
			WithHint("write postgis://user:password@host:port/database?table=NAME; special characters in the password as %%XX")
	}
	q := u.Query()
	t.ref = postgis.TableRef{Schema: q.Get("schema"), Table: q.Get("table"), Column: q.Get("column")}
	if t.ref.Table == "" {
		return t, rasterbase.Errorf(rasterbase.Invalid, "the address names no table").
			WithHint("add ?table=NAME; --django-raster imports a database of django-raster").WithField("table")
	}
	for _, list := range q["band"] {
		for text := range strings.SplitSeq(list, ",") {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return t, rasterbase.Errorf(rasterbase.Invalid, "%q is not a band", text).
					WithHint("bands are counted from 1: band=1,3").WithField("band")
			}
			t.ref.Bands = append(t.ref.Bands, n)
		}
	}
	t.origin = withoutSecret(*u)
	for _, name := range []string{"schema", "table", "column", "band"} {
		q.Del(name)
	}
	u.Scheme, u.RawQuery = "postgres", q.Encode()
	t.url = u.String()
	return t, nil
}

// withoutSecret is an address without its password.
func withoutSecret(u url.URL) string {
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	if q.Has("password") {
		q.Del("password")
		u.RawQuery = q.Encode()
	}
	return u.String()
}

// source imports a file, or a table that becomes one.
func (im *importer) source(ctx context.Context, r ingest.Request) error {
	if isDatabase(r.Source) {
		return im.table(ctx, r)
	}
	if err := checkSource(r.Source); err != nil {
		return err
	}
	if address.MatchString(r.Source) {
		r = im.download(r)
	}
	return im.one(ctx, r)
}

// table imports a table: it is written to a GeoTIFF, which is the layer's source
// from then on.
func (im *importer) table(ctx context.Context, r ingest.Request) (err error) {
	from, err := newDatabaseTable(r.Source)
	if err != nil {
		return err
	}
	pool, err := connect(ctx, from.url)
	if err != nil {
		return err
	}
	defer pool.Close()
	table, err := postgis.OpenTable(ctx, pool, from.ref)
	if err != nil {
		return orInterrupted(ctx, err)
	}
	defer table.Close()
	dir, err := tempdir.Make(im.workDir, "rasterbase-table-")
	if err != nil {
		return fmt.Errorf("make a folder for the pixels: %w", err)
	}
	defer func() { err = errors.Join(err, dir.Remove()) }()
	path := filepath.Join(dir.Path, fileName(from.ref.Table)+".tif")
	if err := im.writeTable(ctx, table, path); err != nil {
		return orInterrupted(ctx, err)
	}
	r.Source, r.Origin = path, from.origin
	if r.Name == "" {
		r.Name = from.ref.Table
	}
	return im.one(ctx, r)
}

// connect connects to a database that is read. Errors do not show the password.
func connect(ctx context.Context, address string) (*pgxpool.Pool, error) {
	pool, err := pgxpool.New(ctx, address)
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the address of the database cannot be read"). // the cause may hold the password
															WithHint("write postgres://user:password@host:port/database")
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		e := &rasterbase.Error{Code: rasterbase.Busy, Message: "the database " + masked(address) + " does not answer", Err: err}
		return nil, e.WithHint("look whether the server runs and lets this user in")
	}
	return pool, nil
}

// fileName makes the stem of a file's name of that of a table.
func fileName(table string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:`, r) {
			return '_'
		}
		return r
	}, table)
	if strings.HasPrefix(name, ".") {
		name = "_" + name[1:]
	}
	return name
}

// partBytes is about how many bytes of a table are in memory at once.
const partBytes = 32 << 20

// writeTable writes the pixels of a table to a GeoTIFF. A plan needs the file
// without them.
func (im *importer) writeTable(ctx context.Context, t *postgis.Table, path string) (err error) {
	layout := &raster.Raster{Grid: t.Grid, SRID: t.CRS.SRID, Bands: t.Bands}
	bytes, oneType := 0, true
	for _, b := range t.Bands {
		bytes += b.Type.Size()
		oneType = oneType && b.Type == t.Bands[0].Type
	}
	if !oneType {
		return rasterbase.Errorf(rasterbase.Invalid, "the bands of the table have different pixel types").
			WithHint("import them one by one, with band=1 and so on").WithField("band")
	}
	o := gdal.WriteOptions{WKT: t.CRS.WKT, Compression: "DEFLATE", Options: []string{
		"TILED=YES", "BIGTIFF=IF_SAFER", "SPARSE_OK=TRUE", "NUM_THREADS=ALL_CPUS", "ZLEVEL=1",
	}}
	w, err := gdal.Create(ctx, path, layout, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if im.dryRun {
		return nil
	}
	const block = 256 // pixels along a side, as GeoTIFF has them
	side := block
	for side < 4096 && 4*side*side*bytes <= partBytes {
		side *= 2
	}
	p := &progress{w: im.app.stderr, name: filepath.Base(path), bar: isTerminal(im.app.stderr)}
	defer p.end()
	return copyTable(ctx, t, w, side, p)
}

// copyTable copies squares of pixels, row by row.
func copyTable(ctx context.Context, t *postgis.Table, w *gdal.Writer, side int, p *progress) error {
	g := t.Grid
	across, down := (g.Width+side-1)/side, (g.Height+side-1)/side
	done := rasterbase.Parse{Status: "reading the table", Planned: int64(across) * int64(down)}
	for y := 0; y < g.Height; y += side {
		for x := 0; x < g.Width; x += side {
			part, err := t.Read(ctx, raster.Rect{X: x, Y: y, Width: min(side, g.Width-x), Height: min(side, g.Height-y)})
			if err != nil {
				return err
			}
			if err := w.Write(ctx, x, y, part); err != nil {
				return err
			}
			done.Done++
			p.show(done)
		}
	}
	return nil
}
