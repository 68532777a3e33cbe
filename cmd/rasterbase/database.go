package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// isPostgres tells whether an address names a PostgreSQL database.
func isPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// database is a PostgreSQL database and the schema in it.
type database struct{ url, schema string }

// newDatabase reads an address. A parameter schema of it wins over the setting,
// and is none that the database knows.
func newDatabase(address, schema string) (database, error) {
	u, err := url.Parse(address)
	if before, _, _ := strings.Cut(address, "?"); err != nil || strings.Count(before, "@") > 1 {
		return database{}, rasterbase.Errorf(rasterbase.Invalid, "the address of the database cannot be read").
			WithHint("write postgres://user:password@host:port/database; special characters in the password as %%XX, an @ as %%40")
	}
	q := u.Query()
	if s := q.Get("schema"); s != "" {
		schema = s
		q.Del("schema")
		u.RawQuery = q.Encode()
		address = u.String()
	}
	return database{address, schema}, nil
}

// options are those of the store.
func (d database) options(a *app, c *config) postgis.Options {
	o := postgis.Options{Schema: d.schema, Logger: a.commandLogger(c), WorkDir: c.WorkDir}
	if d.url == c.DatabaseURL { // and not the other one of a move
		o.ListenURL = c.ListenURL
	}
	return o
}

// open opens the store.
func (d database) open(ctx context.Context, a *app, c *config) (store.Store, error) {
	st, err := postgis.Open(ctx, d.url, d.options(a, c))
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", masked(d.url), err)
	}
	return st, nil
}

// migrate brings the schema up to date, or, with onlySQL, gives what that would
// run.
func (d database) migrate(ctx context.Context, a *app, c *config, onlySQL bool) (text string, err error) {
	pool, err := pgxpool.New(ctx, d.url)
	if err != nil {
		return "", errors.New("the address of the database cannot be read") // the cause may hold the password
	}
	defer pool.Close()
	if onlySQL {
		text, err = postgis.MigrationSQL(ctx, pool, d.options(a, c))
	} else {
		err = postgis.Migrate(ctx, pool, d.options(a, c))
	}
	if err != nil {
		return "", fmt.Errorf("migrate %s: %w", masked(d.url), err)
	}
	return text, nil
}

// postgisStore tells what only a PostGIS store can do.
func postgisStore(st store.Store) (*postgis.DB, error) {
	db, ok := st.(*postgis.DB)
	if !ok {
		return nil, rasterbase.Errorf(rasterbase.Unsupported, "views are made in a PostGIS database, and this store is a folder").
			WithHint("set RASTER_DATABASE_URL; `rasterbase move` takes the layers there")
	}
	return db, nil
}
