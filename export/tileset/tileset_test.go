package tileset_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/export/tileset"
	"github.com/rasterbase/rasterbase/xyz"
)

// label draws a tile whose bytes are its address.
func label(_ context.Context, z, x, y int) ([]byte, bool, error) {
	return []byte(xyz.Tile{Z: z, X: x, Y: y}.String()), false, nil
}

func set(minZoom, maxZoom int, b rasterbase.Bounds) tileset.Set {
	return tileset.Set{MinZoom: minZoom, MaxZoom: maxZoom, Bounds: b, Format: "png", Draw: label}
}

func planned(t testing.TB, s tileset.Set) *tileset.Plan {
	t.Helper()
	p, err := tileset.NewPlan(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func Example() {
	plan, err := tileset.NewPlan(tileset.Set{MaxZoom: 1, Format: "png", Draw: label}, 100)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Tiles, "tiles")
	err = plan.Each(context.Background(), tileset.Options{}, func(t xyz.Tile, body []byte) error {
		fmt.Printf("%s ", body)
		return nil
	})
	fmt.Println(err)
	// Output:
	// 5 tiles
	// 0/0/0 1/0/0 1/0/1 1/1/1 1/1/0 <nil>
}

// The numbers are those of the PMTiles specification and its readers.
func TestID(t *testing.T) {
	for tile, want := range map[xyz.Tile]uint64{
		{}:                          0,
		{Z: 1}:                      1,
		{Z: 1, Y: 1}:                2,
		{Z: 1, X: 1, Y: 1}:          3,
		{Z: 1, X: 1}:                4,
		{Z: 2}:                      5,
		{Z: 12, X: 3423, Y: 1763}:   19078479,
		{Z: 3, X: 7}:                84,
		{Z: 26}:                     1501199875790165,
		{Z: 30, X: 1<<30 - 1, Y: 0}: (uint64(1)<<62-1)/3 - 1,
		{Z: 13, X: 1<<13 - 1}:       89478484,
		{Z: 13}:                     22369621,
		{Z: 6, X: 1<<6 - 1}:         5460,
		{Z: 30, X: 0, Y: 0}:         (uint64(1)<<60 - 1) / 3,
		{Z: 2, X: 0, Y: 3}:          10,
		{Z: 2, X: 3, Y: 3}:          15,
		{Z: 2, X: 3}:                20,
		{Z: 2, X: 1, Y: 0}:          6,
		{Z: 2, X: 1, Y: 1}:          7,
		{Z: 2, X: 0, Y: 1}:          8,
	} {
		if got := tileset.ID(tile); got != want {
			t.Errorf("%v is %d, want %d", tile, got, want)
		}
	}
}

// Exactly the tiles that share ground with the box come, once each, in the order
// of their numbers; and their count is known without going through them.
func TestTilesAreThoseOfTheBox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rasterbase.Bounds{
			West: rapid.Float64Range(-180, 180).Draw(t, "west"), East: rapid.Float64Range(-180, 180).Draw(t, "east"),
			South: rapid.Float64Range(-90, 89).Draw(t, "south"),
		}
		b.North = rapid.Float64Range(b.South, 90).Draw(t, "north")
		maxZoom := rapid.IntRange(0, 5).Draw(t, "max zoom")
		p, err := tileset.NewPlan(set(0, maxZoom, b), 0)
		if err != nil {
			if b.North > -xyz.MaxLatitude && b.South < xyz.MaxLatitude {
				t.Fatal(err)
			}
			return
		}
		want := map[xyz.Tile]bool{}
		for z := range maxZoom + 1 {
			for x := range xyz.Side(z) {
				for y := range xyz.Side(z) {
					if tile := (xyz.Tile{Z: z, X: x, Y: y}); meets(b, tile) {
						want[tile] = true
					}
				}
			}
		}
		got := slices.Collect(p.All())
		if int64(len(got)) != p.Tiles || len(got) != len(want) {
			t.Fatalf("%d tiles, counted %d, want %d", len(got), p.Tiles, len(want))
		}
		for i, tile := range got {
			if !want[tile] {
				t.Errorf("%v does not meet the box", tile)
			}
			if i > 0 && tileset.ID(got[i-1]) >= tileset.ID(tile) {
				t.Errorf("%v comes after %v", tile, got[i-1])
			}
		}
	})
}

