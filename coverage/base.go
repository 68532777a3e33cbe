package coverage

import (
	"context"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
)

// base is the base grid of a coverage that is computed of others.
type base struct {
	crs    rasterbase.CRS
	grid   rasterbase.Grid
	noBase bool
	places []placement // of the groups
}

// placement reads pixels of the base level of a coverage for a rectangle of the base
// grid.
type placement interface {
	read(ctx context.Context, c Coverage, bands []int, r raster.Rect) (*raster.Raster, error)
}

// newBase finds the base grid. The error tells why there is none.
func newBase(j *joined, grid string, t crs.Transformer) (*base, error) {
	all := make([]Description, len(j.groups))
	for i, g := range j.groups {
		all[i] = g.coverage.Describe()
		if err := all[i].BaseError; err != nil {
			return nil, rasterbase.Errorf(rasterbase.CodeOf(err), "%s has no pixels of its own: %w", g.name, err).
				WithHint("zoom=").WithField("grid")
		}
	}
	main := finest(all)
	if grid != "" {
		main = j.groupOf(grid)
	}
	b := &base{crs: all[main].CRS, grid: all[main].Grid, noBase: all[main].NoBase}
	extent := raster.Rect{Width: b.grid.Width, Height: b.grid.Height}
	fits := make([]fit, len(all))
	for i, d := range all {
		var why string
		if fits[i], why = fitOf(all[main], d); why == "" || grid != "" {
			continue
		}
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the grids of %s and %s do not nest: %s", j.groups[main].name, j.groups[i].name, why).
			WithHint("grid=%s takes the pixels of %s and looks the others up at their centres; zoom= takes those of a zoom", j.groups[main].name, j.groups[main].name).
			WithField("grid")
	}
	if grid == "" {
		if extent = covered(fits, all, j.strict); extent == (raster.Rect{}) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%s have no pixel in common, or too many pixels lie between them", names(j.inputs)).
				WithHint("grid=%s takes all pixels of %s", j.groups[main].name, j.groups[main].name).WithField("grid")
		}
	}
	b.grid.OriginX, b.grid.OriginY = b.grid.World(float64(extent.X), float64(extent.Y))
	b.grid.Width, b.grid.Height = extent.Width, extent.Height
	return b, b.place(j, all, fits, extent, t)
}

// place finds how each group is read.
func (b *base) place(j *joined, all []Description, fits []fit, extent raster.Rect, t crs.Transformer) error {
	for i, d := range all {
		if at := fits[i]; at.colsEach > 0 {
			at.x, at.y = at.x-extent.X, at.y-extent.Y
			b.places = append(b.places, at)
			continue
		}
		tr, err := orClosed(t).Between(b.crs, d.CRS)
		if err != nil {
			return rasterbase.Errorf(rasterbase.CodeOf(err), "%s cannot be looked up at the pixels' centres: %w", j.groups[i].name, err).
				WithHint("zoom=").WithField("grid")
		}
		b.places = append(b.places, &sampled{base: *b, transform: tr, of: d})
	}
	return nil
}

// groupOf is the group of an input.
func (j *joined) groupOf(name string) int {
	for i, in := range j.inputs {
		if in.Name == name {
			return j.columns[i].group
		}
	}
	return 0
}

// finest is the coverage with the smallest pixels, the first of several.
func finest(all []Description) int {
	area := func(g rasterbase.Grid) float64 { return math.Abs(g.ScaleX*g.ScaleY - g.SkewX*g.SkewY) }
	least := 0
	for i, d := range all {
		if area(d.Grid) < area(all[least].Grid) {
			least = i
		}
	}
	return least
}

// fit says that pixels of a grid consist of whole pixels of a finer one: so many
// columns and rows of it, from a pixel on.
type fit struct {
	x, y               int // of the grid's upper left, in pixels of the finer grid
	colsEach, rowsEach int // 0: it does not fit
}

// fitTolerance is how far edges of pixels that are said to be the same may lie
// apart, in pixels of the finer grid.
const fitTolerance = 0.01

