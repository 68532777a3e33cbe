package coverage_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

func open(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// spec is a layer at zoom 3 whose tiles have 64 pixels a side: 150 x 100 pixels
// from 100, 70. A pixel's value tells its band and place.
func spec(bands int, nodata *rasterbase.Float) testlayer.Spec {
	s := testlayer.Spec{
		Layer: rasterbase.Layer{Name: "places"}, Datatype: rasterbase.Categorical, TileSize: 64, MaxZoom: 3,
		X: 100, Y: 70, Width: 150, Height: 100, Value: value,
	}
	for range bands {
		s.Bands = append(s.Bands, rasterbase.Band{PixelType: rasterbase.Int32, Nodata: nodata})
	}
	return s
}

func value(band, x, y int) (float64, bool) {
	return float64(1_000_000*(band+1) + 1000*y + x), (x/7+y/5)%3 != 0 && !(x < 28 && y < 58)
}

func layer(t testing.TB, st store.Store, s testlayer.Spec) *coverage.Layer {
	t.Helper()
	l, err := testlayer.Add(context.Background(), st, s)
	if err != nil {
		t.Fatal(err)
	}
	c, err := coverage.OpenLayer(context.Background(), st, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Any window of the base grid, and of the zoom that has the same pixels, holds
// the layer's pixels, in the bands and the order asked for, and is invalid
// outside.
func TestAnyWindow(t *testing.T) {
	st := open(t)
	for name, s := range map[string]testlayer.Spec{
		"one band": spec(1, nil), "nodata": spec(2, rasterbase.FloatPtr(-1)), "three": spec(3, nil), "six": spec(6, nil), "five with nodata": spec(5, rasterbase.FloatPtr(-1)),
	} {
		c := layer(t, st, s)
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				r := coverage.WindowRequest{
					X: rapid.IntRange(-100, 300).Draw(t, "x"), Y: rapid.IntRange(-100, 200).Draw(t, "y"),
					Width: rapid.IntRange(1, 140).Draw(t, "width"), Height: rapid.IntRange(1, 100).Draw(t, "height"),
				}
				if rapid.Bool().Draw(t, "some bands") {
					r.Bands = rapid.SliceOfN(rapid.IntRange(0, len(s.Bands)-1), 1, 7).Draw(t, "bands")
				}
				dx, dy := 0, 0
				if rapid.Bool().Draw(t, "pyramid") {
					r.Level, dx, dy = coverage.ZoomLevel(3), s.X, s.Y
				}
				w, err := c.Window(context.Background(), r)
				if err != nil {
					t.Fatal(err)
				}
				checkWindow(t, w, r, s, dx, dy)
			})
		})
	}
}

func checkWindow(t *rapid.T, w *raster.Raster, r coverage.WindowRequest, s testlayer.Spec, dx, dy int) {
	if w.Width != r.Width || w.Height != r.Height || w.SRID != 3857 || w.Check() != nil {
		t.Fatalf("the raster is %d x %d, srid %d: %v", w.Width, w.Height, w.SRID, w.Check())
	}
	world := xyz.PixelGrid(3, 64)
	x, y := world.World(float64(r.X+s.X-dx), float64(r.Y+s.Y-dy))
	if math.Abs(w.OriginX-x) > 1e-6 || math.Abs(w.OriginY-y) > 1e-6 || w.ScaleX != world.ScaleX {
		t.Fatalf("the raster lies at %v, %v; want %v, %v", w.OriginX, w.OriginY, x, y)
	}
	bands := r.Bands
	for i := 0; r.Bands == nil && i < len(s.Bands); i++ {
		bands = append(bands, i)
	}
	for i, band := range bands {
		for k := range r.Width * r.Height {
			px, py := r.X+k%r.Width-dx, r.Y+k/r.Width-dy
			want, ok := s.Value(band, px, py)
			ok = ok && px >= 0 && py >= 0 && px < s.Width && py < s.Height
			if w.Valid(i, k) != ok || ok && w.Bands[i].Pixels.At(k) != want {
				t.Fatalf("band %d, pixel %d,%d is %v, %v; want %v, %v", band, px, py, w.Bands[i].Pixels.At(k), w.Valid(i, k), want, ok)
			}
		}
	}
}

