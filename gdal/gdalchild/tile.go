package gdalchild

import (
	"context"
	"errors"

	"github.com/rasterbase/rasterbase/ingest"
)

// Tile lets the child copy some more rows of its file into a tiled one in its own
// temporary folder, which goes when the child ends, however that is.
func (d *dataset) Tile(ctx context.Context, o ingest.TileOptions) (ingest.TiledPart, error) {
	if !d.tiling {
		if err := d.allowFile(ctx); err != nil {
			return ingest.TiledPart{}, err
		}
		d.tiling = true
	}
	// The answer may come when nobody waits any more, so it has a place of its
	// own.
	part, parallel := new(ingest.TiledPart), new(int)
	err := d.call(ctx, request{Op: opTile, Tile: &o}, nil, func(a answer, raw uint64) ([][]byte, error) {
		if a.Tiled == nil || raw != 0 {
			return nil, errors.New("the answer to tiling is not one")
		}
		*part, *parallel = *a.Tiled, a.Parallel
		return nil, nil
	})
	if err != nil {
		return ingest.TiledPart{}, err
	}
	if part.Last {
		d.slots = make(chan struct{}, max(1, min(d.options.Parallel, *parallel)))
	}
	return *part, nil
}

// allowFile starts a child anew that may write a file as large as the copy can
// become: packing may make noise half as large again.
func (d *dataset) allowFile(ctx context.Context) error {
	pixel := int64(1) // for a mask
	for _, b := range d.info.Bands {
		pixel += int64(b.PixelType.Size())
	}
	if d.info.HasMask { // alpha is a band of the file
		pixel += int64(d.info.Bands[0].PixelType.Size())
	}
	o := d.o
	o.FileSizeLimit = int64(d.info.Grid.Width)*int64(d.info.Grid.Height)*pixel*3/2 + 64<<20
	if o.FileSizeLimit <= d.o.FileSizeLimit {
		return nil
	}
	p, err := o.start(d.path)
	if err != nil {
		return err
	}
	other := &dataset{p: p, limits: d.limits, o: o, path: d.path, options: d.options}
	if err := other.openWith(ctx, d.path, d.options); err != nil {
		p.close()
		return err
	}
	d.p.close()
	d.p, d.o, d.slots = other.p, o, other.slots
	return nil
}
