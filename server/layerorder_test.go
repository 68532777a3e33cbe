package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// Layers are listed by what the columns of a table show, in both directions.
func TestLayersInAnOrder(t *testing.T) {
	st := newStore(t)
	s := newServer(t, server.Config{Store: st})
	var ids []rasterbase.LayerID
	for i, l := range []rasterbase.Layer{{Name: "b"}, {Name: "C"}, {Name: "a"}, {Name: "B"}} {
		l.Visibility = rasterbase.Public
		l.Source = rasterbase.Source{Name: "x.tif", Size: []int64{5, 7, 5, 1}[i]}
		err := st.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Create(t.Context(), &l) })
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, l.ID)
	}
	for id, status := range map[rasterbase.LayerID]rasterbase.Status{ids[0]: rasterbase.Queued, ids[2]: rasterbase.Failed} {
		addParse(t, st, id, status)
	}
	publish := func(id rasterbase.LayerID) {
		err := st.Catalog().Update(t.Context(), func(tx store.Tx) error {
			r := &rasterbase.Revision{Layer: id, TileSize: 256, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}}
			if err := tx.Revisions().Create(t.Context(), r); err != nil {
				return err
			}
			_, err := tx.Revisions().Publish(t.Context(), r.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond) // another moment for the next
	}
	publish(ids[3])
	publish(ids[1])
	for sort, want := range map[string]string{
		"": "b C a B", "id": "b C a B", "-id": "B a C b", "name": "a b B C", "-name": "C B b a", "size": "B b a C",
		"-size": "C a b B", "status": "a b C B", "created": "b C a B", "-updated": "B a C b", "parsed": "b a B C", "-parsed": "C B a b",
	} {
		var names []string
		for _, l := range decode[struct{ Items []struct{ Name string } }](t, get(t, s, "/api/v1/layers?sort="+sort)).Items {
			names = append(names, l.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("sorted by %q they are %s, want %s", sort, got, want)
		}
	}
	wantProblem(t, get(t, s, "/api/v1/layers?sort=colour"), 400)
}