// Beyond the max zoom each pixel is repeated.
func TestOverzoom(t *testing.T) {
	s := spec(2, nil)
	c := layer(t, open(t), s)
	for dz := 1; dz <= 40; dz++ {
		shift := uint(dz)
		// The place of pixel 40, 63 of the layer, a little before its right edge.
		x, y := (s.X+41)<<shift-3, (s.Y+63)<<shift+1
		w, err := c.Window(t.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(3 + dz), X: x, Y: y, Width: 20, Height: 9, Bands: []int{1, 0}})
		if err != nil {
			t.Fatalf("%d zooms beyond: %v", dz, err)
		}
		for i := range 20 * 9 {
			px, py := (x+i%20)>>shift-s.X, (y+i/20)>>shift-s.Y
			for k, band := range []int{1, 0} {
				want, ok := value(band, px, py)
				if w.Valid(k, i) != ok || ok && w.Bands[k].Pixels.At(i) != want {
					t.Fatalf("%d zooms beyond, pixel %d is %v, %v; want %v, %v", dz, i, w.Bands[k].Pixels.At(i), w.Valid(k, i), want, ok)
				}
			}
		}
	}
	w, err := c.Window(t.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(100), Width: 256, Height: 256})
	if err != nil || w.Width != 256 || w.Valid(0, 0) {
		t.Errorf("the corner of zoom 100: %v", err)
	}
	_, err = c.Window(t.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(100), X: math.MaxInt - 300, Width: 256, Height: 256})
	if rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("a place out of reach: %v", err)
	}
}

