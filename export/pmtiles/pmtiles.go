// Package pmtiles writes map tiles into a PMTiles 3 file, which any web server or
// object store hands out without a tile server: browsers ask for the parts of it
// that they need.
//
// The file has the order that the specification recommends: header, root
// directory, metadata, leaf directories, tiles. Tiles lie along the Hilbert curve
// ("clustered"), and those that are the same to the last byte are stored once.
package pmtiles

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/export/tileset"
	"github.com/rasterbase/rasterbase/xyz"
)

// MediaType is what HTTP calls such a file.
const MediaType = "application/vnd.pmtiles"

// MaxZoom is the largest zoom that readers in JavaScript can number: beyond it,
// numbers of tiles take more bits than theirs have.
const MaxZoom = 26

// Write draws the tiles of a plan into a file, which takes the place of an older one
// when it is whole; after an error nothing of it is left. The tiles lie in a
// temporary file first, because the directories stand before them and are known
// last: about twice the size of the file is needed on the disk meanwhile. Memory
// is bounded but for about 100 bytes for each different tile. A plan of which
// every tile is empty, or beyond [MaxZoom], fails with code invalid.
func Write(ctx context.Context, path string, p *tileset.Plan, o tileset.Options) error {
	if p.MaxZoom > MaxZoom {
		return rasterbase.Errorf(rasterbase.Invalid, "PMTiles has no zoom %d", p.MaxZoom).
			WithField("zoom").WithHint("it goes up to %d", MaxZoom)
	}
	dir := o.TempDir
	if dir == "" {
		dir = filepath.Dir(path)
	}
	f, err := os.CreateTemp(dir, ".pmtiles-*.part")
	if err != nil {
		return err
	}
	defer func() {
		_ = f.Close() // it was only read since
		_ = os.Remove(f.Name())
	}()
	tiles, err := draw(ctx, f, p, o)
	if err != nil {
		return err
	}
	return tileset.Save(path, func(temporary string) error {
		return assemble(ctx, temporary, p, tiles, f)
	})
}

// contents is where tiles lie.
type contents struct {
	entries   []entry
	addressed uint64 // tiles
	different uint64 // pictures
	size      uint64 // of all pictures
}

// draw writes the pictures of a plan one behind the other.
func draw(ctx context.Context, w io.Writer, p *tileset.Plan, o tileset.Options) (*contents, error) {
	type place struct {
		offset uint64
		length uint32
	}
	var c contents
	out := bufio.NewWriterSize(w, 1<<20)
	seen := map[[16]byte]place{}
	err := p.Each(ctx, o, func(t xyz.Tile, body []byte) error {
		sum := sha256.Sum256(body)
		key := [16]byte(sum[:16])
		at, known := seen[key]
		if !known {
			if uint64(len(body)) > 1<<32-1 {
				return fmt.Errorf("tile %v has %d bytes", t, len(body))
			}
			at = place{c.size, uint32(len(body))}
			if _, err := out.Write(body); err != nil {
				return err
			}
			seen[key] = at
			c.size += uint64(at.length)
			c.different++
		}
		c.add(entry{id: tileset.ID(t), offset: at.offset, length: at.length, run: 1})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &c, out.Flush()
}

// add notes a tile, whose id is greater than those before.
func (c *contents) add(e entry) {
	c.addressed++
	if n := len(c.entries); n > 0 {
		last := &c.entries[n-1]
		if last.offset == e.offset && last.id+uint64(last.run) == e.id && last.run < 1<<32-1 {
			last.run++
			return
		}
	}
	c.entries = append(c.entries, e)
}

// assemble writes the whole file.
func assemble(ctx context.Context, path string, p *tileset.Plan, c *contents, tiles io.ReadSeeker) error {
	metadata, err := metadataOf(p)
	if err != nil {
		return err
	}
	root, leaves, err := directories(c.entries)
	if err != nil {
		return err
	}
	h := headerOf(p, c)
	h.root = section{headerSize, uint64(len(root))}
	h.metadata = section{h.root.end(), uint64(len(metadata))}
	h.leaves = section{h.metadata.end(), uint64(len(leaves))}
	h.tiles = section{h.leaves.end(), c.size}

	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{h.encode(), root, metadata, leaves} {
		if _, err = f.Write(part); err != nil {
			break
		}
	}
	if err == nil {
		err = copyAll(ctx, f, tiles, int64(c.size)) //nolint:gosec // the length of a file
	}
	return errors.Join(err, f.Close())
}

// copyAll copies a file from its beginning, in pieces, so that it can be
// cancelled.
func copyAll(ctx context.Context, to io.Writer, from io.ReadSeeker, size int64) error {
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return err
	}
	const piece = 64 << 20
	for ; size > 0; size -= piece {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.CopyN(to, from, min(size, piece)); err != nil {
			return err
		}
	}
	return nil
}

// metadataOf is what the file says of itself, as JSON, compressed.
func metadataOf(p *tileset.Plan) ([]byte, error) {
	text, err := json.Marshal(struct {
		Name        string          `json:"name,omitempty"`
		Description string          `json:"description,omitempty"`
		Attribution string          `json:"attribution,omitempty"`
		Type        string          `json:"type"`
		Version     string          `json:"version"`
		TileSize    int             `json:"tileSize"`
		Legend      json.RawMessage `json:"legend,omitempty"`
	}{p.Name, p.Description, p.Attribution, "overlay", p.Version, p.TileSize, p.Legend})
	if err != nil {
		return nil, fmt.Errorf("writing the legend: %w", err)
	}
	return compress(text)
}
