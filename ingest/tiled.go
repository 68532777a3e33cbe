package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase"
)

// Tiler is a Dataset that can decode its file once, from the first row to the
// last, into a temporary file in tiles, and read from that afterwards. What Info
// says stays as it is, and so do the pixels.
type Tiler interface {
	Dataset
	// Tile copies some more rows, in about a second. Nothing else may be asked of
	// the dataset until the part that it returns is the last one, and nothing at
	// all after an error, unless the context ended: then it goes on where it was.
	Tile(ctx context.Context, o TileOptions) (TiledPart, error)
}

// TileOptions says how a tiled copy is made.
type TileOptions struct {
	// Compression is GDAL's name of the method: LZW. Another one takes its place
	// when it would change pixels or cannot hold them. Empty: none.
	Compression string
}

// TiledPart is how far a tiled copy is.
type TiledPart struct {
	Last        bool    `json:"last"`
	Share       float64 `json:"share"`       // that is done, 0 to 1
	Bytes       int64   `json:"bytes"`       // of the copy so far
	Compression string  `json:"compression"` // that is used
}

// tileFrom is the least number of bytes of pixels for which a file that is read
// in order is copied: what is smaller stays in GDAL's cache.
const tileFrom = 64 << 20

// rawBytes is how many bytes the pixels of a file take, unpacked.
func (i Info) rawBytes() int64 {
	pixel := int64(0)
	for _, b := range i.Bands {
		pixel += int64(b.PixelType.Size())
	}
	if i.HasMask {
		pixel++
	}
	return int64(i.Grid.Width) * int64(i.Grid.Height) * pixel
}

// wantsTiles tells whether a tiled copy is made of a source before its pixels
// are read.
func (i Info) wantsTiles() bool {
	return i.Oversized || i.Sequential && i.rawBytes() >= tileFrom
}

// makeTiled makes the tiled copy of a source that needs one, when the first
// pixels are about to be read here. Each process that makes base tiles of a parse
// makes a copy of its own: decoding the file once takes a small part of the time
// that the parse takes, so that several workers are faster than one all the same,
// and no disk has to be shared.
func (r *run) makeTiled(ctx context.Context) error {
	o := r.src
	t, ok := o.source.(Tiler)
	if !ok || !o.source.Info().wantsTiles() {
		return nil
	}
	o.tiling.Lock()
	defer o.tiling.Unlock()
	switch {
	case o.tilingFailed != nil:
		return o.tilingFailed
	case o.tiled:
		return nil
	}
	start := time.Now()
	part, err := r.p.tile(ctx, t, r.layer.Source.Size)
	if err != nil {
		err = fmt.Errorf("make a tiled copy of the source: %w", o.file.clean(err))
		if ctx.Err() == nil { // another chunk can go on with it otherwise
			o.tilingFailed = err
		}
		return err
	}
	o.tiled = true
	o.took.Add(int64(time.Since(start)))
	how := part.Compression
	if how == "" {
		how = "no compression"
	}
	if asked := r.p.c.Compress; part.Compression != asked {
		how += fmt.Sprintf(", since %s cannot keep these pixels as they are", asked)
	}
	return r.logf(ctx, "the source cannot be read piece by piece: a tiled copy of %d bytes (%s) was made in %s",
		part.Bytes, how, time.Since(start).Round(time.Millisecond))
}

// tile makes a tiled copy, and keeps room on the disk meanwhile.
func (p *Parser) tile(ctx context.Context, t Tiler, sourceBytes int64) (part TiledPart, err error) {
	// How well the pixels pack is not known before. A copy of a packed file is
	// hardly smaller than that.
	least := min(sourceBytes, t.Info().rawBytes()) / 2
	for !part.Last {
		if err := p.checkWorkDisk(max(0, least-part.Bytes)); err != nil {
			return part, err
		}
		if part, err = t.Tile(ctx, TileOptions{Compression: p.c.Compress}); err != nil {
			return part, err
		}
	}
	return part, nil
}

// checkWorkDisk makes sure that so many bytes leave enough of the disk of
// temporary files free.
func (p *Parser) checkWorkDisk(bytes int64) error {
	free, err := p.workDisk(p.c.WorkDir)
	if err != nil || free-bytes >= p.c.Limits.FreeDisk {
		return nil //nolint:nilerr // a system that cannot tell has none of the rule
	}
	return rasterbase.Errorf(rasterbase.TooLarge,
		"there is no room for temporary files: %d bytes more are needed, %d bytes are free, of which %d stay free", bytes, free, p.c.Limits.FreeDisk).
		WithHint("free some space, or set RASTER_WORKDIR to a folder on another disk")
}
