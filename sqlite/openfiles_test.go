package sqlite

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Who is second to want a file for himself is told so at once: while he waited,
// the first would wait for him. He never takes the other's failure for success.
func TestExclusiveForOne(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	key := newRevision(t, db)
	o := db.tiles.open
	acquire := func() *tileFile {
		t.Helper()
		f, err := o.acquire(t.Context(), key, db.tiles.path(key))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, second := acquire(), acquire()
	if first != second {
		t.Fatal("the file is open twice")
	}
	failed, entered, goOn, ended := errors.New("no"), make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- o.exclusive(t.Context(), first, func() error {
			close(entered)
			<-goOn
			return failed
		})
	}()
	isTaken := func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.taken[key]
	}
	for !isTaken() {
		time.Sleep(time.Millisecond)
	}
	if err := o.exclusive(t.Context(), second, func() error { return nil }); !errors.Is(err, errTaken) {
		t.Errorf("while another waits for the file: %v", err)
	}
	if err := o.release(second); err != nil {
		t.Fatal(err)
	}
	<-entered
	anew := make(chan *tileFile, 1)
	go func() {
		f, err := o.acquire(t.Context(), key, db.tiles.path(key))
		if err != nil {
			t.Error(err)
		}
		anew <- f
	}()
	close(goOn)
	if err := <-ended; !errors.Is(err, failed) {
		t.Errorf("the first got %v", err)
	}
	third := <-anew
	if third == nil || third == first || third.sealed {
		t.Fatalf("after the failure the file is %+v", third)
	}
	if err := o.exclusive(t.Context(), third, func() error { return nil }); err != nil {
		t.Errorf("after the failure: %v", err)
	}
	if err := errors.Join(o.release(first), o.release(third)); err != nil {
		t.Error(err)
	}
}

// Of seals at once some are given up; each that returns without an error has
// sealed the revision, whoever did the work.
func TestSealTogether(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	for range 20 {
		key := newRevision(t, db)
		tile := []store.Tile{{TileKey: store.TileKey{RevisionKey: key}, Raster: landCover(1, 64, 5)}}
		if err := db.Tiles().Put(t.Context(), tile); err != nil {
			t.Fatal(err)
		}
		held, err := db.tiles.open.acquire(t.Context(), key, db.tiles.path(key)) // nobody gets it for himself
		if err != nil {
			t.Fatal(err)
		}
		given, giveUp := context.WithCancel(t.Context())
		var all, those sync.WaitGroup
		for i := range 6 {
			if i%2 == 0 {
				those.Go(func() {
					if err := db.Tiles().Seal(given, key); !errors.Is(err, context.Canceled) {
						t.Errorf("a seal that was given up: %v", err)
					}
				})
				continue
			}
			all.Go(func() {
				if err := db.Tiles().Seal(t.Context(), key); err != nil {
					t.Errorf("a seal: %v", err)
				}
				if err := db.Tiles().Put(t.Context(), tile); rasterbase.CodeOf(err) != rasterbase.Conflict {
					t.Errorf("put after a seal: %v", err)
				}
			})
		}
		giveUp()
		those.Wait()
		if err := db.tiles.open.release(held); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
}