// fitOf tells how a coverage's grid fits to a finer one, or why it does not.
func fitOf(fine, d Description) (f fit, why string) {
	if !crs.SameCRS(fine.CRS, d.CRS) {
		return fit{}, "they are in different CRSs"
	}
	place := func(col, row int) (x, y float64) { return fine.Grid.Pixel(d.Grid.World(float64(col), float64(row))) }
	w, h := d.Grid.Width, d.Grid.Height
	if w <= 0 || h <= 0 {
		return fit{}, "one of them has no pixels"
	}
	x0, y0 := place(0, 0)
	x1, y1 := place(w, 0)
	x2, y2 := place(0, h)
	cols, rows := math.Round((x1-x0)/float64(w)), math.Round((y2-y0)/float64(h))
	const most = 1 << 40
	if !(math.Abs(x0) < most && math.Abs(y0) < most && math.Abs(x1) < most && math.Abs(y2) < most) {
		return fit{}, "they are too far apart"
	}
	// Where there is a turn or a drift, it is largest at the corners.
	at := func(v, want float64) bool { return math.Abs(v-want) <= fitTolerance }
	x, y := math.Round(x0), math.Round(y0)
	switch {
	case !at(y1-y0, 0) || !at(x2-x0, 0):
		return fit{}, "one is turned against the other"
	case cols < 1 || rows < 1 || !at(x1-x0, cols*float64(w)) || !at(y2-y0, rows*float64(h)):
		return fit{}, "the pixels of one do not consist of whole pixels of the other"
	case !at(x0, x) || !at(y0, y) || !at(x1, x+cols*float64(w)) || !at(y2, y+rows*float64(h)):
		return fit{}, "their pixels do not lie edge to edge"
	}
	return fit{x: int(x), y: int(y), colsEach: int(cols), rowsEach: int(rows)}, ""
}

// covered is what all coverages cover, or any of them, in pixels of the finest: the
// zero Rect for nothing, and for more pixels than a grid can have.
func covered(fits []fit, all []Description, strict bool) (out raster.Rect) {
	for i, f := range fits {
		r := raster.Rect{X: f.x, Y: f.y, Width: f.colsEach * all[i].Grid.Width, Height: f.rowsEach * all[i].Grid.Height}
		switch {
		case i == 0:
			out = r
		case strict:
			out = out.Intersect(r)
		default:
			x, y := min(out.X, r.X), min(out.Y, r.Y)
			out = raster.Rect{X: x, Y: y, Width: max(out.X+out.Width, r.X+r.Width) - x, Height: max(out.Y+out.Height, r.Y+r.Height) - y}
		}
	}
	if out.Width > math.MaxInt32 || out.Height > math.MaxInt32 {
		return raster.Rect{}
	}
	return out
}

// read reads the pixels that hold those of the rectangle, and repeats them.
func (f fit) read(ctx context.Context, c Coverage, bands []int, r raster.Rect) (*raster.Raster, error) {
	x, y := r.X-f.x, r.Y-f.y // from the grid's upper left
	from := raster.Rect{X: floorDiv(x, f.colsEach), Y: floorDiv(y, f.rowsEach)}
	from.Width = floorDiv(x+r.Width-1, f.colsEach) - from.X + 1
	from.Height = floorDiv(y+r.Height-1, f.rowsEach) - from.Y + 1
	src, err := c.Window(ctx, WindowRequest{Level: BaseLevel, X: from.X, Y: from.Y, Width: from.Width, Height: from.Height, Bands: bands})
	if err != nil || f.colsEach == 1 && f.rowsEach == 1 {
		return src, err
	}
	cols := make([]int, r.Width)
	for i := range cols {
		cols[i] = floorDiv(x+i, f.colsEach) - from.X
	}
	return repeated(src, cols, r.Height, func(i int) int { return (floorDiv(y+i, f.rowsEach) - from.Y) * src.Width }), nil
}

// baseWindow evaluates the formula for a rectangle of its base grid.
func (f *Formula) baseWindow(ctx context.Context, r WindowRequest) (*raster.Raster, error) {
	whole := raster.Rect{X: r.X, Y: r.Y, Width: r.Width, Height: r.Height}
	out, err := f.parts(whole, func(part raster.Rect) (*raster.Raster, error) {
		return f.evaluate(ctx, f.baseReader(part))
	})
	if err != nil {
		return nil, err
	}
	hideBeyond(out, whole, raster.Rect{Width: f.base.grid.Width, Height: f.base.grid.Height})
	out.Grid, out.SRID = f.base.window(whole), f.base.crs.SRID
	return repeatBands(out, r.Bands), nil
}

// baseReader reads groups for a rectangle of the base grid.
func (j *joined) baseReader(r raster.Rect) groupReader {
	return func(ctx context.Context, group int) (*raster.Raster, error) {
		g := j.groups[group]
		return j.base.places[group].read(ctx, g.coverage, g.bands, r)
	}
}

// window is the grid of a rectangle of the base grid.
func (b *base) window(r raster.Rect) rasterbase.Grid {
	g := b.grid
	g.OriginX, g.OriginY = g.World(float64(r.X), float64(r.Y))
	g.Width, g.Height = r.Width, r.Height
	return g
}
