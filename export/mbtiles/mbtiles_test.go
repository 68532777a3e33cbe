package mbtiles_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/export/mbtiles"
	"github.com/rasterbase/rasterbase/export/tileset"
	"github.com/rasterbase/rasterbase/xyz"
)

// chess draws a picture of one colour, which depends on the tile's column and row,
// so that many are the same. Tiles of column 5 are empty.
func chess(_ context.Context, _, x, y int) ([]byte, bool, error) {
	if x == 5 {
		return nil, true, nil
	}
	return pictures()[hue(x, y)], false, nil
}

// pictures are one of each colour.
var pictures = sync.OnceValue(func() map[color.NRGBA][]byte {
	all := map[color.NRGBA][]byte{}
	for x := range 2 {
		for y := range 3 {
			img := image.NewNRGBA(image.Rect(0, 0, 256, 256))
			draw.Draw(img, img.Rect, image.NewUniform(hue(x, y)), image.Point{}, draw.Src)
			var b bytes.Buffer
			if err := png.Encode(&b, img); err != nil {
				panic(err)
			}
			all[hue(x, y)] = b.Bytes()
		}
	}
	return all
})

func hue(x, y int) color.NRGBA { return color.NRGBA{uint8(x%2) * 200, uint8(y%3) * 100, 50, 255} }

func write(t testing.TB, s tileset.Set) string {
	t.Helper()
	s.Format, s.Draw = "png", chess
	p, err := tileset.NewPlan(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a b%20?#.mbtiles") // as people name files
	if err := mbtiles.Write(t.Context(), path, p, tileset.Options{Workers: 3}); err != nil {
		t.Fatal(err)
	}
	return path
}

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	plan, err := tileset.NewPlan(tileset.Set{Name: "Chess", MaxZoom: 3, Format: "png", Draw: chess}, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Tiles, "tiles at most")
	fmt.Println(mbtiles.Write(context.Background(), filepath.Join(dir, "chess.mbtiles"), plan, tileset.Options{}))
	// Output:
	// 85 tiles at most
	// <nil>
}

// required reports whether what a test needs must be there, so that a missing
// program is a failure and not a skip.
func required(what string) bool {
	return slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), what)
}

