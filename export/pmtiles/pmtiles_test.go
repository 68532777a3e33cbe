package pmtiles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/export/tileset"
	"github.com/rasterbase/rasterbase/xyz"
)

// some draws tiles of which every third is empty and many are the same.
func some(_ context.Context, z, x, y int) ([]byte, bool, error) {
	switch n := (x + 2*y) % 6; {
	case n%3 == 0 && z > 0:
		return nil, true, nil
	case n == 1 || x < 4:
		return []byte("the sea"), false, nil
	default:
		return fmt.Appendf(nil, "tile %d/%d/%d %s", z, x, y, strings.Repeat("x", x%7)), false, nil
	}
}

func save(ctx context.Context, dir string, s tileset.Set) (string, *tileset.Plan, error) {
	if s.Format == "" {
		s.Format = "png"
	}
	if s.Draw == nil {
		s.Draw = some
	}
	p, err := tileset.NewPlan(s, 0)
	if err != nil {
		return "", nil, err
	}
	path := filepath.Join(dir, "tiles.pmtiles")
	return path, p, Write(ctx, path, p, tileset.Options{Workers: 3})
}

func open(t testing.TB, path string) archive {
	t.Helper()
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := archive{all, map[uint64][]entry{}}
	if err := a.check(); err != nil {
		t.Fatal(err)
	}
	return a
}

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	plan, err := tileset.NewPlan(tileset.Set{Name: "Cover", MaxZoom: 3, Format: "png", Draw: some}, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Tiles, "tiles at most")
	fmt.Println(Write(context.Background(), filepath.Join(dir, "cover.pmtiles"), plan, tileset.Options{}))
	// Output:
	// 85 tiles at most
	// <nil>
}

func TestEveryTileIsFoundAndNoOther(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		b := rasterbase.Bounds{
			West: rapid.Float64Range(-180, 180).Draw(rt, "west"), East: rapid.Float64Range(-180, 180).Draw(rt, "east"),
			South: rapid.Float64Range(-80, 70).Draw(rt, "south"),
		}
		b.North = b.South + 10
		s := tileset.Set{MinZoom: rapid.IntRange(0, 3).Draw(rt, "min zoom"), MaxZoom: rapid.IntRange(3, 5).Draw(rt, "max zoom"), Bounds: b}
		path, p, err := save(t.Context(), dir, s)
		if err != nil {
			if strings.Contains(err.Error(), "are empty") {
				return
			}
			rt.Fatal(err)
		}
		a := open(t, path)
		written := map[uint64][]byte{}
		for tile := range p.All() {
			if body, empty, _ := some(t.Context(), tile.Z, tile.X, tile.Y); !empty {
				written[tileset.ID(tile)] = body
			}
		}
		for id := range tileset.ID(xyz.Tile{Z: 6}) {
			if body, err := a.tile(id); err != nil || !bytes.Equal(body, written[id]) {
				rt.Fatalf("tile %d is %q, want %q; %v", id, body, written[id], err)
			}
		}
		checkEntries(rt, a, written)
	})
}

// checkEntries looks at what the header says of the directories, and that tiles lie
// in the order of their numbers, the same ones once.
func checkEntries(t interface{ Errorf(string, ...any) }, a archive, written map[uint64][]byte) {
	list, err := a.entries()
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	addressed, size, next := uint64(0), 0, uint64(0)
	offsets := map[uint64]bool{}
	for i, e := range list {
		addressed += uint64(e.run)
		if i > 0 {
			last := list[i-1]
			if e.id < last.id+uint64(last.run) || e.offset == last.offset && e.id == last.id+uint64(last.run) {
				t.Errorf("%+v follows %+v", e, last)
			}
		}
		if e.offset > next {
			t.Errorf("%+v: there is a gap before it", e)
		}
		if !offsets[e.offset] {
			offsets[e.offset] = true
			size += int(e.length)
			next = e.offset + uint64(e.length)
		}
	}
	different := map[string]bool{}
	for _, body := range written {
		different[string(body)] = true
	}
	if got, want := []uint64{a.number(72), a.number(80), a.number(88)}, []uint64{uint64(len(written)), uint64(len(list)), uint64(len(different))}; !slices.Equal(got, want) || addressed != want[0] {
		t.Errorf("the header counts %v, want %v", got, want)
	}
	if size != len(a.section(56)) {
		t.Errorf("%d bytes of tiles are listed, %d are there", size, len(a.section(56)))
	}
}

