package djangoraster

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/xyz"
)

// layerTiles reads the tiles of a layer.
type layerTiles struct {
	*importer
	row   layerRow
	base  *postgis.Table // nil: there are none
	rev   rasterbase.Revision
	zooms []int // that have tiles
	count int64
	dx    int // where Grid begins in the grid of base
	dy    int
}

func (t *layerTiles) close() {
	if t.base != nil {
		t.base.Close()
	}
}

// describe finds out what tiles there are, and what they have in common.
func (t *layerTiles) describe(ctx context.Context) error {
	t.rev = rasterbase.Revision{
		Layer: rasterbase.LayerID(t.row.ID), Datatype: datatype(t.row.Datatype), DatatypeReason: "as in django-raster",
		Resampling: rasterbase.Nearest, Driver: "django-raster",
	}
	t.rev.Settings = t.newLayer(t.row).Settings
	if t.db.tables["raster_rastertile"] == nil {
		return rasterbase.Errorf(rasterbase.NotFound, "the database has no table raster_rastertile")
	}
	if err := t.describePyramid(ctx); err != nil {
		return err
	}
	if err := t.describeBase(ctx); err != nil {
		return err
	}
	if t.base == nil && !t.rev.HasPyramid {
		return rasterbase.Errorf(rasterbase.NotFound, "django-raster has no tiles of it%s", t.because())
	}
	return nil
}

// because tells how far its parse was.
func (t *layerTiles) because() string {
	switch s, ok := t.statuses[t.row.ID]; {
	case ok && s.Status == statusUnparsed:
		return ": it was not parsed"
	case ok && s.Status == statusFailed:
		return ": its parse failed"
	}
	return ""
}

func (t *layerTiles) describePyramid(ctx context.Context) error {
	if !t.db.tables["raster_rastertile"]["tilez"] {
		return nil
	}
	rows, err := t.db.tx.Query(ctx, `SELECT tilez, count(*) FROM `+t.db.table("raster_rastertile")+`
		WHERE rasterlayer_id = $1 AND tilez IS NOT NULL AND rast IS NOT NULL GROUP BY tilez ORDER BY tilez`, t.row.ID)
	if err != nil {
		return err
	}
	var z int
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&z, &n}, func() error {
		t.zooms, t.count = append(t.zooms, z), t.count+n
		return nil
	})
	if err != nil || len(t.zooms) == 0 {
		return err
	}
	t.rev.HasPyramid, t.rev.MaxZoom = true, t.zooms[len(t.zooms)-1]
	if t.zooms[0] < 0 || t.rev.MaxZoom > xyz.MaxZoom {
		return rasterbase.Errorf(rasterbase.Invalid, "its zooms go from %d to %d", t.zooms[0], t.rev.MaxZoom)
	}
	if err := t.checkComplete(); err != nil {
		return err
	}
	var wkb []byte
	err = t.db.tx.QueryRow(ctx, `SELECT rast::bytea FROM `+t.db.table("raster_rastertile")+`
		WHERE rasterlayer_id = $1 AND tilez = $2 AND rast IS NOT NULL ORDER BY rid LIMIT 1`, t.row.ID, t.rev.MaxZoom).Scan(&wkb)
	if err != nil {
		return err
	}
	r, err := raster.ParseWKB(wkb)
	if err != nil {
		return fmt.Errorf("its first tile of zoom %d: %w", t.rev.MaxZoom, err)
	}
	if r.Width != r.Height || r.Width < smallestTile || r.Width > largestTile {
		return rasterbase.Errorf(rasterbase.Invalid, "its tiles have %d x %d pixels", r.Width, r.Height)
	}
	t.rev.TileSize = r.Width
	t.rev.Bands = bandsOf(r.Bands)
	return nil
}

// The sizes of tiles that layers can have.
const (
	smallestTile = 64
	largestTile  = 1024
)

// checkComplete refuses the tiles of a parse that did not come to its end: what
// is missing of the max zoom cannot be made.
func (t *layerTiles) checkComplete() error {
	s, ok := t.statuses[t.row.ID]
	if !ok || s.Status == statusFinished || slices.Contains(s.Levels, t.rev.MaxZoom) {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Invalid, "its parse in django-raster did not end, and tiles of zoom %d may be missing", t.rev.MaxZoom).
		WithHint("parse it there or, from its file, here")
}

func bandsOf(list []raster.Band) (bands []rasterbase.Band) {
	for _, b := range list {
		band := rasterbase.Band{PixelType: b.Type, Scale: 1}
		if b.HasNodata {
			band.Nodata = rasterbase.FloatPtr(b.Nodata)
		}
		bands = append(bands, band)
	}
	return bands
}

