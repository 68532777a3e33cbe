package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"syscall"

	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rasterbase/rasterbase"
)

// storageError adds what was being done to an error of SQLite or of the file
// system, and the way out where the user has one.
func (db *DB) storageError(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	doing := fmt.Sprintf(format, args...)
	if isDiskFull(err) {
		return rasterbase.Errorf(rasterbase.TooLarge, "%s: %w", doing, err).
			WithHint("free some space on the disk of %s", db.dir)
	}
	switch resultCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return rasterbase.Errorf(rasterbase.Busy, "%s: %w", doing, err).
			WithHint("another process has been writing to %s for long; try again", db.dir)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return rasterbase.Errorf(rasterbase.Internal, "%s: %w", doing, err).
			WithHint("a file in %s is damaged; restore it from a backup", db.dir)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%s: writing where only reading is allowed: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isDiskFull reports whether err says that there is no space left for a file,
// or that a quota or a file size limit is used up.
func isDiskFull(err error) bool {
	return resultCode(err) == sqlite3.SQLITE_FULL || errors.Is(err, syscall.ENOSPC) ||
		errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// resultCode is SQLite's primary result code; 0 for other errors.
func resultCode(err error) int {
	if e, ok := errors.AsType[*sqlitedriver.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// isUnique reports whether err says that a row with this key exists already.
func isUnique(err error) bool {
	e, ok := errors.AsType[*sqlitedriver.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
