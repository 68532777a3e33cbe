// Package tiff writes the parts of TIFF files: directories, in the classic form
// and in that of BigTIFF, the tags of GeoTIFF and of GDAL, and packed blocks of
// pixels. Who uses it decides what stands where in a file.
package tiff

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
	tagColorMap         = 320
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
	subfileReduced      = 1
	subfileMask         = 4
	photometricGrey     = 1
	photometricRGB      = 2
	photometricPalette  = 3
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
	typeLong8    = 16 // of BigTIFF
)

// order is that of the machine, so that pixels are written as they lie in
// memory: a TIFF says which one it has.
var order = binary.NativeEndian

// Form is one of the two forms of TIFF: with offsets of 4 bytes, or of 8.
type Form struct{ Big bool }

// Header is the bytes at the beginning of a file, whose first directory is at
// an offset.
func (f Form) Header(first int64) []byte {
	h := []byte("MM")
	if order.Uint16([]byte{1, 0}) == 1 {
		h = []byte("II")
	}
	if f.Big {
		h = order.AppendUint16(order.AppendUint16(order.AppendUint16(h, 43), 8), 0)
		return order.AppendUint64(h, uint64(first))
	}
	return order.AppendUint32(order.AppendUint16(h, 42), uint32(first))
}

// HeaderSize is the bytes of the header.
func (f Form) HeaderSize() int {
	if f.Big {
		return 16
	}
	return 8
}

// sizes are the bytes of the number of entries, of an entry, and of an offset.
func (f Form) sizes() (count, entry, offset int) {
	if f.Big {
		return 8, 20, 8
	}
	return 2, 12, 4
}

// offset appends an offset or a number as long as one.
func (f Form) offset(out []byte, v uint64) []byte {
	if f.Big {
		return order.AppendUint64(out, v)
	}
	return order.AppendUint32(out, uint32(v))
}

// Field is an entry of a directory.
type Field struct {
	tag, kind uint16
	count     int
	data      []byte
}

// Directory is what a TIFF says of one image.
type Directory struct{ fields []Field }

// Add adds fields.
func (d *Directory) Add(f ...Field) { d.fields = append(d.fields, f...) }

// AddMetadata adds GDAL's XML of what is known of bands; empty is none.
func (d *Directory) AddMetadata(text string) {
	if text != "" {
		d.Add(ascii(tagGDALMetadata, text))
	}
}

// AddNodata adds GDAL's nodata value; empty is none.
func (d *Directory) AddNodata(text string) {
	if text != "" {
		d.Add(ascii(tagGDALNodata, text))
	}
}

func (d *Directory) short(tag uint16, v ...uint16) { d.Add(shorts(tag, v...)) }

func (d *Directory) long(tag uint16, v ...uint32) {
	f := Field{tag: tag, kind: typeLong, count: len(v)}
	for _, n := range v {
		f.data = order.AppendUint32(f.data, n)
	}
	d.Add(f)
}

func shorts(tag uint16, v ...uint16) Field {
	f := Field{tag: tag, kind: typeShort, count: len(v)}
	for _, n := range v {
		f.data = order.AppendUint16(f.data, n)
	}
	return f
}

func doubles(tag uint16, v ...float64) Field {
	f := Field{tag: tag, kind: typeDouble, count: len(v)}
	for _, n := range v {
		f.data = order.AppendUint64(f.data, math.Float64bits(n))
	}
	return f
}

func ascii(tag uint16, s string) Field {
	b := append(bytes.ReplaceAll([]byte(s), []byte{0}, nil), 0)
	return Field{tag: tag, kind: typeASCII, count: len(b), data: b}
}

// Block is where a packed strip or tile lies in a file. One of no bytes is not
// there: its offset is 0.
type Block struct {
	Offset int64
	Bytes  uint32
}

// SetBlocks says where the strips or tiles lie, row by row. Offsets of more than
// 4 bytes need the form of BigTIFF.
func (d *Directory) SetBlocks(f Form, tiled bool, blocks []Block) {
	offsets, counts := uint16(tagStripOffsets), uint16(tagStripBytes)
	if tiled {
		offsets, counts = tagTileOffsets, tagTileBytes
	}
	d.fields = slices.DeleteFunc(d.fields, func(f Field) bool { return f.tag == offsets || f.tag == counts })
	where := Field{tag: offsets, kind: typeLong, count: len(blocks)}
	if f.Big {
		where.kind = typeLong8
	}
	lengths := Field{tag: counts, kind: typeLong, count: len(blocks)}
	for _, b := range blocks {
		at := uint64(b.Offset)
		if b.Bytes == 0 {
			at = 0
		}
		where.data = f.offset(where.data, at)
		lengths.data = order.AppendUint32(lengths.data, b.Bytes)
	}
	d.Add(where, lengths)
}

// Size is the bytes of the directory, with the values that lie behind it. It is
// even.
func (d *Directory) Size(f Form) int {
	count, entry, offset := f.sizes()
	n := count + entry*len(d.fields) + offset
	for _, v := range d.fields {
		if len(v.data) > offset {
			n += len(v.data) + len(v.data)%2
		}
	}
	return n
}

// Append writes the directory at the end of a file that begins with out, whose
// length is even. More tells that another directory follows right behind.
func (d *Directory) Append(f Form, out []byte, more bool) []byte {
	slices.SortFunc(d.fields, func(a, b Field) int { return int(a.tag) - int(b.tag) })
	count, entry, offset := f.sizes()
	values := len(out) + count + entry*len(d.fields) + offset
	end := len(out) + d.Size(f)
	var behind []byte
	if f.Big {
		out = order.AppendUint64(out, uint64(len(d.fields)))
	} else {
		out = order.AppendUint16(out, uint16(len(d.fields)))
	}
	for _, v := range d.fields {
		out = order.AppendUint16(order.AppendUint16(out, v.tag), v.kind)
		out = f.offset(out, uint64(v.count))
		if len(v.data) > offset {
			out = f.offset(out, uint64(values+len(behind)))
			behind = append(append(behind, v.data...), make([]byte, len(v.data)%2)...)
		} else {
			out = append(append(out, v.data...), make([]byte, offset-len(v.data))...)
		}
	}
	next := uint64(0)
	if more {
		next = uint64(end)
	}
	return append(f.offset(out, next), behind...)
}
