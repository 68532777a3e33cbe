package admin_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// The list is sorted by its columns, and back again.
func TestTheListIsSorted(t *testing.T) {
	s := newSite(t)
	s.addUser("anna", rasterbase.Viewer)
	for name, size := range map[string]int64{"beta": 10, "Alpha": 30, "gamma": 20} {
		s.addLayer(rasterbase.Layer{Name: name, Visibility: rasterbase.Public, Source: rasterbase.Source{Name: name + ".tif", Size: size}})
	}
	v := s.visit("anna")
	for _, c := range []struct{ query, order, says string }{
		{"sort=name", "Alpha beta gamma", `aria-sort="ascending"><a href="./layers?sort=-name">`},
		{"sort=-name", "gamma beta Alpha", `aria-sort="descending"><a href="./layers?sort=name">`},
		{"sort=-size&search=a", "Alpha gamma beta", `<a href="./layers?search=a&amp;sort=size">`},
		{"sort=size", "beta gamma Alpha", `<a href="./layers?sort=name">`},
	} {
		p := v.get("layers?" + c.query)
		at := -1
		for name := range strings.FieldsSeq(c.order) {
			next := strings.Index(p.html, "<bdi>"+name+"</bdi>")
			if next < at || next < 0 {
				t.Errorf("%s: the order is not %s", c.query, c.order)
			}
			at = next
		}
		if !strings.Contains(p.html, c.says) {
			t.Errorf("%s: the headings lack %s", c.query, c.says)
		}
	}
	v.get("layers?sort=colour").want(t, 400, "not sorted by")
}

// Layers whose tiles were made with other settings are marked, and parsed again at a click.
func TestOutdatedLayers(t *testing.T) {
	content := vegetation(t)
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	v.send("layers", "old.tif", content, url.Values{})
	v.parsed("layers/1")
	v.send("layers", "new.tif", content, url.Values{})
	v.parsed("layers/2")
	v.get("layers?outdated=true").want(t, 200, "No layer is like that")
	err := s.st.Catalog().Update(t.Context(), func(tx store.Tx) error {
		l, err := tx.Layers().Get(t.Context(), 1)
		if err != nil {
			return err
		}
		l.Settings.TileSize = 128
		return tx.Layers().Update(t.Context(), l)
	})
	if err != nil {
		t.Fatal(err)
	}
	p := v.get("layers?outdated=true")
	if p.want(t, 200, "old.tif", "outdated", "Parse all outdated again", "1–1 of 1", "19.6 KiB"); strings.Contains(p.text(), "new.tif") {
		t.Error("a layer that is as it should be is outdated")
	}
	v.get("layers/1").want(t, 200, "parse it again")
	v.post("layers/selection", url.Values{"outdated": {"yes"}}).want(t, 200, "old.tif")
	v.parsed("layers/1").want(t, 200, "128 pixels a side")
	v.get("layers?outdated=true").want(t, 200, "No layer is like that")
}
