package postgis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rasterbase/rasterbase"
)

// Codes of PostgreSQL's errors, from its appendix A, and our own of
// writable_revision.
const (
	codeForeignKey    = "23503"
	codeDependent     = "2BP01"
	codeNoDatabase    = "3D000"
	codeNotAllowed    = "28000"
	codeWrongPassword = "28P01"
	codeUnique        = "23505"
	codeExclusion     = "23P01"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeUndefined     = "42P01" // table
	codePrivilege     = "42501"
	codeDiskFull      = "53100"
	codeOutOfMemory   = "53200" // also of room for locks
	codeConnections   = "53300"
	codeLockTimeout   = "55P03"
	codeReadOnly      = "25006"
	codeInternal      = "XX000"
	codeChangedPlan   = "0A000"
	codeSchema        = "3F000"
	codeGone          = "RB001"
	codeSealed        = "RB002"
)

// sqlState is the code of PostgreSQL's error in err's chain; empty: none.
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// storageError adds what was being done to an error of the database, and the
// way out where the user has one.
func (db *DB) storageError(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	doing := fmt.Sprintf(format, args...)
	switch code := sqlState(err); code {
	case codeDiskFull:
		return rasterbase.Errorf(rasterbase.TooLarge, "%s: %w", doing, err).
			WithHint("free some space on the disk of the database server")
	case codeOutOfMemory:
		return rasterbase.Errorf(rasterbase.TooLarge, "%s: %w", doing, err).
			WithHint("give the database server more memory, or raise its max_locks_per_transaction")
	case codeDependent:
		e, _ := errors.AsType[*pgconn.PgError](err)
		return rasterbase.Errorf(rasterbase.Conflict, "%s: %w", doing, err).
			WithHint("something of yours is made of it: %s; drop that first, and use the views of `rasterbase layers view`", e.Detail)
	case codeForeignKey:
		e, _ := errors.AsType[*pgconn.PgError](err)
		return rasterbase.Errorf(rasterbase.Conflict, "%s: %w", doing, err).
			WithHint("a row of table %s.%s refers to it: change or delete that first", e.SchemaName, e.TableName)
	case codeConnections, codeLockTimeout, codeSerialization, codeDeadlock:
		return rasterbase.Errorf(rasterbase.Busy, "%s: %w", doing, err).WithHint("try again")
	case codePrivilege:
		return fmt.Errorf("%s: the role of the database may not do this: %w", doing, err)
	case codeReadOnly:
		return fmt.Errorf("%s: writing where only reading is allowed: %w", doing, err)
	}
	if isConnectionLoss(err) {
		return &rasterbase.Error{Code: rasterbase.Busy, Message: doing + ": the database does not answer", Err: withoutPassword(err)}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isConnectionLoss reports whether the server could not be reached or ended the
// connection: classes 08 and 57P, and failures below the protocol.
func isConnectionLoss(err error) bool {
	if code := sqlState(err); code != "" {
		return len(code) == 5 && (code[:2] == "08" || code[:3] == "57P")
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	// Only errors of the network count: files and deadlines have errors that look
	// alike.
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	// The latter is what pgx makes of a connection that ends without a word.
	return pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF)
}

// connectError is the error of a database that cannot be used. What the server
// said is told in one line; several addresses and modes may have been tried.
func connectError(err error) error {
	e := &rasterbase.Error{Code: rasterbase.Busy, Message: "the database does not answer", Err: withoutPassword(lastLine{err})}
	switch code := sqlState(err); code {
	case codeNoDatabase:
		e.Code, e.Message = rasterbase.NotFound, "there is no such database"
		return e.WithHint("make it with createdb, or look at the database's address (RASTER_DATABASE_URL of the program)")
	case codeWrongPassword, codeNotAllowed:
		e.Code, e.Message = rasterbase.Unauthorized, "the database does not let this user in"
		return e.WithHint("look at user and password in the database's address (RASTER_DATABASE_URL of the program), and at the server's pg_hba.conf")
	}
	return e.WithHint("look at the database's address (RASTER_DATABASE_URL of the program), and whether the server runs")
}

// lastLine shows the last line of an error only.
type lastLine struct{ error }

func (e lastLine) Error() string {
	text := strings.TrimSpace(e.error.Error())
	return strings.TrimSpace(text[strings.LastIndex(text, "\n")+1:])
}

func (e lastLine) Unwrap() error { return e.error }

// noExtension is the error of a database without PostGIS.
func noExtension(name string) *rasterbase.Error {
	return rasterbase.Errorf(rasterbase.Unsupported, "the database has no extension %s", name).
		WithHint("as a superuser run: CREATE EXTENSION IF NOT EXISTS postgis; CREATE EXTENSION IF NOT EXISTS postgis_raster;")
}

// passwordInURL ends at the last @ before the path: a password may hold one,
// though it should not.
var passwordInURL = regexp.MustCompile(`(://[^:/@\s]*):[^/\s]*@|((?:ssl)?password=)[^&\s]*`)

// withoutPassword keeps passwords out of the text of an error. The error's
// chain is kept as it is.
func withoutPassword(err error) error {
	text := passwordInURL.ReplaceAllStringFunc(err.Error(), maskPassword)
	if text == err.Error() {
		return err
	}
	return cleanError{text, err}
}

func maskPassword(s string) string {
	if before, _, ok := strings.Cut(s, "password="); ok {
		return before + "password=…"
	}
	user := strings.TrimPrefix(s, "://")
	return "://" + user[:strings.Index(user, ":")] + ":…@"
}

type cleanError struct {
	text string
	err  error
}

func (e cleanError) Error() string { return e.text }
func (e cleanError) Unwrap() error { return e.err }

func isNoRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
