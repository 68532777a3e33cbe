package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Catalog tests the contract of store.Catalog, but for its jobs.
func Catalog(t *testing.T, open func(t *testing.T) store.Store) {
	suite(t, open, map[string]func(*testing.T, store.Store){
		"AllOrNothing": catalogAtomic, "ViewSeesOneState": catalogOneState, "ViewCannotWrite": catalogViewWrites,
		"Cancelled": catalogCancelled, "Panic": catalogPanic, "ManyWriters": catalogManyWriters,
		"LayerRoundTrip": layerRoundTrip, "Slugs": layerSlugs, "LayerUpdate": layerUpdate, "Find": layerFind,
		"LayerDelete": layerDelete, "FindLayer": findLayer,
		"RevisionRoundTrip": revisionRoundTrip, "Publish": revisionPublish, "RevisionStates": revisionStates,
		"RevisionsMissing": revisionsMissing, "CustomSRID": customSRID,
		"Summaries": summaries, "SummaryBoxes": summaryBoxes, "SummariesGone": summariesGone,
		"Parses": parsesRoundTrip, "ParseLog": parseLog, "Chunks": parseChunks,
		"Legends": legendRoundTrip, "Titles": legendTitles, "SharedSemantics": legendSemantics,
		"LegendDelete": legendDelete, "FindLegend": findLegend, "LegendTimes": legendTimes, "LegendsSeen": legendsSeen,
		"SharedEntries": sharedEntries, "EntriesGone": entriesGone, "GivenEntries": givenEntries, "AlikeEntries": alikeEntries,
		"ManyEntries": manyEntries, "ManyChanges": manyChanges, "EntriesTakenBack": entriesTakenBack, "EntriesTogether": entriesTogether, "Gradients": gradients,
		"SemanticsRoundTrip": semanticsRoundTrip, "SemanticsNames": semanticsNames, "SemanticsInUse": semanticsInUse,
		"SemanticsOfOneLegend": semanticsOfOneLegend, "SemanticsTogether": semanticsTogether, "StrangeLegends": strangeLegends,
		"ColormapRoundTrip": colormapRoundTrip, "ColormapOwners": colormapOwners, "ColormapsOfUsers": colormapsOfUsers, "SameColormaps": sameColormaps,
		"GivenIDs": givenIDs, "IDsTaken": idsTaken, "GivenTimes": givenTimes, "TakenBack": takenBack,
		"GivenSRIDs": givenSRIDs, "GivenLines": givenLines, "StrangeTexts": strangeTexts,
		"SameNames": sameNames, "SameKeys": sameKeys, "PublishTogether": publishTogether,
		"UserRoundTrip": userRoundTrip, "UsersMissing": usersMissing, "UserNames": userNames, "SameUsers": sameUsers,
		"TokenRoundTrip": tokenRoundTrip, "TokensMissing": tokensMissing, "TokensOfUsers": tokensOfUsers,
		"UserPassword": userPassword, "SessionRoundTrip": sessionRoundTrip, "SessionsExpired": sessionsExpired,
		"FormulaRoundTrip": formulaRoundTrip, "FormulaRefused": formulaRefused, "FormulaDepth": formulaDepth, "FormulaReadBy": formulaReadBy,
		"FormulaDelete": formulaDelete, "FormulaFind": formulaFind, "FormulaTogether": formulaTogether,
		"ExportRoundTrip": exportRoundTrip, "ExportList": exportList, "ExportsMissing": exportsMissing,
		"UploadRoundTrip": uploadRoundTrip, "UploadList": uploadList, "UploadsMissing": uploadsMissing,
		"GivenAccounts": givenAccounts, "AccountsTakenBack": accountsTakenBack, "AccountsViewed": accountsViewed,
		"StrangeNames": strangeNames,
	})
}

func catalogAtomic(t *testing.T, s store.Store) {
	failed := errors.New("no")
	kept := addLayer(t, s, "kept")
	err := s.Catalog().Update(t.Context(), func(tx store.Tx) error {
		l := &rasterbase.Layer{Name: "lost"}
		if err := tx.Layers().Create(t.Context(), l); err != nil {
			return err
		}
		if _, err := tx.Layers().Get(t.Context(), l.ID); err != nil {
			t.Errorf("a transaction does not see what it wrote: %v", err)
		}
		if err := tx.Layers().Delete(t.Context(), kept.ID); err != nil {
			return err
		}
		if err := tx.Legends().Create(t.Context(), &rasterbase.Legend{Title: "lost"}); err != nil {
			return err
		}
		if err := tx.Jobs().Enqueue(t.Context(), &store.Job{Kind: "k"}); err != nil {
			return err
		}
		return failed
	})
	wantIs(t, err, failed)
	view(t, s, func(tx store.Tx) error {
		layers, n, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
		must(t, err)
		if n != 1 || layers[0].ID != kept.ID {
			t.Errorf("%d layers after a failed transaction", n)
		}
		legends, err := tx.Legends().List(t.Context())
		must(t, err)
		jobs, err := tx.Jobs().List(t.Context(), nil, 0)
		must(t, err)
		if len(legends)+len(jobs) != 0 {
			t.Errorf("%d legends and %d jobs outlived their transaction", len(legends), len(jobs))
		}
		return nil
	})
}

