package storetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func layer(t *testing.T, s store.Store, id rasterbase.LayerID) *rasterbase.Layer {
	t.Helper()
	return get(t, s, func(tx store.Tx) (*rasterbase.Layer, error) { return tx.Layers().Get(t.Context(), id) })
}

// flatLayer is a layer without pointers, to be printed and compared.
func flatLayer(l *rasterbase.Layer) any {
	f, st := *l, l.Settings
	f.Settings = rasterbase.Settings{}
	nodata, zoom := "none", "none"
	if st.Nodata != nil {
		nodata = fmt.Sprint(*st.Nodata)
	}
	if st.MaxZoom != nil {
		zoom = fmt.Sprint(*st.MaxZoom)
	}
	st.Nodata, st.MaxZoom = nil, nil
	created, updated := f.Created.UnixMilli(), f.Updated.UnixMilli()
	f.Created, f.Updated = time.Time{}, time.Time{}
	f.Formula = nil
	return []any{f, flatFormula(l.Formula), st, nodata, zoom, created, updated}
}

func layerRoundTrip(t *testing.T, s store.Store) {
	before := time.Now().Add(-time.Second)
	for i, nodata := range []float64{0, -9999, math.NaN(), math.Inf(1)} {
		zoom := i
		l := &rasterbase.Layer{
			Name: "Bodenbedeckung 土地 'x' \"y\" 🌍", Description: "a\nb", Attribution: "© us", License: "CC-BY",
			Source:     rasterbase.Source{ID: "abc", Name: "größe.tif.zip", Origin: "https://x/y?z=1", Size: 1 << 40, Checksum: "sha256:00"},
			Visibility: rasterbase.Private,
			Settings: rasterbase.Settings{Datatype: rasterbase.RankOrdered, SRID: 31467, Nodata: &nodata, MaxZoom: &zoom, NextLower: true,
				NoPyramid: true, Resampling: rasterbase.Cubic, TileSize: 512, Subdataset: "NETCDF:\"x\":t"},
			Published: 77, // not the caller's to set
		}
		update(t, s, func(tx store.Tx) error { return tx.Layers().Create(t.Context(), l) })
		if l.ID == 0 || l.Slug == "" || l.Created.Before(before) || !l.Updated.Equal(l.Created) || l.Published != 0 {
			t.Errorf("the new layer is %+v", l)
		}
		got := layer(t, s, l.ID)
		wantDeepEqual(t, "the layer", flatLayer(got), flatLayer(l))
		if got.Created.Location() != time.UTC {
			t.Errorf("the time is in %v", got.Created.Location())
		}
	}
	empty := addLayer(t, s, "")
	wantDeepEqual(t, "an empty layer", flatLayer(layer(t, s, empty.ID)), flatLayer(empty))
	_, err := tryGet(t, s, func(tx store.Tx) (*rasterbase.Layer, error) { return tx.Layers().Get(t.Context(), 999999) })
	wantNotExist(t, err)
	err = s.Catalog().Update(t.Context(), func(tx store.Tx) error {
		return tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: "x", Legend: 999999})
	})
	wantNotExist(t, err)
}

func layerSlugs(t *testing.T, s store.Store) {
	for _, c := range []struct{ slug, name, want string }{
		{"", "Land Cover 2018", "land-cover-2018"},
		{"", "Land cover 2018!", "land-cover-2018-2"},
		{"", "land-cover-2018", "land-cover-2018-3"},
		{"", "  --Ünïcode__Größe-- ", "ünïcode-größe"},
		{"", "土地被覆 2020", "土地被覆-2020"},
		{"", "Карта высот", "карта-высот"},
		{"", "भूमि उपयोग", "भूमि-उपयोग"},
		{"", "2018", "layer-2018"},
		{"", "", "layer"},
		{"", "🌍", "layer-2"},
		{"My Slug", "Another name", "my-slug"},
		{"my-slug", "", "my-slug-2"},
	} {
		l := &rasterbase.Layer{Slug: c.slug, Name: c.name}
		update(t, s, func(tx store.Tx) error { return tx.Layers().Create(t.Context(), l) })
		wantEqual(t, fmt.Sprintf("the slug of %q, %q", c.slug, c.name), l.Slug, c.want)
	}
	long := addLayer(t, s, strings.Repeat("long ", 500))
	if n := len(long.Slug); n == 0 || n > 100 {
		t.Errorf("a slug of %d bytes", n)
	}
}

