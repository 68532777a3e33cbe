package render

import (
	"bytes"
	"encoding/binary"

	"github.com/rasterbase/rasterbase"
)

// maxWebP is the largest width and height of a WebP.
const maxWebP = 1 << 14

// Transforms of lossless WebP, in the words of its specification (RFC 9649).
const (
	predictorTransform     = 0
	subtractGreenTransform = 2
	colorIndexingTransform = 3
)

// writeWebP encodes a lossless WebP (VP8L): the indices of up to 256 colours, a
// byte holding up to eight, or else what each pixel adds to a guess from its
// neighbours.
func (e *encoder) writeWebP() ([]byte, error) {
	if max(e.width, e.height) > maxWebP {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a WebP has at most %d pixels a side, not %dx%d", maxWebP, e.width, e.height)
	}
	indexed := e.indexed()
	alpha := indexed && e.palette[0] < opaque || !indexed && hasAlpha(e.paint())
	w := &e.webp
	w.out = append(w.out[:0], "RIFF    WEBPVP8L    "...)
	w.bits, w.n = 0, 0
	w.put(0x2f, 8)
	w.put(uint32(e.width-1), 14)
	w.put(uint32(e.height-1), 14)
	w.putBool(alpha)
	w.put(0, 3) // version
	if indexed {
		e.indexedWebP(w)
	} else {
		e.trueColorWebP(w)
	}
	w.flush()
	n := len(w.out) - 20
	binary.LittleEndian.PutUint32(w.out[16:], uint32(n))
	w.out = append(w.out, make([]byte, n%2)...)
	binary.LittleEndian.PutUint32(w.out[4:], uint32(len(w.out)-8))
	return bytes.Clone(w.out), nil
}

// indexedWebP writes the palette and the indices.
func (e *encoder) indexedWebP(w *webpWriter) {
	w.put(1, 1)
	w.put(colorIndexingTransform, 2)
	w.put(uint32(len(e.palette)-1), 8)
	w.px = grow(w.px, len(e.palette))
	left := uint32(0)
	for i, c := range e.palette {
		w.px[i] = difference(c, left)
		left = c
	}
	w.image(w.px, len(w.px), false)
	w.put(0, 1) // no more transforms
	depth := depthOf(len(e.palette))
	width := (e.width*depth + 7) / 8
	w.px = grow(w.px, width*e.height)
	if e.keys8 != nil {
		bundle(w.px, e.keys8, &e.index, e.width, depth)
	} else {
		bundle(w.px, e.keys16, &e.index, e.width, depth)
	}
	w.image(w.px, width, true)
}

// bundle puts as many indices as fit into the green of a pixel, the first in the
// lowest bits.
func bundle[K uint8 | uint16](to []uint32, keys []K, index *[maxKeys]uint8, width, depth int) {
	each := 8 / depth
	for len(keys) > 0 {
		row := keys[:width]
		for len(row) > 0 {
			n := min(each, len(row))
			b := uint32(0)
			for i, k := range row[:n] {
				b |= uint32(index[k]) << (i * depth)
			}
			to[0] = opaque | b<<8
			to, row = to[1:], row[n:]
		}
		keys = keys[width:]
	}
}

// trueColorWebP writes what is left of the colours after subtracting green from
// red and blue, and from all a guess.
func (e *encoder) trueColorWebP(w *webpWriter) {
	px := e.paint()
	for i, c := range px {
		g := c >> 8 & 0xff
		px[i] = difference(c, g|g<<16)
	}
	w.put(1, 1)
	w.put(subtractGreenTransform, 2)
	w.put(1, 1)
	w.put(predictorTransform, 2)
	w.put(blockBits-2, 3)
	across, down := (e.width+blockSize-1)/blockSize, (e.height+blockSize-1)/blockSize
	modes := make([]uint32, across*down)
	w.px = grow(w.px, len(px))
	for y := range down {
		for x := range across {
			modes[y*across+x] = opaque | predictBlock(w.px, px, e.width, e.height, x*blockSize, y*blockSize)<<8
		}
	}
	w.image(modes, across, false)
	w.put(0, 1) // no more transforms
	w.image(w.px, e.width, true)
}

// Pixels of a block are guessed in one way.
const (
	blockBits = 4
	blockSize = 1 << blockBits
)

// predictBlock writes the residuals of the block at x, y by the mode that leaves
// least of the modes tried, and gives that mode.
func predictBlock(to, px []uint32, width, height, x, y int) uint32 {
	best, mode := -1, uint32(0)
	for _, m := range [...]uint32{1, 2, 7, 11, 12} {
		sum := 0
		for row := max(1, y); row < min(height, y+blockSize); row++ {
			for i := row*width + max(1, x); i < row*width+min(width, x+blockSize); i++ {
				sum += remains(difference(px[i], guess(m, px[i-1], px[i-width], px[i-width-1])))
			}
			if best >= 0 && sum >= best {
				break
			}
		}
		if best < 0 || sum < best {
			best, mode = sum, m
		}
	}
	for row := y; row < min(height, y+blockSize); row++ {
		for col := x; col < min(width, x+blockSize); col++ {
			i := row*width + col
			switch {
			case i == 0:
				to[i] = difference(px[i], opaque)
			case row == 0:
				to[i] = difference(px[i], px[i-1])
			case col == 0:
				to[i] = difference(px[i], px[i-width])
			default:
				to[i] = difference(px[i], guess(mode, px[i-1], px[i-width], px[i-width-1]))
			}
		}
	}
	return mode
}

// guess makes a pixel of its neighbours, by the mode's number in RFC 9649.
func guess(mode, left, top, topLeft uint32) uint32 {
	switch mode {
	case 1:
		return left
	case 2:
		return top
	case 7:
		return (left^top)&0xfefefefe>>1 + left&top
	case 11:
		if apart(top, topLeft) < apart(left, topLeft) {
			return left
		}
		return top
	}
	out := uint32(0)
	for shift := 0; shift < 32; shift += 8 {
		v := int(left>>shift&0xff) + int(top>>shift&0xff) - int(topLeft>>shift&0xff)
		out |= uint32(max(0, min(255, v))) << shift
	}
	return out
}

// apart is the sum of the differences of the four bytes.
func apart(a, b uint32) int {
	sum := 0
	for shift := 0; shift < 32; shift += 8 {
		d := int(a>>shift&0xff) - int(b>>shift&0xff)
		sum += max(d, -d)
	}
	return sum
}

// remains is how far the four bytes are from 0, as signed numbers.
func remains(d uint32) int {
	sum := 0
	for ; d != 0; d >>= 8 {
		v := int(int8(d))
		sum += max(v, -v)
	}
	return sum
}
