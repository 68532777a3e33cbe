package server

import (
	"errors"
	"net/http"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func (s *Server) levelOperations(a *api) {
	register(a, operation{
		id: "list-levels", method: http.MethodGet, path: "/layers/{layer}/levels", tag: tagLayers, summary: "Count a layer's tiles by zoom",
		detail:  "The tiles that are stored: those in the file's own grid, and those of each zoom. A layer with more than four bands has a tile of each band. One that was never parsed has none.",
		answers: map[int]response{200: {text: "The levels, from the coarsest zoom on", kind: levelsJSON{}}}, errors: []int{409},
	}, s.apiLevels)
}

// levelsJSON is what is stored of a layer.
type levelsJSON struct {
	Items []levelJSON `json:"items"`
	Bytes int64       `json:"bytes"` // that all of it takes, with its indices
}

// levelJSON is the tiles of a kind and zoom.
type levelJSON struct {
	Kind  string `json:"kind" enum:"base,pyramid"`
	Zoom  *int   `json:"zoom,omitempty"` // of the pyramid
	Tiles int64  `json:"tiles"`
	Bytes int64  `json:"bytes,omitempty"` // absent: the store does not know
}

func (s *Server) apiLevels(w http.ResponseWriter, r *http.Request, in *layerInput) error {
	l, err := s.find(r, in.Layer, func(store.Tx, *rasterbase.Layer) error { return nil })
	if err != nil {
		return err
	}
	if l.Formula != nil {
		return rasterbase.Errorf(rasterbase.NotFound, "layer %d is made of a formula, and has no tiles of its own", l.ID).WithField("layer")
	}
	out := levelsJSON{Items: []levelJSON{}}
	if l.Published != 0 {
		key := store.RevisionKey{Layer: l.ID, Revision: l.Published}
		levels, err := s.c.Store.Tiles().Levels(r.Context(), key)
		if err == nil {
			out.Bytes, err = s.c.Store.Tiles().Bytes(r.Context(), key)
		}
		if errors.Is(err, store.ErrRevisionGone) {
			return rasterbase.Errorf(rasterbase.Busy, "layer %d was parsed anew this moment", l.ID).WithHint("ask again")
		}
		if err != nil {
			return err
		}
		for _, v := range levels {
			item := levelJSON{Kind: v.Kind.String(), Tiles: v.Tiles, Bytes: v.Bytes}
			if v.Kind == rasterbase.Pyramid {
				item.Zoom = &v.Z
			}
			out.Items = append(out.Items, item)
		}
	}
	return writeJSON(w, r, out, true)
}
