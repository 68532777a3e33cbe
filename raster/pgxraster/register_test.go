package pgxraster_test

import (
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/raster/pgxraster"
)

func TestRegisterWithoutTheExtension(t *testing.T) {
	conn := connect(t, pgtest.BareDatabase(t))
	// Somebody's own type of that name is not ours.
	exec(t, conn, `CREATE TYPE raster AS (a int)`)
	err := pgxraster.Register(t.Context(), conn)
	if rasterbase.CodeOf(err) != rasterbase.Unsupported || !strings.Contains(err.Error(), "CREATE EXTENSION IF NOT EXISTS postgis_raster") {
		t.Fatalf("the error is %v", err)
	}
	// What the hint says is what helps.
	hint := err.Error()[strings.Index(err.Error(), "CREATE EXTENSION"):]
	exec(t, conn, `DROP TYPE raster`)
	exec(t, conn, strings.TrimSuffix(hint, ")"))
	if err := pgxraster.Register(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
}

// The extension lives in a schema that is not on the search path, and another
// type has its name.
func TestRegisterInAnotherSchema(t *testing.T) {
	conn := connect(t, pgtest.BareDatabase(t))
	exec(t, conn, `CREATE SCHEMA "Geo data"; CREATE EXTENSION postgis SCHEMA "Geo data"; SET search_path TO "Geo data"`)
	exec(t, conn, `CREATE EXTENSION postgis_raster SCHEMA "Geo data"; SET search_path TO public; CREATE TYPE raster AS (a int)`)
	if err := pgxraster.Register(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `CREATE TABLE elevation (rast "Geo data".raster)`)
	exec(t, conn, `INSERT INTO elevation VALUES ($1), (NULL)`, small())
	var all []*raster.Raster
	if err := conn.QueryRow(t.Context(), `SELECT array_agg(rast) FROM elevation`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || !raster.Equal(all[0], small()) || all[1] != nil {
		t.Errorf("got %v", all)
	}
}

func TestRegisterAgain(t *testing.T) {
	conn := connect(t, pgtest.Database(t))
	for range 2 {
		if err := pgxraster.Register(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
	exec(t, conn, `DROP EXTENSION postgis_raster; CREATE EXTENSION postgis_raster`)
	if err := pgxraster.Register(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	var r raster.Raster
	if err := conn.QueryRow(t.Context(), `SELECT $1::raster`, small()).Scan(&r); err != nil || !raster.Equal(&r, small()) {
		t.Errorf("got %+v, %v", r, err)
	}
}
