package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Generation tests what a catalog tells of its state.
func Generation(t *testing.T, open func(t *testing.T) store.Store) {
	suite(t, open, map[string]func(*testing.T, store.Store){
		"OwnChanges": ownChanges, "Unseen": unseenChanges, "Others": othersChanges, "Remembered": remembered,
		"RememberedByOthers": rememberedByOthers, "Closed": generationClosed,
	})
}

// othersSeen is after how long the changes of others are known, or known to be
// unknown.
const othersSeen = time.Second

// known waits until a catalog can tell its generation.
func known(t *testing.T, s store.Store) (g uint64) {
	t.Helper()
	eventually(t, "a generation", func() (ok bool) {
		g, ok = s.Catalog().Generation()
		return ok
	})
	return g
}

// change is one update and what it does.
type change struct {
	what string
	do   func(store.Tx) error
}

// seenChanges are changes of what tiles are drawn from, in an order that works.
func seenChanges(t *testing.T) []change {
	ctx := t.Context()
	l, formula := &rasterbase.Layer{Name: "x"}, &rasterbase.Layer{Name: "f"}
	revs := [3]*rasterbase.Revision{}
	lg := &rasterbase.Legend{Title: "t", Entries: []rasterbase.Entry{{Expression: "1", Semantics: rasterbase.Semantics{Name: "one"}}}}
	gone := &rasterbase.Legend{Title: "gone"}
	sem := &rasterbase.Semantics{Name: "two"}
	out := []change{{"a layer is made", func(tx store.Tx) error { return tx.Layers().Create(ctx, l) }}}
	for i := range revs {
		out = append(out, change{fmt.Sprintf("revision %d is published", i+1), func(tx store.Tx) error {
			revs[i] = &rasterbase.Revision{Layer: l.ID, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}}
			if err := tx.Revisions().Create(ctx, revs[i]); err != nil {
				return err
			}
			_, err := tx.Revisions().Publish(ctx, revs[i].ID)
			return err
		}})
	}
	return append(out,
		change{"a revision is deleted", func(tx store.Tx) error { return tx.Revisions().Delete(ctx, revs[0].ID) }},
		change{"the published revision is retired", func(tx store.Tx) error { return tx.Revisions().Retire(ctx, revs[2].ID) }},
		change{"a legend is made", func(tx store.Tx) error { return tx.Legends().Create(ctx, lg) }},
		change{"another legend is made", func(tx store.Tx) error { return tx.Legends().Create(ctx, gone) }},
		change{"a layer is hidden and has a legend", func(tx store.Tx) error {
			l.Visibility, l.Legend = rasterbase.Private, lg.ID
			return tx.Layers().Update(ctx, l)
		}},
		change{"an entry is changed", func(tx store.Tx) error {
			lg.Entries[0].Color = rasterbase.Color{R: 1, A: 255}
			return tx.Legends().Update(ctx, lg)
		}},
		change{"a legend is deleted", func(tx store.Tx) error { return tx.Legends().Delete(ctx, gone.ID) }},
		change{"a semantics is made", func(tx store.Tx) error { return tx.Semantics().Create(ctx, sem) }},
		change{"a semantics is changed", func(tx store.Tx) error {
			sem.Keyword = "k"
			return tx.Semantics().Update(ctx, sem)
		}},
		change{"a semantics is deleted", func(tx store.Tx) error { return tx.Semantics().Delete(ctx, sem.ID) }},
		change{"a colormap is kept", func(tx store.Tx) error {
			return tx.Colormaps().Put(ctx, &rasterbase.UserColormap{Owner: "ada", Name: "c", JSON: []byte(`{"1": "#ff0000"}`)})
		}},
		change{"a colormap is deleted", func(tx store.Tx) error { return tx.Colormaps().Delete(ctx, "ada", "c") }},
		change{"a formula is made", func(tx store.Tx) error {
			formula.Formula = &rasterbase.LayerFormula{Text: "a+b", Inputs: []rasterbase.FormulaInput{{Name: "a", Layer: l.ID}, {Name: "b", Layer: l.ID}}}
			return tx.Layers().Create(ctx, formula)
		}},
		change{"an input of a formula is another one", func(tx store.Tx) error {
			formula.Formula.Inputs[0].Band = 1
			return tx.Layers().Update(ctx, formula)
		}},
		change{"a formula is another one", func(tx store.Tx) error {
			formula.Formula.Text = "a-b"
			return tx.Layers().Update(ctx, formula)
		}},
		change{"a formula is deleted", func(tx store.Tx) error { return tx.Layers().Delete(ctx, formula.ID) }},
		change{"a layer is deleted", func(tx store.Tx) error { return tx.Layers().Delete(ctx, l.ID) }},
	)
}

