package postgis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// tiles keeps tiles as rows with a raster column, in the tables that
// tiletables.go makes.
type tiles struct {
	db    *DB
	known *knownTables
}

func newTiles(db *DB) *tiles { return &tiles{db: db, known: newKnownTables()} }

func goneError(k store.RevisionKey) error {
	return fmt.Errorf("revision %d of layer %d: %w", k.Revision, k.Layer, store.ErrRevisionGone)
}

// rid is the number of a tile in its table: its place in row order. It is what
// the column of that name is computed as.
func rid(x, y int) int64 { return int64(y)<<32 | int64(x) }

// maxTile is the largest x and y: columns are integers, and a rid has room for
// them.
const maxTile = 1<<31 - 1

// Create records the revision and makes the table that those of its tiles will
// be partitions of.
func (t *tiles) Create(ctx context.Context, rev *rasterbase.Revision) error {
	k := store.RevisionKey{Layer: rev.Layer, Revision: rev.ID}
	err := t.inTx(ctx, func(tx pgx.Tx) error {
		var state string
		err := tx.QueryRow(ctx, `INSERT INTO `+t.db.table("tile_revisions")+` AS r (layer, revision, state, base_validity, pyramid_validity)
			VALUES ($1, $2, 'open', $3, $4) ON CONFLICT (layer, revision) DO UPDATE SET state = r.state RETURNING state`,
			int64(k.Layer), int64(k.Revision), rev.BaseValidity, rev.PyramidValidity).Scan(&state)
		switch {
		case err != nil:
			return err
		case state == "gone":
			return goneError(k)
		}
		_, err = tx.Exec(ctx, t.createRevisionTable(k))
		return err
	})
	return t.failed(ctx, err, k, "creating the tiles of")
}

// inTx runs fn in a transaction.
func (t *tiles) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := t.db.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// failed says what an error of the database means for a revision.
func (t *tiles) failed(ctx context.Context, err error, k store.RevisionKey, doing string) error {
	switch code := sqlState(err); {
	case err == nil, errors.Is(err, store.ErrRevisionGone), errors.Is(err, store.ErrNotExist):
		return err
	case ctx.Err() != nil:
		return errors.Join(ctx.Err(), err)
	case code == codeGone:
		return goneError(k)
	case code == codeSealed:
		return rasterbase.Errorf(rasterbase.Conflict, "%s revision %d of layer %d: it is sealed", doing, k.Revision, k.Layer)
	case code == "" && !isConnectionLoss(err):
		return err
	}
	return t.db.storageError(err, "%s revision %d of layer %d", doing, k.Revision, k.Layer)
}

// exists fails with ErrRevisionGone for a revision that was not created or was
// dropped.
func (t *tiles) exists(ctx context.Context, k store.RevisionKey) error {
	var state string
	err := t.db.pool.QueryRow(ctx, `SELECT state FROM `+t.db.table("tile_revisions")+` WHERE layer = $1 AND revision = $2`,
		int64(k.Layer), int64(k.Revision)).Scan(&state)
	if isNoRows(err) || err == nil && state == "gone" {
		return goneError(k)
	}
	return err
}

// orGone says what the error of reading a table means: that the revision is
// gone, or, nil, that it has no such table, and so no such tile. Any other error
// stays.
func (t *tiles) orGone(ctx context.Context, k store.RevisionKey, err error) error {
	if !isTableGone(err) {
		return err
	}
	gone := t.exists(ctx, k)
	if gone == nil && sqlState(err) != codeUndefined {
		return err
	}
	return gone
}

// isTableGone reports whether an error can come from a table that was dropped
// before or during a statement, or was never made.
func isTableGone(err error) bool {
	switch sqlState(err) {
	case codeUndefined, codeInternal, codeChangedPlan:
		return true
	}
	return false
}

// Get reads one tile by its table's primary key.
func (t *tiles) Get(ctx context.Context, key store.TileKey) (*raster.Raster, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := t.read(ctx, key)
	if err != nil {
		err = t.orGone(ctx, key.RevisionKey, err)
	}
	switch {
	case err != nil:
		return nil, t.failed(ctx, err, key.RevisionKey, "reading a tile of")
	case r == nil:
		return nil, store.NotFound("%v tile %d/%d/%d of revision %d", key.Kind, key.Z, key.X, key.Y, key.Revision)
	}
	return r, nil
}

// read gives nil for a tile that its table does not have.
func (t *tiles) read(ctx context.Context, k store.TileKey) (r *raster.Raster, err error) {
	if !inRange(k) {
		return nil, t.exists(ctx, k.RevisionKey)
	}
	rows, err := t.db.pool.Query(ctx, `SELECT has_validity, rast::bytea FROM `+t.tileTable(k)+` WHERE rid = $1`, rid(k.X, k.Y))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if rows.Next() {
		values := rows.RawValues() // the bytes are only read
		if r, err = decode(values[1], values[0][0] == 1); err != nil {
			return nil, fmt.Errorf("%v tile %d/%d/%d: %w", k.Kind, k.Z, k.X, k.Y, err)
		}
	}
	return r, rows.Err()
}