// python runs a script in an interpreter that has GDAL's binding, and decodes the JSON
// that it prints.
func python[T any](t testing.TB, script string, args ...string) T {
	t.Helper()
	interpreter := ""
	for _, p := range []string{"/usr/bin/python3", "python3"} { // the system's has the system's GDAL
		if exec.Command(p, "-c", "from osgeo import gdal").Run() == nil {
			interpreter = p
			break
		}
	}
	if interpreter == "" {
		const missing = "GDAL's Python binding is not installed: python3-gdal has it"
		if required("gdal") {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	cmd := exec.CommandContext(t.Context(), interpreter, append([]string{"-c", script}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	var v T
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return v
}

// What Python's sqlite3 reads of a file.
type content struct {
	Check    string
	App      int
	Metadata map[string]string
	Types    []string
	Tiles    []struct {
		Z, X, Row int
		Body      string // base64
	}
	Images int
	Plan   string
}

const readContent = `
import sqlite3, json, sys, base64
db = sqlite3.connect(sys.argv[1])
one = lambda q: db.execute(q).fetchone()[0]
print(json.dumps({
	"Check": one("PRAGMA integrity_check"), "App": one("PRAGMA application_id"),
	"Metadata": dict(db.execute("SELECT name, value FROM metadata")),
	"Tiles": [{"Z": z, "X": x, "Row": y, "Body": base64.b64encode(b).decode()}
		for z, x, y, b in db.execute("SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles")],
	"Images": one("SELECT count(*) FROM images"),
	"Plan": str(db.execute("EXPLAIN QUERY PLAN SELECT tile_data FROM tiles WHERE zoom_level = 1 AND tile_column = 1 AND tile_row = 1").fetchall()),
}))`

func TestWhatSQLiteReads(t *testing.T) {
	s := tileset.Set{
		MinZoom: 1, MaxZoom: 4, Bounds: rasterbase.Bounds{West: -20.5, South: -30, East: 100, North: 60}, Name: "Chess 棋",
		Description: "squares", Attribution: "<a href=\"https://example.org\">us</a>", Version: "7", Legend: []byte(`[{"name":"red","expression":"1","color":"#FF0000"}]`),
		TileSize: 256,
	}
	path := write(t, s)
	got := python[content](t, readContent, path)
	if got.Check != "ok" || got.App != 0x4d504258 {
		t.Errorf("integrity %q, application %#x", got.Check, got.App)
	}
	want := map[string]string{
		"name": "Chess 棋", "format": "png", "bounds": "-20.5,-30,100,60", "center": "39.75,21.470701,1", "minzoom": "1", "maxzoom": "4", "type": "overlay",
		"version": "7", "scheme": "tms", "attribution": s.Attribution, "description": "squares",
		"json": `{"tileSize":256,"legend":[{"name":"red","expression":"1","color":"#FF0000"}]}`,
	}
	for key, value := range got.Metadata {
		if value != want[key] {
			t.Errorf("%s is %q, want %q", key, value, want[key])
		}
	}
	if len(got.Metadata) != len(want) {
		t.Errorf("the metadata is %q", got.Metadata)
	}
	if got.Images != 6 {
		t.Errorf("%d pictures are stored, want 6", got.Images)
	}
	if strings.Contains(got.Plan, "SCAN") || strings.Count(got.Plan, "SEARCH") != 2 {
		t.Errorf("a tile is looked for so: %s", got.Plan)
	}
	compareTiles(t, s, got)
}

// compareTiles compares all tiles of a file with those that were drawn.
func compareTiles(t *testing.T, s tileset.Set, got content) {
	t.Helper()
	s.Format, s.Draw = "png", chess
	p, err := tileset.NewPlan(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[xyz.Tile][]byte{}
	for tile := range p.All() {
		if body, empty, err := chess(t.Context(), tile.Z, tile.X, tile.Y); err != nil {
			t.Fatal(err)
		} else if !empty {
			want[tile] = body
		}
	}
	for _, row := range got.Tiles {
		tile := xyz.Tile{Z: row.Z, X: row.X, Y: xyz.Side(row.Z) - 1 - row.Row}
		body, err := base64.StdEncoding.DecodeString(row.Body)
		if err != nil || want[tile] == nil || !bytes.Equal(body, want[tile]) {
			t.Errorf("tile %v has %d bytes, %v", tile, len(body), err)
		}
	}
	if len(got.Tiles) != len(want) || len(want) == 0 {
		t.Errorf("%d tiles, want %d", len(got.Tiles), len(want))
	}
}

// What GDAL reads at the middles of tiles.
type picture struct {
	Driver        string
	Width, Height int
	Transform     []float64
	EPSG          string
	Overviews     int
	Pixels        [][]int
}

const readPicture = `
import json, sys
from osgeo import gdal
gdal.UseExceptions()
d = gdal.Open(sys.argv[1])
t = d.GetGeoTransform()
def pixel(x, y):
	c, r = int((x - t[0]) / t[1]), int((y - t[3]) / t[5])
	return [d.GetRasterBand(b + 1).ReadAsArray(c, r, 1, 1)[0][0].item() for b in range(d.RasterCount)]
print(json.dumps({
	"Driver": d.GetDriver().ShortName, "Width": d.RasterXSize, "Height": d.RasterYSize, "Transform": list(t),
	"EPSG": d.GetSpatialRef().GetAuthorityCode(None), "Overviews": d.GetRasterBand(1).GetOverviewCount(),
	"Pixels": [pixel(x, y) for x, y in json.loads(sys.argv[2])],
}))`

func TestWhatGDALReads(t *testing.T) {
	s := tileset.Set{MaxZoom: 5, Bounds: rasterbase.Bounds{West: -20, South: -30, East: 100, North: 60}, Name: "Chess"}
	path := write(t, s)
	tiles := []xyz.Tile{{Z: 5, X: 15, Y: 12}, {Z: 5, X: 20, Y: 10}, {Z: 5, X: 17, Y: 17}, {Z: 5, X: 24, Y: 11}}
	var places [][2]float64
	for _, tile := range tiles {
		b := tile.Bounds()
		places = append(places, [2]float64{(b.MinX + b.MaxX) / 2, (b.MinY + b.MaxY) / 2})
	}
	where, err := json.Marshal(places)
	if err != nil {
		t.Fatal(err)
	}
	got := python[picture](t, readPicture, path, string(where))
	if got.Driver != "MBTiles" || got.EPSG != "3857" || got.Overviews == 0 || abs(got.Transform[1]-xyz.Resolution(5, 256)) > 1e-6 {
		t.Errorf("GDAL reads %+v", got)
	}
	for i, tile := range tiles {
		c := hue(tile.X, tile.Y)
		if want := []int{int(c.R), int(c.G), int(c.B), 255}; !slices.Equal(got.Pixels[i], want) {
			t.Errorf("tile %v is %v, want %v", tile, got.Pixels[i], want)
		}
	}
}

func abs(v float64) float64 { return max(v, -v) }

func TestBoundsAcrossTheAntimeridian(t *testing.T) {
	path := write(t, tileset.Set{MaxZoom: 4, Bounds: rasterbase.Bounds{West: 170, South: -20, East: -170, North: 20}})
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", " ", "%20", "?", "%3f", "#", "%23").Replace(path)+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var bounds, center, columns string
	if err := db.QueryRow(`SELECT (SELECT value FROM metadata WHERE name = 'bounds'), (SELECT value FROM metadata WHERE name = 'center'),
		(SELECT group_concat(c) FROM (SELECT DISTINCT tile_column AS c FROM tiles WHERE zoom_level = 4 ORDER BY 1))`).Scan(&bounds, &center, &columns); err != nil {
		t.Fatal(err)
	}
	if bounds != "-180,-20,180,20" || !strings.HasPrefix(center, "180,") || columns != "0,15" {
		t.Errorf("bounds %s, center %s, columns %s", bounds, center, columns)
	}
}

// After an error or a cancellation an older file is as it was, and nothing else is
// left in its folder.
func TestNothingHalfIsLeft(t *testing.T) {
	broken := errors.New("broken")
	for name, fail := range map[string]func(cancel func()) error{
		"an error":       func(func()) error { return broken },
		"a cancellation": func(cancel func()) error { cancel(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tiles.mbtiles")
			if err := os.WriteFile(path, []byte("older"), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p, err := tileset.NewPlan(tileset.Set{MaxZoom: 5, Format: "png", Draw: func(ctx context.Context, z, x, y int) ([]byte, bool, error) {
				if z == 5 {
					if err := fail(cancel); err != nil {
						return nil, false, err
					}
				}
				return chess(ctx, z, x, y)
			}}, 0)
			if err != nil {
				t.Fatal(err)
			}
			err = mbtiles.Write(ctx, path, p, tileset.Options{})
			if !errors.Is(err, broken) && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			entries, err := os.ReadDir(filepath.Dir(path))
			if body, _ := os.ReadFile(path); err != nil || len(entries) != 1 || string(body) != "older" {
				t.Errorf("%v, %v, %.20q", err, entries, body)
			}
		})
	}
}
