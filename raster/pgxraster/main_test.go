package pgxraster_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/raster/pgxraster"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// A pool whose connections know rasters.
func Example() {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig("postgres://localhost/gis")
	if err != nil {
		panic(err)
	}
	config.AfterConnect = pgxraster.Register
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		panic(err)
	}
	defer pool.Close()

	r := raster.New(rasterbase.Grid{Width: 2, Height: 2, ScaleX: 1, ScaleY: -1}, 4326, rasterbase.Uint8)
	if _, err := pool.Exec(ctx, `INSERT INTO elevation (rast) VALUES ($1)`, r); err != nil {
		panic(err)
	}
	// One raster, or NULL.
	var one *raster.Raster
	if err := pool.QueryRow(ctx, `SELECT rast FROM elevation WHERE id = 1`).Scan(&one); err != nil {
		panic(err)
	}
	// Many at once.
	var all []raster.Raster
	if err := pool.QueryRow(ctx, `SELECT array_agg(rast) FROM elevation`).Scan(&all); err != nil {
		panic(err)
	}
}

// pool makes a pool of connections that know rasters, to a new database.
func pool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 2
	config.AfterConnect = pgxraster.Register
	p, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// connect makes a connection that knows no rasters yet.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// small is 3x2 pixels of uint8 with nodata 9.
func small() *raster.Raster {
	r := raster.New(rasterbase.Grid{Width: 3, Height: 2, OriginX: 100, OriginY: 200, ScaleX: 10, ScaleY: -10}, 3857, rasterbase.Uint8)
	r.Bands[0] = raster.Band{Type: rasterbase.Uint8, HasNodata: true, Nodata: 9, Pixels: raster.Slice[uint8]{1, 2, 3, 4, 9, 6}}
	return r
}