// describeBase opens the tiles in the source's own grid, which early versions
// kept: those without a zoom.
func (t *layerTiles) describeBase(ctx context.Context) error {
	where := fmt.Sprintf("t.rasterlayer_id = %d", t.row.ID)
	if t.db.tables["raster_rastertile"]["tilez"] {
		where += " AND t.tilez IS NULL"
	}
	table, err := postgis.OpenTable(ctx, t.pool, postgis.TableRef{Schema: t.db.schema, Table: "raster_rastertile", Column: "rast", Where: where})
	switch code := rasterbase.CodeOf(err); {
	case err == nil:
	case code == rasterbase.NotFound:
		return nil
	case t.rev.HasPyramid && (code == rasterbase.Invalid || code == rasterbase.TooLarge || code == rasterbase.Unsupported):
		t.warn("layer %d: its base tiles are left out: %v", t.row.ID, err)
		return nil
	default:
		return err
	}
	bands := bandsOf(table.Bands)
	if t.rev.HasPyramid && !sameBands(bands, t.rev.Bands) {
		t.warn("layer %d: its base tiles are left out: they have other pixel types or nodata than its map tiles", t.row.ID)
		table.Close()
		return nil
	}
	t.base, t.rev.Bands = table, bands
	t.placeBase()
	t.count += int64(table.Tiles())
	t.rev.CRS = table.CRS
	if t.rev.CRS.WKT == "" && t.rev.CRS.SRID == 0 {
		t.rev.CRS.SRID = t.rev.Settings.SRID
	}
	if t.rev.CRS.WKT == "" && t.rev.CRS.SRID == 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "its base tiles have no srid").WithField("srid")
	}
	return t.findBounds(ctx)
}

func sameBands(a, b []rasterbase.Band) bool {
	return slices.EqualFunc(a, b, func(a, b rasterbase.Band) bool {
		same := (a.Nodata == nil) == (b.Nodata == nil)
		if same && a.Nodata != nil {
			x, y := float64(*a.Nodata), float64(*b.Nodata)
			same = x == y || math.IsNaN(x) && math.IsNaN(y)
		}
		return same && a.PixelType == b.PixelType
	})
}

// placeBase finds the base grid: that of the raster as django-raster has noted
// it, since its tiles were padded, and else that of the tiles.
func (t *layerTiles) placeBase() {
	g := t.base.Grid
	t.rev.Grid = g
	if m, ok := t.metadata[t.row.ID]; ok && m.Width != nil && m.Height != nil && m.UpperLeftX != nil && m.UpperLeftY != nil {
		col, row := g.Pixel(*m.UpperLeftX, *m.UpperLeftY)
		x, y := math.Round(col), math.Round(row)
		fits := math.Abs(col-x) < 0.01 && math.Abs(row-y) < 0.01 && m.ScaleX != nil && near(*m.ScaleX, g.ScaleX) &&
			m.ScaleY != nil && near(*m.ScaleY, g.ScaleY)
		reach := float64(t.base.TileSize) // empty tiles are not there
		if fits && *m.Width > 0 && *m.Height > 0 && (reach == 0 || x <= 0) {
			t.dx, t.dy = int(x), int(y)
			t.rev.Grid.OriginX, t.rev.Grid.OriginY = g.World(x, y)
			t.rev.Grid.Width, t.rev.Grid.Height = *m.Width, *m.Height
		}
	}
	if t.rev.TileSize != 0 {
		return
	}
	if t.rev.TileSize = t.base.TileSize; t.rev.TileSize < smallestTile || t.rev.TileSize > largestTile {
		t.rev.TileSize = 256
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }

// findBounds finds where the base grid lies, in degrees, by PostGIS.
func (t *layerTiles) findBounds(ctx context.Context) error {
	g := t.rev.Grid
	var ring []string
	corner := func(col, row float64) {
		x, y := g.World(col, row)
		ring = append(ring, fmt.Sprintf("%v %v", x, y))
	}
	const parts = 16
	w, h := float64(g.Width), float64(g.Height)
	for i := range parts {
		corner(w*float64(i)/parts, 0)
	}
	for i := range parts {
		corner(w, h*float64(i)/parts)
	}
	for i := range parts {
		corner(w-w*float64(i)/parts, h)
	}
	for i := range parts {
		corner(0, h-h*float64(i)/parts)
	}
	b := &t.rev.Bounds
	srid := t.rev.CRS.SRID
	err := t.db.tx.QueryRow(ctx, `SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM
		(SELECT Box3D(ST_Transform(ST_SetSRID(ST_GeomFromText($1), $2::int), 4326)) AS b) t`,
		"MULTIPOINT("+strings.Join(ring, ",")+")", srid).Scan(&b.West, &b.South, &b.East, &b.North)
	if err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "where its base tiles lie is not known: %w", err)
	}
	return nil
}

// ready is the layer's raster for [ingest.Parser.Adopt].
func (t *layerTiles) ready() ingest.Ready {
	r := ingest.Ready{Revision: t.rev, Addresses: t.addresses, Pyramid: t.pyramid, Log: t.log()}
	if t.base != nil {
		r.Base = t.readBase
	}
	return r
}

