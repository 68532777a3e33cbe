package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// together runs fn several times at once, on each of several openings of the
// store.
func together(t *testing.T, s store.Store, fn func(s store.Store, n int)) {
	t.Helper()
	stores := []store.Store{s}
	if a, ok := s.(Again); ok {
		stores = append(stores, a.Again(t))
	}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() { fn(stores[i%len(stores)], i) })
	}
	wg.Wait()
}

// sameNames: those who store the same name at once come one after the other.
func sameNames(t *testing.T, s store.Store) {
	ctx := t.Context()
	var titles atomic.Int32
	together(t, s, func(s store.Store, n int) {
		err := s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Create(ctx, &rasterbase.Layer{Name: "same"}) })
		if err != nil {
			t.Errorf("a layer: %v", err)
		}
		entries := []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "water"}}, {Semantics: rasterbase.Semantics{Name: "ice"}}}
		err = s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Legends().Create(ctx, &rasterbase.Legend{Title: fmt.Sprint("legend ", n), Entries: entries})
		})
		if err != nil {
			t.Errorf("a legend: %v", err)
		}
		err = s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Legends().Create(ctx, &rasterbase.Legend{Title: "same"}) })
		if err == nil {
			titles.Add(1)
		} else {
			wantCode(t, err, rasterbase.Conflict)
		}
	})
	wantEqual(t, "legends with the same title", titles.Load(), 1)
	view(t, s, func(tx store.Tx) error {
		layers, n, err := tx.Layers().Find(ctx, store.LayerFilter{})
		must(t, err)
		var slugs []string
		for _, l := range layers {
			slugs = append(slugs, l.Slug)
		}
		slices.Sort(slugs)
		if n != 6 || !slices.Equal(slugs, []string{"same", "same-2", "same-3", "same-4", "same-5", "same-6"}) {
			t.Errorf("the slugs are %q", slugs)
		}
		legends, err := tx.Legends().List(ctx)
		must(t, err)
		ids := map[rasterbase.SemanticsID]bool{}
		for _, l := range legends {
			for _, e := range l.Entries {
				ids[e.Semantics.ID] = true
			}
		}
		wantEqual(t, "number of semantics", len(ids), 2)
		return nil
	})
}

// sameKeys: those who enqueue a job with the same key at once get the same one,
// and a new CRS has one srid.
func sameKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	jobs, srids := make([]store.JobID, 6), make([]int, 6)
	together(t, s, func(s store.Store, n int) {
		err := s.Catalog().Update(ctx, func(tx store.Tx) (err error) {
			j := store.Job{Kind: "k", UniqueKey: "u"}
			if err := tx.Jobs().Enqueue(ctx, &j); err != nil {
				return err
			}
			jobs[n] = j.ID
			srids[n], err = tx.Revisions().CustomSRID(ctx, rasterbase.CRS{WKT: `LOCAL_CS["same"]`})
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	for n := range jobs {
		wantEqual(t, "the job", jobs[n], jobs[0])
		wantEqual(t, "the srid", srids[n], rasterbase.FirstCustomSRID)
	}
}

// publishTogether: of revisions that are published at once one is seen.
func publishTogether(t *testing.T, s store.Store) {
	ctx := t.Context()
	l := addLayer(t, s, "x")
	before := make([]rasterbase.RevisionID, 6)
	together(t, s, func(s store.Store, n int) {
		err := s.Catalog().Update(ctx, func(tx store.Tx) error {
			r := &rasterbase.Revision{Layer: l.ID}
			if err := tx.Revisions().Create(ctx, r); err != nil {
				return err
			}
			b, err := tx.Revisions().Publish(ctx, r.ID)
			before[n] = b
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	slices.Sort(before)
	if len(slices.Compact(before)) != 6 || before[0] != 0 {
		t.Errorf("the revisions before are %v", before)
	}
	published := layer(t, s, l.ID).Published
	for _, r := range get(t, s, func(tx store.Tx) ([]*rasterbase.Revision, error) { return tx.Revisions().List(ctx, l.ID) }) {
		want := rasterbase.Retired
		if r.ID == published {
			want = rasterbase.Published
		}
		wantEqual(t, fmt.Sprintf("the state of revision %d", r.ID), r.State, want)
	}
}
