// Package rastertest has an ingest.Opener in pure Go for tests: its rasters are
// functions, in the coordinate reference systems with closed formulas.
package rastertest

import (
	"cmp"
	"context"
	"path/filepath"
	"sync/atomic"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// Source is a raster.
type Source struct {
	Grid  rasterbase.Grid
	SRID  int // one that crs.Closed knows
	Bands []ingest.BandInfo
	// Value is the number in a pixel of a band, counted from 0.
	Value func(band, col, row int) float64
	// Mask tells which pixels are valid; nil: the raster has no mask.
	Mask func(band, col, row int) bool
	// BlockWidth is the width of the blocks that the file is said to be stored
	// in; 0: that of the raster.
	BlockWidth int
}

// Opener opens sources by the name of the file, whatever the file holds.
type Opener struct {
	Sources map[string]Source
	// BeforeOpen and BeforeRead, when set, can make a call fail or wait. n
	// counts the calls of this opener from 1.
	BeforeOpen func(ctx context.Context, n int64, path string) error
	BeforeRead func(ctx context.Context, n int64, w ingest.Window) error

	opened, read atomic.Int64
}

// Open opens the source that is named like the file.
func (o *Opener) Open(ctx context.Context, path string, _ ingest.OpenOptions) (ingest.Dataset, error) {
	if o.BeforeOpen != nil {
		if err := o.BeforeOpen(ctx, o.opened.Add(1), path); err != nil {
			return nil, err
		}
	}
	s, ok := o.Sources[filepath.Base(path)]
	if !ok {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s is not a raster", filepath.Base(path))
	}
	to, err := crs.Closed{}.Between(rasterbase.CRS{SRID: s.SRID}, rasterbase.CRS{SRID: 3857})
	if err != nil {
		return nil, err
	}
	from, err := crs.Closed{}.Between(rasterbase.CRS{SRID: 3857}, rasterbase.CRS{SRID: s.SRID})
	if err != nil {
		return nil, err
	}
	return &dataset{Source: s, opener: o, to: to, from: from}, nil
}

// Reads is how many windows were read so far.
func (o *Opener) Reads() int64 { return o.read.Load() }

type dataset struct {
	Source
	opener   *Opener
	to, from crs.Transform
}

func (d *dataset) Info() ingest.Info {
	return ingest.Info{
		Driver: "MEM", Grid: d.Grid, CRS: rasterbase.CRS{SRID: d.SRID, Name: "test"}, Bands: d.Bands,
		HasMask: d.Mask != nil, BlockWidth: cmp.Or(d.BlockWidth, d.Grid.Width), BlockHeight: 1,
	}
}

func (d *dataset) Read(ctx context.Context, w ingest.Window, bands []int) (*ingest.Block, error) {
	bands, err := d.Info().Select(bands)
	if err != nil {
		return nil, err
	}
	n := d.opener.read.Add(1)
	if d.opener.BeforeRead != nil {
		if err := d.opener.BeforeRead(ctx, n, w); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := &ingest.Block{Window: w}
	for _, i := range bands {
		p := raster.NewPixels(d.Bands[i].PixelType, w.Width*w.Height)
		var mask []uint8
		if d.Mask != nil {
			mask = make([]uint8, p.Len())
		}
		for k := range p.Len() {
			col, row := w.X+k%w.Width, w.Y+k/w.Width
			p.Set(k, d.Value(i, col, row))
			if mask != nil && d.Mask(i, col, row) {
				mask[k] = 255
			}
		}
		b.Bands = append(b.Bands, p)
		if mask != nil {
			b.Masks = append(b.Masks, mask)
		}
	}
	return b, nil
}

func (d *dataset) ToMercator(ctx context.Context, places []ingest.Place) error {
	points := make([]crs.Point, len(places))
	for i, p := range places {
		points[i].X, points[i].Y = d.Grid.World(p.X, p.Y)
	}
	err := d.to.Apply(ctx, points)
	for i, p := range points {
		places[i] = ingest.Place{X: p.X, Y: p.Y}
	}
	return err
}

func (d *dataset) FromMercator(ctx context.Context, places []ingest.Place) error {
	points := make([]crs.Point, len(places))
	for i, p := range places {
		points[i] = crs.Point{X: p.X, Y: p.Y}
	}
	err := d.from.Apply(ctx, points)
	for i, p := range points {
		places[i].X, places[i].Y = d.Grid.Pixel(p.X, p.Y)
	}
	return err
}

func (d *dataset) Close() error { return nil }