// meets asks each tile for itself, in degrees.
func meets(b rasterbase.Bounds, t xyz.Tile) bool {
	in := t.LonLat()
	if b.South < b.North && (in.South >= b.North || in.North <= b.South) || b.South == b.North && (in.South >= b.South || in.North < b.South) {
		return false
	}
	east := func(from, to float64) bool {
		return in.West < to && in.East > from || from == to && in.West <= from && in.East > from
	}
	if b.West > b.East {
		return b.West < 180 && east(b.West, 180) || b.East > -180 && east(-180, b.East)
	}
	return east(b.West, b.East)
}

func TestPlansAreRefusedBeforeTheWork(t *testing.T) {
	box := rasterbase.Bounds{West: 6, South: 45, East: 10, North: 48}
	for name, c := range map[string]struct {
		change func(*tileset.Set)
		limit  int64
		code   rasterbase.Code
		says   string
	}{
		"too many":          {func(s *tileset.Set) { s.MaxZoom = 20 }, 1000, rasterbase.TooLarge, "at most 1000"},
		"how far":           {func(s *tileset.Set) { s.MaxZoom = 20 }, 1000, rasterbase.TooLarge, "up to zoom 11 it has 856"},
		"one zoom too many": {func(s *tileset.Set) { s.MinZoom, s.MaxZoom = 20, 20 }, 1000, rasterbase.TooLarge, "smaller box"},
		"everything":        {func(s *tileset.Set) { s.MaxZoom, s.Bounds = 30, rasterbase.Bounds{} }, 1000, rasterbase.TooLarge, "1537228672809129301 tiles"},
		"zoom":              {func(s *tileset.Set) { s.MaxZoom = 31 }, 0, rasterbase.Invalid, "from 0 to 30"},
		"order of zooms":    {func(s *tileset.Set) { s.MinZoom, s.MaxZoom = 5, 4 }, 0, rasterbase.Invalid, "larger"},
		"format":            {func(s *tileset.Set) { s.Format = "tif" }, 0, rasterbase.Invalid, "png, jpg and webp"},
		"upside down":       {func(s *tileset.Set) { s.Bounds.South = 60 }, 0, rasterbase.Invalid, "6,60,10,48"},
		"metres":            {func(s *tileset.Set) { s.Bounds.East = 1e6 }, 0, rasterbase.Invalid, "west,south,east,north"},
		"polar":             {func(s *tileset.Set) { s.Bounds = rasterbase.Bounds{West: 1, South: 86, East: 2, North: 87} }, 0, rasterbase.Invalid, "85.0511"},
		"legend":            {func(s *tileset.Set) { s.Legend = []byte("{") }, 0, rasterbase.Invalid, "JSON"},
		"nobody draws":      {func(s *tileset.Set) { s.Draw = nil }, 0, rasterbase.Invalid, "draws"},
	} {
		s := set(0, 12, box)
		c.change(&s)
		_, err := tileset.NewPlan(s, c.limit)
		if rasterbase.CodeOf(err) != c.code || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := tileset.NewPlan(set(0, 11, box), 856); err != nil || p.Tiles != 856 {
		t.Errorf("as many as allowed: %v", err)
	}
}

func TestWhereViewersBegin(t *testing.T) {
	for name, c := range map[string]struct {
		set  tileset.Set
		want tileset.Center
	}{
		"world":        {set(0, 5, rasterbase.Bounds{}), tileset.Center{}},
		"antimeridian": {set(0, 5, rasterbase.Bounds{West: 170, South: -10, East: -170, North: 10}), tileset.Center{Lon: 180, Zoom: 4}},
		"beyond it":    {set(0, 5, rasterbase.Bounds{West: 170, South: -10, East: -150, North: 10}), tileset.Center{Lon: -170, Zoom: 3}},
		"small":        {set(2, 5, rasterbase.Bounds{West: 1, South: -1, East: 1, North: 1}), tileset.Center{Lon: 1, Zoom: 5}},
		"not below":    {set(3, 5, rasterbase.Bounds{}), tileset.Center{Zoom: 3}},
	} {
		got := planned(t, c.set).Center
		if got.Zoom != c.want.Zoom || abs(got.Lon-c.want.Lon) > 1e-9 || abs(got.Lat-c.want.Lat) > 1e-9 {
			t.Errorf("%s: %+v, want %+v", name, *got, c.want)
		}
	}
}

func abs(v float64) float64 { return max(v, -v) }

func TestEachKeepsTheOrderAndLeavesEmptyOnesOut(t *testing.T) {
	for _, workers := range []int{0, 1, 7} {
		s := set(0, 6, rasterbase.Bounds{})
		s.Draw = func(ctx context.Context, z, x, y int) ([]byte, bool, error) {
			if z < 6 && x%2 == 0 { // whose children are drawn all the same
				return nil, true, nil
			}
			return label(ctx, z, x, y)
		}
		p := planned(t, s)
		var want []xyz.Tile
		for tile := range p.All() {
			if tile.Z == 6 || tile.X%2 == 1 {
				want = append(want, tile)
			}
		}
		var got []xyz.Tile
		told := int64(0)
		err := p.Each(t.Context(), tileset.Options{Workers: workers, Progress: func(done, total int64) {
			if told++; done != told || total != p.Tiles {
				t.Errorf("told %d of %d after %d", done, total, told-1)
			}
		}}, func(tile xyz.Tile, body []byte) error {
			if got = append(got, tile); string(body) != tile.String() {
				t.Errorf("%v has the bytes %q", tile, body)
			}
			return nil
		})
		if err != nil || !slices.Equal(got, want) || told != p.Tiles {
			t.Errorf("%d workers: %v; %d tiles, want %d; told %d", workers, err, len(got), len(want), told)
		}
	}
}

// However slow one tile is, the others do not run ahead without bound.
func TestEachKeepsLittleInMemory(t *testing.T) {
	var begun, put, most atomic.Int64
	s := set(0, 7, rasterbase.Bounds{})
	s.Draw = func(ctx context.Context, z, x, y int) ([]byte, bool, error) {
		if n := begun.Add(1) - put.Load(); n > most.Load() {
			most.Store(n)
		}
		return label(ctx, z, x, y)
	}
	p := planned(t, s)
	err := p.Each(t.Context(), tileset.Options{Workers: 2}, func(xyz.Tile, []byte) error { put.Add(1); return nil })
	if err != nil || most.Load() > 64 {
		t.Errorf("%v; %d tiles were in memory", err, most.Load())
	}
}

func TestEachStops(t *testing.T) {
	broken := errors.New("broken")
	t.Run("when a tile fails", func(t *testing.T) {
		s := set(0, 8, rasterbase.Bounds{})
		s.Draw = func(ctx context.Context, z, x, y int) ([]byte, bool, error) {
			if z == 4 && x == 3 && y == 2 {
				return nil, false, broken
			}
			return label(ctx, z, x, y)
		}
		err := planned(t, s).Each(t.Context(), tileset.Options{Workers: 4}, func(xyz.Tile, []byte) error { return nil })
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "4/3/2") {
			t.Error(err)
		}
	})
	t.Run("when putting fails", func(t *testing.T) {
		n := 0
		err := planned(t, set(0, 8, rasterbase.Bounds{})).Each(t.Context(), tileset.Options{}, func(xyz.Tile, []byte) error {
			if n++; n == 5 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || n != 5 {
			t.Error(err, n)
		}
	})
	t.Run("when cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		err := planned(t, set(0, 20, rasterbase.Bounds{})).Each(ctx, tileset.Options{}, func(xyz.Tile, []byte) error {
			if n++; n == 100 {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("when a tile has no bytes", func(t *testing.T) {
		s := set(0, 0, rasterbase.Bounds{})
		s.Draw = func(context.Context, int, int, int) ([]byte, bool, error) { return nil, false, nil }
		if err := planned(t, s).Each(t.Context(), tileset.Options{}, nil); err == nil {
			t.Error("it goes on")
		}
	})
	t.Run("when all are empty", func(t *testing.T) {
		s := set(0, 3, rasterbase.Bounds{})
		s.Draw = func(context.Context, int, int, int) ([]byte, bool, error) { return nil, true, nil }
		err := planned(t, s).Each(t.Context(), tileset.Options{}, nil)
		if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "85 tiles") {
			t.Error(err)
		}
	})
}

func TestSaveIsWholeOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tiles")
	write := func(content string, err error) func(string) error {
		return func(temporary string) error {
			return errors.Join(os.WriteFile(temporary, []byte(content), 0o600), err)
		}
	}
	check := func(want string) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
		if got, _ := os.ReadFile(path); string(got) != want || err != nil || len(hidden) > 0 || len(files) > 1 {
			t.Errorf("%q; the folder has %q and %q, %v", got, files, hidden, err)
		}
	}
	broken := errors.New("broken")
	if err := tileset.Save(path, write("half", broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	check("")
	if err := tileset.Save(path, write("whole", nil)); err != nil {
		t.Error(err)
	}
	check("whole")
	if err := tileset.Save(path, write("half", broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	check("whole")
	if err := tileset.Save(filepath.Join(dir, "none", "tiles"), write("", nil)); err == nil {
		t.Error("there is no such folder")
	}
}
