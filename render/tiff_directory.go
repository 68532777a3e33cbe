package render

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// Tags of TIFF 6.0, of GeoTIFF (OGC 19-008r4) and of GDAL.
const (
	tagSubfile          = 254
	tagWidth            = 256
	tagHeight           = 257
	tagBits             = 258
	tagCompression      = 259
	tagPhotometric      = 262
	tagStripOffsets     = 273
	tagSamples          = 277
	tagRowsPerStrip     = 278
	tagStripBytes       = 279
	tagPlanar           = 284
	tagPredictor        = 317
	tagTileWidth        = 322
	tagTileHeight       = 323
	tagTileOffsets      = 324
	tagTileBytes        = 325
	tagExtraSamples     = 338
	tagSampleFormat     = 339
	tagSubsampling      = 530
	tagReferenceBW      = 532
	tagPixelScale       = 33550
	tagTiepoint         = 33922
	tagTransformation   = 34264
	tagGeoKeys          = 34735
	tagGeoAscii         = 34737
	tagGDALMetadata     = 42112
	tagGDALNodata       = 42113
	subfileMask         = 4
	photometricGrey     = 1
	photometricRGB      = 2
	photometricMask     = 4
	photometricYCbCr    = 6
	planarInterleaved   = 1
	predictorDifference = 2
	predictorFloat      = 3
)

// Field types of TIFF.
const (
	typeASCII    = 2
	typeShort    = 3
	typeLong     = 4
	typeRational = 5
	typeDouble   = 12
)

// order is that of the machine, so that pixels are written as they lie in
// memory: a TIFF says which one it has.
var order = binary.NativeEndian

// tiffHeader is the eight bytes at the beginning, with the first directory
// right behind.
func tiffHeader() []byte {
	h := []byte("MM")
	if order.Uint16([]byte{1, 0}) == 1 {
		h = []byte("II")
	}
	return order.AppendUint32(order.AppendUint16(h, 42), 8)
}

// field is an entry of a directory.
type field struct {
	tag, kind uint16
	count     int
	data      []byte
}

// directory is what a TIFF says of one image.
type directory struct {
	fields []field
	blocks [][]byte // packed strips or tiles
}

func (d *directory) add(f ...field) { d.fields = append(d.fields, f...) }

func (d *directory) short(tag uint16, v ...uint16) { d.add(shorts(tag, v...)) }

func (d *directory) long(tag uint16, v ...uint32) {
	f := field{tag: tag, kind: typeLong, count: len(v)}
	for _, n := range v {
		f.data = order.AppendUint32(f.data, n)
	}
	d.add(f)
}

func (d *directory) ascii(tag uint16, s string) { d.add(ascii(tag, s)) }

func shorts(tag uint16, v ...uint16) field {
	f := field{tag: tag, kind: typeShort, count: len(v)}
	for _, n := range v {
		f.data = order.AppendUint16(f.data, n)
	}
	return f
}

func doubles(tag uint16, v ...float64) field {
	f := field{tag: tag, kind: typeDouble, count: len(v)}
	for _, n := range v {
		f.data = order.AppendUint64(f.data, math.Float64bits(n))
	}
	return f
}

func ascii(tag uint16, s string) field {
	b := append(bytes.ReplaceAll([]byte(s), []byte{0}, nil), 0)
	return field{tag: tag, kind: typeASCII, count: len(b), data: b}
}

// setBlocks says where the blocks lie when the first one is at an offset.
func (d *directory) setBlocks(tiled bool, at int) {
	offsets, counts := uint16(tagStripOffsets), uint16(tagStripBytes)
	if tiled {
		offsets, counts = tagTileOffsets, tagTileBytes
	}
	d.fields = slices.DeleteFunc(d.fields, func(f field) bool { return f.tag == offsets || f.tag == counts })
	where, lengths := make([]uint32, len(d.blocks)), make([]uint32, len(d.blocks))
	for i, b := range d.blocks {
		where[i], lengths[i] = uint32(at), uint32(len(b))
		at += len(b) + len(b)%2
	}
	d.long(offsets, where...)
	d.long(counts, lengths...)
}

// size is the bytes of the directory, with the values that lie behind it.
func (d *directory) size() int {
	n := 2 + 12*len(d.fields) + 4
	for _, f := range d.fields {
		if len(f.data) > 4 {
			n += len(f.data) + len(f.data)%2
		}
	}
	return n
}

// append writes the directory at the end of a file that begins with out.
func (d *directory) append(out []byte, more bool) []byte {
	slices.SortFunc(d.fields, func(a, b field) int { return int(a.tag) - int(b.tag) })
	values := len(out) + 2 + 12*len(d.fields) + 4
	end := len(out) + d.size()
	var behind []byte
	out = order.AppendUint16(out, uint16(len(d.fields)))
	for _, f := range d.fields {
		out = order.AppendUint16(order.AppendUint16(out, f.tag), f.kind)
		out = order.AppendUint32(out, uint32(f.count))
		if len(f.data) > 4 {
			out = order.AppendUint32(out, uint32(values+len(behind)))
			behind = append(append(behind, f.data...), make([]byte, len(f.data)%2)...)
		} else {
			out = append(append(out, f.data...), make([]byte, 4-len(f.data))...)
		}
	}
	next := uint32(0)
	if more {
		next = uint32(end)
	}
	return append(order.AppendUint32(out, next), behind...)
}
