package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// asked counts what is asked about semantics.
type asked struct {
	store.Store
	n *atomic.Int32
}

func (a asked) Catalog() store.Catalog { return askedCatalog{a.Store.Catalog(), a.n} }

type askedCatalog struct {
	store.Catalog
	n *atomic.Int32
}

func (c askedCatalog) Update(ctx context.Context, fn func(store.Tx) error) error {
	return c.Catalog.Update(ctx, func(tx store.Tx) error { return fn(askedTx{tx, c.n}) })
}

type askedTx struct {
	store.Tx
	n *atomic.Int32
}

func (x askedTx) Semantics() store.Semantics {
	x.n.Add(1)
	return x.Tx.Semantics()
}

// However many entries name a semantics, the writing transaction asks once.
func TestSemanticsOfALegendAreReadAtOnce(t *testing.T) {
	st := newStore(t)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		for i := range 50 {
			if err := tx.Semantics().Create(ctx, &rasterbase.Semantics{Name: fmt.Sprint("Meaning ", i)}); err != nil {
				return err
			}
		}
		return nil
	})
	n := new(atomic.Int32)
	s := newServer(t, server.Config{Store: asked{st, n}, Auth: everybody{}})
	t.Cleanup(s.Close)
	var entries []string
	for i := range 100 {
		entries = append(entries, fmt.Sprintf(`{"semantics_id":%d,"expression":%d,"color":"red"}`, i%50+1, i))
	}
	made := read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends", `{"title":"Many","entries":[`+strings.Join(entries, ",")+`]}`), 201)
	if len(made.Entries) != 100 || made.Entries[7].Name != "Meaning 7" || n.Load() != 1 {
		t.Errorf("%d entries, and semantics were asked for %d times", len(made.Entries), n.Load())
	}
	p := wantProblem(t, call(t, s, editing, "POST", "/api/v1/legends", `{"title":"None","entries":[{"semantics_id":99,"expression":1,"color":"red"}]}`), 400)
	if p.Parameter != "entries[0].semantics_id" {
		t.Errorf("%+v", p)
	}
}

// Which names are the same is for the catalog to say, also for the limit.
func TestTheLimitOfColormapsCountsNamesAsTheCatalogDoes(t *testing.T) {
	st := newStore(t)
	s := newAPI(t, st, nil, server.Config{})
	put := func(name string) int {
		return call(t, s, "viewer", "PUT", "/api/v1/me/colormaps/"+name, `{"1":"red"}`).Code
	}
	var owner string
	for i := range 199 {
		wantStatus(t, call(t, s, "viewer", "PUT", fmt.Sprintf("/api/v1/me/colormaps/%d", i), `{"1":"red"}`), 201)
	}
	if got := put("%C4%B0"); got != 201 { // İ
		t.Fatalf("the last one is answered %d", got)
	}
	for _, name := range []string{"%C4%B0", "i", "I", "%C4%B1", "other"} { // ı
		before := colormapsOf(t, st, &owner)
		got := put(name)
		after := colormapsOf(t, st, &owner)
		if same := got == 200; before != 200 || after != 200 || !same && got != 409 {
			t.Errorf("%s: %d, of %d there are %d", name, got, before, after)
		}
		known := false
		update(t, st, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Colormaps().Get(ctx, owner, map[string]string{"%C4%B0": "İ", "%C4%B1": "ı"}[name]+map[bool]string{true: name}[!strings.Contains(name, "%")])
			known = err == nil
			return nil
		})
		if known != (got == 200) {
			t.Errorf("%s is answered %d, and the catalog has it: %v", name, got, known)
		}
	}
}

func colormapsOf(t *testing.T, st store.Store, owner *string) (n int) {
	t.Helper()
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Colormaps().List(ctx, "")
		if n = len(all); n > 0 {
			*owner = all[0].Owner
		}
		return err
	})
	return n
}
