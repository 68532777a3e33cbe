package zonal

import (
	"cmp"
	"context"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/xyz"
)

// wholeTiles are the tiles of the whole coverage, as rectangles of tiles that have none
// in common: at a zoom, those that its bounds touch.
func (c *count) wholeTiles() []raster.Rect {
	if c.z.level.Kind == rasterbase.Base {
		width, height := c.tilesAcross(0)
		return []raster.Rect{{Width: width, Height: height}}
	}
	b := c.d.Bounds
	tiles := func(west, east float64) raster.Rect {
		var box xyz.Box
		box.MinX, box.MinY = xyz.FromLonLat(west, b.South)
		box.MaxX, box.MaxY = xyz.FromLonLat(east, b.North)
		// What rounding makes of an edge of a tile does not touch the next one.
		slack := c.z.grid.ScaleX / 1000
		if box.MaxX-box.MinX > 2*slack && box.MaxY-box.MinY > 2*slack {
			box.MinX, box.MinY, box.MaxX, box.MaxY = box.MinX+slack, box.MinY+slack, box.MaxX-slack, box.MaxY-slack
		}
		x1, y1, x2, y2 := xyz.Cover(box, c.z.level.Zoom)
		return raster.Rect{X: x1, Y: y1, Width: x2 - x1 + 1, Height: y2 - y1 + 1}
	}
	if b.West <= b.East {
		return []raster.Rect{tiles(b.West, b.East)}
	}
	// Both ends of the world.
	first, last := tiles(-180, b.East), tiles(b.West, 180)
	if last.X < first.X+first.Width {
		first.Width = last.X + last.Width - first.X
		return []raster.Rect{first}
	}
	return []raster.Rect{first, last}
}

// readWhole has all tiles of the whole coverage read for a zone.
func (g *gathering) readWhole(ctx context.Context, zone int) error {
	for _, r := range g.wholeTiles() {
		for y := r.Y; y < r.Y+r.Height; y++ {
			for x := r.X; x < r.X+r.Width; x++ {
				g.read(x, y, zoneUse{zone, true}, false)
			}
			if err := cmp.Or(ctx.Err(), g.affordable()); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleWhole gives a zone that is the whole coverage at a zoom the pixels without a
// value of its own tiles: the page of summaries that was asked has more of them.
func (g *gathering) settleWhole(zone int) {
	if !g.z.whole[g.from+zone] || g.z.level.Kind == rasterbase.Base {
		return
	}
	tiles, m := 0.0, &g.made[zone]
	for _, r := range g.wholeTiles() {
		tiles += float64(r.Width) * float64(r.Height)
	}
	m.SummaryTiles = max(0, int64(tiles)-m.TilesRead)
	for k := range g.plans {
		t := &g.parts[zone*len(g.plans)+k]
		t.nodata = max(0, tiles*float64(g.z.grid.TileSize)*float64(g.z.grid.TileSize)-t.valid)
	}
}

// keeps reports whether the only zone is the whole coverage, and the histograms asked
// for are those that it keeps.
func (c *count) keeps() bool {
	if c.z.Len() != 1 || !c.z.whole[0] || c.z.level != coverage.BaseLevel || c.ground != nil || c.q.Range != nil || c.q.Bins != 0 {
		return false
	}
	for _, p := range c.plans {
		band := c.d.Bands[p.band]
		if !p.binned || p.sampled || len(band.Histogram.Bins) == 0 || band.Count == 0 || !(band.Histogram.Min < band.Histogram.Max) {
			return false
		}
	}
	return true
}

// kept answers with the histograms that the coverage keeps. What else is asked is
// answered from summaries.
func (c *count) kept(ctx context.Context) (Result, error) {
	plans := make([][]*tallyPlan, len(c.plans))
	for k, p := range c.plans {
		plans[k] = []*tallyPlan{{band: p.band, kind: p.kind, group: NoGroup, stats: p.stats, low: math.NaN(), high: math.NaN()}}
	}
	g := newGathering(c, 0, 1, plans)
	if err := g.run(ctx); err != nil {
		return Result{}, err
	}
	r, err := g.result(0)
	if err != nil {
		return Result{}, err
	}
	for k := range r.Bands {
		b, h := &r.Bands[k], c.d.Bands[r.Bands[k].Band].Histogram
		b.Group = Histogram
		for i, n := range h.Bins {
			b.Counts = append(b.Counts, Row{Low: edgeOf(i, h.Min, h.Max, len(h.Bins)), High: edgeOf(i+1, h.Min, h.Max, len(h.Bins)), Count: float64(n)})
		}
	}
	return r, nil
}
