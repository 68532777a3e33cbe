package export

import (
	"context"
	"errors"
	"image/color"
	"strconv"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
)

type palette = [256]color.NRGBA

// paletteOf is the colours of 0 to 255.
func paletteOf(m *rasterbase.Colormap) *palette {
	out := new(palette)
	for v := range out {
		out[v] = m.At(float64(v))
	}
	return out
}

func zoomText(z int) string { return "zoom=" + strconv.Itoa(z) }

// limit cuts the rectangle to the area of a request.
func (p *Plan) limit(ctx context.Context, d coverage.Description, r Request) error {
	area, boxes, err := boxesOf(r)
	if err != nil {
		return err
	}
	field := "geom"
	if boxes {
		field = "bbox"
	}
	o, err := outlineOf(ctx, d.LevelGrid(p.Level), area, r)
	if err != nil {
		if e, ok := errors.AsType[*rasterbase.Error](err); ok && e.Code == rasterbase.Invalid {
			e.Field = field
		}
		return err
	}
	var all raster.Rect
	covered := int64(0)
	for _, b := range o.Boxes() {
		part := boxRect(b, o.Slack(), p.Rect)
		if part == (raster.Rect{}) {
			continue
		}
		covered += int64(part.Width) * int64(part.Height)
		all = union(all, part)
	}
	if all == (raster.Rect{}) {
		return nothing(d, "the area does not meet the pixels", field)
	}
	if boxes {
		if int64(all.Width)*int64(all.Height) > covered {
			return rasterbase.Errorf(rasterbase.Invalid, "the box crosses the antimeridian, where the grid of the export has its edges").
				WithHint("export the parts west and east of it one by one").WithField(field)
		}
		p.Rect = all
		return nil
	}
	p.outline, p.Masked, p.Rect = o, true, all
	return nil
}

// outlineOf places the area of a request in a grid. It has a place there, or none.
func outlineOf(ctx context.Context, grid footprint.Grid, area orb.Geometry, r Request) (*footprint.Outline, error) {
	placer, err := footprint.NewPlacer(ctx, grid, footprint.Options{CRS: r.AreaCRS, Transformer: r.Transformer, Lenient: true})
	if err != nil {
		return nil, err
	}
	o, err := placer.Place(ctx, area)
	if err == nil && !o.AreasOnly() {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a geometry of points or lines has no area").
			WithHint("give a polygon or a box")
	}
	return o, err
}

// tighten leaves out what of the rectangle around polygons holds the centre of no
// pixel.
func (p *Plan) tighten(d coverage.Description) error {
	if p.outline == nil {
		return nil
	}
	if p.Rect = p.outline.Bounds(p.Rect); p.Rect == (raster.Rect{}) {
		return nothing(d, "the polygon holds the centre of no pixel", "geom")
	}
	return nil
}

func nothing(d coverage.Description, what, field string) error {
	b := d.Bounds
	return rasterbase.Errorf(rasterbase.Invalid, "%s of %s", what, d.Name).
		WithHint("its pixels lie between longitudes %.6g and %.6g and latitudes %.6g and %.6g", b.West, b.East, b.South, b.North).
		WithField(field)
}

// boxesOf is the area as a geometry, and whether it is boxes alone, of which all
// pixels are meant.
func boxesOf(r Request) (g orb.Geometry, boxes bool, err error) {
	switch a := r.Area.(type) {
	case orb.Bound:
		switch west, east := a.Min[0], a.Max[0]; {
		case !(a.Min[1] <= a.Max[1]) || west-east != west-east:
			return nil, true, rasterbase.Errorf(rasterbase.Invalid, "the box ends before it begins").
				WithHint("a box is west, south, east, north").WithField("bbox")
		case west <= east:
			return a, true, nil
		case !r.AreaCRS.Geographic():
			return nil, true, rasterbase.Errorf(rasterbase.Invalid, "the box ends before it begins: its east, %v, is west of its west, %v", east, west).
				WithHint("a box is west, south, east, north").WithField("bbox")
		default:
			return footprint.BoxGeometry(rasterbase.Bounds{West: west, South: a.Min[1], East: east, North: a.Max[1]}), true, nil
		}
	case orb.Collection:
		boxes = len(a) > 0
		for _, part := range a {
			_, ok := part.(orb.Bound)
			boxes = boxes && ok
		}
	}
	return r.Area, boxes, nil
}

// boxRect is the pixels of a rectangle that a box has a part in.
func boxRect(b footprint.Box, slack float64, in raster.Rect) raster.Rect {
	x1, y1 := max(b.MinX, float64(in.X)), max(b.MinY, float64(in.Y))
	x2, y2 := min(b.MaxX, float64(in.X+in.Width)), min(b.MaxY, float64(in.Y+in.Height))
	// What only touches from outside has no part in any pixel.
	if beside(x1, x2, b.MinX, b.MaxX, slack) || beside(y1, y2, b.MinY, b.MaxY, slack) {
		return raster.Rect{}
	}
	return covering(x1, y1, x2, y2, slack).Intersect(in)
}

// beside tells whether what is left of a range is no more than rounding.
func beside(from, to, whole1, whole2, slack float64) bool {
	return !(from <= to) || to-from <= 2*slack && whole2-whole1 > 2*slack
}

func union(a, b raster.Rect) raster.Rect {
	if a == (raster.Rect{}) {
		return b
	}
	x, y := min(a.X, b.X), min(a.Y, b.Y)
	return raster.Rect{X: x, Y: y, Width: max(a.X+a.Width, b.X+b.Width) - x, Height: max(a.Y+a.Height, b.Y+b.Height) - y}
}
