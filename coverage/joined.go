package coverage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// joined is bands of coverages that are read together, as pixels of one grid: what
// formulas and stacks have in common.
type joined struct {
	kind        string // of the coverage, for errors
	inputs      []Input
	groups      []group
	columns     []column // of the inputs
	strict      bool     // nothing is valid where an input is not
	description Description
	empty       bool // the inputs have no place in common
	version     string
	base        *base // nil: Description.BaseError says why
	noPyramid   error
	reads       int
	depth       int
}

// computed is a coverage that is made of others when it is read.
type computed interface {
	Coverage
	Cost() int
	join() *joined
	world(ctx context.Context, w worldWindow) (*raster.Raster, error)
}

// joinedOf is what a coverage is made of; nil for those that are not computed.
func joinedOf(c Coverage) *joined {
	if c, ok := c.(computed); ok {
		return c.join()
	}
	return nil
}

func (j *joined) join() *joined { return j }

// group is bands that are read in one window.
type group struct {
	name     string // of the first input
	coverage Coverage
	key      groupKey
	bands    []int
}

// groupKey tells bands of a stored layer apart that cannot be read at once.
type groupKey struct {
	set    int
	nodata bool // validity is told by it
}

// column says where the pixels of an input are.
type column struct{ group, place int }

// groupReader reads the bands of a group.
type groupReader func(ctx context.Context, group int) (*raster.Raster, error)

// check tells whether the band of an input is there.
func (in Input) check() error {
	if d := in.Coverage.Describe(); in.Band < 0 || in.Band >= len(d.Bands) {
		return rasterbase.Errorf(rasterbase.Invalid, "%s is band %d of %s, which has %d", in.Name, in.Band+1, d.Name, len(d.Bands)).
			WithHint("counted from 0 its bands are 0 to %d", len(d.Bands)-1).WithField("layers")
	}
	return nil
}

// count bounds what reading costs. What stands on others is one deeper than they are
// where it counts itself.
func (j *joined) count(itself int) error {
	for _, in := range j.inputs {
		reads, depth := 1, 0
		if inner := joinedOf(in.Coverage); inner != nil {
			reads, depth = inner.reads, inner.depth
		}
		j.reads += reads
		j.depth = max(j.depth, depth+itself)
	}
	if j.depth > store.MaxFormulaDepth {
		return rasterbase.Errorf(rasterbase.Invalid, "%d formulas stand on one another: there can be %d", j.depth, store.MaxFormulaDepth).WithField("layers")
	}
	if j.reads > MaxReads {
		return rasterbase.Errorf(rasterbase.Invalid, "the %s reads %d bands in all, with those of the formulas that it stands on: it can read %d", j.kind, j.reads, MaxReads).
			WithField("layers")
	}
	return nil
}

// checkGrid tells whether the grid is that of an input.
func (j *joined) checkGrid(name string) error {
	if name == "" || slices.ContainsFunc(j.inputs, func(in Input) bool { return in.Name == name }) {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Invalid, "the grid is to be that of %s, which is no input", name).
		WithHint("one of %s", names(j.inputs)).WithField("grid")
}

// arrange finds the bands that can be read at once: those of one band set of a
// layer which are valid and invalid in the same way, and those of one coverage that is
// computed.
func (j *joined) arrange() {
	for _, in := range j.inputs {
		var key groupKey
		if l, ok := in.Coverage.(*Layer); ok {
			key.set, _ = l.rev.SetOf(in.Band)
			key.nodata = raster.BandOf(l.rev.Bands[in.Band]).HasNodata
		}
		at := slices.IndexFunc(j.groups, func(g group) bool { return g.key == key && same(g.coverage, in.Coverage) })
		if at < 0 {
			at = len(j.groups)
			j.groups = append(j.groups, group{name: in.Name, coverage: in.Coverage, key: key})
		}
		g := &j.groups[at]
		place := slices.Index(g.bands, in.Band)
		if place < 0 {
			place = len(g.bands)
			g.bands = append(g.bands, in.Band)
		}
		j.columns = append(j.columns, column{at, place})
	}
}

// same tells whether two coverages are one. Others than ours may be of a type that
// cannot be compared.
func same(a, b Coverage) bool {
	switch a := a.(type) {
	case *Layer:
		b, ok := b.(*Layer)
		return ok && a == b
	case *Formula:
		b, ok := b.(*Formula)
		return ok && a == b
	case *Stack:
		b, ok := b.(*Stack)
		return ok && a == b
	}
	return false
}

// hash names the pixels.
func (j *joined) hash(text, grid string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q", text, grid, j.description.Datatype)
	for _, in := range j.inputs {
		fmt.Fprintf(h, " %q %q %d", in.Name, in.Coverage.Version(), in.Band)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// findBase finds the base grid, or why there is none.
func (j *joined) findBase(ctx context.Context, grid string, t crs.Transformer) error {
	base, err := newBase(j, grid, t)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if j.description.BaseError = err; err == nil {
		j.base = base
		j.description.CRS, j.description.Grid, j.description.NoBase = base.crs, base.grid, base.noBase
	}
	return nil
}

// check tells whether a window can be read, and which bands of it.
func (j *joined) check(r *WindowRequest) ([]int, error) {
	switch {
	case r.Width <= 0 || r.Height <= 0 || r.Width > maxWindow || r.Height > maxWindow:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a window of %dx%d pixels cannot be read", r.Width, r.Height)
	case r.Level.Kind == rasterbase.Pyramid && j.noPyramid != nil:
		return nil, j.noPyramid
	case r.Level.Zoom < 0 || r.Level.Kind == rasterbase.Base && r.Level.Zoom != 0 || r.Level.Zoom > maxTileZoom:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "there is no zoom %d", r.Level.Zoom).WithHint("from 0 to %d", maxTileZoom)
	case r.Level == BaseLevel && j.base == nil:
		return nil, j.description.BaseError
	case r.X < math.MinInt32 || r.Y < math.MinInt32 || r.X > 1<<60 || r.Y > 1<<60:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "pixel %d, %d is out of reach", r.X, r.Y)
	}
	if err := j.checkBands(r.Bands); err != nil {
		return nil, err
	}
	r.Bands = j.bandsOr(r.Bands)
	return r.Bands, nil
}

// bandsOr is the bands asked for, all for nil.
func (j *joined) bandsOr(bands []int) []int {
	if bands != nil {
		return bands
	}
	bands = make([]int, len(j.description.Bands))
	for i := range bands {
		bands[i] = i
	}
	return bands
}

// checkBands tells whether bands are there.
func (j *joined) checkBands(bands []int) error {
	if bands != nil && len(bands) == 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "no band asked for")
	}
	for _, b := range bands {
		if n := len(j.description.Bands); b < 0 || b >= n {
			return rasterbase.Errorf(rasterbase.Invalid, "the %s has no band %d: it has %d", j.kind, b+1, n)
		}
	}
	return nil
}

// worldReader reads groups for a window of the world.
func (j *joined) worldReader(w worldWindow) groupReader {
	return func(ctx context.Context, group int) (*raster.Raster, error) {
		w := w
		w.Bands = j.groups[group].bands
		return w.read(ctx, j.groups[group].coverage)
	}
}

// read reads all groups.
func (j *joined) read(ctx context.Context, read groupReader) ([]*raster.Raster, error) {
	rasters := make([]*raster.Raster, len(j.groups))
	for i, g := range j.groups {
		r, err := read(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", g.name, err)
		}
		rasters[i] = r
	}
	return rasters, nil
}
