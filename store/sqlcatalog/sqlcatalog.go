// Package sqlcatalog is the catalog of a store, and the jobs of its queue, in
// SQL: [store.Tx] over any database that a backend gives a [Conn] and a
// [Dialect] of.
//
// The backend keeps the tables, opens and ends transactions, repeats them where
// its database demands it, and tells its errors apart. What is asked of the
// tables is written here once.
//
// A transaction must see one state of the tables, and two that write must have
// the effect of one after the other (SERIALIZABLE, or a single writer). Those
// of the queue, which [Tx] names, need less: READ COMMITTED. Nothing is done in
// a transaction after a statement that failed.
//
// What is certainly a conflict, such as a title that is taken, is looked for
// first and then told with code conflict. So a unique violation only comes up
// when another transaction was quicker. Its error is kept with %w, and a
// backend with several writers does well to repeat the transaction then.
package sqlcatalog

import (
	"context"
	"time"

	"github.com/rasterbase/rasterbase"
)

// Conn runs statements in one transaction. Queries have the form that the
// dialect gives them; arguments are int64, float64, string, []byte, bool, nil
// or what [Dialect.Time] makes.
type Conn interface {
	// Exec runs a statement and gives how many rows it changed.
	Exec(ctx context.Context, query string, args ...any) (changed int64, err error)
	// Query gives rows, which are closed before the next statement.
	Query(ctx context.Context, query string, args ...any) (Rows, error)
	// QueryRow gives one row, the first. Scan is always called; its error
	// satisfies [Dialect.IsNoRows] when there is none.
	QueryRow(ctx context.Context, query string, args ...any) Row
}

// Row is a row to be read. Destinations are pointers to int64, int, string,
// bool, []byte, to named types of these, to *int64 and *string (nil:
// NULL), and [Time].
type Row interface{ Scan(dest ...any) error }

// Rows are the rows of a query: at one of them after each Next that answers
// true.
type Rows interface {
	Row
	Next() bool
	Err() error
	Close() error
}

// Dialect is what differs between databases. Queries are written with ? for
// each argument and @name for each table; where a field says so, a part of a
// query is the dialect's.
type Dialect struct {
	// Table says how a table is named in a query, for instance with its schema.
	// nil: by its name.
	Table func(name string) string
	// Placeholder says how the n-th argument is named, from 1 on; nil: "?".
	Placeholder func(n int) string
	// Time says how a time is given; the zero time is nil.
	Time func(t time.Time) any
	// Now is the clock; nil: time.Now. The workers of a queue compare its times
	// with those of others.
	Now func() time.Time
	// IsUnique reports whether an error says that a row with this key exists.
	IsUnique func(error) bool
	// IsNoRows reports whether an error says that there is no row to scan.
	IsNoRows func(error) bool
	// InTexts and InIDs are the condition that a column's value is among those
	// of a list, a column of texts or one of ids. The condition has one
	// argument, written as ?: the list as JSON in a string.
	InTexts, InIDs func(column string) string
	// Position names the function that tells at which place, from 1 on, a text
	// holds another one, 0: at none. "instr" or "strpos".
	Position string
	// ForUpdate ends a SELECT of a row that is written later in the
	// transaction. Empty: one transaction writes at a time anyway.
	ForUpdate string
	// SkipLocked ends a SELECT of jobs that are written by the same statement:
	// those that another transaction writes are left out. Empty: as above.
	SkipLocked string
	// PlainText says that texts, and strings in JSON, can hold no NUL, and
	// texts only UTF-8. U+FFFD is stored for the rest.
	PlainText bool

	// The other fields are called in the transaction and may use it, with
	// queries in the database's own form. nil: there is nothing to do.

	// IDGiven is called when a row was stored with an id that the caller chose:
	// ids that the database makes must not run into it.
	IDGiven func(ctx context.Context, c Conn, table string, id int64) error
	// SRIDTaken reports whether somebody else uses an srid for another CRS than
	// the one with this WKT.
	SRIDTaken func(ctx context.Context, c Conn, srid int, wkt string) (bool, error)
	// CRSAdded is called when a CRS without a code was stored under its srid.
	CRSAdded func(ctx context.Context, c Conn, crs rasterbase.CRS) error
}

func (d Dialect) withDefaults() Dialect {
	if d.Table == nil {
		d.Table = func(name string) string { return name }
	}
	if d.Placeholder == nil {
		d.Placeholder = func(int) string { return "?" }
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.IDGiven == nil {
		d.IDGiven = func(context.Context, Conn, string, int64) error { return nil }
	}
	if d.SRIDTaken == nil {
		d.SRIDTaken = func(context.Context, Conn, int, string) (bool, error) { return false, nil }
	}
	if d.CRSAdded == nil {
		d.CRSAdded = func(context.Context, Conn, rasterbase.CRS) error { return nil }
	}
	return d
}
