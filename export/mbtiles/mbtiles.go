// Package mbtiles writes map tiles into an MBTiles 1.3 file: an SQLite database
// that GDAL, QGIS, tile servers and phones open.
//
// Tiles that are the same to the last byte are stored once: the table map says
// which picture of the table images stands where, and tiles is a view of both, the
// form that most writers give it.
package mbtiles

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/rasterbase/rasterbase/export/tileset"
	"github.com/rasterbase/rasterbase/xyz"
)

// MediaType is what HTTP calls such a file: MBTiles has no name of its own.
const MediaType = "application/vnd.sqlite3"

// schema is what MBTiles 1.3 asks for. The number is the one by which programs
// such as file(1) know an MBTiles file: the letters MPBX.
const schema = `
PRAGMA application_id = 0x4d504258;
CREATE TABLE metadata (name text, value text);
CREATE UNIQUE INDEX metadata_name ON metadata (name);
CREATE TABLE map (zoom_level integer, tile_column integer, tile_row integer, tile_id text);
CREATE TABLE images (tile_data blob, tile_id text);
CREATE UNIQUE INDEX images_id ON images (tile_id);
CREATE VIEW tiles AS
	SELECT map.zoom_level AS zoom_level, map.tile_column AS tile_column, map.tile_row AS tile_row, images.tile_data AS tile_data
	FROM map JOIN images ON images.tile_id = map.tile_id;`

// Write draws the tiles of a plan into a file, which takes the place of an older one
// when it is whole; after an error nothing of it is left. Memory is bounded
// whatever the number of tiles. A plan of which every tile is empty fails with
// code invalid.
func Write(ctx context.Context, path string, p *tileset.Plan, o tileset.Options) error {
	return tileset.Save(path, func(temporary string) error {
		db, err := open(temporary)
		if err != nil {
			return err
		}
		return errors.Join(fill(ctx, db, p, o), db.Close())
	})
}

// open opens an empty file for one connection. There is no journal and no sync:
// nobody sees the file before it is whole and synced.
func open(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if path = filepath.ToSlash(path); !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	q := url.Values{"mode": {"rwc"}, "_pragma": {"journal_mode(OFF)", "synchronous(OFF)", "locking_mode(EXCLUSIVE)", "cache_size(-16384)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// fill writes everything in one transaction.
func fill(ctx context.Context, db *sql.DB, p *tileset.Plan, o tileset.Options) error {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	rows, err := metadata(p)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := tx.ExecContext(ctx, "INSERT INTO metadata (name, value) VALUES (?, ?)", row[0], row[1]); err != nil {
			return err
		}
	}
	if err := draw(ctx, tx, p, o); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "CREATE UNIQUE INDEX map_index ON map (zoom_level, tile_column, tile_row)"); err != nil {
		return err
	}
	return tx.Commit()
}

// draw writes the tiles.
func draw(ctx context.Context, tx *sql.Tx, p *tileset.Plan, o tileset.Options) error {
	image, err := tx.PrepareContext(ctx, "INSERT OR IGNORE INTO images (tile_data, tile_id) VALUES (?, ?)")
	if err != nil {
		return err
	}
	defer func() { _ = image.Close() }() // a statement that has written leaves nothing to do
	place, err := tx.PrepareContext(ctx, "INSERT INTO map (zoom_level, tile_column, tile_row, tile_id) VALUES (?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer func() { _ = place.Close() }()
	return p.Each(ctx, o, func(t xyz.Tile, body []byte) error {
		sum := sha256.Sum256(body)
		id := hex.EncodeToString(sum[:16])
		if _, err := image.ExecContext(ctx, body, id); err != nil {
			return err
		}
		row := xyz.Side(t.Z) - 1 - t.Y // TMS counts rows from the south
		_, err := place.ExecContext(ctx, t.Z, t.X, row, id)
		return err
	})
}

// metadata is what the file says of itself: the keys of MBTiles 1.3, and in json
// what TileJSON calls the same for all, with the legend.
func metadata(p *tileset.Plan) ([][2]string, error) {
	b, c := p.Extent(), p.Center
	name := p.Name
	if name == "" {
		name = "rasterbase" // required by the format
	}
	rows := [][2]string{
		{"name", name},
		{"format", p.Format},
		{"bounds", numbers(b.West, b.South, b.East, b.North)},
		{"center", numbers(c.Lon, c.Lat) + "," + strconv.Itoa(c.Zoom)},
		{"minzoom", strconv.Itoa(p.MinZoom)},
		{"maxzoom", strconv.Itoa(p.MaxZoom)},
		{"type", "overlay"},
		{"version", p.Version},
		{"scheme", "tms"},
	}
	if p.Attribution != "" {
		rows = append(rows, [2]string{"attribution", p.Attribution})
	}
	if p.Description != "" {
		rows = append(rows, [2]string{"description", p.Description})
	}
	more, err := json.Marshal(struct {
		TileSize int             `json:"tileSize"`
		Legend   json.RawMessage `json:"legend,omitempty"`
	}{p.TileSize, p.Legend})
	if err != nil {
		return nil, fmt.Errorf("writing the legend: %w", err)
	}
	return append(rows, [2]string{"json", string(more)}), nil
}

// numbers are degrees with the digits that they have, parted by commas.
func numbers(degrees ...float64) string {
	var s []string
	for _, v := range degrees {
		s = append(s, strconv.FormatFloat(v, 'f', -1, 64))
	}
	return strings.Join(s, ",")
}