func TestWindowsThatCannotBeRead(t *testing.T) {
	c := layer(t, open(t), spec(2, nil))
	flat := spec(1, nil)
	flat.NoPyramid = true
	without := layer(t, open(t), flat)
	tests := []struct {
		name string
		c    *coverage.Layer
		r    coverage.WindowRequest
		code rasterbase.Code
	}{
		{"no width", c, coverage.WindowRequest{Height: 3}, rasterbase.Invalid},
		{"too large", c, coverage.WindowRequest{Width: 1 << 15, Height: 3}, rasterbase.Invalid},
		{"no such band", c, coverage.WindowRequest{Width: 1, Height: 1, Bands: []int{2}}, rasterbase.Invalid},
		{"negative band", c, coverage.WindowRequest{Width: 1, Height: 1, Bands: []int{-1}}, rasterbase.Invalid},
		{"no band", c, coverage.WindowRequest{Width: 1, Height: 1, Bands: []int{}}, rasterbase.Invalid},
		{"negative zoom", c, coverage.WindowRequest{Level: coverage.ZoomLevel(-1), Width: 1, Height: 1}, rasterbase.Invalid},
		{"zoom of the base grid", c, coverage.WindowRequest{Level: coverage.Level{Zoom: 2}, Width: 1, Height: 1}, rasterbase.Invalid},
		{"no pyramid", without, coverage.WindowRequest{Level: coverage.ZoomLevel(0), Width: 1, Height: 1}, rasterbase.NotFound},
	}
	for _, tt := range tests {
		if _, err := tt.c.Window(t.Context(), tt.r); rasterbase.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Cropped tiles at the edge, and whole ones, come as they are stored.
func TestTilesComeAsTheyAreStored(t *testing.T) {
	st := open(t)
	c := layer(t, st, spec(2, nil))
	for _, tt := range []struct {
		l          coverage.Level
		x, y, w, h int
	}{{coverage.BaseLevel, 2, 1, 22, 36}, {coverage.BaseLevel, 1, 0, 64, 64}, {coverage.ZoomLevel(3), 2, 1, 64, 64}, {coverage.ZoomLevel(0), 0, 0, 64, 64}} {
		w, err := c.Window(t.Context(), coverage.WindowRequest{Level: tt.l, X: tt.x * 64, Y: tt.y * 64, Width: tt.w, Height: tt.h})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := st.Tiles().Get(t.Context(), store.TileKey{
			RevisionKey: store.RevisionKey{Layer: c.Layer().ID, Revision: c.Revision().ID}, Kind: tt.l.Kind, Z: tt.l.Zoom, X: tt.x, Y: tt.y})
		if err != nil {
			t.Fatal(err)
		}
		if !raster.Equal(w, stored) {
			t.Errorf("tile %v %d,%d is not the stored one", tt.l, tt.x, tt.y)
		}
	}
}

// lossy is a store in which some tiles cannot be found.
type lossy struct {
	store.Store
	err error
}

func (l lossy) Tiles() store.Tiles { return lossyTiles{l.Store.Tiles(), l.err} }

type lossyTiles struct {
	store.Tiles
	err error
}

func (l lossyTiles) Get(ctx context.Context, k store.TileKey) (*raster.Raster, error) {
	if k.X == 1 && k.Y == 1 {
		return nil, l.err
	}
	return l.Tiles.Get(ctx, k)
}

func TestLostTilesAreErrorsAndEmptyOnesAreNot(t *testing.T) {
	st := open(t)
	s := spec(2, nil)
	s.Value = func(band, x, y int) (float64, bool) {
		v, ok := value(band, x, y)
		return v, ok && x >= 64 // the tiles at the left are empty
	}
	id := layer(t, st, s).Layer().ID
	c, err := coverage.OpenLayer(t.Context(), lossy{st, store.ErrNotExist}, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []coverage.WindowRequest{
		{X: 64, Y: 64, Width: 64, Height: 36}, {X: 60, Y: 60, Width: 9, Height: 9}, {X: 127, Y: 99, Width: 1, Height: 1, Bands: []int{1}},
	} {
		_, err := c.Window(t.Context(), r)
		if err == nil || !strings.Contains(err.Error(), "missing") || rasterbase.CodeOf(err) != rasterbase.Internal {
			t.Errorf("a lost tile: %v", err)
		}
	}
	for _, r := range []coverage.WindowRequest{
		{Width: 64, Height: 64}, {Level: coverage.ZoomLevel(3), X: 64, Y: 64, Width: 64, Height: 64},
	} {
		if w, err := c.Window(t.Context(), r); err != nil || w.Valid(0, 1000) {
			t.Errorf("an empty tile: %v", err)
		}
	}
}

func TestTheErrorForAGoneRevisionPassesThrough(t *testing.T) {
	st := open(t)
	c := layer(t, st, spec(1, nil))
	if err := st.Tiles().Drop(t.Context(), store.RevisionKey{Layer: c.Layer().ID, Revision: c.Revision().ID}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []coverage.WindowRequest{
		{Width: 64, Height: 64}, {X: 3, Width: 64, Height: 64}, {Level: coverage.ZoomLevel(3), X: 100, Y: 70, Width: 1, Height: 1}, {Level: coverage.ZoomLevel(6), X: 800, Y: 700, Width: 64, Height: 64},
	} {
		if _, err := c.Window(t.Context(), r); !errors.Is(err, store.ErrRevisionGone) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestOpenWithoutAPublishedRevision(t *testing.T) {
	st := open(t)
	l := &rasterbase.Layer{Name: "new"}
	err := st.Catalog().Update(t.Context(), func(tx store.Tx) error {
		if err := tx.Layers().Create(t.Context(), l); err != nil {
			return err
		}
		p := &rasterbase.Parse{Layer: l.ID, Status: rasterbase.Queued}
		if err := tx.Parses().Create(t.Context(), p); err != nil {
			return err
		}
		p.Status, p.Error = rasterbase.Failed, "block 7 is damaged"
		return tx.Parses().Update(t.Context(), p)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = coverage.OpenLayer(t.Context(), st, l.ID)
	if rasterbase.CodeOf(err) != rasterbase.NotFound || !strings.Contains(err.Error(), "failed") || !strings.Contains(err.Error(), "block 7") {
		t.Errorf("the error is %v", err)
	}
	if _, err = coverage.OpenLayer(t.Context(), st, l.ID+1); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("an unknown layer: %v", err)
	}
}

func TestVersionsDifferAndStay(t *testing.T) {
	st := open(t)
	a := layer(t, st, spec(1, nil))
	if _, err := testlayer.Publish(t.Context(), st, a.Layer().ID, spec(1, nil)); err != nil {
		t.Fatal(err)
	}
	b, err := coverage.OpenLayer(t.Context(), st, a.Layer().ID)
	if err != nil {
		t.Fatal(err)
	}
	if a.Version() == b.Version() || a.Version() == "" {
		t.Errorf("the versions are %q and %q", a.Version(), b.Version())
	}
	if d := b.Describe(); d.Name != "places" || d.MaxZoom != 3 || d.TileSize != 64 || d.Grid.Width != 150 || len(d.Bands) != 1 {
		t.Errorf("the description is %+v", d)
	}
	if pages, err := b.Summaries(t.Context(), coverage.SummaryQuery{}); err != nil || len(pages) != 1 || len(pages[0].Cells) != 6 {
		t.Errorf("the summaries are %v, %v", pages, err)
	}
	for _, box := range []store.PageBox{{}, {MinX: 1, MinY: 1, MaxX: 2, MaxY: 2}} { // the only page, and others
		pages, err := b.Summaries(t.Context(), coverage.SummaryQuery{Pages: &box})
		if want := box == (store.PageBox{}); err != nil || (len(pages) == 1) != want {
			t.Errorf("the summaries of the pages %v are %v, %v", box, pages, err)
		}
	}
}

// A revision that is made anew under an id that a lost one had, as after a
// restore from a backup, has another version.
func TestVersionOfAnIDGivenAgain(t *testing.T) {
	lost, restored := open(t), open(t)
	a, b := layer(t, lost, spec(1, nil)), layer(t, restored, spec(1, nil))
	if a.Layer().ID != b.Layer().ID || a.Revision().ID != b.Revision().ID {
		t.Fatal("the ids differ")
	}
	if a.Version() == b.Version() {
		t.Errorf("both have version %q", a.Version())
	}
	if again, err := coverage.OpenLayer(t.Context(), lost, a.Layer().ID); err != nil || again.Version() != a.Version() {
		t.Errorf("the version %q has changed, %v", a.Version(), err)
	}
}

// degrees is a coverage in longitude and latitude: only its grid matters.
type degrees struct{ grid rasterbase.Grid }

func (d degrees) Describe() coverage.Description {
	return coverage.Description{CRS: rasterbase.CRS{SRID: 4326}, Grid: d.grid, TileSize: 256, HasPyramid: true, Bands: make([]rasterbase.Band, 2)}
}
func (degrees) Version() string { return "1" }
func (degrees) Summaries(context.Context, coverage.SummaryQuery) ([]store.SummaryPage, error) {
	return nil, rasterbase.Errorf(rasterbase.Unsupported, "none")
}
func (degrees) Window(_ context.Context, r coverage.WindowRequest) (*raster.Raster, error) {
	out := &raster.Raster{Grid: rasterbase.Grid{Width: 1, Height: 1}}
	n := 2
	if r.Bands != nil {
		n = len(r.Bands)
	}
	for range n {
		out.Bands = append(out.Bands, raster.Band{Type: rasterbase.Float64, Pixels: raster.Slice[float64]{float64(1000*r.X + r.Y)}})
	}
	return out, nil
}

func TestAt(t *testing.T) {
	east := degrees{rasterbase.Grid{OriginX: 0, OriginY: 90, ScaleX: 1, ScaleY: -1, Width: 360, Height: 180}}
	west := degrees{rasterbase.Grid{OriginX: -180, OriginY: 90, ScaleX: 1, ScaleY: -1, Width: 360, Height: 180}}
	part := degrees{rasterbase.Grid{OriginX: 170, OriginY: 10, ScaleX: 0.5, ScaleY: -0.5, Width: 40, Height: 40}}
	tests := []struct {
		name     string
		c        coverage.Coverage
		lon, lat float64
		col, row int
		inside   bool
	}{
		{"east of Greenwich", east, 10.5, 45.5, 10, 44, true},
		{"west of Greenwich, counted from 0", east, -10.5, 45.5, 349, 44, true},
		{"beyond 180, counted from -180", west, 190.5, 0.5, 10, 89, true},
		{"the other side of the antimeridian", part, -179.75, 0.25, 20, 19, true},
		{"its own side", part, 170, 10, 0, 0, true},
		{"the left and upper edge belong to a pixel", west, -180, 90, 0, 0, true},
		{"the lower edge does not", part, 175, -10, 10, 40, false},
		{"outside", part, 100, 0, -140, 20, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			px, err := coverage.At(t.Context(), tt.c, coverage.PointRequest{Point: crs.Point{X: tt.lon, Y: tt.lat}, CRS: rasterbase.CRS{SRID: 4326}, Bands: []int{1}, Transformer: crs.Closed{}})
			if err != nil {
				t.Fatal(err)
			}
			if px.Col != tt.col || px.Row != tt.row || px.Inside != tt.inside || len(px.Values) > 0 != tt.inside {
				t.Fatalf("found %+v", px)
			}
			if tt.inside && (px.Values[0].Band != 1 || px.Values[0].Value != float64(1000*tt.col+tt.row)) {
				t.Errorf("found %+v", px)
			}
		})
	}
	px, err := coverage.At(t.Context(), west, coverage.PointRequest{Point: crs.Point{X: 0, Y: 95}, CRS: rasterbase.CRS{SRID: 4326}, Level: coverage.ZoomLevel(3), Transformer: crs.Closed{}})
	if err != nil || px.Inside {
		t.Errorf("a latitude of 95: %+v, %v", px, err)
	}
	_, err = coverage.At(t.Context(), west, coverage.PointRequest{CRS: rasterbase.CRS{SRID: 31370}, Transformer: crs.Closed{}})
	if rasterbase.CodeOf(err) != rasterbase.Unsupported {
		t.Errorf("a CRS that is not known: %v", err)
	}
}

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "coverage-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	st, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()
	l, err := testlayer.Add(ctx, st, testlayer.Spec{
		Layer: rasterbase.Layer{Name: "heights"}, Datatype: rasterbase.Continuous, MaxZoom: 2,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Int16}}, X: 500, Y: 400, Width: 300, Height: 200,
		Value: func(_, x, y int) (float64, bool) { return float64(x + y), true },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := coverage.OpenLayer(ctx, st, l.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := c.Window(ctx, coverage.WindowRequest{Level: coverage.BaseLevel, X: 290, Y: 190, Width: 20, Height: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	inside, ok := w.At(0, 9, 9)
	fmt.Println(inside, ok)
	_, ok = w.At(0, 10, 10)
	fmt.Println(ok)
	// Output:
	// 498 true
	// false
}
