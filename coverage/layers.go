package coverage

import (
	"context"
	"errors"
	"fmt"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// LayersQuery selects layers by a geometry of the kinds that [TileQuery] takes.
type LayersQuery struct {
	Geometry    orb.Geometry    // nil: all layers that have a tile
	CRS         rasterbase.CRS  // of the geometry
	Transformer crs.Transformer // nil: closed forms only
	// Filter selects among the layers; its Limit and Offset count those that
	// intersect.
	Filter store.LayerFilter
	// May tells whether a layer may be seen; nil: each. It is asked outside
	// transactions, before anything is read of a layer's revision, and an error
	// ends the query.
	May func(context.Context, *rasterbase.Layer) (bool, error)
}

// Layers finds the published layers that intersect a geometry, ordered by id:
// those of which at least one stored base tile does, as [Layer.Tiles] has it.
// Most others are ruled out by their bounds in longitude and latitude. Where
// the geometry cannot be transformed to a layer's own CRS, the tiles of its max
// zoom decide instead, and without a pyramid its bounds do.
//
// The coverages are fixed to the revisions that were published in one state of
// the catalog. A layer whose revision is dropped meanwhile is looked at again
// in the revision that took its place.
func Layers(ctx context.Context, st store.Store, q LayersQuery) ([]*Layer, error) {
	limit, offset := q.Filter.Limit, q.Filter.Offset
	q.Filter.Limit, q.Filter.Offset = 0, 0
	near, err := q.bounds(ctx)
	if err != nil {
		return nil, err
	}
	candidates, err := published(ctx, st, q, near)
	if err != nil {
		return nil, err
	}
	var out []*Layer
	for _, c := range candidates {
		c, err := c.orSuccessor(ctx, q)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		if offset > 0 {
			offset--
			continue
		}
		if out = append(out, c); len(out) == limit {
			break
		}
	}
	return out, nil
}

// published lists the layers that may be seen, have a published revision, and
// whose bounds the geometry touches.
func published(ctx context.Context, st store.Store, q LayersQuery, near *footprint.Cells) (out []*Layer, err error) {
	seen, err := visible(ctx, st, q)
	if err != nil {
		return nil, err
	}
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		out = nil
		for _, s := range seen {
			// Read again: it may have been parsed anew, or deleted.
			l, err := tx.Layers().Get(ctx, s.ID)
			if errors.Is(err, store.ErrNotExist) || err == nil && l.Published == 0 {
				continue
			}
			if err != nil {
				return err
			}
			rev, err := tx.Revisions().Get(ctx, l.Published)
			if err != nil {
				return err
			}
			if near == nil || touchesBounds(near, rev.Bounds) {
				out = append(out, &Layer{st: st, layer: l, rev: rev})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list layers: %w", err)
	}
	return out, nil
}

// visible lists the published layers that may be seen.
func visible(ctx context.Context, st store.Store, q LayersQuery) (out []*rasterbase.Layer, err error) {
	var found []*rasterbase.Layer
	err = st.Catalog().View(ctx, func(tx store.Tx) (err error) {
		found, _, err = tx.Layers().Find(ctx, q.Filter)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list layers: %w", err)
	}
	for _, l := range found {
		may := l.Published != 0
		if may && q.May != nil {
			if may, err = q.May(ctx, l); err != nil {
				return nil, fmt.Errorf("ask whether layer %d may be seen: %w", l.ID, err)
			}
		}
		if may {
			out = append(out, l)
		}
	}
	return out, nil
}

// orSuccessor is the layer if it intersects the geometry, or else nil. When its
// revision was dropped, it is that which is published now.
func (c *Layer) orSuccessor(ctx context.Context, q LayersQuery) (*Layer, error) {
	for {
		ok, err := c.intersects(ctx, q)
		switch {
		case err == nil && ok:
			return c, nil
		case err == nil:
			return nil, nil
		case !errors.Is(err, store.ErrRevisionGone):
			return nil, err
		}
		next, openErr := OpenLayer(ctx, c.st, c.layer.ID)
		if rasterbase.CodeOf(openErr) == rasterbase.NotFound {
			return nil, nil // the layer was deleted
		}
		if openErr != nil {
			return nil, openErr
		}
		if next.rev.ID == c.rev.ID {
			return nil, err
		}
		c = next
	}
}

// intersects reports whether a stored tile of the layer touches the geometry.
func (c *Layer) intersects(ctx context.Context, q LayersQuery) (bool, error) {
	tq := TileQuery{Level: BaseLevel, Geometry: q.Geometry, CRS: q.CRS, Transformer: q.Transformer}
	if q.Geometry != nil && !reaches(q, c.rev.CRS) {
		if !c.rev.HasPyramid || !reaches(q, rasterbase.CRS{SRID: 3857}) {
			return true, nil // its bounds do
		}
		tq.Level = ZoomLevel(c.rev.MaxZoom)
	}
	for _, err := range c.Tiles(ctx, tq) {
		return err == nil, err
	}
	return false, nil
}

// reaches reports whether a geometry can be transformed to a CRS.
func reaches(q LayersQuery, to rasterbase.CRS) bool {
	if crs.SameCRS(q.CRS, to) {
		return true
	}
	t := orClosed(q.Transformer)
	_, there := t.Between(q.CRS, to)
	_, back := t.Between(to, q.CRS)
	return there == nil && back == nil
}

// bounds is the geometry in longitude and latitude, in degrees from the
// northern end of the antimeridian; nil when there is no telling where it lies.
func (q LayersQuery) bounds(ctx context.Context) (*footprint.Cells, error) {
	// A pixel is a hundredth of a degree, a tile a degree.
	world := footprint.Grid{
		Grid: rasterbase.Grid{Width: 36000, Height: 18000, OriginX: -180, OriginY: 90, ScaleX: 0.01, ScaleY: -0.01},
		CRS:  rasterbase.CRS{SRID: 4326}, TileSize: 100,
	}
	if q.Geometry == nil || !reaches(q, world.CRS) {
		return nil, nil
	}
	o, err := placed(ctx, world, q.Geometry, q.CRS, q.Transformer)
	if err != nil {
		return nil, err
	}
	return o.Cells(), nil
}

// touchesBounds reports whether a geometry in longitude and latitude comes near
// a layer's bounds.
func touchesBounds(f *footprint.Cells, b rasterbase.Bounds) bool {
	// The bounds are drawn through some places of the border, and end where web
	// mercator does.
	width := b.East - b.West
	if b.West > b.East {
		width += 360
	}
	across, along := 0.01+width/20, 0.01+(b.North-b.South)/20
	north, south := b.North+along, b.South-along
	if north > xyz.MaxLatitude {
		north = 90
	}
	if south < -xyz.MaxLatitude {
		south = -90
	}
	touches := func(west, east float64) bool {
		return f.Touches(west+180-across, 90-north, east+180+across, 90-south)
	}
	if b.West > b.East {
		return touches(b.West, 180) || touches(-180, b.East)
	}
	// What the margin brings over the antimeridian is on its other side.
	return touches(b.West, b.East) ||
		b.East+across > 180 && touches(b.West-360, b.East-360) || b.West-across < -180 && touches(b.West+360, b.East+360)
}