func inRange(k store.TileKey) bool {
	return k.X >= 0 && k.Y >= 0 && k.X <= maxTile && k.Y <= maxTile && k.BandSet >= 0 && k.Z >= 0
}

// GetMany reads the tiles of each table with one statement.
func (t *tiles) GetMany(ctx context.Context, keys []store.TileKey) ([]*raster.Raster, error) {
	out := make([]*raster.Raster, len(keys))
	if len(keys) == 0 || ctx.Err() != nil {
		return out, ctx.Err()
	}
	byTable := map[string][]int{} // places in keys
	for i, k := range keys {
		if k.RevisionKey != keys[0].RevisionKey {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "keys of revisions %d and %d at once", keys[0].Revision, k.Revision)
		}
		if inRange(k) {
			name := t.tileTable(k)
			byTable[name] = append(byTable[name], i)
		}
	}
	missing := len(byTable) == 0
	for name, places := range byTable {
		if err := t.readMany(ctx, name, keys, places, out); err != nil {
			if err = t.orGone(ctx, keys[0].RevisionKey, err); err != nil {
				return nil, t.failed(ctx, err, keys[0].RevisionKey, "reading tiles of")
			}
		}
	}
	if missing {
		if err := t.exists(ctx, keys[0].RevisionKey); err != nil {
			return nil, t.failed(ctx, err, keys[0].RevisionKey, "reading tiles of")
		}
	}
	return out, nil
}

func (t *tiles) readMany(ctx context.Context, table string, keys []store.TileKey, places []int, out []*raster.Raster) error {
	at := map[int64][]int{}
	var rids []int64
	for _, i := range places {
		r := rid(keys[i].X, keys[i].Y)
		if at[r] == nil {
			rids = append(rids, r)
		}
		at[r] = append(at[r], i)
	}
	rows, err := t.db.pool.Query(ctx, `SELECT rid, has_validity, rast::bytea FROM `+table+` WHERE rid = ANY ($1)`, rids)
	if err != nil {
		return err
	}
	defer rows.Close()
	var number int64
	var validity bool
	for rows.Next() {
		if err := rows.Scan(&number, &validity, nil); err != nil {
			return err
		}
		r, err := decode(rows.RawValues()[2], validity)
		if err != nil {
			return fmt.Errorf("tile %d/%d of %s: %w", number&maxTile, number>>32, table, err)
		}
		for _, i := range at[number] {
			out[i] = r
		}
	}
	return rows.Err()
}

// listChunk is how many tiles List reads at a time: it holds no connection
// while the caller works.
const listChunk = 16

// List reads the keys in chunks, and then their tiles.
func (t *tiles) List(ctx context.Context, p store.ListParams) iter.Seq2[store.Tile, error] {
	return func(yield func(store.Tile, error) bool) {
		sets, err := t.bandSets(ctx, p)
		if err != nil {
			yield(store.Tile{}, t.failed(ctx, err, p.RevisionKey, "listing tiles of"))
			return
		}
		last := int64(-1)
		for len(sets) > 0 {
			keys, err := t.listKeys(ctx, p, sets, last)
			var rasters []*raster.Raster
			if err == nil && len(keys) > 0 {
				rasters, err = t.GetMany(ctx, keys)
			}
			if err != nil {
				if isTableGone(err) {
					err = errors.Join(goneError(p.RevisionKey), err)
				}
				yield(store.Tile{}, t.failed(ctx, err, p.RevisionKey, "listing tiles of"))
				return
			}
			if len(keys) == 0 {
				return
			}
			for i, k := range keys {
				if !yield(store.Tile{TileKey: k, Raster: rasters[i]}, nil) {
					return
				}
			}
			end := keys[len(keys)-1]
			last = rid(end.X, end.Y)
		}
	}
}

// bandSets lists the band sets that a level has tables for.
func (t *tiles) bandSets(ctx context.Context, p store.ListParams) (sets []int, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rows, err := t.db.pool.Query(ctx, `SELECT band_set FROM `+t.db.table("tile_tables")+`
		WHERE layer = $1 AND revision = $2 AND is_base = $3 AND tilez = $4 ORDER BY band_set`,
		int64(p.Layer), int64(p.Revision), p.Kind == rasterbase.Base, p.Z)
	if err != nil {
		return nil, err
	}
	if sets, err = pgx.CollectRows(rows, pgx.RowTo[int]); err != nil || len(sets) > 0 {
		return sets, err
	}
	return nil, t.exists(ctx, p.RevisionKey)
}

