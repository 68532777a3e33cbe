package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/internal/pgtest"
)

const demo = "../../demo/storm_lake_vegetation.tif"

func TestMain(m *testing.M) { pgtest.Main(m) }

func needGDAL(t *testing.T) {
	t.Helper()
	if gdal.Version() != "" {
		return
	}
	if strings.Contains(os.Getenv("RASTERBASE_TEST_REQUIRE"), "gdal") {
		t.Fatal("GDAL is required, but this build has none")
	}
	t.Skip("this build has no GDAL")
}

// program is a host that runs, and what it has printed.
type program struct {
	report, raster *url.URL // with the owner's name and token
	pool           *pgxpool.Pool
}

// start runs the program until the test ends.
func start(t *testing.T) program {
	t.Helper()
	needGDAL(t)
	address := pgtest.Database(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, w, slog.New(slog.NewTextHandler(t.Output(), nil)), "127.0.0.1:0", address, demo)
		w.CloseWithError(err)
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the program ended with %v", err)
		}
	})
	lines := bufio.NewReader(r)
	p := program{report: printed(t, lines), raster: printed(t, lines), pool: connect(t, address)}
	go io.Copy(io.Discard, lines)
	return p
}

// printed is the address on the next line.
func printed(t *testing.T, lines *bufio.Reader) *url.URL {
	t.Helper()
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(line)
	u, err := url.Parse(fields[len(fields)-1])
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func connect(t *testing.T, address string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// get asks as the person in the address, or as nobody without one.
func get(t *testing.T, u *url.URL) (status int, body string) {
	t.Helper()
	resp, err := http.Get(u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// ready waits for the report.
func (p program) ready(t *testing.T) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		status, body := get(t, p.report)
		if status == http.StatusOK {
			return body
		}
		if status != http.StatusNotFound || time.Now().After(deadline) {
			t.Fatalf("no report: %d %s", status, body)
		}
	}
}

func TestReportTellsWhatTheLayerHoldsInsideTheBorder(t *testing.T) {
	p := start(t)
	var got []struct{ Class, Hectares float64 }
	if err := json.Unmarshal([]byte(p.ready(t)), &got); err != nil {
		t.Fatal(err)
	}
	// Pixels whose centre is inside the border, as gdal_rasterize burns it.
	want := map[float64]int{7011: 11, 7046: 2157, 7050: 134, 7055: 284, 7056: 94, 7057: 5, 7070: 73, 7125: 1, 7126: 342,
		7140: 288, 7143: 129, 7144: 287, 7145: 203, 7166: 6, 7169: 19, 7292: 145, 7901: 1, 9016: 1215, 9017: 5, 9018: 274, 9021: 10, 9022: 52}
	if len(got) != len(want) {
		t.Errorf("%d classes, want %d", len(got), len(want))
	}
	for _, c := range got {
		if pixels := c.Hectares / 0.09; math.Abs(pixels-float64(want[c.Class])) > 1e-6 {
			t.Errorf("class %g has %g pixels, want %d", c.Class, pixels, want[c.Class])
		}
	}
}

func TestTilesAreTheOwnersAlone(t *testing.T) {
	p := start(t)
	p.ready(t)
	tile := p.raster.JoinPath("tiles/lakeside/12/759/1456.png")
	status, body := get(t, tile)
	if status != http.StatusOK {
		t.Fatalf("the owner gets %d %s", status, body)
	}
	img, err := png.Decode(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			_, _, _, alpha := img.At(x, y).RGBA()
			seen = seen || alpha > 0
		}
	}
	if !seen {
		t.Error("the tile in the middle of the raster is empty")
	}

	h := &host{pool: p.pool}
	if err := h.savePerson(t.Context(), "bob", "his token"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who    string
		user   *url.Userinfo
		status int
	}{
		{"nobody", nil, http.StatusUnauthorized},
		{"another person", url.UserPassword("bob", "his token"), http.StatusNotFound},
		{"somebody with a wrong token", url.UserPassword("ada", "his token"), http.StatusUnauthorized},
	} {
		for _, u := range []*url.URL{tile, p.report} {
			theirs := *u
			theirs.User = c.user
			if status, body := get(t, &theirs); status != c.status {
				t.Errorf("%s gets %d for %s, want %d: %s", c.who, status, u.Path, c.status, body)
			}
		}
	}
}

func TestLayerStaysAsLongAsItsField(t *testing.T) {
	p := start(t)
	p.ready(t)
	var layer rasterbase.LayerID
	if err := p.pool.QueryRow(t.Context(), `SELECT layer_id FROM fields`).Scan(&layer); err != nil {
		t.Fatal(err)
	}
	h, err := newHost(t.Context(), p.pool, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer h.rasters.Close()
	if e := (*pgconn.PgError)(nil); !errors.As(h.parser.Delete(t.Context(), layer), &e) || e.Code != "23503" {
		t.Errorf("deleting the layer of a field: %v, want a violated foreign key", e)
	}
	if status, body := get(t, p.raster.JoinPath("layers/lakeside")); status != http.StatusOK {
		t.Errorf("the layer is gone: %d %s", status, body)
	}
	if _, err := p.pool.Exec(t.Context(), `DELETE FROM fields`); err != nil {
		t.Fatal(err)
	}
	if err := h.parser.Delete(t.Context(), layer); err != nil {
		t.Errorf("deleting a layer that no field has: %v", err)
	}
}

func TestFieldThatCannotBeSavedLeavesNothing(t *testing.T) {
	needGDAL(t)
	ctx, pool := t.Context(), connect(t, pgtest.Database(t))
	if err := migrate(ctx, pool); err != nil {
		t.Fatal(err)
	}
	if err := migrate(ctx, pool); err != nil {
		t.Errorf("migrating again: %v", err)
	}
	h, err := newHost(ctx, pool, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer h.rasters.Close()
	f := field{Name: "Nowhere", Owner: "nobody we know", Border: "POLYGON((0 0, 1 0, 1 1, 0 0))"}
	if _, err := h.addField(ctx, f, demo); err == nil {
		t.Fatal("a field of an unknown owner was saved")
	}
	var layers, jobs, reports int
	if err := pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM rasterbase.layers), (SELECT count(*) FROM rasterbase.jobs),
		(SELECT count(*) FROM river_job)`).Scan(&layers, &jobs, &reports); err != nil {
		t.Fatal(err)
	}
	if layers+jobs+reports != 0 {
		t.Errorf("%d layers, %d jobs of rasterbase and %d of River are left", layers, jobs, reports)
	}
}
