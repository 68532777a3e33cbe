package server

import (
	"net/http"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/store"
)

// memoryBytes bounds what is remembered of the catalog, roughly.
const memoryBytes = 16 << 20

// memory keeps what was read of the catalog for tiles, as long as the catalog says
// that it is still so. Any number of goroutines may use it.
type memory struct {
	generation func() (uint64, bool)
	kept       *lru[string, *remembered]
}

// remembered is what was read for a name. It is shared, and never changed.
type remembered struct {
	generation uint64
	layers     []*rasterbase.Layer // that the name can mean
	of         *rasterbase.Layer   // the one of them that value was read of
	value      any
}

// newMemory makes a memory of a catalog; off: nothing is remembered.
func newMemory(c store.Catalog, off bool) *memory {
	if off {
		return &memory{generation: func() (uint64, bool) { return 0, false }, kept: newLRU[string](0, rememberedCost)}
	}
	return &memory{generation: c.Generation, kept: newLRU[string](memoryBytes, rememberedCost)}
}

// get gives what is remembered under a key of the generation that is now.
func (m *memory) get(key string, now uint64) *remembered {
	kept, ok := m.kept.get(key)
	if !ok || kept.generation != now {
		return nil
	}
	return kept
}

// rememberedCost is the memory that it takes, roughly.
func rememberedCost(key string, m *remembered) int64 {
	bytes := 500 + len(key)
	for _, l := range m.layers {
		bytes += 1000 + len(l.Description) + len(l.Attribution) + len(l.License)
	}
	if lg, ok := m.value.(*rasterbase.Legend); ok && lg != nil {
		bytes += 500
		for _, e := range lg.Entries {
			bytes += 200 + len(e.Expression) + len(e.Semantics.Name) + len(e.Semantics.Description)
		}
		if lg.Gradient != nil {
			bytes += 100 * len(lg.Gradient.Stops)
		}
	}
	return int64(bytes)
}

// lookup is what requests ask of a layer again and again.
type lookup struct {
	layer string // its id, slug or source file name
	// what names what is read of the layer, and all that this depends on beside it.
	what  string
	again bool // nothing that is remembered counts
}

func (q lookup) key() string { return q.layer + "\x00" + q.what }

// recall is find with a memory: what was read for an earlier request is used while
// nothing has changed in the catalog that tiles are drawn from. What it gives is
// shared with other requests and must not be changed; it is the same pointer as
// long as it is remembered. Auth is asked each time.
func recall[T any](s *Server, r *http.Request, q lookup, wanted func(store.Tx, *rasterbase.Layer) (T, error)) (*rasterbase.Layer, T, error) {
	var value T
	who, err := s.principal(r)
	if err != nil {
		return nil, value, err
	}
	// It is asked before anything is read: a change that is made meanwhile makes
	// another generation.
	now, known := s.memory.generation()
	if known && !q.again {
		if kept := s.memory.get(q.key(), now); kept != nil {
			l, err := s.choose(r.Context(), who, q.layer, kept.layers)
			if err != nil {
				return nil, value, err
			}
			if old, ok := kept.value.(T); ok && l == kept.of {
				return l, old, nil
			}
		}
	}
	l, all, err := s.read(r, who, q.layer, func(tx store.Tx, l *rasterbase.Layer) (err error) {
		value, err = wanted(tx, l)
		return err
	})
	if err != nil {
		var none T
		return nil, none, err
	}
	if known && slices.Contains(all, l) {
		s.memory.kept.put(q.key(), &remembered{generation: now, layers: all, of: l, value: value})
	}
	return l, value, nil
}

// look finds a layer that has tiles, and the legend of this id or title, or with
// an empty legendRef the layer's own, which is nil when it has none. Both may be
// remembered, as [recall] says; again: nothing that is remembered counts, as after
// the tiles of a revision were found to be gone.
func (s *Server) look(r *http.Request, ref, legendRef string, again bool) (*rasterbase.Layer, *rasterbase.Legend, error) {
	return recall(s, r, lookup{layer: ref, what: "legend " + legendRef, again: again}, func(tx store.Tx, l *rasterbase.Layer) (*rasterbase.Legend, error) {
		if l.Published == 0 {
			return nil, blame(coverage.Unpublished(r.Context(), tx, l), "layer")
		}
		return findLegend(r.Context(), tx, l, legendRef)
	})
}
