package server

import (
	"context"
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
	of         *rasterbase.Layer   // the one of them that legend was read for
	legend     *rasterbase.Legend  // nil: none
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
	return int64(bytes) + legendCost(m.legend)
}

// look finds a layer that has tiles, and the legend of this id or title, or with
// an empty legendRef the layer's own, which is nil when it has none.
//
// It is find with a memory: what was read for an earlier request is used while
// nothing has changed in the catalog that tiles are drawn from. What it gives is
// shared with other requests and must not be changed; it is the same pointers as
// long as they are remembered. Auth is asked each time. With again nothing that is
// remembered counts, as after the tiles of a revision were found to be gone.
func (s *Server) look(ctx context.Context, who rasterbase.Principal, ref, legendRef string, again bool) (*rasterbase.Layer, *rasterbase.Legend, error) {
	// It is asked before anything is read: a change that is made meanwhile makes
	// another generation.
	now, known := s.memory.generation()
	key := ref + "\x00" + legendRef
	if known && !again {
		if kept := s.memory.get(key, now); kept != nil {
			l, err := s.choose(ctx, who, ref, kept.layers)
			if err != nil {
				return nil, nil, err
			}
			if l == kept.of {
				return l, kept.legend, nil
			}
		}
	}
	var lg *rasterbase.Legend
	l, all, err := s.read(ctx, who, ref, func(tx store.Tx, l *rasterbase.Layer) (err error) {
		if l.Published == 0 && l.Formula == nil {
			return blame(coverage.Unpublished(ctx, tx, l), "layer")
		}
		lg, err = findLegend(ctx, tx, l, legendRef)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if known && slices.Contains(all, l) {
		s.memory.kept.put(key, &remembered{generation: now, layers: all, of: l, legend: lg})
	}
	return l, lg, nil
}

// lookLegend finds a legend by id or title, with the memory of look.
func (s *Server) lookLegend(ctx context.Context, ref string, again bool) (lg *rasterbase.Legend, err error) {
	now, known := s.memory.generation()
	key := "\x00\x00" + ref // of no layer
	if known && !again {
		if kept := s.memory.get(key, now); kept != nil {
			return kept.legend, nil
		}
	}
	err = s.view(ctx, func(tx store.Tx) (err error) {
		lg, err = store.FindLegend(ctx, tx, ref)
		return blame(err, "legend")
	})
	if err == nil && known {
		s.memory.kept.put(key, &remembered{generation: now, legend: lg})
	}
	return lg, err
}