// listKeys gives the keys of all band sets at the places that follow a rid.
func (t *tiles) listKeys(ctx context.Context, p store.ListParams, sets []int, after int64) ([]store.TileKey, error) {
	query := ""
	for i, s := range sets {
		if i > 0 {
			query += " UNION ALL "
		}
		k := store.TileKey{RevisionKey: p.RevisionKey, Kind: p.Kind, Z: p.Z, BandSet: s}
		query += fmt.Sprintf("(SELECT rid, %d AS band_set FROM %s WHERE rid > $1 ORDER BY rid LIMIT %d)", s, t.tileTable(k), listChunk)
	}
	// All sets of the last place are wanted, so that the next chunk can begin
	// behind it.
	places := max(1, listChunk/len(sets))
	rows, err := t.db.pool.Query(ctx, `SELECT rid, band_set FROM (SELECT *, dense_rank() OVER (ORDER BY rid) AS place FROM (`+
		query+`) AS tiles) AS ranked WHERE place <= $2 ORDER BY rid, band_set`, after, places)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (store.TileKey, error) {
		k := store.TileKey{RevisionKey: p.RevisionKey, Kind: p.Kind, Z: p.Z}
		var r int64
		err := row.Scan(&r, &k.BandSet)
		k.X, k.Y = int(r&maxTile), int(r>>32)
		return k, err
	})
}

// Put writes the tiles in batches of statements, over several connections.
func (t *tiles) Put(ctx context.Context, batch []store.Tile) error {
	if len(batch) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	k := batch[0].RevisionKey
	for i := range batch {
		if batch[i].RevisionKey != k {
			return rasterbase.Errorf(rasterbase.Invalid, "a batch has tiles of revisions %d and %d", k.Revision, batch[i].Revision)
		}
		if err := checkTile(batch[i]); err != nil {
			return err
		}
	}
	rev, err := t.prepareTables(ctx, k, batch)
	if err != nil {
		return t.failed(ctx, err, k, "writing tiles of")
	}
	parts := t.db.o.Writers
	if len(batch) < 2*smallBatch {
		parts = 1
	}
	size := (len(batch) + parts - 1) / parts
	g, working := errgroup.WithContext(ctx)
	for part := range slices.Chunk(batch, size) {
		g.Go(func() error { return t.putBatch(working, k, rev, part) })
	}
	return t.failed(ctx, g.Wait(), k, "writing tiles of")
}

// smallBatch is the number of tiles that a second connection does not pay for.
const smallBatch = 16

// checkTile refuses what cannot be a row.
func checkTile(tile store.Tile) error {
	k := tile.TileKey
	if !inRange(k) {
		return rasterbase.Errorf(rasterbase.Invalid, "there can be no %v tile %d/%d/%d", k.Kind, k.Z, k.X, k.Y)
	}
	if err := tile.Raster.Check(); err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "%v tile %d/%d/%d: %w", k.Kind, k.Z, k.X, k.Y, err)
	}
	return nil
}

// putBatch writes tiles in one transaction and one round trip.
func (t *tiles) putBatch(ctx context.Context, k store.RevisionKey, rev revisionFacts, part []store.Tile) error {
	var b pgx.Batch
	b.Queue(`SELECT `+t.db.schema+`.writable_revision($1, $2)`, int64(k.Layer), int64(k.Revision))
	for _, tile := range part {
		wkb, validity, err := encode(tile.Raster, rev.validity[tile.Kind])
		if err != nil {
			return fmt.Errorf("%v tile %d/%d/%d: %w", tile.Kind, tile.Z, tile.X, tile.Y, err)
		}
		b.Queue(t.insert(tile.TileKey), tile.X, tile.Y, validity, wkb)
	}
	return t.db.pool.SendBatch(ctx, &b).Close()
}

// insert is the statement that writes a tile of a table.
func (t *tiles) insert(k store.TileKey) string {
	return fmt.Sprintf(`INSERT INTO %s (layer, revision, is_base, tilez, tilex, tiley, band_set, has_validity, rast)
		VALUES (%d, %d, %t, %d, $1, $2, %d, $3, %s.ST_RastFromWKB($4))
		ON CONFLICT (rid) DO UPDATE SET has_validity = excluded.has_validity, rast = excluded.rast`,
		t.tileTable(k), k.Layer, k.Revision, k.Kind == rasterbase.Base, k.Z, k.BandSet, t.db.raster)
}

// encode gives the binary form of a tile. Where a kind of tiles has validity,
// those that are valid throughout have it too, so that all have as many bands.
func encode(r *raster.Raster, withValidity bool) (wkb []byte, validity bool, err error) {
	if r.Validity == nil && withValidity {
		c := *r
		c.Validity = bytes.Repeat([]byte{255}, r.Width*r.Height)
		r = &c
	}
	wkb, err = r.MarshalBinary()
	return wkb, r.Validity != nil, err
}

// decode undoes encode.
func decode(wkb []byte, validity bool) (*raster.Raster, error) {
	r, err := raster.ParseWKB(wkb)
	if err != nil || !validity {
		return r, err
	}
	if err := r.SplitValidity(); err != nil {
		return nil, err
	}
	if bytes.IndexByte(r.Validity, 0) < 0 {
		r.Validity = nil
	}
	return r, nil
}
