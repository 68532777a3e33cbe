package render

import (
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"math/bits"

	"github.com/klauspost/compress/flate"
)

// PNG colour types, as in the specification (ISO/IEC 15948).
const (
	trueColor      = 2
	indexedColor   = 3
	trueColorAlpha = 6
)

// PNG filter types.
const (
	filterNone = 0
	filterSub  = 1
)

// writePNG writes the image to e.out.
func (e *encoder) writePNG() {
	if e.writeExpected() {
		return
	}
	if !e.indexed() {
		e.writeTrueColor()
		return
	}
	depth := depthOf(len(e.palette))
	stride := (e.width*depth + 7) / 8
	flat := e.pack(depth, stride)
	e.begin(depth, indexedColor)
	e.writePalette()
	e.finish(1+stride, flat, depth < 8)
}

// pack writes the rows of an indexed image.
func (e *encoder) pack(depth, stride int) (flat bool) {
	e.raw = e.rows(stride)
	if e.keys8 != nil {
		return packKeys(e, e.keys8, depth, stride)
	}
	return packKeys(e, e.keys16, depth, stride)
}

// writeExpected writes an image with the palette of all the colours that there
// can be, when they are few. What is packed shows which of them occur: it is
// false when fewer bits would do for those.
func (e *encoder) writeExpected() bool {
	if e.width%8 != 0 || !e.expect() { // rows must end with a byte
		return false
	}
	depth := depthOf(len(e.palette))
	stride := e.width * depth / 8
	if e.height*(1+stride) > deflateBlock {
		return false
	}
	e.pack(depth, stride)
	d := &e.deflater
	d.find(e.raw, 0, len(e.raw), 1+stride, true)
	// A byte that occurs was once no copy. The filter types make it impossible
	// to tell whether the first colour occurs.
	occur := uint16(0)
	for b, n := range d.counts[:256] {
		for at := 0; n > 0 && at < 8; at += depth {
			occur |= 1 << (b >> at & (1<<depth - 1))
		}
	}
	if depth > 1 && depthOf(bits.OnesCount16(occur&^1)) != depth {
		return false
	}
	e.begin(depth, indexedColor)
	e.writePalette()
	at := e.beginData()
	d.begin(e.out.b)
	d.write(e.raw, true, true)
	e.out.b = d.out
	e.endData(at)
	return true
}

// rows is memory for rows of so many bytes, each behind its filter type, with
// spare bytes at the end.
func (e *encoder) rows(bytes int) []byte {
	n := e.height * (1 + bytes)
	return grow(e.raw, n+spare)[:n]
}

// depthOf is the smallest depth in bits for a palette of n colours.
func depthOf(n int) int {
	switch {
	case n <= 2:
		return 1
	case n <= 4:
		return 2
	case n <= 16:
		return 4
	}
	return 8
}

// packKeys writes the rows of an indexed image. It reports whether they hold
// runs enough for matches; if not, they are differences (filter sub).
func packKeys[K uint8 | uint16](e *encoder, keys []K, depth, stride int) (flat bool) {
	flat = depth < 8 || isFlat(keys, e.width)
	for y := range e.height {
		row := e.raw[y*(1+stride) : (y+1)*(1+stride)]
		row[0] = filterNone
		px, to := keys[y*e.width:(y+1)*e.width], row[1:]
		switch {
		case depth == 8 && flat:
			for x, k := range px {
				to[x] = e.index[k]
			}
		case depth == 8:
			row[0] = filterSub
			left := uint8(0)
			for x, k := range px {
				v := e.index[k]
				to[x] = v - left
				left = v
			}
		case depth == 4:
			packNibbles(to, px, &e.index)
		default:
			packBits(to, px, &e.index, depth)
		}
	}
	return flat
}

func packNibbles[K uint8 | uint16](to []byte, px []K, index *[maxKeys]uint8) {
	for len(px) >= 8 && len(to) >= 4 {
		p, t := px[:8], to[:4]
		t[0] = index[p[0]]<<4 | index[p[1]]
		t[1] = index[p[2]]<<4 | index[p[3]]
		t[2] = index[p[4]]<<4 | index[p[5]]
		t[3] = index[p[6]]<<4 | index[p[7]]
		px, to = px[8:], to[4:]
	}
	packBits(to, px, index, 4)
}

// packBits packs pixels from the highest bit of each byte on.
func packBits[K uint8 | uint16](to []byte, px []K, index *[maxKeys]uint8, depth int) {
	each := 8 / depth
	for i := range to {
		n := min(each, len(px))
		b := uint8(0)
		for _, k := range px[:n] {
			b = b<<depth | index[k]
		}
		to[i] = b << (depth * (each - n))
		px = px[n:]
	}
}

