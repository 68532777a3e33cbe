package coverage

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
)

// Outline is areas in the space of a level's pixels, where pixel (0,0) is the
// square from 0,0 to 1,1, whatever skew or rotation the grid has. It does not
// change, and several goroutines may ask it.
type Outline struct {
	edges []edge // of areas, none of them level, from the lower y to the higher one
	boxes []OutlineBox
	slack float64
}

// OutlineBox is the box of an area in pixels. It is not cut to the level.
type OutlineBox struct{ MinX, MinY, MaxX, MaxY float64 }

// NewOutline places polygons or boxes in the pixels of a level. Their edges are
// straight in their own CRS, and followed within a hundredth of a pixel in the
// level's. Longitudes a turn off are found. The error has code invalid for a
// geometry that has no area, and unsupported when it cannot be transformed. Nil
// for the transformer means closed forms only.
func NewOutline(ctx context.Context, d Description, l Level, g orb.Geometry, from rasterbase.CRS, t crs.Transformer) (*Outline, error) {
	grid := d.levelGrid(l)
	grid.size = 1
	f, err := place(ctx, grid, g, from, t)
	if err != nil {
		return nil, err
	}
	o := &Outline{slack: f.slack}
	byArea := map[int]int{} // its place in boxes
	for _, e := range f.edges {
		if e.area == 0 {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "a geometry of points or lines has no area").
				WithHint("give a polygon or a box").WithField("geometry")
		}
		i, ok := byArea[e.area]
		if !ok {
			i = len(o.boxes)
			byArea[e.area] = i
			o.boxes = append(o.boxes, OutlineBox{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)})
		}
		b := &o.boxes[i]
		b.MinX, b.MaxX = min(b.MinX, e.x1, e.x2), max(b.MaxX, e.x1, e.x2)
		b.MinY, b.MaxY = min(b.MinY, e.y1, e.y2), max(b.MaxY, e.y1, e.y2)
		// An edge that two areas share must be crossed at the very same place,
		// whichever way each of them goes along it.
		if e.y1 > e.y2 {
			e.x1, e.y1, e.x2, e.y2 = e.x2, e.y2, e.x1, e.y1
		}
		if e.y1 < e.y2 {
			o.edges = append(o.edges, e)
		}
	}
	slices.SortFunc(o.edges, func(a, b edge) int { return cmp.Compare(a.y1, b.y1) })
	return o, nil
}

// Boxes gives the box of each area, those a turn round the world further
// included.
func (o *Outline) Boxes() []OutlineBox { return o.boxes }

// Slack is the distance in pixels within which things touch: coordinates are
// rounded, and so are the places made from them.
func (o *Outline) Slack() float64 { return o.slack }

// Mask tells which pixels of a rectangle have their centre inside: a byte a pixel,
// row by row, 255 inside and 0 outside. A centre on a left or upper edge is inside,
// one on a right or lower edge is not, so that areas which share their edges share
// no pixel and leave none out. It is nil when all are inside; none says that none
// is.
func (o *Outline) Mask(r raster.Rect) (mask []uint8, none bool) {
	mask = make([]uint8, r.Width*r.Height)
	inside := 0
	for y, all := range o.crossings(r) {
		row := mask[y*r.Width : (y+1)*r.Width]
		for from, to := range spansOf(all, r) {
			raster.Fill(raster.Slice[uint8](row[from:to]), 255)
		}
		for _, v := range row {
			inside += int(v & 1)
		}
	}
	if inside == len(mask) {
		return nil, false
	}
	return mask, inside == 0
}

// Bounds is the smallest rectangle of those pixels of r whose centre is inside;
// the zero Rect when there are none.
func (o *Outline) Bounds(r raster.Rect) raster.Rect {
	const strip = 256 // rows that are looked at together
	x1, y1, x2, y2 := r.Width, r.Height, 0, 0
	for top := 0; top < r.Height; top += strip {
		part := raster.Rect{X: r.X, Y: r.Y + top, Width: r.Width, Height: min(strip, r.Height-top)}
		for y, all := range o.crossings(part) {
			for from, to := range spansOf(all, part) {
				x1, x2 = min(x1, from), max(x2, to)
				y1, y2 = min(y1, top+y), max(y2, top+y+1)
			}
		}
	}
	if x1 >= x2 {
		return raster.Rect{}
	}
	return raster.Rect{X: r.X + x1, Y: r.Y + y1, Width: x2 - x1, Height: y2 - y1}
}

// spansOf gives the ranges of a row's pixels, counted from the left of a rectangle,
// whose centres are inside, of one area after the other. The crossings are put in
// order.
func spansOf(all []crossing, r raster.Rect) iter.Seq2[int, int] {
	slices.SortFunc(all, func(a, b crossing) int { return cmp.Or(a.area-b.area, cmp.Compare(a.x, b.x)) })
	return func(yield func(from, to int) bool) {
		for i := 0; i+1 < len(all); {
			if all[i].area != all[i+1].area { // a ring that rounding has torn
				i++
				continue
			}
			from, to := firstCentre(all[i].x, r.X, r.Width), firstCentre(all[i+1].x, r.X, r.Width)
			if from < to && !yield(from, to) {
				return
			}
			i += 2
		}
	}
}

// crossing is where an area's edge crosses the line of a row's centres.
type crossing struct {
	area int
	x    float64
}

// crossings lists for each row of a rectangle where edges cross it.
func (o *Outline) crossings(r raster.Rect) [][]crossing {
	rows := make([][]crossing, r.Height)
	for _, e := range o.edges {
		if e.y1 > float64(r.Y+r.Height) {
			break
		}
		from, to := firstCentre(e.y1, r.Y, r.Height), firstCentre(e.y2, r.Y, r.Height)
		for y := from; y < to; y++ {
			rows[y] = append(rows[y], crossing{e.area, e.at(float64(r.Y+y) + 0.5)})
		}
	}
	return rows
}

// firstCentre is the first of n pixels from the origin on whose centre is not
// before v; n when there is none.
func firstCentre(v float64, origin, n int) int {
	return int(min(max(math.Ceil(v-0.5)-float64(origin), 0), float64(n)))
}
