package server

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// listJSON is a page of the list of layers.
type listJSON struct {
	Items  []layerJSON `json:"items"`
	Total  int         `json:"total"` // that match, on all pages
	Limit  int         `json:"limit"`
	Offset int         `json:"offset"`
}

// listLayers answers the layers that the sender may read.
func (s *Server) listLayers(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	filter := store.LayerFilter{Search: q.Get("search")}
	var err error
	if d := q.Get("datatype"); d != "" {
		if filter.Datatype, err = rasterbase.ParseDatatype(d); err != nil {
			return blame(err, "datatype")
		}
	}
	out := listJSON{Items: []layerJSON{}}
	if out.Limit, err = bounded(q, "limit", defaultLimit, 1, maxLimit); err != nil {
		return err
	}
	if out.Offset, err = bounded(q, "offset", 0, 0, math.MaxInt32); err != nil {
		return err
	}
	found, err := s.readable(r, choice{filter: filter, limit: out.Limit, offset: out.Offset})
	if err != nil {
		return err
	}
	out.Total = found.total
	root := s.root(r)
	for _, k := range found.layers {
		out.Items = append(out.Items, k.item(root))
	}
	return writeJSON(w, r, out, found.private)
}

// choice says which layers to list.
type choice struct {
	filter        store.LayerFilter
	status        rasterbase.Status // of the newest parse; empty: any
	newest        bool              // first, instead of last
	outdated      bool              // only those whose tiles are
	order         order
	limit, offset int
}

// listing is a page of the layers that somebody may read.
type listing struct {
	layers  []known
	total   int  // that match, on all pages
	private bool // no cache may keep it: others would be told something else
}

// readable gives the layers that match and that the sender of the request may
// read. Whom Auth lets read what is not for the store to know, so the pages are
// cut here.
func (s *Server) readable(r *http.Request, c choice) (out listing, err error) {
	ctx := r.Context()
	who, err := s.principal(r)
	if err != nil {
		return out, err
	}
	var layers []*rasterbase.Layer
	err = s.view(ctx, func(tx store.Tx) (err error) {
		layers, _, err = tx.Layers().Find(ctx, c.filter)
		return err
	})
	if err == nil {
		layers, err = s.visible(ctx, who, layers)
	}
	if err == nil && c.status != "" {
		layers, err = s.withStatus(ctx, layers, c.status)
	}
	if err == nil && c.outdated {
		layers, err = s.outdatedOf(ctx, layers)
	}
	if err == nil && c.order != "" {
		err = s.sorted(ctx, layers, c.order)
	}
	if err != nil {
		return out, err
	}
	if c.newest {
		slices.Reverse(layers)
	}
	out.total = len(layers)
	first := min(c.offset, out.total)
	page, err := s.readAll(ctx, layers[first:min(first+c.limit, out.total)])
	if err != nil {
		return listing{}, err
	}
	out.private = who.Name != "" // the total counts what others may not read
	for _, k := range page {
		// Rights are asked of what is told: it may have been made private since.
		still, err := s.visible(ctx, who, []*rasterbase.Layer{k.layer})
		if err == nil && len(still) > 0 {
			if err = s.complete(r, &k, false); err == nil {
				err = s.tellTo(ctx, who, &k)
			}
		}
		if err != nil {
			return listing{}, err
		}
		if len(still) == 0 {
			out.total--
			continue
		}
		out.layers = append(out.layers, k)
		out.private = out.private || k.private
	}
	return out, nil
}

// readAll reads layers as they are now, but for those that are gone.
func (s *Server) readAll(ctx context.Context, layers []*rasterbase.Layer) (out []known, err error) {
	err = s.view(ctx, func(tx store.Tx) error {
		out = nil
		for _, l := range layers {
			l, err := tx.Layers().Get(ctx, l.ID)
			if errors.Is(err, store.ErrNotExist) {
				continue // deleted a moment ago
			}
			if err != nil {
				return err
			}
			k, err := read(ctx, tx, l)
			if err != nil {
				return err
			}
			out = append(out, k)
		}
		return nil
	})
	return out, err
}

// tellTo notes whether somebody may change a layer, where they are told more then.
func (s *Server) tellTo(ctx context.Context, who rasterbase.Principal, k *known) (err error) {
	if k.parse != nil && k.parse.Error != "" || k.unread != nil {
		k.edits, err = s.mayEdit(ctx, who, k.layer)
	}
	return err
}

// withStatus are the layers whose newest parse has a status.
func (s *Server) withStatus(ctx context.Context, layers []*rasterbase.Layer, status rasterbase.Status) (out []*rasterbase.Layer, err error) {
	err = s.view(ctx, func(tx store.Tx) error {
		out = nil
		for _, l := range layers {
			now, err := statusNow(ctx, tx, l)
			if err != nil {
				return err
			}
			if now == status {
				out = append(out, l)
			}
		}
		return nil
	})
	return out, err
}

// bounded reads a whole number from the query.
func bounded(q url.Values, name string, otherwise, least, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "%s is %.40q", name, text).
			WithHint("a whole number from %d to %d", least, most).WithField(name)
	}
	return n, nil
}

// showLayer answers all that is known of a layer.
func (s *Server) showLayer(w http.ResponseWriter, r *http.Request) error {
	r, who, err := s.identified(r)
	if err != nil {
		return err
	}
	k, err := s.readLayer(r, r.PathValue("layer"))
	if err != nil {
		return err
	}
	if err := s.tellTo(r.Context(), who, &k); err != nil {
		return err
	}
	out, err := k.metadata(s.root(r))
	if err != nil {
		return err
	}
	return writeJSON(w, r, out, who.Name != "" || k.private)
}

// readLayer finds a layer that the sender may read.
func (s *Server) readLayer(r *http.Request, ref string) (k known, err error) {
	_, err = s.find(r, ref, func(tx store.Tx, l *rasterbase.Layer) (err error) {
		k, err = read(r.Context(), tx, l)
		return err
	})
	if err == nil {
		err = s.complete(r, &k, true)
	}
	return k, err
}

// place is a revision's box inside the web-mercator world, which TileJSON does
// not let wrap around, and its centre with a zoom that shows it whole in a map
// of two tiles a side.
func place(rev *rasterbase.Revision) (bounds [4]float64, center [3]float64) {
	b := clip(rev.Bounds)
	width := b.East - b.West
	if width < 0 {
		width += 360
	}
	lon := b.West + width/2
	if lon > 180 {
		lon -= 360
	}
	bounds = [4]float64{b.West, b.South, b.East, b.North}
	if b.East < b.West {
		bounds[0], bounds[2] = -180, 180
	}
	_, south := xyz.FromLonLat(0, b.South)
	_, north := xyz.FromLonLat(0, b.North)
	share := max(width/360, (north-south)/(2*xyz.HalfWorld), 1e-9)
	zoom := min(max(math.Floor(1-math.Log2(share)+1e-6), 0), float64(rev.MaxZoom))
	_, lat := xyz.ToLonLat(0, (south+north)/2)
	return bounds, [3]float64{lon, lat, zoom}
}

// clip takes off what web mercator does not show.
func clip(b rasterbase.Bounds) rasterbase.Bounds {
	const edge = 85.0511287798066
	b.South = min(max(b.South, -edge), edge)
	b.North = min(max(b.North, -edge), edge)
	return b
}

func withoutPyramid(rev *rasterbase.Revision) error {
	return rasterbase.Errorf(rasterbase.NotFound, "layer %d has no map tiles: it was parsed without a pyramid", rev.Layer).
		WithHint("parse it again with one").WithField("layer")
}
