package sqlcatalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Catalog makes transactions of one dialect. It keeps the queries in the
// dialect's form, so that a store does well to keep one. Any number of
// goroutines may use it.
type Catalog struct {
	d Dialect

	mu    sync.Mutex // for writing forms
	forms atomic.Pointer[map[string]form]
}

// form is a query as the dialect writes it.
type form struct {
	text  string
	shown bool // it changes what tiles are drawn from
}

// New makes a catalog. Time, IsUnique, IsNoRows, InTexts, InIDs and Position of
// the dialect must be set.
func New(d Dialect) *Catalog {
	c := &Catalog{d: d.withDefaults()}
	c.forms.Store(&map[string]form{})
	return c
}

// Tx gives the catalog as one transaction sees it. A conn for reading only
// need not be a transaction if the backend has no use for one.
func (c *Catalog) Tx(conn Conn) *Tx { return &Tx{c: c, conn: conn} }

// form gives a query as the dialect writes it. There are not many queries, and
// each is rewritten once.
func (c *Catalog) form(query string) form {
	if f, ok := (*c.forms.Load())[query]; ok {
		return f
	}
	f := form{c.d.rewrite(query), shown.MatchString(query)}
	c.mu.Lock()
	defer c.mu.Unlock()
	forms := maps.Clone(*c.forms.Load())
	forms[query] = f
	c.forms.Store(&forms)
	return f
}

// rewrite puts in the names of arguments and tables. What stands in single
// quotes is left as it is.
func (d *Dialect) rewrite(query string) string {
	var b strings.Builder
	n, quoted := 0, false
	for i := 0; i < len(query); i++ {
		switch c := query[i]; {
		case c == '\'':
			quoted = !quoted
			b.WriteByte(c)
		case quoted:
			b.WriteByte(c)
		case c == '?':
			n++
			b.WriteString(d.Placeholder(n))
		case c == '@':
			end := i + 1
			for end < len(query) && (query[end] == '_' || query[end] >= 'a' && query[end] <= 'z') {
				end++
			}
			b.WriteString(d.Table(query[i+1 : end]))
			i = end - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Tx is a transaction of the catalog: a [store.Tx], and what the queue does.
type Tx struct {
	c                *Catalog
	conn             Conn
	added, cancelled bool
	changed          bool
	before           []func() // each puts back what the transaction set
}

var _ store.Tx = (*Tx)(nil)

// Layers keeps layers.
func (t *Tx) Layers() store.Layers { return layers{t} }

// Revisions keeps revisions and summaries.
func (t *Tx) Revisions() store.Revisions { return revisions{t} }

// Parses keeps parses and their logs.
func (t *Tx) Parses() store.Parses { return parses{t} }

// Legends keeps legends and entries.
func (t *Tx) Legends() store.Legends { return legends{t} }

// Semantics keeps what entries mean.
func (t *Tx) Semantics() store.Semantics { return semantics{t} }

// Colormaps keeps the colormaps of people.
func (t *Tx) Colormaps() store.Colormaps { return colormaps{t} }

// Jobs keeps jobs.
func (t *Tx) Jobs() store.Jobs { return jobs{t} }

// Uploads keeps the files that are being sent.
func (t *Tx) Uploads() store.Uploads { return uploads{t} }

// Exports keeps the exports that people asked for.
func (t *Tx) Exports() store.Exports { return exports{t} }

// Users keeps users.
func (t *Tx) Users() store.Users { return users{t} }

// Tokens keeps the tokens of users.
func (t *Tx) Tokens() store.Tokens { return tokens{t} }

// Sessions keeps the sessions of browsers.
func (t *Tx) Sessions() store.Sessions { return sessions{t} }

// JobsAdded reports whether workers should look for jobs once the transaction
// is kept.
func (t *Tx) JobsAdded() bool { return t.added }

// JobsCancelled reports whether workers should look, once the transaction is
// kept, whether their jobs are to be cancelled.
func (t *Tx) JobsCancelled() bool { return t.cancelled }

// TakeBack undoes what creating and updating set in the callers' values. A backend
// calls it when the transaction was not kept: an id that was never stored must
// not be taken for one that the caller chose when it runs again.
func (t *Tx) TakeBack() {
	for i := len(t.before) - 1; i >= 0; i-- {
		t.before[i]()
	}
	t.before = nil
}

// set changes a caller's value until TakeBack.
func set[T any](t *Tx, v *T, to T) {
	old := *v
	t.before = append(t.before, func() { *v = old })
	*v = to
}

// now is the current time as it is stored: in UTC, to the microsecond.
func (t *Tx) now() time.Time { return stored(t.c.d.Now()) }

// form gives a query as the dialect writes it, and notes what it will do.
func (t *Tx) form(query string) string {
	f := t.c.form(query)
	t.changed = t.changed || f.shown
	return f.text
}

// exec runs a statement and gives how many rows it changed.
func (t *Tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	return t.conn.Exec(ctx, t.form(query), t.plain(args)...)
}

// row reads the one row of a query.
func (t *Tx) row(ctx context.Context, query string, args ...any) Row {
	return t.conn.QueryRow(ctx, t.form(query), t.plain(args)...)
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, t *Tx, scan func(Row) (T, error), query string, args ...any) (out []T, err error) {
	rows, err := t.conn.Query(ctx, t.form(query), t.plain(args)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// limited is the argument of LIMIT; 0: more than there can be.
func limited(limit int) int64 {
	if limit <= 0 {
		return 1 << 50
	}
	return int64(limit)
}

// exists reports whether a query has a row.
func (t *Tx) exists(ctx context.Context, query string, args ...any) (found bool, err error) {
	err = t.row(ctx, `SELECT EXISTS (`+query+`)`, args...).Scan(&found)
	return found, err
}

// insert stores a row and gives its id: the given one if that is not 0, and
// otherwise one that the database makes.
func (t *Tx) insert(ctx context.Context, table, columns string, id int64, values []any) (int64, error) {
	into, marks := `INSERT INTO @`+table+` (`, `?`+strings.Repeat(`, ?`, len(values)-1)+`)`
	if id == 0 {
		err := t.row(ctx, into+columns+`) VALUES (`+marks+` RETURNING id`, values...).Scan(&id)
		return id, err
	}
	if _, err := t.exec(ctx, into+`id, `+columns+`) VALUES (?, `+marks, append([]any{id}, values...)...); err != nil {
		return 0, err
	}
	return id, t.c.d.IDGiven(ctx, t.conn, table, id)
}

// checkID looks whether an id that a caller gives is free; 0 is none.
func (t *Tx) checkID(ctx context.Context, table, what string, id int64) error {
	switch {
	case id == 0:
		return nil
	case id < 0:
		return rasterbase.Errorf(rasterbase.Invalid, "%d cannot be the id of a %s", id, what).WithField("id")
	}
	taken, err := t.exists(ctx, `SELECT 1 FROM @`+table+` WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("looking for %s %d: %w", what, id, err)
	}
	if taken {
		return rasterbase.Errorf(rasterbase.Conflict, "there is a %s %d already", what, id).WithField("id")
	}
	return nil
}

// conflict makes the error of storing something whose name another transaction
// has taken meanwhile.
func (t *Tx) conflict(err error, doing, field string) error {
	if t.c.d.IsUnique(err) {
		return rasterbase.Errorf(rasterbase.Conflict, "%s: %w", doing, err).WithField(field)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
