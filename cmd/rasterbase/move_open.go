package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// storeFolder gives the folder that the name of a store means, if it means one:
// DIR or sqlite:DIR.
func storeFolder(name string) (dir string, ok bool) {
	if rest, ok := strings.CutPrefix(name, "sqlite:"); ok {
		return strings.TrimPrefix(rest, "//"), true
	}
	return name, !address.MatchString(name)
}

// checkStoreURL refuses what is no store's name.
func checkStoreURL(name string) error {
	dir, ok := storeFolder(name)
	if ok && dir != "" && !strings.Contains(name, "password=") || isPostgres(name) {
		return nil
	}
	return usageError{rasterbase.Errorf(rasterbase.Invalid, "%q is not a store", masked(name)).
		WithHint("name a folder, or a database as postgres://user@host/database")}
}

// sameStore tells whether two names mean the same store.
func sameStore(a, b, schema string) bool {
	if a == b {
		return true
	}
	x, ok := storeFolder(a)
	y, also := storeFolder(b)
	if !ok && !also {
		return sameDatabase(a, b, schema)
	}
	if !ok || !also {
		return false
	}
	if filepath.Clean(x) == filepath.Clean(y) {
		return true
	}
	i, err := os.Stat(x)
	if err != nil {
		return false
	}
	j, err := os.Stat(y)
	return err == nil && os.SameFile(i, j)
}

// sameDatabase tells whether two addresses name the same schema of the same
// database; schema is that of an address without one.
func sameDatabase(a, b, schema string) bool {
	names := [2]string{}
	for i, address := range []string{a, b} {
		d, err := newDatabase(address, schema)
		if err != nil {
			return false
		}
		c, err := pgconn.ParseConfig(d.url)
		if err != nil {
			return false
		}
		names[i] = fmt.Sprintf("%s:%d/%s/%s", c.Host, c.Port, c.Database, d.schema)
	}
	return names[0] == names[1]
}

// openURL opens the store that a name means; the caller closes it. A folder is
// made when there is none, a database must have been migrated. Errors do not
// show the password in an address.
func openURL(ctx context.Context, a *app, name string) (store.Store, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	if dir, ok := storeFolder(name); ok {
		return a.openFolder(ctx, c, dir)
	}
	d, err := newDatabase(name, c.Schema)
	if err != nil {
		return nil, err
	}
	return d.open(ctx, a, c)
}
