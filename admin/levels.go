package admin

import (
	"net/http"
	"net/url"

	"github.com/rasterbase/rasterbase"
)

// levels is what is stored of a layer.
type levels struct {
	Items []struct {
		Kind  string `json:"kind"`
		Zoom  *int   `json:"zoom"`
		Tiles int64  `json:"tiles"`
		Bytes int64  `json:"bytes"`
	} `json:"items"`
	Bytes int64 `json:"bytes"`
}

// Tiles is how many there are in all.
func (l *levels) Tiles() (n int64) {
	for _, i := range l.Items {
		n += i.Tiles
	}
	return n
}

// Measured tells whether it is known what each level takes.
func (l *levels) Measured() bool { return len(l.Items) > 0 && l.Items[0].Bytes > 0 }

// levels counts a layer's tiles; nil: it has none, or is being published anew.
func (a *Admin) levels(r *http.Request, layer string) (*levels, error) {
	var l levels
	err := a.call(r, http.MethodGet, "/api/v1/layers/"+url.PathEscape(layer)+"/levels", nil, &l)
	switch rasterbase.CodeOf(err) {
	case rasterbase.NotFound, rasterbase.Busy: // a formula has no tiles
		return nil, nil //nolint:nilnil // there is nothing to be shown
	}
	if err != nil || len(l.Items) == 0 {
		return nil, err
	}
	return &l, nil
}

// loss is what would be gone with some layers.
type loss struct {
	Layers []lostLayer
	Tiles  int64
	Bytes  int64 // of tiles and of source files
}

// lostLayer is a layer that is to be deleted.
type lostLayer struct {
	layerRow
	Levels *levels `json:"-"`
}

// loss counts what would be gone with some layers, for the page that asks whether they
// are to be deleted.
func (a *Admin) loss(r *http.Request, ids []string) (out loss, err error) {
	for _, id := range ids {
		var l lostLayer
		if err := a.call(r, http.MethodGet, "/api/v1/layers/"+url.PathEscape(id), nil, &l); err != nil {
			return out, err
		}
		if l.Levels, err = a.levels(r, id); err != nil {
			return out, err
		}
		out.Bytes += l.Size
		if l.Levels != nil {
			out.Tiles += l.Levels.Tiles()
			out.Bytes += l.Levels.Bytes
		}
		out.Layers = append(out.Layers, l)
	}
	return out, nil
}
