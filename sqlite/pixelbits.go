package sqlite

import (
	"bytes"
	"encoding/binary"
	"unsafe"
)

// bigEndian tells that this machine keeps the high byte of a number first.
var bigEndian = func() bool {
	n := uint16(1)
	return *(*byte)(unsafe.Pointer(&n)) == 0
}()

// plane gives the byte of a pixel in memory that belongs to plane k; plane 0
// holds the low bytes.
func plane(k, size int) int {
	if bigEndian {
		return size - 1 - k
	}
	return k
}

// constant reports whether all pixels of size bytes have the same bytes.
func constant(pixels []byte, size int) bool {
	return len(pixels) >= size && bytes.Equal(pixels[size:], pixels[:len(pixels)-size])
}

// appendPlanes appends the low bytes of all pixels, then the next higher ones,
// and so on: equal bytes stand together and compress better.
func appendPlanes(dst, pixels []byte, size int) []byte {
	n := len(pixels) / size
	for k := range size {
		at := len(dst)
		dst = append(dst, pixels[:n]...) // grows; overwritten below
		out := dst[at : at+n]
		for i, j := 0, plane(k, size); i < len(out); i, j = i+1, j+size {
			out[i] = pixels[j]
		}
	}
	return dst
}

// joinPlanes undoes appendPlanes.
func joinPlanes(pixels, planes []byte, size int) {
	n := len(pixels) / size
	switch {
	case size == 1:
		copy(pixels, planes)
	case size == 2 && !bigEndian:
		lo, hi := planes[:n], planes[n:2*n]
		for i := range n {
			binary.LittleEndian.PutUint16(pixels[2*i:2*i+2], uint16(lo[i])|uint16(hi[i])<<8)
		}
	case size == 4 && !bigEndian:
		a, b, c, d := planes[:n], planes[n:2*n], planes[2*n:3*n], planes[3*n:4*n]
		for i := range n {
			binary.LittleEndian.PutUint32(pixels[4*i:4*i+4],
				uint32(a[i])|uint32(b[i])<<8|uint32(c[i])<<16|uint32(d[i])<<24)
		}
	default:
		for k := range size {
			in := planes[k*n : (k+1)*n]
			for i, j := 0, plane(k, size); i < len(in); i, j = i+1, j+size {
				pixels[j] = in[i]
			}
		}
	}
}

// palette gives the distinct bytes in rising order and the index of each, when
// there are at most 16.
func palette(pixels []byte) (values []byte, index *[256]byte, ok bool) {
	var seen [256]bool
	const block = 4096 // bytes between two looks at the number of values
	var last uint64
	for start := 0; start < len(pixels); start += block {
		part := pixels[start:min(start+block, len(pixels))]
		// Neighbours are often equal: a word like the one before says nothing
		// new.
		for len(part) >= 8 {
			w := binary.LittleEndian.Uint64(part)
			if w != last || start == 0 {
				for _, v := range part[:8] {
					seen[v] = true
				}
				last = w
			}
			part = part[8:]
		}
		for _, v := range part {
			seen[v] = true
		}
		if n := countTrue(&seen); n > maxPalette {
			return nil, nil, false
		}
	}
	index = new([256]byte)
	for v, is := range seen {
		if is {
			index[v] = byte(len(values))
			values = append(values, byte(v))
		}
	}
	return values, index, true
}

func countTrue(seen *[256]bool) int {
	n := 0
	for _, is := range seen {
		if is {
			n++
		}
	}
	return n
}

// indexBits is the size of an index into n values: 1, 2 or 4 bits.
func indexBits(n int) int {
	switch {
	case n <= 2:
		return 1
	case n <= 4:
		return 2
	}
	return 4
}

// packIndices writes the index of each pixel into dst, the first pixel in the
// lowest bits of the first byte.
func packIndices(dst, pixels []byte, index *[256]byte, bits int) {
	per := 8 / bits
	full := len(pixels) / per
	switch bits {
	case 4:
		for i := range full {
			p := pixels[2*i : 2*i+2]
			dst[i] = index[p[0]] | index[p[1]]<<4
		}
	case 2:
		for i := range full {
			p := pixels[4*i : 4*i+4]
			dst[i] = index[p[0]] | index[p[1]]<<2 | index[p[2]]<<4 | index[p[3]]<<6
		}
	default:
		for i := range full {
			p := pixels[8*i : 8*i+8]
			dst[i] = index[p[0]] | index[p[1]]<<1 | index[p[2]]<<2 | index[p[3]]<<3 |
				index[p[4]]<<4 | index[p[5]]<<5 | index[p[6]]<<6 | index[p[7]]<<7
		}
	}
	if rest := pixels[full*per:]; len(rest) > 0 {
		var b byte
		for i, v := range rest {
			b |= index[v] << (i * bits)
		}
		dst[full] = b
	}
}

// unpackIndices undoes packIndices: a table gives the pixels of a whole byte.
func unpackIndices(pixels, src []byte, values *[maxPalette]byte, bits int) {
	per := 8 / bits
	full := len(pixels) / per
	switch bits {
	case 4:
		var table [256]uint16
		for b := range table {
			table[b] = uint16(values[b&15]) | uint16(values[b>>4])<<8
		}
		unpackPairs(pixels, src[:full], &table)
	case 2:
		var table [256]uint32
		for b := range table {
			for i := range 4 {
				table[b] |= uint32(values[b>>(2*i)&3]) << (8 * i)
			}
		}
		for i, b := range src[:full] {
			binary.LittleEndian.PutUint32(pixels[4*i:4*i+4], table[b])
		}
	default:
		var table [256]uint64
		for b := range table {
			for i := range 8 {
				table[b] |= uint64(values[b>>i&1]) << (8 * i)
			}
		}
		for i, b := range src[:full] {
			binary.LittleEndian.PutUint64(pixels[8*i:8*i+8], table[b])
		}
	}
	mask := byte(1<<bits - 1)
	for i := full * per; i < len(pixels); i++ {
		pixels[i] = values[src[full]>>((i-full*per)*bits)&mask]
	}
}

// unpackPairs writes two pixels for each byte, four bytes at a time.
func unpackPairs(pixels, src []byte, table *[256]uint16) {
	for len(src) >= 4 {
		s, p := src[:4:4], pixels[:8:8]
		binary.LittleEndian.PutUint64(p, uint64(table[s[0]])|uint64(table[s[1]])<<16|
			uint64(table[s[2]])<<32|uint64(table[s[3]])<<48)
		src, pixels = src[4:], pixels[8:]
	}
	for i, b := range src {
		binary.LittleEndian.PutUint16(pixels[2*i:2*i+2], table[b])
	}
}
