package zonal

import (
	"context"
	"runtime"

	"github.com/paulmach/orb"
	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
)

// Zones are geometries that were placed in the pixels of a level. Several coverages of
// the same grid can be counted with them, by several goroutines.
type Zones struct {
	level    coverage.Level // whose pixels are counted
	grid     footprint.Grid
	rule     footprint.Rule
	to       crs.Transformer
	outlines []*footprint.Outline
	whole    []bool // the zone is the whole coverage
}

// Place places geometries in the pixels of a level of a coverage; a nil one is the
// whole coverage, which at a zoom has the tiles that its bounds touch. A coverage
// without base tiles is counted by the pixels of its max zoom.
//
// An error of one geometry is a [*ZoneError]. Codes are those of [ValueCount].
func Place(ctx context.Context, d coverage.Description, p Placement, geometries []orb.Geometry) (*Zones, error) {
	level, err := levelOf(d, p.Level)
	if err != nil {
		return nil, err
	}
	from := p.CRS
	if from == (rasterbase.CRS{}) {
		from = rasterbase.CRS{SRID: 4326}
	}
	z := &Zones{
		level: level, grid: d.LevelGrid(level), rule: p.Rule, to: p.Transformer,
		outlines: make([]*footprint.Outline, len(geometries)), whole: make([]bool, len(geometries)),
	}
	placer, err := footprint.NewPlacer(ctx, z.grid, footprint.Options{
		CRS: from, Transformer: p.Transformer, VerticesOnly: p.VerticesOnly, MaxVertices: p.MaxVertices,
	})
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	workers := min(runtime.GOMAXPROCS(0), len(geometries))
	for w := range workers {
		g.Go(func() error {
			for i := w; i < len(geometries); i += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := z.place(ctx, placer, i, geometries[i]); err != nil {
					return &ZoneError{i, err}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return z, nil
}

func (z *Zones) place(ctx context.Context, placer *footprint.Placer, i int, g orb.Geometry) error {
	o, err := placer.Place(ctx, g)
	if err != nil {
		return err
	}
	if z.rule == footprint.Fraction && !o.AreasOnly() && !o.Empty() {
		return rasterbase.Errorf(rasterbase.Invalid, "points and lines cover no share of a pixel").
			WithHint("the rules center and touched count the pixels that they lie in").WithField("coverage")
	}
	z.outlines[i], z.whole[i] = o, g == nil
	return nil
}

// levelOf is the level whose pixels are counted for one that was asked for.
func levelOf(d coverage.Description, l coverage.Level) (coverage.Level, error) {
	if l == coverage.BaseLevel {
		switch {
		case d.BaseError != nil:
			return l, d.BaseError
		case d.NoBase:
			return coverage.ZoomLevel(d.MaxZoom), nil
		}
		return l, nil
	}
	switch {
	case !d.HasPyramid:
		return l, rasterbase.Errorf(rasterbase.NotFound, "%s was parsed without a pyramid", d.Name).
			WithHint("without a zoom the source's own pixels are counted").WithField("zoom")
	case l.Zoom < 0 || l.Zoom > d.MaxZoom:
		return l, rasterbase.Errorf(rasterbase.Invalid, "%s has no zoom %d", d.Name, l.Zoom).
			WithHint("its zooms go from 0 to %d; without one the source's own pixels are counted", d.MaxZoom).WithField("zoom")
	}
	return l, nil
}

// Len is how many zones there are.
func (z *Zones) Len() int { return len(z.outlines) }

// Level is the level whose pixels are counted.
func (z *Zones) Level() coverage.Level { return z.level }

// Fits reports whether a coverage has the grid in which the zones were placed, so that
// it can be counted with them.
func (z *Zones) Fits(d coverage.Description) bool {
	level, err := levelOf(d, z.level)
	return err == nil && level == z.level && d.LevelGrid(level) == z.grid
}
