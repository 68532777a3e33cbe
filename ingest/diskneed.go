package ingest

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/rasterbase/rasterbase"
)

// What a tile takes beside its pixels: its key, its header, its place in an
// index, and its share of the notes of a chunk.
const tileOverhead = 512

// leastPacked is how much smaller than their pixels tiles become at best, but for
// rasters that are all but empty.
const leastPacked = 64

// needDisk estimates how many bytes a parse takes at most: all tiles with pixels
// that do not pack, their summaries with a count for each value that there can
// be, the copy of the source with its side-cars, and temporary files, which are
// the unpacked raster, the copy of a source that a database keeps, and the tiled
// copy. Packed tiles of most rasters take a fifth to a half of it.
func (p *Parser) needDisk(pl *Plan, info Info, n sourceBytes) diskNeed {
	tiles := pl.BaseTiles + pl.PyramidTiles
	pixels := int64(pl.Grid.Width)*int64(pl.Grid.Height)*pl.pixelBytes(rasterbase.Base) +
		pl.PyramidTiles*int64(pl.TileSize)*int64(pl.TileSize)*pl.pixelBytes(rasterbase.Pyramid)
	d := diskNeed{tiles: pixels + tiles*(tileOverhead+pl.summaryBytes()), source: n.source, temp: n.unpacked}
	if p.c.FreeDisk == nil {
		d.temp += n.source
	}
	if info.wantsTiles() {
		d.temp += info.rawBytes() / 2 * 3 // noise grows when it is packed
	}
	d.least = pl.Bytes / leastPacked
	return d
}

// diskNeed is how many bytes of disk a parse needs at most, by what for.
type diskNeed struct {
	tiles, source, temp int64
	least               int64 // of tiles, at least
}

// sourceBytes is how many bytes the files of a source have.
type sourceBytes struct {
	source   int64 // with side-cars
	unpacked int64 // of a zip or gzip file
}

// pixelBytes is how many bytes a pixel takes in tiles of a kind.
func (pl *Plan) pixelBytes(k rasterbase.Kind) int64 {
	n := int64(0)
	for _, b := range pl.Bands {
		n += int64(b.PixelType.Size())
	}
	if k == rasterbase.Base && pl.baseValidity || k == rasterbase.Pyramid && pl.pyramidValidity {
		n++
	}
	return n
}

// summaryBytes is how many bytes the summary of a tile takes at most.
func (pl *Plan) summaryBytes() int64 {
	const band, count = 64, 12
	n := int64(0)
	for _, b := range pl.Bands {
		n += band
		if pl.Datatype != rasterbase.Continuous {
			lo, hi := b.PixelType.Range()
			n += count * int64(math.Min(min(4096, float64(pl.TileSize*pl.TileSize)), hi-lo+1))
		}
	}
	return n
}

// fitDisk notes in the plan how much disk is needed, warns when that is more than
// there is, and refuses when even the least would not fit.
// A source that is kept already needs no more room.
func (p *Parser) fitDisk(pl *Plan, d diskNeed, kept bool) error {
	pl.Disk = d.tiles + d.source + d.temp
	if kept {
		d.source = 0
	}
	if free, err := p.workDisk(p.c.WorkDir); err == nil && free-d.temp < p.c.Limits.FreeDisk && d.temp > 0 {
		pl.Warnings = append(pl.Warnings, fmt.Sprintf(
			"temporary files may take up to %d bytes, and %d are free on their disk, of which %d stay free", d.temp, free, p.c.Limits.FreeDisk))
	}
	if p.c.FreeDisk == nil {
		return nil
	}
	free, err := p.c.FreeDisk()
	if err != nil {
		return fmt.Errorf("look how much of the disk is free: %w", err)
	}
	switch left := free - p.c.Limits.FreeDisk; {
	case d.source+d.least > left:
		return rasterbase.Errorf(rasterbase.TooLarge,
			"there is no room on the disk: the parse needs at least %d bytes, %d bytes are free, of which %d stay free",
			d.source+d.least, free, p.c.Limits.FreeDisk).
			WithHint("free some space, or keep the data on another disk")
	case d.source+d.tiles > left:
		pl.Warnings = append(pl.Warnings, fmt.Sprintf(
			"tiles and source may take up to %d bytes, and %d are free on the disk of the data, of which %d stay free: the disk may become full",
			d.source+d.tiles, free, p.c.Limits.FreeDisk))
	}
	return nil
}

// fitDisk refuses a parse that is about to begin when it cannot fit. Later what it
// has written is part of what is not free.
func (r *run) fitDisk() error {
	need := r.p.needDisk(r.plan, r.src.source.Info(), sourceBytes{source: r.layer.Source.Size})
	return r.p.fitDisk(r.plan, need, true)
}

// bytesOf measures a source file with its side-cars, and what was unpacked of it.
func bytesOf(path string, f rasterFile) (n sourceBytes) {
	cars, _ := sidecars(path) // they are found or reported when they are copied
	for _, name := range append(cars, path) {
		if info, err := os.Stat(name); err == nil {
			n.source += info.Size()
		}
	}
	if f.temp == nil {
		return n
	}
	_ = filepath.WalkDir(f.dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				n.unpacked += info.Size()
			}
		}
		return nil
	})
	return n
}