// isFlat samples rows and reports whether most pixels equal their neighbour.
func isFlat[P comparable](px []P, width int) bool {
	const every = 8
	equal, total := 0, 0
	for from := 0; from+width <= len(px); from += every * width {
		row := px[from : from+width]
		for x := 1; x < len(row); x++ {
			if row[x] == row[x-1] {
				equal++
			}
		}
		total += width - 1
	}
	return 2*equal >= total
}

func (e *encoder) writeTrueColor() {
	px := e.paint()
	alpha := hasAlpha(px)
	bytes, kind := 3, byte(trueColor)
	if alpha {
		bytes, kind = 4, trueColorAlpha
	}
	e.begin(8, kind)
	e.raw = e.rows(e.width * bytes)
	for y := range e.height {
		row := e.raw[y*(1+e.width*bytes) : (y+1)*(1+e.width*bytes)]
		row[0] = filterSub
		if alpha {
			subAlpha(row[1:], px[y*e.width:(y+1)*e.width])
		} else {
			subColor(row[1:], px[y*e.width:(y+1)*e.width])
		}
	}
	e.finish(1+e.width*bytes, isFlat(px, e.width), false)
}

func hasAlpha(px []uint32) bool {
	for _, c := range px {
		if c < opaque {
			return true
		}
	}
	return false
}

// difference subtracts each of the four bytes on its own.
func difference(a, b uint32) uint32 {
	const high = 0x80808080
	return ((a | high) - (b &^ high)) ^ ((a ^ ^b) & high)
}

func subColor(to []byte, px []uint32) {
	left := uint32(0)
	for _, c := range px {
		d := difference(c, left)
		t := to[:3]
		t[0], t[1], t[2] = byte(d), byte(d>>8), byte(d>>16)
		to, left = to[3:], c
	}
}

func subAlpha(to []byte, px []uint32) {
	left := uint32(0)
	for _, c := range px {
		binary.LittleEndian.PutUint32(to, difference(c, left))
		to, left = to[4:], c
	}
}

// begin writes the signature and the header.
func (e *encoder) begin(depth int, kind byte) {
	e.out.b = append(e.out.b[:0], "\x89PNG\r\n\x1a\n"...)
	at := e.open("IHDR")
	e.out.b = binary.BigEndian.AppendUint32(e.out.b, uint32(e.width))
	e.out.b = binary.BigEndian.AppendUint32(e.out.b, uint32(e.height))
	e.out.b = append(e.out.b, byte(depth), kind, 0, 0, 0)
	e.close(at)
}

// writePalette writes the colours, and the alpha of those that come first
// because they are not opaque.
func (e *encoder) writePalette() {
	at := e.open("PLTE")
	translucent := 0
	for _, c := range e.palette {
		e.out.b = append(e.out.b, byte(c), byte(c>>8), byte(c>>16))
		if c < opaque {
			translucent++
		}
	}
	e.close(at)
	if translucent == 0 {
		return
	}
	at = e.open("tRNS")
	for _, c := range e.palette[:translucent] {
		e.out.b = append(e.out.b, byte(c>>24))
	}
	e.close(at)
}

// finish writes the compressed rows and the end. Rows without runs are only
// Huffman coded: looking for copies takes three times as long there and saves
// little. Bytes of whole pixels, and differences, repeat what is farther away
// than the neighbours that [deflater] looks at.
func (e *encoder) finish(stride int, flat, packed bool) {
	at := e.beginData()
	if flat && !packed {
		e.lempelZiv()
	} else {
		e.deflater.begin(e.out.b)
		e.out.b = e.deflater.append(e.raw, stride, flat)
	}
	e.endData(at)
}

// lempelZiv compresses rows in which copies come from anywhere.
func (e *encoder) lempelZiv() {
	if e.lz == nil {
		e.lz, _ = flate.NewWriter(&e.out, flate.BestSpeed) // a level that there is
	} else {
		e.lz.Reset(&e.out)
	}
	// Writing to memory does not fail.
	_, _ = e.lz.Write(e.raw)
	_ = e.lz.Close()
}

func (e *encoder) beginData() (at int) {
	at = e.open("IDAT")
	e.out.b = append(e.out.b, 0x78, 0x01) // zlib: deflate, 32 KiB window, fastest
	return at
}

func (e *encoder) endData(at int) {
	e.out.b = binary.BigEndian.AppendUint32(e.out.b, adler32.Checksum(e.raw))
	e.close(at)
	e.close(e.open("IEND"))
}

// open starts a chunk and tells where.
func (e *encoder) open(name string) (at int) {
	at = len(e.out.b)
	e.out.b = append(append(e.out.b, 0, 0, 0, 0), name...)
	return at
}

// close writes the length of a chunk and its checksum.
func (e *encoder) close(at int) {
	chunk := e.out.b[at+4:]
	binary.BigEndian.PutUint32(e.out.b[at:], uint32(len(chunk)-4))
	e.out.b = binary.BigEndian.AppendUint32(e.out.b, crc32.ChecksumIEEE(chunk))
}