// log is that of django-raster's parse.
func (t *layerTiles) log() (lines []rasterbase.LogLine) {
	text := t.row.ParseLog
	if s := t.statuses[t.row.ID]; s.Log != "" {
		text = s.Log
	}
	for line := range strings.Lines(text) {
		l := rasterbase.LogLine{Text: strings.TrimSpace(line)}
		if at, rest, ok := strings.Cut(strings.TrimPrefix(l.Text, "["), "] "); ok {
			if when, err := time.Parse(time.DateTime, at); err == nil {
				l.Time, l.Text = when, rest
			}
		}
		if l.Text != "" {
			lines = append(lines, l)
		}
	}
	return append(lines, rasterbase.LogLine{Text: "tiles are taken over from a database of django-raster"})
}

// stripTiles is how many tiles are read at once.
const stripTiles = 8

func (t *layerTiles) readBase(ctx context.Context, keep func(x, y int, r *raster.Raster) error) error {
	ts, g := t.rev.TileSize, t.rev.Grid
	for y := 0; y*ts < g.Height; y++ {
		for x := 0; x*ts < g.Width; x += stripTiles {
			w := raster.Rect{X: x * ts, Y: y * ts, Width: min(stripTiles*ts, g.Width-x*ts), Height: min(ts, g.Height-y*ts)}
			strip, err := t.base.Read(ctx, raster.Rect{X: w.X + t.dx, Y: w.Y + t.dy, Width: w.Width, Height: w.Height})
			if err != nil {
				return err
			}
			for i := 0; i*ts < w.Width; i++ {
				tile := strip.Crop(i*ts, 0, min(ts, w.Width-i*ts), w.Height)
				tile.OriginX, tile.OriginY = g.World(float64((x+i)*ts), float64(y*ts))
				tile.SRID = t.rev.CRS.SRID
				if err := keep(x+i, y, tile); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (t *layerTiles) addresses(ctx context.Context, z int) ([]xyz.Tile, error) {
	if !slices.Contains(t.zooms, z) {
		return nil, nil
	}
	rows, err := t.db.tx.Query(ctx, `SELECT DISTINCT tilex, tiley FROM `+t.db.table("raster_rastertile")+`
		WHERE rasterlayer_id = $1 AND tilez = $2 AND rast IS NOT NULL`, t.row.ID, z)
	if err != nil {
		return nil, err
	}
	var x, y int
	var list []xyz.Tile
	_, err = pgx.ForEachRow(rows, []any{&x, &y}, func() error {
		tile := xyz.Tile{Z: z, X: x, Y: y}
		if !tile.Valid() {
			return rasterbase.Errorf(rasterbase.Invalid, "it has a tile %v, which does not exist", tile)
		}
		list = append(list, tile)
		return nil
	})
	return list, err
}

// pyramid reads the tiles of a zoom. Of two with one address the later counts:
// django-raster did not keep them from being made twice.
func (t *layerTiles) pyramid(ctx context.Context, z int, keep func(xyz.Tile, *raster.Raster) error) error {
	if !slices.Contains(t.zooms, z) {
		return nil
	}
	name := t.db.table("raster_rastertile")
	rows, err := t.db.tx.Query(ctx, `SELECT k.tilex, k.tiley, t.rast::bytea FROM
		(SELECT tilex, tiley, max(rid) AS rid FROM `+name+` WHERE rasterlayer_id = $1 AND tilez = $2 AND rast IS NOT NULL GROUP BY tilex, tiley) k
		JOIN `+name+` t ON t.rid = k.rid`, t.row.ID, z)
	if err != nil {
		return err
	}
	var x, y int
	var wkb []byte
	_, err = pgx.ForEachRow(rows, []any{&x, &y, &wkb}, func() error {
		tile := xyz.Tile{Z: z, X: x, Y: y}
		r, err := raster.ParseWKB(wkb)
		if err == nil {
			err = t.check(tile, r)
		}
		if err != nil {
			return fmt.Errorf("tile %v: %w", tile, err)
		}
		return keep(tile, r)
	})
	return err
}

// check tells what keeps a tile from being one of the layer.
func (t *layerTiles) check(tile xyz.Tile, r *raster.Raster) error {
	want := xyz.TileGrid(tile, t.rev.TileSize)
	col, row := want.Pixel(r.OriginX, r.OriginY)
	switch {
	case r.Width != want.Width || r.Height != want.Height:
		return rasterbase.Errorf(rasterbase.Invalid, "it has %d x %d pixels, others %d x %d", r.Width, r.Height, want.Width, want.Height)
	case !sameBands(bandsOf(r.Bands), t.rev.Bands):
		return rasterbase.Errorf(rasterbase.Invalid, "it has other bands, pixel types or nodata than others")
	case r.SRID != 3857:
		return rasterbase.Errorf(rasterbase.Invalid, "it has srid %d, and not 3857", r.SRID)
	case !(math.Abs(col) < 0.5 && math.Abs(row) < 0.5):
		return rasterbase.Errorf(rasterbase.Invalid, "it does not lie where its address says, but %.1f, %.1f pixels off", col, row)
	}
	return nil
}
