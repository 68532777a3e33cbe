package main

import (
	"context"
	"fmt"
)

type migrateCmd struct {
	SQL bool `name:"sql" help:"Print what would be run, and run nothing."`
}

// Help is the longer text of "migrate --help".
func (*migrateCmd) Help() string {
	return `It makes the schema and its tables in the database that RASTER_DATABASE_URL names, or brings them up to date. The role needs the right to make schemas and, where PostGIS is not there yet, to make its extensions; if it may not, the error says what an administrator must run. A data folder needs no such command: it is brought up to date when it is opened.

Examples:

  RASTER_DATABASE_URL=postgres://user@localhost/gis rasterbase migrate
  rasterbase migrate --database-url postgres://user@localhost/gis --sql`
}

// Run migrates.
func (c *migrateCmd) Run(ctx context.Context, a *app) error {
	conf, err := a.config()
	if err != nil {
		return err
	}
	if conf.DatabaseURL == "" {
		if c.SQL {
			fmt.Fprintln(a.stderr, "RASTER_DATABASE_URL is not set; a data folder needs no SQL to be run")
			return nil
		}
		_, st, err := a.makeStore(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "RASTER_DATABASE_URL is not set; the store in the folder %s is up to date\n", conf.Data)
		return st.Close()
	}
	d, err := newDatabase(conf.DatabaseURL, conf.Schema)
	if err != nil {
		return err
	}
	text, err := d.migrate(ctx, a, conf, c.SQL)
	switch {
	case err != nil:
		return err
	case c.SQL && text == "":
		fmt.Fprintln(a.stderr, "nothing to be done: the schema is up to date")
	case c.SQL:
		fmt.Fprint(a.stdout, text)
	default:
		fmt.Fprintf(a.stdout, "the schema %s of %s is up to date\n", d.schema, masked(d.url))
	}
	return nil
}
