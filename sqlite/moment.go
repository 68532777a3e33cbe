package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	sqlitedriver "modernc.org/sqlite"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// The names of what is in the folder of a store.
const (
	catalogName   = "rasterbase.db"
	tilesFolder   = "tiles"
	sourcesFolder = "sources"
)

// moment is the catalog as it was at one moment, held by a transaction that
// only reads, and what it refers to.
type moment struct {
	db   *sql.DB
	conn *sql.Conn

	at           time.Time
	schema       int64
	layers       int
	published    []store.RevisionKey
	building     []store.RevisionKey
	begun        map[store.RevisionKey]bool // of building: tiles of it are recorded
	sources      []string                   // of layers
	uploads      []string                   // sources that files are being sent to
	catalogBytes int64
}

// readMoment reads the catalog of a store, of whatever schema up to ours,
// without changing it.
func readMoment(ctx context.Context, dir string) (_ *moment, err error) {
	s := &moment{begun: map[store.RevisionKey]bool{}}
	path := filepath.Join(dir, catalogName)
	if s.db, err = sql.Open("sqlite", dsn(path, "rw", "busy_timeout(15000)", "query_only(1)")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("reading the catalog: %w", err), s.close())
		}
	}()
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return nil, err
	}
	if _, err := s.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, err
	}
	s.at = time.Now()
	return s, s.read(ctx, dir)
}

func (s *moment) read(ctx context.Context, dir string) (err error) {
	if s.schema, err = schemaOf(ctx, s.conn, dir); err != nil {
		return err
	}
	count := func(query string, into any) error { return s.conn.QueryRowContext(ctx, query).Scan(into) }
	var uploads int
	err = errors.Join(
		count(`SELECT count(*) FROM layers`, &s.layers),
		count(`SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`, &s.catalogBytes),
		count(`SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'uploads'`, &uploads))
	if err != nil {
		return err
	}
	if s.published, err = s.revisions(ctx, `SELECT r.layer_id, r.id FROM layers l JOIN revisions r ON r.id = l.published ORDER BY 2`); err != nil {
		return err
	}
	if s.building, err = s.revisions(ctx, `SELECT layer_id, id FROM revisions WHERE state = 'building' ORDER BY 2`); err != nil {
		return err
	}
	if s.schema >= chunksSchema {
		begun, err := s.revisions(ctx, `SELECT DISTINCT p.layer_id, p.revision_id FROM parse_chunks c JOIN parses p ON p.id = c.parse_id`)
		if err != nil {
			return err
		}
		for _, k := range begun {
			s.begun[k] = true
		}
	}
	if s.sources, err = s.texts(ctx, `SELECT DISTINCT source_id FROM layers WHERE source_id <> '' ORDER BY 1`); err != nil || uploads == 0 {
		return err
	}
	s.uploads, err = s.texts(ctx, `SELECT DISTINCT source_id FROM uploads WHERE source_id <> '' AND
		source_id NOT IN (SELECT source_id FROM layers) ORDER BY 1`)
	return err
}

// chunksSchema is the version from which on a parse is kept in chunks.
const chunksSchema = 3

// exportsSchema is the version from which on there are exports.
const exportsSchema = 7

// schemaOf reads the version of a catalog's schema, and refuses one that is
// newer than ours: it may refer to what we do not know.
func schemaOf(ctx context.Context, conn *sql.Conn, dir string) (have int64, err error) {
	if err := conn.QueryRowContext(ctx, `SELECT max(version_id) FROM goose_db_version WHERE is_applied`).Scan(&have); err != nil {
		return 0, fmt.Errorf("the catalog in %s is not one of rasterbase: %w", dir, err)
	}
	newest, err := newestSchema()
	if err == nil && have > newest {
		err = rasterbase.Errorf(rasterbase.Unsupported, "the store in %s has schema version %d, and this rasterbase knows versions up to %d", dir, have, newest).
			WithHint("use the newer rasterbase that wrote it")
	}
	return have, err
}

// newestSchema is the version of the last migration.
func newestSchema() (newest int64, err error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		digits, _, _ := strings.Cut(filepath.Base(f), "_")
		v, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("the migration %s has no number: %w", f, err)
		}
		newest = max(newest, v)
	}
	return newest, nil
}

func (s *moment) revisions(ctx context.Context, query string) ([]store.RevisionKey, error) {
	return collectRows(ctx, s.conn, query, func(rows *sql.Rows) (k store.RevisionKey, err error) {
		return k, rows.Scan(&k.Layer, &k.Revision)
	})
}

func (s *moment) texts(ctx context.Context, query string) ([]string, error) {
	return collectRows(ctx, s.conn, query, func(rows *sql.Rows) (text string, err error) {
		return text, rows.Scan(&text)
	})
}

func collectRows[T any](ctx context.Context, conn *sql.Conn, query string, scan func(*sql.Rows) (T, error)) (all []T, err error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// refersTo reports whether the catalog has a source.
func (s *moment) refersTo() map[string]bool {
	all := map[string]bool{}
	for _, id := range s.sources {
		all[id] = true
	}
	for _, id := range s.uploads {
		all[id] = true
	}
	return all
}

// close ends the transaction.
func (s *moment) close() error { return closeDatabase(s.db, s.conn) }

// closeDatabase ends the transaction of a connection that has only read, and
// closes it with its database.
func closeDatabase(db *sql.DB, conn *sql.Conn) error {
	var errs []error
	if conn != nil {
		_, _ = conn.ExecContext(context.Background(), "ROLLBACK") // there may be none
		errs = append(errs, conn.Close())
	}
	if db != nil {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

// pagesAtOnce is how many pages are copied between two looks at the context.
const pagesAtOnce = 512

// copyDatabase copies the database that a connection reads into a new file. With
// a transaction that only reads, it is what that sees, whatever others write
// meanwhile. The copy is not synced.
func copyDatabase(ctx context.Context, conn *sql.Conn, path string, advance func(pages int)) error {
	return conn.Raw(func(c any) error {
		src, ok := c.(interface {
			NewBackup(to string) (*sqlitedriver.Backup, error)
		})
		if !ok {
			return fmt.Errorf("the driver's %T cannot copy a database", c)
		}
		b, err := src.NewBackup(dsn(path, "rwc", "synchronous(OFF)"))
		if err != nil {
			return err
		}
		left := -1
		for more := true; more && err == nil; {
			if err = ctx.Err(); err == nil {
				more, err = b.Step(pagesAtOnce)
			}
			if left < 0 {
				left = b.PageCount()
			}
			if err == nil {
				advance(left - b.Remaining())
				left = b.Remaining()
			}
		}
		return errors.Join(err, b.Finish())
	})
}

// settleDatabase makes a copied database one file without a log, and changes
// what the statements say.
func settleDatabase(ctx context.Context, path string, statements ...string) (err error) {
	db, err := sql.Open("sqlite", dsn(path, "rw", "journal_mode(DELETE)"))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
