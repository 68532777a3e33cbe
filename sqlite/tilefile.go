package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/rasterbase/rasterbase/store"
)

// How far a tile file is, kept as its user_version. A file is created empty,
// and so with 0, before its table is there.
const (
	fileBuilding = 1
	fileSealed   = 2
)

const tileSchema = `
CREATE TABLE IF NOT EXISTS tiles (
    id      INTEGER PRIMARY KEY,
    kind    INTEGER NOT NULL,
    z       INTEGER NOT NULL,
    y       INTEGER NOT NULL,
    x       INTEGER NOT NULL,
    bandset INTEGER NOT NULL,
    tile    BLOB    NOT NULL,
    UNIQUE (kind, z, y, x, bandset)
);
PRAGMA user_version = 1`

const (
	putTile = `INSERT INTO tiles (kind, z, y, x, bandset, tile) VALUES (?, ?, ?, ?, ?, ?)
	           ON CONFLICT (kind, z, y, x, bandset) DO UPDATE SET tile = excluded.tile`
	getTile   = `SELECT tile FROM tiles WHERE kind = ? AND z = ? AND y = ? AND x = ? AND bandset = ?`
	listTiles = `SELECT y, x, bandset, tile FROM tiles
	             WHERE kind = ? AND z = ? AND (y, x, bandset) > (?, ?, ?) ORDER BY y, x, bandset LIMIT ?`
)

// tileFile is the open file of one revision.
type tileFile struct {
	key    store.RevisionKey
	path   string
	sealed bool
	read   *sql.DB
	get    *sql.Stmt
	list   *sql.Stmt

	mu    sync.Mutex // one batch at a time
	write *sql.DB    // opened by the first Put

	refs int // guarded by the mutex of tiles
	gone bool
}

// openTileFile opens an existing file. The error matches ErrRevisionGone when
// there is none.
func openTileFile(ctx context.Context, key store.RevisionKey, path string) (_ *tileFile, err error) {
	f := &tileFile{key: key, path: path}
	if !f.exists() {
		return nil, goneError(key)
	}
	f.read, err = sql.Open("sqlite", dsn(path, "rw", "busy_timeout(15000)", "query_only(1)", "cache_size(-512)"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	var version int
	var journal string
	if err := f.read.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return nil, err
	}
	if err := f.read.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
		return nil, err
	}
	switch version {
	case fileBuilding:
	case fileSealed:
		f.sealed = true
		if journal == "wal" {
			break // another process had it open when it was sealed
		}
		// Nobody will change the file any more: no locks, and pages are read
		// from the memory map without a copy.
		if err := f.read.Close(); err != nil {
			return nil, err
		}
		f.read, err = sql.Open("sqlite", dsn(path, "ro", "query_only(1)", "cache_size(-512)",
			"mmap_size(2147418112)")+"&immutable=1")
		if err != nil {
			return nil, err
		}
	default:
		return nil, goneError(key) // its creation did not get far
	}
	n := max(4, runtime.GOMAXPROCS(0))
	f.read.SetMaxOpenConns(n)
	f.read.SetMaxIdleConns(n)
	if f.get, err = f.read.PrepareContext(ctx, getTile); err != nil {
		return nil, err
	}
	f.list, err = f.read.PrepareContext(ctx, listTiles)
	return f, err
}

// createTileFile makes the file with its table, or completes it.
func createTileFile(ctx context.Context, path string) (err error) {
	db, err := openForWriting(path, "rwc")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit there is nothing to roll back
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version != 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, tileSchema); err != nil {
		return err
	}
	return tx.Commit()
}

// openForWriting opens a file that is being filled: in WAL mode, so that it
// can be read meanwhile, and synced only at checkpoints and by seal. A killed
// process loses nothing, a loss of power the last batches but not the file.
func openForWriting(path, mode string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, mode, "busy_timeout(30000)", "journal_mode(WAL)",
		"synchronous(NORMAL)", "wal_autocheckpoint(8000)", "cache_size(-4096)")+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// exists reports whether the file was not unlinked, by whatever process.
func (f *tileFile) exists() bool {
	_, err := os.Lstat(f.path)
	return err == nil
}

// row is an encoded tile.
type row struct {
	key  store.TileKey
	tile []byte
}

var errSealed = errors.New("the revision is sealed")

// put writes rows in one transaction.
func (f *tileFile) put(ctx context.Context, rows []row) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.write == nil {
		if f.write, err = openForWriting(f.path, "rw"); err != nil {
			return err
		}
	}
	tx, err := f.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit there is nothing to roll back
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version == fileSealed {
		return errSealed
	}
	// The statements are short, so that the context is asked between them
	// instead of being watched during each.
	plain := context.WithoutCancel(ctx)
	stmt, err := tx.PrepareContext(plain, putTile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	for _, r := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		k := r.key
		if _, err := stmt.ExecContext(plain, int(k.Kind), k.Z, k.Y, k.X, k.BandSet, r.tile); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// seal makes everything durable, marks the file, and takes it out of WAL mode
// unless another process has it open. The file is closed afterwards.
func (f *tileFile) seal(ctx context.Context) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.write == nil {
		if f.write, err = openForWriting(f.path, "rw"); err != nil {
			return err
		}
	}
	if err := f.closeReaders(); err != nil {
		return err
	}
	conn, err := f.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, sql := range []string{
		"PRAGMA synchronous = FULL",
		fmt.Sprintf("PRAGMA user_version = %d", fileSealed), // a transaction of its own, synced
	} {
		if _, err := conn.ExecContext(ctx, sql); err != nil {
			return err
		}
	}
	// The log is durable already. Moving it into the file fails only while
	// somebody else reads it; then the file stays in WAL mode, which is slower
	// to read and not less safe.
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 200"); err != nil {
		return err
	}
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode); err != nil && !isBusy(err) {
		return err
	}
	return nil
}

func (f *tileFile) closeReaders() error {
	var errs []error
	for _, s := range []*sql.Stmt{f.get, f.list} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if f.read != nil {
		errs = append(errs, f.read.Close())
	}
	f.get, f.list, f.read = nil, nil, nil
	return errors.Join(errs...)
}

func (f *tileFile) close() error {
	err := f.closeReaders()
	if f.write != nil {
		err = errors.Join(err, f.write.Close())
		f.write = nil
	}
	return err
}