func layerUpdate(t *testing.T, s store.Store) {
	one, two := addLayer(t, s, "one"), addLayer(t, s, "two")
	r := addRevision(t, s, one.ID)
	update(t, s, func(tx store.Tx) error { _, err := tx.Revisions().Publish(t.Context(), r.ID); return err })
	changed := *one // read before the revision was published
	changed.Name, changed.Slug, changed.Description = "One!", "uno", "d"
	changed.Created, changed.Published = time.Time{}, 0
	update(t, s, func(tx store.Tx) error { return tx.Layers().Update(t.Context(), &changed) })
	if changed.Published != r.ID || !changed.Created.Equal(one.Created) {
		t.Errorf("the caller's layer is %+v", changed)
	}
	got := layer(t, s, one.ID)
	if got.Name != "One!" || got.Slug != "uno" || got.Description != "d" || !got.Created.Equal(one.Created) ||
		got.Published != r.ID || got.Updated.Before(one.Updated) {
		t.Errorf("the layer is %+v", got)
	}
	two.Slug = "uno"
	err := s.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Update(t.Context(), two) })
	wantCode(t, err, rasterbase.Conflict)
	wantEqual(t, "the slug of the other layer", layer(t, s, two.ID).Slug, "two")
	err = s.Catalog().Update(t.Context(), func(tx store.Tx) error {
		return tx.Layers().Update(t.Context(), &rasterbase.Layer{ID: 999999, Name: "x"})
	})
	wantNotExist(t, err)
}

func layerFind(t *testing.T, s store.Store) {
	ids := map[string]rasterbase.LayerID{}
	for _, l := range []rasterbase.Layer{
		{Name: "Höhe", Source: rasterbase.Source{Name: "dem.tif"}},
		{Name: "Cover", Source: rasterbase.Source{Name: "cover.tif.zip"}},
		{Name: "Cover again", Source: rasterbase.Source{Name: "cover.tif"}},
		{Name: "100% _x_", Source: rasterbase.Source{Name: "other.zip"}},
	} {
		update(t, s, func(tx store.Tx) error { return tx.Layers().Create(t.Context(), &l) })
		ids[l.Name] = l.ID
	}
	for name, datatype := range map[string]rasterbase.Datatype{"Höhe": rasterbase.Continuous, "Cover": rasterbase.Categorical} {
		r := &rasterbase.Revision{Layer: ids[name], Datatype: datatype}
		update(t, s, func(tx store.Tx) error {
			if err := tx.Revisions().Create(t.Context(), r); err != nil {
				return err
			}
			_, err := tx.Revisions().Publish(t.Context(), r.ID)
			return err
		})
	}
	update(t, s, func(tx store.Tx) error { // not published, and so without effect
		return tx.Revisions().Create(t.Context(), &rasterbase.Revision{Layer: ids["Cover again"], Datatype: rasterbase.Categorical})
	})
	for _, c := range []struct {
		f     store.LayerFilter
		want  []string
		total int
	}{
		{store.LayerFilter{}, []string{"Höhe", "Cover", "Cover again", "100% _x_"}, 4},
		{store.LayerFilter{Limit: 2, Offset: 1}, []string{"Cover", "Cover again"}, 4},
		{store.LayerFilter{Offset: 3}, []string{"100% _x_"}, 4},
		{store.LayerFilter{Offset: 9}, nil, 4},
		{store.LayerFilter{Slug: "cover"}, []string{"Cover"}, 1},
		{store.LayerFilter{FileName: "cover.tif"}, []string{"Cover", "Cover again"}, 2},
		{store.LayerFilter{FileName: "cover.tif.zip"}, []string{"Cover", "Cover again"}, 2},
		{store.LayerFilter{FileName: "other"}, []string{"100% _x_"}, 1},
		{store.LayerFilter{FileName: "cover"}, nil, 0},
		{store.LayerFilter{Search: "HÖ"}, []string{"Höhe"}, 1},
		{store.LayerFilter{Search: "DEM"}, []string{"Höhe"}, 1},
		{store.LayerFilter{Search: "over", Limit: 1}, []string{"Cover"}, 2},
		{store.LayerFilter{Search: "%"}, []string{"100% _x_"}, 1},
		{store.LayerFilter{Search: "_X_"}, []string{"100% _x_"}, 1},
		{store.LayerFilter{Datatype: rasterbase.Categorical}, []string{"Cover"}, 1},
		{store.LayerFilter{Datatype: rasterbase.Continuous, Search: "cover"}, nil, 0},
		{store.LayerFilter{Datatype: rasterbase.Mask}, nil, 0},
	} {
		view(t, s, func(tx store.Tx) error {
			layers, n, err := tx.Layers().Find(t.Context(), c.f)
			var got []string
			for _, l := range layers {
				got = append(got, l.Name)
			}
			if !slices.Equal(got, c.want) || n != c.total {
				t.Errorf("%+v finds %q of %d, not %q of %d", c.f, got, n, c.want, c.total)
			}
			return err
		})
	}
}

