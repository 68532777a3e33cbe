package render

// webpWriter writes the entropy coded images of a lossless WebP: bits from the
// lowest of each byte on.
type webpWriter struct {
	out  []byte
	bits uint64
	n    int

	px     []uint32 // memory of the image to be written
	tokens []uint64
	head   [1 << webpHash]int32
	codes  [5]prefixCode
	of     prefixCode // of the lengths of words
	runs   []lengthRun
}

// The alphabets of an image: green with the lengths of copies, red, blue, alpha,
// and the distances of copies.
const (
	greenCode = iota
	redCode
	blueCode
	alphaCode
	distanceCode

	copyToken = 1 << 63
	maxCopy   = 4096
	minCopy   = 3
	webpHash  = 14
)

var alphabets = [5]int{256 + 24, 256, 256, 256, 40}

func (w *webpWriter) put(v uint32, n int) {
	w.bits |= uint64(v) << w.n
	w.n += n
	for w.n >= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
		w.n -= 8
	}
}

func (w *webpWriter) putBool(b bool) {
	if b {
		w.put(1, 1)
	} else {
		w.put(0, 1)
	}
}

func (w *webpWriter) flush() {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
}

// image writes pixels, with the one bit more that the image itself has: one set
// of codes serves all of it.
func (w *webpWriter) image(px []uint32, width int, itself bool) {
	w.put(0, 1) // no colour cache
	if itself {
		w.put(0, 1)
	}
	w.tokenize(px, width)
	w.count()
	for i := range w.codes {
		w.codes[i].build(alphabets[i], 15)
		w.writeCode(&w.codes[i], alphabets[i])
	}
	c := &w.codes
	for _, t := range w.tokens {
		if t&copyToken != 0 {
			s, v, n := prefixOf(uint32(t>>32) & 0xffff)
			w.symbol(&c[greenCode], 256+s)
			w.put(v, n)
			s, v, n = prefixOf(uint32(t))
			w.symbol(&c[distanceCode], s)
			w.put(v, n)
			continue
		}
		w.symbol(&c[greenCode], uint32(t>>8)&0xff)
		w.symbol(&c[redCode], uint32(t)&0xff)
		w.symbol(&c[blueCode], uint32(t>>16)&0xff)
		w.symbol(&c[alphaCode], uint32(t>>24)&0xff)
	}
}

func (w *webpWriter) symbol(c *prefixCode, s uint32) { w.put(uint32(c.words[s]), int(c.lengths[s])) }

// count counts the symbols of the tokens.
func (w *webpWriter) count() {
	c := &w.codes
	for i := range c {
		clear(c[i].counts[:])
	}
	for _, t := range w.tokens {
		if t&copyToken != 0 {
			length, _, _ := prefixOf(uint32(t>>32) & 0xffff)
			distance, _, _ := prefixOf(uint32(t))
			c[greenCode].counts[256+length]++
			c[distanceCode].counts[distance]++
			continue
		}
		c[greenCode].counts[uint8(t>>8)]++
		c[redCode].counts[uint8(t)]++
		c[blueCode].counts[uint8(t>>16)]++
		c[alphaCode].counts[uint8(t>>24)]++
	}
}

// tokenize finds copies of what came before: of the pixel to the left, of the row
// above, and of the last place that began with the same three pixels.
func (w *webpWriter) tokenize(px []uint32, width int) {
	w.tokens = w.tokens[:0]
	clear(w.head[:])
	for i := 0; i < len(px); {
		length, distance := 0, 0
		try := func(d int) {
			if d <= 0 || d > i {
				return
			}
			n, most := 0, min(maxCopy, len(px)-i)
			for n < most && px[i+n] == px[i+n-d] {
				n++
			}
			if n > length {
				length, distance = n, d
			}
		}
		try(1)
		try(width)
		if i+minCopy <= len(px) {
			h := hashThree(px[i:])
			try(i + 1 - int(w.head[h]))
			w.head[h] = int32(i + 1)
		}
		if length < minCopy {
			w.tokens = append(w.tokens, uint64(px[i]))
			i++
			continue
		}
		w.tokens = append(w.tokens, copyToken|uint64(length)<<32|uint64(distanceCodeOf(distance, width)))
		for k := i + 1; k < min(i+length, len(px)-minCopy); k++ {
			w.head[hashThree(px[k:])] = int32(k + 1)
		}
		i += length
	}
}

func hashThree(px []uint32) uint32 {
	_ = px[2]
	return (px[0]*0x9E3779B1 ^ px[1]*0x85EBCA6B ^ px[2]*0xC2B2AE35) * 0x27D4EB2F >> (32 - webpHash)
}

// nearPlaces are the first of the places, columns to the left and rows above,
// that have a short code for a distance (RFC 9649, section 5.2.2).
var nearPlaces = [...][2]int{{0, 1}, {1, 0}, {1, 1}, {-1, 1}, {0, 2}, {2, 0}, {1, 2}, {-1, 2}, {2, 1}, {-2, 1}, {2, 2}, {-2, 2}, {0, 3}, {3, 0}}

// distanceCodeOf is the number that stands for a distance in pixels.
func distanceCodeOf(distance, width int) int {
	for i, p := range nearPlaces {
		if p[0]+p[1]*width == distance {
			return i + 1
		}
	}
	return distance + 120 // the places near by have the first 120
}

// lengthOrder is the order in which the lengths of the words of the code of
// lengths are written.
var lengthOrder = [19]int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// writeCode writes the lengths of a code's words.
func (w *webpWriter) writeCode(c *prefixCode, size int) {
	if c.symbols <= 1 { // which is below 256: an image begins with a pixel, not a copy
		s := 0
		for c.symbols == 1 && c.counts[s] == 0 {
			s++
		}
		w.put(1, 1) // simple
		w.put(0, 1) // one symbol
		w.put(1, 1) // of 8 bits
		w.put(uint32(s), 8)
		return
	}
	w.runs = appendLengthRuns(w.runs[:0], c.lengths[:size])
	runs, of := w.runs, &w.of
	clear(of.counts[:])
	for _, r := range runs {
		of.counts[r.symbol]++
	}
	of.build(len(lengthOrder), 7)
	if of.symbols == 1 {
		of.lengths[runs[0].symbol] = 1 // told as one bit, written as none
	}
	n := len(lengthOrder)
	for n > 4 && of.lengths[lengthOrder[n-1]] == 0 {
		n--
	}
	w.put(0, 1)
	w.put(uint32(n-4), 4)
	for _, s := range lengthOrder[:n] {
		w.put(uint32(of.lengths[s]), 3)
	}
	if of.symbols == 1 {
		of.lengths[runs[0].symbol] = 0
	}
	w.put(0, 1) // all symbols of the alphabet
	for _, r := range runs {
		w.symbol(of, r.symbol)
		w.put(r.extra, r.n)
	}
}