func catalogOneState(t *testing.T, s store.Store) {
	addLayer(t, s, "one")
	count := func(tx store.Tx) int {
		_, n, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
		must(t, err)
		return n
	}
	view(t, s, func(tx store.Tx) error {
		before := count(tx)
		addLayer(t, s, "two") // a writer does not wait for readers
		wantEqual(t, "number of layers in one view", count(tx), before)
		return nil
	})
	view(t, s, func(tx store.Tx) error { wantEqual(t, "number of layers", count(tx), 2); return nil })
}

func catalogViewWrites(t *testing.T, s store.Store) {
	l := addLayer(t, s, "x")
	ctx := t.Context()
	for name, write := range map[string]func(store.Tx) error{
		"create a layer": func(tx store.Tx) error { return tx.Layers().Create(ctx, &rasterbase.Layer{Name: "y"}) },
		"update a layer": func(tx store.Tx) error { return tx.Layers().Update(ctx, l) },
		"delete a layer": func(tx store.Tx) error { return tx.Layers().Delete(ctx, l.ID) },
		"revision":       func(tx store.Tx) error { return tx.Revisions().Create(ctx, &rasterbase.Revision{Layer: l.ID}) },
		"parse":          func(tx store.Tx) error { return tx.Parses().Create(ctx, &rasterbase.Parse{Layer: l.ID}) },
		"legend":         func(tx store.Tx) error { return tx.Legends().Create(ctx, &rasterbase.Legend{Title: "t"}) },
		"job":            func(tx store.Tx) error { return tx.Jobs().Enqueue(ctx, &store.Job{Kind: "k"}) },
	} {
		if err := s.Catalog().View(ctx, write); err == nil {
			t.Errorf("%s: a view can write", name)
		}
	}
	view(t, s, func(tx store.Tx) error {
		_, n, err := tx.Layers().Find(ctx, store.LayerFilter{})
		wantEqual(t, "number of layers", n, 1)
		return err
	})
}

func catalogCancelled(t *testing.T, s store.Store) {
	for name, run := range map[string]func(context.Context, func(store.Tx) error) error{"View": s.Catalog().View, "Update": s.Catalog().Update} {
		err := run(cancelledContext(t), func(store.Tx) error {
			t.Errorf("%s ran with a context that is done", name)
			return nil
		})
		wantIs(t, err, context.Canceled)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := s.Catalog().Update(ctx, func(tx store.Tx) error {
		if err := tx.Layers().Create(ctx, &rasterbase.Layer{Name: "half"}); err != nil {
			return err
		}
		cancel()
		return tx.Layers().Create(ctx, &rasterbase.Layer{Name: "whole"})
	})
	wantIs(t, err, context.Canceled)
	view(t, s, func(tx store.Tx) error {
		_, n, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
		wantEqual(t, "number of layers", n, 0)
		return err
	})
}

func catalogPanic(t *testing.T, s store.Store) {
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		update(t, s, func(tx store.Tx) error {
			must(t, tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: "lost"}))
			panic("a bug")
		})
	}()
	l := addLayer(t, s, "after") // the store still works
	view(t, s, func(tx store.Tx) error {
		layers, n, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
		if n != 1 || layers[0].ID != l.ID {
			t.Errorf("%d layers", n)
		}
		return err
	})
}

// catalogManyWriters counts in a layer from many goroutines, and processes.
func catalogManyWriters(t *testing.T, s store.Store) {
	stores := []store.Store{s, s, s}
	if a, ok := s.(Again); ok {
		stores = append(stores, a.Again(t), a.Again(t))
	}
	const each = 10
	l := addLayer(t, s, "counter")
	var wg sync.WaitGroup
	for _, s := range stores {
		wg.Go(func() {
			for range each {
				err := s.Catalog().Update(t.Context(), func(tx store.Tx) error {
					l, err := tx.Layers().Get(t.Context(), l.ID)
					if err != nil {
						return err
					}
					l.Source.Size++
					return tx.Layers().Update(t.Context(), l)
				})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	view(t, s, func(tx store.Tx) error {
		l, err := tx.Layers().Get(t.Context(), l.ID)
		must(t, err)
		wantEqual(t, "the counter", l.Source.Size, int64(each*len(stores)))
		return nil
	})
}

// get reads one thing in a view.
func get[T any](t *testing.T, s store.Store, read func(store.Tx) (T, error)) T {
	t.Helper()
	v, err := tryGet(t, s, read)
	must(t, err)
	return v
}

func tryGet[T any](t *testing.T, s store.Store, read func(store.Tx) (T, error)) (v T, err error) {
	t.Helper()
	err = s.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
		v, err = read(tx)
		return err
	})
	return v, err
}

// wantDeepEqual compares by the printed form with types, in which NaN equals
// itself.
func wantDeepEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", want); g != w {
		t.Errorf("%s is\n%s\nnot\n%s", what, g, w)
	}
}
