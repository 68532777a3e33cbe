package main

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	_ "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/examples/sqlc/db"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/raster/pgxraster"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestStoresLooksUpAndDraws(t *testing.T) {
	url, picture := pgtest.Database(t), filepath.Join(t.TempDir(), "hill.png")
	var out bytes.Buffer
	if err := run(t.Context(), &out, url, picture); err != nil {
		t.Fatal(err)
	}
	want := "Round Hill is 1800 m high at 501500 4998500, says PostGIS\n" +
		"Round Hill is 1800 m high at 501500 4998500, says the raster; snow is known: false\n"
	if out.String() != want {
		t.Errorf("the program says\n%swant\n%s", out.String(), want)
	}

	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		x, y int
		want color.NRGBA
	}{
		{0, 0, color.NRGBA{0x7F, 0xA6, 0x5B, 0xFF}},
		{50, 72, color.NRGBA{0xC8, 0xAA, 0x6E, 0xFF}},
		{50, 50, color.NRGBA{0xFF, 0xFF, 0xFF, 0xFF}},
	} {
		if got := color.NRGBAModel.Convert(img.At(c.x, c.y)); got != c.want {
			t.Errorf("pixel %d, %d of the picture is %v, want %v", c.x, c.y, got, c.want)
		}
	}

	// What was stored is PostGIS's to count.
	conn := connect(t, url)
	var snow, summit int
	if err := conn.QueryRow(t.Context(), `SELECT (ST_SummaryStats(snow)).sum, (SELECT count(*) FROM ST_PixelAsPoints(elevation) WHERE val > 1500) FROM terrains`).
		Scan(&snow, &summit); err != nil {
		t.Fatal(err)
	}
	if snow == 0 || snow != summit {
		t.Errorf("snow lies on %d pixels, and %d are above 1,500 m", snow, summit)
	}
}

func TestGeneratedCodeTakesNullBothWays(t *testing.T) {
	ctx := t.Context()
	conn := connect(t, pgtest.Database(t))
	if err := pgxraster.Register(ctx, conn); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, schema); err != nil {
		t.Fatal(err)
	}
	q := db.New(conn)
	r := raster.New(rasterbase.Grid{Width: 2, Height: 1, ScaleX: 1, ScaleY: -1}, 4326, rasterbase.Float64)
	id, err := q.CreateTerrain(ctx, db.CreateTerrainParams{Name: "flat", Elevation: *r, Snow: r})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []*raster.Raster{r, nil, r} {
		if err := q.SetSnow(ctx, db.SetSnowParams{ID: id, Snow: want}); err != nil {
			t.Fatal(err)
		}
		got, err := q.GetTerrain(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if !raster.Equal(got.Snow, want) || !raster.Equal(&got.Elevation, r) {
			t.Errorf("snow is %+v, want %+v", got.Snow, want)
		}
	}
}

func TestWithoutTheExtensionTheErrorSaysWhatToRun(t *testing.T) {
	err := run(t.Context(), new(bytes.Buffer), pgtest.BareDatabase(t), filepath.Join(t.TempDir(), "hill.png"))
	var e *rasterbase.Error
	if !errors.As(err, &e) || e.Code != rasterbase.Unsupported || !strings.Contains(e.Hint, "CREATE EXTENSION IF NOT EXISTS postgis_raster") {
		t.Errorf("the error is %#v", err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return conn
}
