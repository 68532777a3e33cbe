package coverage_test

import (
	"context"
	"slices"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/store"
)

func named(layers []*coverage.Layer) (names []string) {
	for _, l := range layers {
		names = append(names, l.Layer().Name)
	}
	return names
}

func TestLayersThatIntersect(t *testing.T) {
	st := open(t)
	add := func(name string, g rasterbase.Grid, c rasterbase.CRS, b rasterbase.Bounds, stored []coverage.TileAddress) {
		rev := revision(g, c.SRID, 64)
		rev.CRS, rev.Bounds, rev.HasPyramid, rev.MaxZoom = c, b, true, 2
		l := index(t, st, rev, map[coverage.Level][]coverage.TileAddress{coverage.BaseLevel: stored, coverage.ZoomLevel(2): {{X: 2, Y: 1}}}).Layer()
		l.Name = name
		if name == "secret" {
			l.Visibility = rasterbase.Private
		}
		if err := st.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Update(t.Context(), l) }); err != nil {
			t.Fatal(err)
		}
	}
	degrees := rasterbase.CRS{SRID: 4326}
	// 128 x 128 pixels of a tenth of a degree, of which the upper left and the
	// lower right quarter are stored.
	g := rasterbase.Grid{Width: 128, Height: 128, OriginX: 10, OriginY: 50, ScaleX: 0.1, ScaleY: -0.1}
	diagonal := []coverage.TileAddress{{X: 0, Y: 0}, {X: 1, Y: 1}}
	bounds := rasterbase.Bounds{West: 10, South: 37.2, East: 22.8, North: 50}
	add("diagonal", g, degrees, bounds, diagonal)
	add("secret", g, degrees, bounds, diagonal)
	pacific := g
	pacific.OriginX, pacific.OriginY = 175, 0
	add("pacific", pacific, degrees, rasterbase.Bounds{West: 175, South: -12.8, East: -172.2, North: 0}, every(pacific, 64))
	// Somewhere in the same place, in a CRS that cannot be transformed here: its
	// only tile of zoom 2 reaches from Greenwich to 90 degrees east.
	add("belgian", g, rasterbase.CRS{SRID: 31370}, rasterbase.Bounds{West: -10, South: 37.2, East: 22.8, North: 50}, diagonal)
	add("empty", g, degrees, bounds, nil)
	if err := st.Catalog().Update(t.Context(), func(tx store.Tx) error {
		return tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: "unparsed"})
	}); err != nil {
		t.Fatal(err)
	}
	polar := rasterbase.Grid{Width: 128, Height: 128, OriginX: 0, OriginY: 90, ScaleX: 0.1, ScaleY: -0.1}
	// Bounds end where web mercator does.
	add("polar", polar, degrees, rasterbase.Bounds{West: 0, South: 77.2, East: 12.8, North: 85.0511}, every(polar, 64))

	public := func(ctx context.Context, l *rasterbase.Layer) (bool, error) {
		// Whoever is asked may ask the store.
		err := st.Catalog().View(ctx, func(tx store.Tx) error {
			_, err := tx.Layers().Get(ctx, l.ID)
			return err
		})
		return l.Visibility != rasterbase.Private, err
	}
	box := func(w, s, e, n float64) orb.Geometry {
		return footprint.BoxGeometry(rasterbase.Bounds{West: w, South: s, East: e, North: n})
	}
	tests := []struct {
		name string
		q    coverage.LayersQuery
		want []string
	}{
		{"in a stored tile", coverage.LayersQuery{Geometry: orb.Point{11, 49}, CRS: degrees}, []string{"diagonal", "secret", "belgian"}},
		{"that may be seen", coverage.LayersQuery{Geometry: orb.Point{11, 49}, CRS: degrees, May: public}, []string{"diagonal", "belgian"}},
		{"in the bounds, where nothing is stored", coverage.LayersQuery{Geometry: orb.Point{20, 49}, CRS: degrees}, []string{"belgian"}},
		{"in the bounds, where no tile of the max zoom is", coverage.LayersQuery{Geometry: orb.Point{-5, 45}, CRS: degrees}, nil},
		{"in another CRS", coverage.LayersQuery{Geometry: orb.Point{1224514, 6274861}, CRS: rasterbase.CRS{SRID: 3857}, May: public}, []string{"diagonal", "belgian"}},
		{"west of the antimeridian", coverage.LayersQuery{Geometry: orb.Point{176, -5}, CRS: degrees}, []string{"pacific"}},
		{"east of it", coverage.LayersQuery{Geometry: orb.Point{-173, -5}, CRS: degrees}, []string{"pacific"}},
		{"over it", coverage.LayersQuery{Geometry: box(179, -5, -179, -4), CRS: degrees}, []string{"pacific"}},
		{"around the other side", coverage.LayersQuery{Geometry: box(-170, -5, 170, -4), CRS: degrees}, nil},
		{"beyond web mercator", coverage.LayersQuery{Geometry: orb.Point{5, 88}, CRS: degrees}, []string{"polar"}},
		{"the second", coverage.LayersQuery{Geometry: orb.Point{11, 49}, CRS: degrees, Filter: store.LayerFilter{Limit: 1, Offset: 1}}, []string{"secret"}},
		{"with a name", coverage.LayersQuery{Geometry: orb.Point{11, 49}, CRS: degrees, Filter: store.LayerFilter{Search: "belg"}}, []string{"belgian"}},
		{"the world", coverage.LayersQuery{Geometry: box(-180, -90, 180, 90), CRS: degrees}, []string{"diagonal", "secret", "pacific", "belgian", "polar"}},
		{"all", coverage.LayersQuery{}, []string{"diagonal", "secret", "pacific", "belgian", "polar"}},
	}
	for _, tt := range tests {
		tt.q.Transformer = crs.Closed{}
		got, err := coverage.Layers(t.Context(), st, tt.q)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if !slices.Equal(named(got), tt.want) {
			t.Errorf("%s: found %v, want %v", tt.name, named(got), tt.want)
		}
	}
}

// republishing publishes a new revision, and drops the one before, as soon as
// tiles are looked for.
type republishing struct {
	store.Store
	now func()
}

func (r *republishing) Catalog() store.Catalog { return republishingCatalog{r.Store.Catalog(), r} }

type republishingCatalog struct {
	store.Catalog
	r *republishing
}

func (c republishingCatalog) View(ctx context.Context, fn func(store.Tx) error) error {
	err := c.Catalog.View(ctx, fn)
	if now := c.r.now; now != nil {
		c.r.now = nil
		now()
	}
	return err
}

func TestLayersThatAreParsedMeanwhile(t *testing.T) {
	st := open(t)
	l := layer(t, st, spec(1, nil))
	r := &republishing{Store: st}
	r.now = func() {
		if _, err := testlayer.Publish(t.Context(), st, l.Layer().ID, spec(1, nil)); err != nil {
			t.Fatal(err)
		}
		if err := st.Catalog().Update(t.Context(), func(tx store.Tx) error {
			return tx.Revisions().Delete(t.Context(), l.Revision().ID)
		}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := coverage.Layers(t.Context(), r, coverage.LayersQuery{})
	if err != nil || len(got) != 1 || got[0].Revision().ID == l.Revision().ID {
		t.Fatalf("found %v, %v", got, err)
	}
	r.now = func() {
		if err := st.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Delete(t.Context(), l.Layer().ID) }); err != nil {
			t.Fatal(err)
		}
	}
	if got, err = coverage.Layers(t.Context(), r, coverage.LayersQuery{}); err != nil || len(got) != 0 {
		t.Errorf("a deleted layer: found %v, %v", got, err)
	}
}
