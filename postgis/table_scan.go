package postgis

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// tableRow is what is known of a tile without its pixels.
type tableRow struct {
	tid   string
	grid  rasterbase.Grid
	srid  int
	bands string // one a line: type, nodata or "none", and the file of pixels outside the database
}

// scan reads what is known of all tiles and finds the grid around them.
func (t *Table) scan(ctx context.Context) error {
	order, err := t.primaryKey(ctx)
	if err != nil {
		return err
	}
	rows, err := t.tx.Query(ctx, t.scanSQL(order))
	if err != nil {
		return err
	}
	defer rows.Close()
	s := &tableScan{Table: t, kinds: map[string][]tableBand{}}
	var row tableRow
	for rows.Next() {
		g := &row.grid
		if err := rows.Scan(&row.tid, &g.OriginX, &g.OriginY, &g.Width, &g.Height, &g.ScaleX, &g.ScaleY, &g.SkewX, &g.SkewY, &row.srid, &row.bands); err != nil {
			return err
		}
		if err := s.add(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	rows.Close()
	if s.outside != "" {
		if err := t.checkOutside(ctx, s.outside); err != nil {
			return err
		}
	}
	return s.finish()
}

func (t *Table) scanSQL(order string) string {
	where := ""
	if t.ref.Where != "" {
		where = " AND (" + t.ref.Where + ")"
	}
	return `SELECT t.ctid::text, m.upperleftx, m.upperlefty, m.width, m.height, m.scalex, m.scaley, m.skewx, m.skewy, m.srid,
			(SELECT coalesce(string_agg(concat_ws(' ', b.pixeltype, coalesce(b.nodatavalue::text, 'none'),
				CASE WHEN b.isoutdb THEN coalesce(b.path, '?') END), E'\n' ORDER BY b.bandnum), '')
			FROM ` + t.raster + `.ST_BandMetaData(` + t.column + `, ARRAY[]::int[]) b WHERE b.pixeltype IS NOT NULL)
		FROM ONLY ` + t.name + ` t, LATERAL ` + t.raster + `.ST_MetaData(` + t.column + `) m
		WHERE ` + t.column + ` IS NOT NULL AND m.width > 0 AND m.height > 0` + where + ` ORDER BY ` + order
}

// primaryKey gives the columns of the primary key, or the place of rows.
func (t *Table) primaryKey(ctx context.Context) (string, error) {
	rows, err := t.tx.Query(ctx, `SELECT a.attname::text FROM pg_index i
		CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, n)
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid = $1::regclass AND i.indisprimary ORDER BY k.n`, t.name)
	if err != nil {
		return "", err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) == 0 {
		return "t.ctid", err
	}
	for i, n := range names {
		names[i] = "t." + pgx.Identifier{n}.Sanitize()
	}
	return strings.Join(names, ", "), nil
}

// tableBand is a band of a tile.
type tableBand struct {
	kind    rasterbase.PixelType
	has     bool
	nodata  float64
	outside string
}

// tableScan collects tiles.
type tableScan struct {
	*Table
	kinds   map[string][]tableBand // by what the database says of the bands
	first   tableRow
	bands   []tableBand // of the first tile
	mixed   []bool      // tiles have several nodata in the band
	outside string      // a file with pixels

	minX, minY, maxX, maxY int
	corner                 [2]float64 // of the tile that begins at minX, minY
	widest, highest        int
	bytes                  int // of a pixel
}

func (s *tableScan) add(r tableRow) error {
	bands, err := s.bandsOf(r)
	if err != nil {
		return err
	}
	if len(s.tiles) == 0 {
		if err := s.begin(r, bands); err != nil {
			return err
		}
	}
	if err := s.fits(r, bands); err != nil {
		return err
	}
	if len(s.tiles) == MaxTableTiles {
		return rasterbase.Errorf(rasterbase.TooLarge, "the table %s has more than %d tiles", s.ref.title(), MaxTableTiles).
			WithHint("load the raster again with larger tiles: raster2pgsql -t 256x256")
	}
	if bytes := int64(r.grid.Width) * int64(r.grid.Height) * int64(s.bytes); bytes > MaxTableTileBytes {
		return rasterbase.Errorf(rasterbase.TooLarge, "a tile of the table %s has %d x %d pixels, which is more than can be read at once", s.ref.title(), r.grid.Width, r.grid.Height).
			WithHint("cut it: CREATE TABLE tiles AS SELECT ST_Tile(%s, 256, 256) AS rast FROM %s t", s.column, s.name)
	}
	col, row := s.first.grid.Pixel(r.grid.OriginX, r.grid.OriginY)
	x, y := math.Round(col), math.Round(row)
	if math.Abs(x) > math.MaxInt32/2 || math.Abs(y) > math.MaxInt32/2 {
		return rasterbase.Errorf(rasterbase.TooLarge, "the tiles of the table %s lie more than %d pixels apart", s.ref.title(), math.MaxInt32/2)
	}
	tile := tableTile{x: int32(x), y: int32(y), w: int32(r.grid.Width), h: int32(r.grid.Height)}
	if _, err := fmt.Sscanf(r.tid, "(%d,%d)", &tile.block, &tile.offset); err != nil {
		return fmt.Errorf("the place of a row, %s: %w", r.tid, err)
	}
	s.place(tile, r.grid)
	s.tiles = append(s.tiles, tile)
	return nil
}

// begin takes the first tile as what all others must be like.
func (s *tableScan) begin(r tableRow, bands []tableBand) error {
	if det := r.grid.ScaleX*r.grid.ScaleY - r.grid.SkewX*r.grid.SkewY; det == 0 || math.IsNaN(det) {
		return rasterbase.Errorf(rasterbase.Invalid, "the tiles of the table %s have pixels without a size", s.ref.title()).
			WithHint("they were made without a georeference: ST_SetGeoReference gives them one")
	}
	s.first, s.bands, s.mixed = r, bands, make([]bool, len(bands))
	s.CRS.SRID = r.srid
	s.minX, s.minY, s.maxX, s.maxY = math.MaxInt, math.MaxInt, math.MinInt, math.MinInt
	for _, b := range bands {
		s.bytes += b.kind.Size()
	}
	return nil
}

// place widens the grid by a tile.
func (s *tableScan) place(t tableTile, g rasterbase.Grid) {
	x, y, w, h := int(t.x), int(t.y), int(t.w), int(t.h)
	s.minX, s.minY = min(s.minX, x), min(s.minY, y)
	s.maxX, s.maxY = max(s.maxX, x+w), max(s.maxY, y+h)
	s.widest, s.highest = max(s.widest, w), max(s.highest, h)
	if x == s.minX && y == s.minY {
		s.corner = [2]float64{g.OriginX, g.OriginY}
	}
}

// bandsOf reads what the database says of the bands, of those asked for.
func (s *tableScan) bandsOf(r tableRow) ([]tableBand, error) {
	if known, ok := s.kinds[r.bands]; ok {
		return known, nil
	}
	var all []tableBand
	for line := range strings.Lines(r.bands) {
		b, err := parseTableBand(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	bands := all
	if s.ref.Bands != nil {
		bands = nil
		for _, n := range s.ref.Bands {
			if n < 1 || n > len(all) {
				return nil, rasterbase.Errorf(rasterbase.NotFound, "a tile of the table %s has no band %d: it has %d", s.ref.title(), n, len(all)).WithField("band")
			}
			bands = append(bands, all[n-1])
		}
	}
	if len(bands) == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a tile of the table %s has no bands", s.ref.title())
	}
	for _, b := range bands {
		if b.outside != "" {
			s.outside, s.Table.outside = b.outside, true
		}
	}
	s.kinds[r.bands] = bands
	return bands, nil
}

func parseTableBand(line string) (b tableBand, err error) {
	kind, rest, _ := strings.Cut(line, " ")
	nodata, outside, _ := strings.Cut(rest, " ")
	i := slices.IndexFunc(rasterbase.PixelTypes, func(p rasterbase.PixelType) bool { return p.PostGIS() == kind })
	if i < 0 {
		return b, rasterbase.Errorf(rasterbase.Unsupported, "pixels of type %s are not known", kind)
	}
	b = tableBand{kind: rasterbase.PixelTypes[i], outside: outside}
	if nodata == "none" {
		return b, nil
	}
	b.has = true
	if b.nodata, err = strconv.ParseFloat(nodata, 64); err != nil {
		return b, fmt.Errorf("the nodata value %q: %w", nodata, err)
	}
	return b, nil
}

// fits tells what keeps a tile from being a part of the same raster as the
// first one.
func (s *tableScan) fits(r tableRow, bands []tableBand) error {
	not := func(hint, format string, args ...any) error {
		return rasterbase.Errorf(rasterbase.Invalid, "the tiles of the table %s are not one raster: %s", s.ref.title(), fmt.Sprintf(format, args...)).
			WithHint("%s", hint).WithField("table")
	}
	const apart = "load each raster into a table of its own, or select one of them into a materialised view"
	a, b := s.first.grid, r.grid
	switch {
	case r.srid != s.first.srid:
		return not(apart, "they have srid %d and %d", s.first.srid, r.srid)
	case !samePixels(a, b):
		return not(apart, "their pixels are %v x %v and %v x %v wide and high (skew %v, %v and %v, %v)",
			a.ScaleX, a.ScaleY, b.ScaleX, b.ScaleY, a.SkewX, a.SkewY, b.SkewX, b.SkewY)
	case !aligned(a, b):
		col, row := a.Pixel(b.OriginX, b.OriginY)
		return not(apart, "their pixels do not lie on one grid: those of one are %.3f, %.3f pixels off",
			col-math.Round(col), row-math.Round(row))
	case len(bands) != len(s.bands):
		return not("choose one that all have, with band=1", "they have %d and %d bands", len(s.bands), len(bands))
	}
	for i, band := range bands {
		first := s.bands[i]
		if band.kind != first.kind {
			return not("choose another band with band=N, or load the rasters with one pixel type",
				"band %d has pixels of %s and %s", i+1, first.kind.PostGIS(), band.kind.PostGIS())
		}
		same := band.nodata == first.nodata || math.IsNaN(band.nodata) && math.IsNaN(first.nodata)
		s.mixed[i] = s.mixed[i] || band.has != first.has || !same
	}
	return nil
}

// finish makes the grid and the bands.
func (s *tableScan) finish() error {
	if len(s.tiles) == 0 {
		return rasterbase.Errorf(rasterbase.NotFound, "the table %s has no rasters", s.ref.title()).WithField("table")
	}
	s.Grid = s.first.grid
	s.Grid.OriginX, s.Grid.OriginY = s.first.grid.World(float64(s.minX), float64(s.minY))
	for i := range s.tiles {
		t := &s.tiles[i]
		t.x, t.y = t.x-int32(s.minX), t.y-int32(s.minY)
		if t.x == 0 && t.y == 0 {
			s.Grid.OriginX, s.Grid.OriginY = s.corner[0], s.corner[1]
		}
	}
	s.Grid.Width, s.Grid.Height = s.maxX-s.minX, s.maxY-s.minY
	s.regular = s.isRegular()
	if s.regular && (s.widest == s.highest || len(s.tiles) == 1) {
		s.TileSize = max(s.widest, s.highest)
	}
	return s.chooseNodata()
}

// isRegular tells whether the tiles are cut from the grid in equal rectangles.
func (s *tableScan) isRegular() bool {
	at := make([]int64, len(s.tiles))
	for i, t := range s.tiles {
		x, y := int(t.x), int(t.y)
		if x%s.widest != 0 || y%s.highest != 0 {
			return false
		}
		at[i] = int64(y)<<32 | int64(x)
	}
	slices.Sort(at)
	return len(slices.Compact(at)) == len(s.tiles)
}

// chooseNodata finds one nodata value for all tiles and bands, as a file has
// it. Floating-point numbers have NaN for it. Whole numbers have none that is
// sure not to be a value: a single band goes without, and invalid pixels are
// told by Validity.
func (s *tableScan) chooseNodata() error {
	first, several := s.bands[0], s.mixed[0]
	for i, b := range s.bands {
		same := b.has == first.has && (b.nodata == first.nodata || math.IsNaN(b.nodata) && math.IsNaN(first.nodata))
		several = several || s.mixed[i] || !same
	}
	for _, b := range s.bands {
		band := raster.Band{Type: b.kind, HasNodata: b.has, Nodata: b.nodata}
		switch {
		case several && b.kind.IsFloat():
			band.HasNodata, band.Nodata = true, math.NaN()
		case several && len(s.bands) > 1:
			return rasterbase.Errorf(rasterbase.Invalid, "the bands of the table %s, or its tiles, have different nodata values", s.ref.title()).
				WithHint("import the bands one by one, with band=1 and so on").WithField("band")
		case several:
			band.HasNodata, band.Nodata = false, 0
		}
		s.Bands = append(s.Bands, band)
	}
	return nil
}

// checkOutside tells how to let PostGIS read pixels that are in files.
func (t *Table) checkOutside(ctx context.Context, path string) error {
	var allowed, drivers string
	err := t.tx.QueryRow(ctx, `SELECT coalesce(current_setting('postgis.enable_outdb_rasters', true), 'off'),
		coalesce(current_setting('postgis.gdal_enabled_drivers', true), '')`).Scan(&allowed, &drivers)
	if err != nil {
		return err
	}
	if (allowed == "on" || allowed == "true" || allowed == "1") && drivers != "" && drivers != "DISABLE_ALL" {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Unsupported, "pixels of the table %s are not in the database but in files, such as %s, which PostGIS may not read", t.ref.title(), path).
		WithHint("import the files, or let PostGIS read them: ALTER DATABASE … SET postgis.enable_outdb_rasters = on, and SET postgis.gdal_enabled_drivers = 'ENABLE_ALL'").WithField("table")
}
