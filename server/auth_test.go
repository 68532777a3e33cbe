package server_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// viewed counts the transactions that are open.
type viewed struct {
	store.Store
	open *atomic.Int32
}

func (v viewed) Catalog() store.Catalog { return viewedCatalog{v.Store.Catalog(), v.open} }

type viewedCatalog struct {
	store.Catalog
	open *atomic.Int32
}

func (c viewedCatalog) View(ctx context.Context, fn func(store.Tx) error) error {
	return c.Catalog.View(ctx, func(tx store.Tx) error {
		c.open.Add(1)
		defer c.open.Add(-1)
		return fn(tx)
	})
}

// asking is an Auth that notes whether a transaction is open when it is asked.
type asking struct {
	keyAuth
	t    *testing.T
	open *atomic.Int32
}

func (a asking) Principal(r *http.Request) (rasterbase.Principal, error) {
	a.check()
	return a.keyAuth.Principal(r)
}

func (a asking) May(ctx context.Context, p rasterbase.Principal, what rasterbase.Action, l *rasterbase.Layer) error {
	a.check()
	return a.keyAuth.May(ctx, p, what, l)
}

func (a asking) check() {
	if a.open.Load() != 0 {
		a.t.Error("Auth is asked within a transaction")
	}
}

// A host's Auth may ask the database that the layers are in. If it were asked
// while a connection is held, some requests at once would wait for one another.
func TestAuthIsAskedOutsideTransactions(t *testing.T) {
	st := newStore(t)
	secret(t, st)
	add(t, st, stripes("Open", nil))
	open := new(atomic.Int32)
	s := newServer(t, server.Config{Store: viewed{st, open}, Auth: asking{t: t, open: open}})
	for _, ref := range []string{"secret", "open", "secret.tif", "1", "nothing"} {
		for _, path := range append(routesTo(ref), "/layers", "/") {
			for _, key := range []string{"", "key"} {
				get(t, s, path, "Authorization", key)
			}
		}
	}
}