// ownChanges: what was told before an update is told no more when it returns.
func ownChanges(t *testing.T, s store.Store) {
	all := map[uint64]bool{}
	for _, c := range seenChanges(t) {
		before := known(t, s)
		all[before] = true
		update(t, s, c.do)
		if now, ok := s.Catalog().Generation(); ok && all[now] {
			t.Errorf("%s: the generation %d is told again", c.what, now)
		}
		if now := known(t, s); all[now] {
			t.Errorf("%s: the generation %d is told again later", c.what, now)
		}
	}
}

// othersChanges: a second later another opening of the store tells another
// generation, or that it cannot tell.
func othersChanges(t *testing.T, s store.Store) {
	other := again(t, s)
	all := map[uint64]bool{}
	for _, c := range seenChanges(t) {
		all[known(t, other)] = true
		update(t, s, c.do)
		for end := time.Now().Add(othersSeen); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if now, ok := other.Catalog().Generation(); ok && !all[now] {
				break // early
			}
		}
		if now, ok := other.Catalog().Generation(); ok && all[now] {
			t.Errorf("%s: the generation %d is told by another one a second later", c.what, now)
		}
	}
}

// unseenChanges: what goes on while a layer is parsed, and what has nothing to do
// with layers, makes no other generation.
func unseenChanges(t *testing.T, s store.Store) {
	stores := []store.Store{s}
	if a, ok := s.(Again); ok {
		stores = append(stores, a.Again(t))
	}
	l := addLayer(t, s, "x")
	time.Sleep(othersSeen)
	generations := func() (out []uint64) {
		for _, s := range stores {
			out = append(out, known(t, s))
		}
		return out
	}
	// A store whose watch got no time for seconds begins anew, on a busy machine.
	for try := 1; ; try++ {
		before := generations()
		unseen(t, s, l.ID, try)
		time.Sleep(othersSeen)
		after := generations()
		if slices.Equal(before, after) {
			return
		}
		if try == 3 {
			t.Fatalf("the generations %v became %v", before, after)
		}
	}
}

// unseen does all that makes no other generation.
func unseen(t *testing.T, s store.Store, layer rasterbase.LayerID, try int) {
	ctx := t.Context()
	r := addRevision(t, s, layer)
	p := &rasterbase.Parse{Layer: layer, Revision: r.ID}
	user := &rasterbase.User{Name: fmt.Sprint("ada", try), Role: rasterbase.Viewer}
	export := &rasterbase.Export{Owner: "ada", Layers: []rasterbase.LayerID{layer}}
	token := &rasterbase.Token{Name: "t", Hash: fmt.Sprint("h", try)}
	for _, fn := range []func(store.Tx) error{
		func(tx store.Tx) error { return tx.Parses().Create(ctx, p) },
		func(tx store.Tx) error { p.Done = 3; return tx.Parses().Update(ctx, p) },
		func(tx store.Tx) error { return tx.Parses().Log(ctx, p.ID, "line") },
		func(tx store.Tx) error {
			_, err := tx.Parses().Chunks().Put(ctx, p.ID, store.Chunk{Number: 1})
			return err
		},
		func(tx store.Tx) error { r.BaseTiles = 7; return tx.Revisions().Update(ctx, r) },
		func(tx store.Tx) error {
			return tx.Revisions().PutSummaries(ctx, r.ID, []store.SummaryPage{{Kind: rasterbase.Base}})
		},
		func(tx store.Tx) error { return tx.Jobs().Enqueue(ctx, &store.Job{Kind: "k"}) },
		func(tx store.Tx) error { return tx.Uploads().Create(ctx, &rasterbase.Upload{ID: fmt.Sprint("u", try)}) },
		func(tx store.Tx) error { return tx.Exports().Create(ctx, export) },
		func(tx store.Tx) error { export.Done = 7; return tx.Exports().Update(ctx, export) },
		func(tx store.Tx) error { return tx.Exports().Delete(ctx, export.ID) },
		func(tx store.Tx) error { return tx.Users().Create(ctx, user) },
		func(tx store.Tx) error { token.User = user.ID; return tx.Tokens().Create(ctx, token) },
		func(tx store.Tx) error { token.Used = time.Now(); return tx.Tokens().Update(ctx, token) },
	} {
		update(t, s, fn)
	}
}