func layerDelete(t *testing.T, s store.Store) {
	gone, stays := addLayer(t, s, "gone"), addLayer(t, s, "stays")
	r, other := addRevision(t, s, gone.ID), addRevision(t, s, stays.ID)
	p := &rasterbase.Parse{Layer: gone.ID}
	update(t, s, func(tx store.Tx) error {
		if err := tx.Revisions().PutSummaries(t.Context(), r.ID, []store.SummaryPage{page(0, 0, 0)}); err != nil {
			return err
		}
		if _, err := tx.Revisions().Publish(t.Context(), r.ID); err != nil {
			return err
		}
		if err := tx.Parses().Create(t.Context(), p); err != nil {
			return err
		}
		return tx.Parses().Log(t.Context(), p.ID, "line")
	})
	update(t, s, func(tx store.Tx) error { return tx.Layers().Delete(t.Context(), gone.ID) })
	for what, read := range map[string]func(store.Tx) error{
		"layer":    func(tx store.Tx) error { _, err := tx.Layers().Get(t.Context(), gone.ID); return err },
		"revision": func(tx store.Tx) error { _, err := tx.Revisions().Get(t.Context(), r.ID); return err },
		"parse":    func(tx store.Tx) error { _, err := tx.Parses().Get(t.Context(), p.ID); return err },
		"log":      func(tx store.Tx) error { _, err := tx.Parses().Lines(t.Context(), p.ID, 0); return err },
	} {
		t.Log(what)
		wantNotExist(t, s.Catalog().View(t.Context(), read))
	}
	wantNotExist(t, s.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Delete(t.Context(), gone.ID) }))
	wantEqual(t, "the revision of the other layer",
		get(t, s, func(tx store.Tx) (*rasterbase.Revision, error) { return tx.Revisions().Get(t.Context(), other.ID) }).ID, other.ID)

	// Ids are not given again, even the highest ones.
	update(t, s, func(tx store.Tx) error { return tx.Layers().Delete(t.Context(), stays.ID) })
	fresh := addLayer(t, s, "gone")
	if fresh.ID <= stays.ID {
		t.Errorf("the id %d is given again", fresh.ID)
	}
	wantEqual(t, "a free slug", fresh.Slug, "gone")
	if again := addRevision(t, s, fresh.ID); again.ID <= other.ID {
		t.Errorf("the revision %d is given again", again.ID)
	}
}

func findLayer(t *testing.T, s store.Store) {
	for _, l := range []rasterbase.Layer{
		{Name: "Alpha", Source: rasterbase.Source{Name: "a.tif"}},
		{Name: "B one", Source: rasterbase.Source{Name: "b.tif"}},
		{Name: "B two", Source: rasterbase.Source{Name: "b.tif.zip"}},
	} {
		update(t, s, func(tx store.Tx) error { return tx.Layers().Create(t.Context(), &l) })
	}
	find := func(ref string) (*rasterbase.Layer, error) {
		return tryGet(t, s, func(tx store.Tx) (*rasterbase.Layer, error) { return store.FindLayer(t.Context(), tx, ref) })
	}
	several := func(ref string) []string {
		t.Helper()
		found, err := tryGet(t, s, func(tx store.Tx) ([]*rasterbase.Layer, error) { return store.FindLayers(t.Context(), tx, ref) })
		must(t, err)
		names := []string{}
		for _, l := range found {
			names = append(names, l.Name)
		}
		return names
	}
	first, err := find("alpha")
	must(t, err)
	for _, ref := range []string{fmt.Sprint(first.ID), "a.tif", "a.tif.zip"} {
		l, err := find(ref)
		must(t, err)
		wantEqual(t, "the layer for "+ref, l.ID, first.ID)
		wantDeepEqual(t, "the layers for "+ref, several(ref), []string{"Alpha"})
	}
	wantDeepEqual(t, "the layers for a shared file name", several("b.tif.zip"), []string{"B one", "B two"})
	_, err = find("b.tif")
	wantCode(t, err, rasterbase.Conflict)
	if err == nil || !strings.Contains(err.Error(), "B one") || !strings.Contains(err.Error(), "B two") {
		t.Errorf("the error does not list the layers: %v", err)
	}
	for _, ref := range []string{"", "none", "99999", "99999999999999999999999", "Alpha", "-1"} {
		wantDeepEqual(t, "the layers for "+ref, several(ref), []string{})
		_, err = find(ref)
		wantNotExist(t, err)
		if err == nil || !strings.Contains(err.Error(), "rasterbase layers list") {
			t.Errorf("the error does not say what to do: %v", err)
		}
	}
}
