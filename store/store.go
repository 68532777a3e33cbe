// Package store holds the contracts of storage: [Tiles], [Catalog], [Sources]
// and [Queue]. Adapters (sqlite and others) implement them, storetest is the
// suite that each of them passes, and a [Store] bundles the four.
package store

import (
	"errors"

	"github.com/rasterbase/rasterbase"
)

// Store is a catalog with the tiles, sources and queue that belong to it.
type Store interface {
	Catalog() Catalog
	Tiles() Tiles
	Sources() Sources
	Queue() Queue
	Close() error
}

// ErrNotExist is matched by the error for a thing that is not in the store.
var ErrNotExist = errors.New("does not exist")

// ErrRevisionGone is matched by the error of reading or writing a revision that
// was dropped. Readers look up the layer's published revision and try again.
var ErrRevisionGone = errors.New("the revision is gone")

// ErrLeaseLost is matched by the error of a job's worker that was thought dead:
// its job belongs to another one, and what it writes is refused.
var ErrLeaseLost = errors.New("the job was taken over by another worker")

// ErrCancelled is the cause of a job's context that was cancelled on request.
var ErrCancelled = errors.New("cancelled")

// NotFound makes the error for a missing thing: it matches [ErrNotExist] and
// has code [rasterbase.NotFound].
func NotFound(format string, args ...any) error {
	e := rasterbase.Errorf(rasterbase.NotFound, format, args...)
	if e.Err == nil {
		e.Err = ErrNotExist
		return e
	}
	e.Err = errors.Join(e.Err, ErrNotExist)
	return e
}