// reader remembers what it read, as long as the generation says that it may.
type reader struct {
	s    store.Store
	id   rasterbase.LayerID
	mu   sync.Mutex
	kept map[uint64]int // the oldest that was read in a generation
}

// read gives the layer's number, remembered or not.
func (r *reader) read(t *testing.T) int {
	g, ok := r.s.Catalog().Generation()
	if ok {
		r.mu.Lock()
		n, ok := r.kept[g]
		r.mu.Unlock()
		if ok {
			return n
		}
	}
	var n int
	err := r.s.Catalog().View(t.Context(), func(tx store.Tx) error {
		l, err := tx.Layers().Get(t.Context(), r.id)
		if err == nil {
			_, err = fmt.Sscan(l.Description, &n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		if old, there := r.kept[g]; !there || n < old {
			r.kept[g] = n
		}
	}
	return n
}

// counted changes a layer's number again and again, through one opening of the
// store, and checks beside it what others read through another one: all that was
// kept so long ago. Changes come in bursts and single ones.
func counted(t *testing.T, by, through store.Store, ago time.Duration) {
	ctx := t.Context()
	l := &rasterbase.Layer{Name: "x", Description: "0"}
	update(t, by, func(tx store.Tx) error { return tx.Layers().Create(ctx, l) })
	known(t, through)
	r := &reader{s: through, id: l.ID, kept: map[uint64]int{}}
	var mu sync.Mutex
	kept := []time.Time{time.Now()} // when number i was
	ended := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				began := time.Now()
				want := -1
				mu.Lock()
				for want+1 < len(kept) && !kept[want+1].After(began.Add(-ago)) {
					want++
				}
				mu.Unlock()
				if got := r.read(t); got < want {
					t.Errorf("number %d is read, and %d was kept %v ago", got, want, ago)
					return
				}
			}
		})
	}
	for i := 1; i <= 30; i++ {
		l.Description = fmt.Sprint(i)
		update(t, by, func(tx store.Tx) error { return tx.Layers().Update(ctx, l) })
		mu.Lock()
		kept = append(kept, time.Now())
		mu.Unlock()
		if i%10 == 0 {
			time.Sleep(ago + 200*time.Millisecond)
		} else if i%3 == 0 {
			time.Sleep(7 * time.Millisecond)
		}
	}
	close(ended)
	readers.Wait()
	if len(r.kept) < 3 {
		t.Errorf("only %d generations were seen", len(r.kept))
	}
}

// remembered: who remembers by the generation reads nothing that is older than
// an update which returned before.
func remembered(t *testing.T, s store.Store) { counted(t, s, s, 0) }

// rememberedByOthers: nor, through another opening, what is older than a second.
func rememberedByOthers(t *testing.T, s store.Store) { counted(t, s, again(t, s), othersSeen) }

func generationClosed(t *testing.T, s store.Store) {
	other := again(t, s)
	known(t, other)
	must(t, other.Close())
	if g, ok := other.Catalog().Generation(); ok {
		t.Errorf("a closed store tells the generation %d", g)
	}
}
