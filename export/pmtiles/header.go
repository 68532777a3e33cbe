package pmtiles

import (
	"encoding/binary"
	"math"

	"github.com/rasterbase/rasterbase/export/tileset"
)

// headerSize is the length of a header in bytes.
const headerSize = 127

// What the header calls compressions and kinds of tiles.
const (
	notCompressed = 1
	gzipped       = 2
)

var tileTypes = map[string]byte{"png": 2, "jpg": 3, "webp": 4}

// section is a part of the file.
type section struct{ offset, length uint64 }

func (s section) end() uint64 { return s.offset + s.length }

// header is the beginning of a file.
type header struct {
	root, metadata, leaves, tiles section
	addressed, entries, different uint64
	tileType                      byte
	minZoom, maxZoom, centerZoom  byte
	bounds                        [4]float64 // west, south, east, north
	center                        [2]float64 // longitude, latitude
}

// headerOf is the header of a set, without its sections.
func headerOf(p *tileset.Plan, c *contents) header {
	b := p.Extent()
	return header{
		addressed: c.addressed, entries: uint64(len(c.entries)), different: c.different,
		tileType: tileTypes[p.Format],
		// Planning keeps zooms within 0 to 30.
		minZoom: byte(p.MinZoom), maxZoom: byte(p.MaxZoom), centerZoom: byte(p.Center.Zoom), //nolint:gosec // see above
		bounds: [4]float64{b.West, b.South, b.East, b.North},
		center: [2]float64{p.Center.Lon, p.Center.Lat},
	}
}

// encode writes the header, all numbers with the lowest byte first.
func (h *header) encode() []byte {
	b := append(make([]byte, 0, headerSize), "PMTiles\x03"...)
	for _, s := range []section{h.root, h.metadata, h.leaves, h.tiles} {
		b = binary.LittleEndian.AppendUint64(b, s.offset)
		b = binary.LittleEndian.AppendUint64(b, s.length)
	}
	for _, n := range []uint64{h.addressed, h.entries, h.different} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	const clustered = 1
	b = append(b, clustered, gzipped, notCompressed, h.tileType, h.minZoom, h.maxZoom)
	for _, v := range h.bounds {
		b = appendDegrees(b, v)
	}
	b = append(b, h.centerZoom)
	for _, v := range h.center {
		b = appendDegrees(b, v)
	}
	return b
}

// appendDegrees writes degrees in ten millionths.
func appendDegrees(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint32(b, uint32(int32(math.Round(v*1e7)))) //nolint:gosec // negative ones in two's complement
}