func TestHeaderAndMetadata(t *testing.T) {
	path, _, err := save(t.Context(), t.TempDir(), tileset.Set{
		MinZoom: 2, MaxZoom: 4, Bounds: rasterbase.Bounds{West: -20.5, South: -30.1234567, East: 100, North: 60}, Format: "webp", TileSize: 512,
		Name: "Cover 棋", Description: "a description", Attribution: "us", Legend: []byte(`[{"name":"red"}]`), Center: &tileset.Center{Lon: -1.5, Lat: 2, Zoom: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, path)
	if got := []byte{a.all[99], a.all[100], a.all[101], a.all[118]}; !bytes.Equal(got, []byte{4, 2, 4, 3}) {
		t.Errorf("type, zooms and the zoom of the centre are %v", got)
	}
	if got := []float64{a.degrees(102), a.degrees(106), a.degrees(110), a.degrees(114), a.degrees(119), a.degrees(123)}; !slices.Equal(got, []float64{-20.5, -30.1234567, 100, 60, -1.5, 2}) {
		t.Errorf("bounds and centre are %v", got)
	}
	text, err := unzip(a.section(24))
	const want = `{"name":"Cover 棋","description":"a description","attribution":"us","type":"overlay","version":"1","tileSize":512,"legend":[{"name":"red"}]}`
	if err != nil || string(text) != want {
		t.Errorf("the metadata is %s, %v", text, err)
	}
}

func TestZoomsBeyondWhatReadersCount(t *testing.T) {
	_, _, err := save(t.Context(), t.TempDir(), tileset.Set{MinZoom: 27, MaxZoom: 27, Bounds: rasterbase.Bounds{West: 1, South: 1, East: 1, North: 1}})
	if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "26") {
		t.Error(err)
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
			dir := t.TempDir()
			older := filepath.Join(dir, "tiles.pmtiles")
			if err := os.WriteFile(older, []byte("older"), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, _, err := save(ctx, dir, tileset.Set{MaxZoom: 5, Draw: func(ctx context.Context, z, x, y int) ([]byte, bool, error) {
				if z == 5 {
					if err := fail(cancel); err != nil {
						return nil, false, err
					}
				}
				return some(ctx, z, x, y)
			}})
			if !errors.Is(err, broken) && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			entries, err := os.ReadDir(dir)
			if body, _ := os.ReadFile(older); err != nil || len(entries) != 1 || string(body) != "older" {
				t.Errorf("%v, %v, %.20q", err, entries, body)
			}
		})
	}
}

// The npm package pmtiles, which map libraries use, finds the same in a file.
func TestWhatJavaScriptReads(t *testing.T) {
	modules := filepath.Join("..", "..", "server", "web", "node_modules")
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(modules, "pmtiles"))
	}
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "node") {
			t.Fatalf("%v, and RASTERBASE_TEST_REQUIRE asks for node: install it, then run `make assets`", err)
		}
		t.Skip(err)
	}
	s := tileset.Set{
		MaxZoom: 9, Bounds: rasterbase.Bounds{West: -60, South: -30, East: 100, North: 70}, Name: "Cover", Format: "jpg",
		Draw: func(_ context.Context, z, x, y int) ([]byte, bool, error) { // so many that there are leaf directories
			return fmt.Appendf(nil, "%d/%d/%d", z, x, y), (x*7+y*3)%5 == 0, nil
		},
	}
	path, p, err := save(t.Context(), t.TempDir(), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(open(t, path).section(40)) == 0 {
		t.Error("there are no leaf directories")
	}
	want := map[string]string{}
	var asked []string
	for tile := range p.All() {
		if tile.Z > 4 && (tile.X+tile.Y)%101 != 0 {
			continue
		}
		asked = append(asked, tile.String())
		if body, empty, _ := s.Draw(t.Context(), tile.Z, tile.X, tile.Y); !empty {
			want[tile.String()] = string(body)
		}
	}
	asked = append(asked, "9/0/0", "10/1/1")
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "read.mjs"), modules, path)
	cmd.Stdin = strings.NewReader(strings.Join(asked, "\n"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	var got struct {
		Header   map[string]any
		Metadata map[string]any
		Tiles    map[string]string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %.200s", err, out)
	}
	if h := got.Header; h["specVersion"] != 3.0 || h["tileType"] != 3.0 || h["maxZoom"] != 9.0 || h["minLon"] != -60.0 || h["clustered"] != true || got.Metadata["name"] != "Cover" {
		t.Errorf("header %v, metadata %v", got.Header, got.Metadata)
	}
	if len(got.Tiles) != len(want) || len(want) < 100 {
		t.Errorf("%d tiles are found, want %d", len(got.Tiles), len(want))
	}
	for tile, body := range want {
		if got.Tiles[tile] != body {
			t.Errorf("tile %s is %q", tile, got.Tiles[tile])
		}
	}
}
