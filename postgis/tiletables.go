package postgis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// revisionName is the name of the table whose partitions hold a revision's
// tiles.
func revisionName(k store.RevisionKey) string { return fmt.Sprintf("tiles_%d_%d", k.Layer, k.Revision) }

// tableName is the name of the table that holds a tile.
func tableName(k store.TileKey) string {
	name := revisionName(k.RevisionKey)
	if k.Kind == rasterbase.Base && k.Z == 0 {
		name += "_base"
	} else if k.Kind == rasterbase.Base {
		name += fmt.Sprintf("_base%d", k.Z)
	} else {
		name += fmt.Sprintf("_z%d", k.Z)
	}
	if k.BandSet > 0 {
		name += fmt.Sprintf("_s%d", k.BandSet)
	}
	return name
}

// tileTable is the qualified name of the table that holds a tile.
func (t *tiles) tileTable(k store.TileKey) string { return t.db.table(tableName(k)) }

// level is the key of the first tile that a tile's table can hold.
func level(k store.TileKey) store.TileKey {
	k.X, k.Y = 0, 0
	return k
}

// createRevisionTable makes the table of a revision. It becomes a partition of
// the table of all tiles when it is sealed; the check spares the server to look
// at every tile then.
func (t *tiles) createRevisionTable(k store.RevisionKey) string {
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (LIKE %s INCLUDING GENERATED,
		CONSTRAINT of_revision CHECK (layer = %d AND revision = %d)) PARTITION BY RANGE (is_base, tilez, band_set)`,
		t.db.table(revisionName(k)), t.db.table("tiles"), k.Layer, k.Revision)
}

// createTileTable makes the table of a level's tiles of a band set.
func (t *tiles) createTileTable(k store.TileKey) []string {
	name := t.tileTable(k)
	bound := func(set int) string { return fmt.Sprintf("(%t, %d, %d)", k.Kind == rasterbase.Base, k.Z, set) }
	statements := []string{fmt.Sprintf(`CREATE TABLE %s PARTITION OF %s (PRIMARY KEY (rid)) FOR VALUES FROM %s TO %s`,
		name, t.db.table(revisionName(k.RevisionKey)), bound(k.BandSet), bound(k.BandSet+1))}
	if t.db.lz4 {
		// PostgreSQL's own compression takes eight times as long.
		statements = append(statements, `ALTER TABLE `+name+` ALTER COLUMN rast SET COMPRESSION lz4`)
	}
	return statements
}

// revisionFacts is what is known of a revision for writing its tiles.
type revisionFacts struct {
	validity map[rasterbase.Kind]bool
}

// knownTables remembers, for the revisions that this process is writing, which
// tables there are and what their tiles have in common.
type knownTables struct {
	mu        sync.Mutex
	revisions map[store.RevisionKey]*knownRevision
}

// knownRevision is held while its tables are looked for or made. Whoever waits
// for it can give up.
type knownRevision struct {
	held     chan struct{} // has an element while it is held
	facts    *revisionFacts
	profiles map[store.TileKey]*tableState // by level
}

type tableState struct {
	profile profile
	uniform bool
}

func newKnownTables() *knownTables {
	return &knownTables{revisions: map[store.RevisionKey]*knownRevision{}}
}

// hold gives the revision, to be released.
func (n *knownTables) hold(ctx context.Context, k store.RevisionKey) (*knownRevision, error) {
	n.mu.Lock()
	rev := n.revisions[k]
	if rev == nil {
		rev = &knownRevision{held: make(chan struct{}, 1), profiles: map[store.TileKey]*tableState{}}
		n.revisions[k] = rev
	}
	n.mu.Unlock()
	select {
	case rev.held <- struct{}{}:
		return rev, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *knownRevision) release() { <-r.held }

func (n *knownTables) forget(k store.RevisionKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.revisions, k)
}

// prepareTables makes the tables that the tiles of a batch belong to, where
// they are missing, and notes tables whose tiles turn out to differ.
func (t *tiles) prepareTables(ctx context.Context, k store.RevisionKey, batch []store.Tile) (revisionFacts, error) {
	rev, err := t.known.hold(ctx, k)
	if err != nil {
		return revisionFacts{}, err
	}
	defer rev.release()
	if rev.facts == nil {
		facts, err := t.facts(ctx, k)
		if err != nil {
			return revisionFacts{}, err
		}
		rev.facts = &facts
	}
	for i := range batch {
		l := level(batch[i].TileKey)
		p := profileOf(batch[i].Raster, rev.facts.validity[l.Kind])
		s := rev.profiles[l]
		if s == nil {
			if s, err = t.ensureTable(ctx, l, p); err != nil {
				return revisionFacts{}, err
			}
			rev.profiles[l] = s
		}
		if s.uniform && !p.equal(s.profile) {
			if err := t.markMixed(ctx, l); err != nil {
				return revisionFacts{}, err
			}
			s.uniform = false
		}
	}
	return *rev.facts, nil
}

func (t *tiles) facts(ctx context.Context, k store.RevisionKey) (revisionFacts, error) {
	var base, pyramid bool
	var state string
	err := t.db.pool.QueryRow(ctx, `SELECT base_validity, pyramid_validity, state FROM `+t.db.table("tile_revisions")+`
		WHERE layer = $1 AND revision = $2`, int64(k.Layer), int64(k.Revision)).Scan(&base, &pyramid, &state)
	if isNoRows(err) || err == nil && state == "gone" {
		return revisionFacts{}, goneError(k)
	}
	return revisionFacts{map[rasterbase.Kind]bool{rasterbase.Base: base, rasterbase.Pyramid: pyramid}}, err
}

// ensureTable makes the table of a level unless it is there. Others who want
// to do so wait for the row of the revision.
func (t *tiles) ensureTable(ctx context.Context, l store.TileKey, p profile) (*tableState, error) {
	s := &tableState{profile: p, uniform: true}
	err := t.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT `+t.db.schema+`.writable_revision($1, $2)`, int64(l.Layer), int64(l.Revision)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, t.tileTable(l)); err != nil {
			return err
		}
		var b []byte
		err := tx.QueryRow(ctx, `SELECT profile, uniform FROM `+t.db.table("tile_tables")+` WHERE `+ofLevel, levelArgs(l)...).Scan(&b, &s.uniform)
		if err == nil {
			return json.Unmarshal(b, &s.profile)
		}
		if !isNoRows(err) {
			return err
		}
		if b, err = json.Marshal(p); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO `+t.db.table("tile_tables")+` (layer, revision, is_base, tilez, band_set, profile, uniform, sealed)
			VALUES ($1, $2, $3, $4, $5, $6, true, false)`, append(levelArgs(l), b)...); err != nil {
			return err
		}
		for _, statement := range t.createTileTable(l) {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	return s, err
}

const ofLevel = `layer = $1 AND revision = $2 AND is_base = $3 AND tilez = $4 AND band_set = $5`

func levelArgs(l store.TileKey) []any {
	return []any{int64(l.Layer), int64(l.Revision), l.Kind == rasterbase.Base, l.Z, l.BandSet}
}

// markMixed notes that the tiles of a table do not have one profile: then no
// constraint can tell what they are.
func (t *tiles) markMixed(ctx context.Context, l store.TileKey) error {
	_, err := t.db.pool.Exec(ctx, `UPDATE `+t.db.table("tile_tables")+` SET uniform = false WHERE `+ofLevel, levelArgs(l)...)
	return err
}

// levels lists the tables of a revision.
func (t *tiles) levels(ctx context.Context, q querier, k store.RevisionKey) ([]tileTable, error) {
	rows, err := q.Query(ctx, `SELECT is_base, tilez, band_set, profile, uniform, sealed FROM `+t.db.table("tile_tables")+`
		WHERE layer = $1 AND revision = $2 ORDER BY is_base DESC, tilez, band_set`, int64(k.Layer), int64(k.Revision))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (tileTable, error) {
		l := tileTable{TileKey: store.TileKey{RevisionKey: k, Kind: rasterbase.Pyramid}}
		var base bool
		var b []byte
		if err := row.Scan(&base, &l.Z, &l.BandSet, &b, &l.uniform, &l.sealed); err != nil {
			return l, err
		}
		if base {
			l.Kind = rasterbase.Base
		}
		return l, json.Unmarshal(b, &l.profile)
	})
}

// tileTable is a table of tiles as it is recorded; the key has no place.
type tileTable struct {
	store.TileKey
	profile         profile
	uniform, sealed bool
}

type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

// Sync has nothing to do: the server's log is written in the order of the
// commits, so that a transaction of the catalog that survives a loss of power
// has the tiles before it survive too.
func (t *tiles) Sync(ctx context.Context, k store.RevisionKey) error {
	return t.failed(ctx, t.exists(ctx, k), k, "syncing")
}

// Bytes is what the tables take with their indices.
func (t *tiles) Bytes(ctx context.Context, k store.RevisionKey) (int64, error) {
	err := t.exists(ctx, k)
	var levels []tileTable
	if err == nil {
		levels, err = t.levels(ctx, t.db.pool, k)
	}
	if err != nil {
		return 0, t.failed(ctx, err, k, "measuring")
	}
	names := make([]string, len(levels))
	for i, l := range levels {
		names[i] = t.tileTable(l.TileKey)
	}
	var n int64
	err = t.db.pool.QueryRow(ctx, `SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint
		FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL`, names).Scan(&n)
	return n, t.failed(ctx, err, k, "measuring")
}

// Revisions lists what was created and not dropped.
func (t *tiles) Revisions(ctx context.Context) ([]store.RevisionKey, error) {
	rows, err := t.db.pool.Query(ctx, `SELECT layer, revision FROM `+t.db.table("tile_revisions")+`
		WHERE state <> 'gone' ORDER BY layer, revision`)
	if err != nil {
		return nil, t.db.storageError(err, "listing the stored revisions")
	}
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k store.RevisionKey, err error) {
		err = row.Scan(&k.Layer, &k.Revision)
		return k, err
	})
	return keys, t.db.storageError(err, "listing the stored revisions")
}

// dropChunk bounds how many tables are dropped in one transaction: each takes
// several locks, of which the server has a limited number.
const dropChunk = 50

// lockWait is how long a change to the tables waits for those who read all of
// them through the table of all tiles.
const lockWait = "3s"

// Drop marks the revision as gone and drops its tables, some at a time. What an
// interruption leaves is dropped when it is repeated.
func (t *tiles) Drop(ctx context.Context, k store.RevisionKey) error {
	t.known.forget(k)
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := t.db.pool.Exec(ctx, `INSERT INTO `+t.db.table("tile_revisions")+` (layer, revision, state, base_validity, pyramid_validity)
		VALUES ($1, $2, 'gone', false, false) ON CONFLICT (layer, revision) DO UPDATE SET state = 'gone'`, int64(k.Layer), int64(k.Revision))
	for more := true; more && err == nil; {
		more, err = t.dropSome(ctx, k)
	}
	if err == nil {
		err = t.inTx(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '`+lockWait+`'; DROP TABLE IF EXISTS `+t.db.table(revisionName(k)))
			return err
		})
	}
	if err == nil {
		err = t.dropViews(ctx, k.Layer)
	}
	return t.failed(ctx, err, k, "dropping")
}

// dropSome drops some tables of tiles and tells whether there are more.
func (t *tiles) dropSome(ctx context.Context, k store.RevisionKey) (more bool, err error) {
	err = t.inTx(ctx, func(tx pgx.Tx) error {
		levels, err := t.levels(ctx, tx, k)
		if err != nil || len(levels) == 0 {
			return err
		}
		if more = len(levels) > dropChunk; more {
			levels = levels[:dropChunk]
		}
		names := ""
		for i, l := range levels {
			if i > 0 {
				names += ", "
			}
			names += t.tileTable(l.TileKey)
			if _, err := tx.Exec(ctx, `DELETE FROM `+t.db.table("tile_tables")+` WHERE `+ofLevel, levelArgs(l.TileKey)...); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `SET LOCAL lock_timeout = '`+lockWait+`'; DROP TABLE IF EXISTS `+names)
		return err
	})
	if errors.Is(err, context.Canceled) {
		return false, err
	}
	return more, err
}
