package sqlite_test

import (
	"testing"

	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/storetest"
)

// folder is a store that can be opened again, as another process would.
type folder struct {
	*sqlite.DB
	dir string
	o   sqlite.Options
}

func (f folder) Again(t *testing.T) store.Store { return openFolder(t, f.dir, f.o) }

func openFolder(t *testing.T, dir string, o sqlite.Options) folder {
	t.Helper()
	db, err := sqlite.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return folder{db, dir, o}
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openFolder(t, t.TempDir(), sqlite.Options{}) })
}

// Few open files: every suite of tiles also passes when files are closed and
// opened all the time.
func TestTilesWithFewOpenFiles(t *testing.T) {
	storetest.Tiles(t, func(t *testing.T) store.Store {
		return openFolder(t, t.TempDir(), sqlite.Options{OpenTileFiles: 1})
	})
}
