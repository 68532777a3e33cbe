package render

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// deflater writes the deflate format (RFC 1951) for images, which repeat
// themselves most from one row to the next and from a byte to its neighbour: it
// looks for copies of those two alone. What comes next in an image of patches
// cannot be predicted, and a wrong guess costs the processor more than finding
// and writing a copy, so that the loops over tokens have few branches.
type deflater struct {
	tokens   []uint16 // symbols of a block, as in counts
	distance [2]uint32
	// counts and words are those of bytes, and from fromAbove and fromLeft on of
	// copies by their length less 3, with the distance. Their number is a power
	// of 2, so that a symbol needs no check.
	counts [4 * 256]uint32
	words  [4 * 256]codeWord

	literals  prefixCode // of bytes, the end, and the lengths of copies
	distances prefixCode
	of        prefixCode // of the lengths of words
	runs      []lengthRun
	lengths   []uint8
	out       []byte
	acc       uint64
	n         int
}

// codeWord is up to 48 bits to be written, their number from bit 48 on.
type codeWord uint64

const (
	fromAbove    = 256
	fromLeft     = 512
	deflateBlock = 1 << 18 // bytes that one set of codes serves
	deflateReach = 1 << 15 // the farthest copy
	minLength    = 3
	maxLength    = 258
	endOfBlock   = 256
	spare        = 8 // bytes behind the data that must be there to be read
)

// append compresses raw, which has spare bytes behind its end, to what was begun
// and gives all. Rows begin stride bytes after each other. Without copies bytes
// are only given shorter codes.
func (d *deflater) append(raw []byte, stride int, copies bool) []byte {
	for from := 0; ; from += deflateBlock {
		to := min(len(raw), from+deflateBlock)
		d.find(raw, from, to, stride, copies)
		d.write(raw[from:to], to == len(raw), copies)
		if to == len(raw) {
			return d.out
		}
	}
}

// begin starts a stream that is added to out.
func (d *deflater) begin(out []byte) { d.out, d.acc, d.n = out, 0, 0 }

// find looks for copies in a part of the data, and counts.
func (d *deflater) find(raw []byte, from, to, stride int, copies bool) {
	clear(d.counts[:])
	if copies {
		d.findCopies(raw[:len(raw)+spare], from, to, stride)
	} else {
		countBytes(&d.counts, raw[from:to])
	}
}

// write writes a block of what was found.
func (d *deflater) write(raw []byte, last, copies bool) {
	d.writeCodes(last)
	if copies {
		d.writeTokens()
	} else {
		d.writeBytes(raw)
	}
	d.put(uint64(d.literals.words[endOfBlock]), int(d.literals.lengths[endOfBlock]))
	if last {
		d.put(0, -d.n&7)
	}
}

// put writes up to 48 bits.
func (d *deflater) put(v uint64, n int) {
	d.acc |= v << d.n
	d.n += n
	for d.n >= 8 {
		d.out = append(d.out, byte(d.acc))
		d.acc >>= 8
		d.n -= 8
	}
}

func load(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }

// findCopies makes the tokens of a part of the data.
func (d *deflater) findCopies(raw []byte, from, to, stride int) {
	if stride > deflateReach {
		stride = 1
	}
	d.distance = [2]uint32{uint32(stride), 1}
	tokens := grow(d.tokens, to-from)
	count, p := 0, from
	for ; p < min(to, stride); count, p = count+1, p+1 { // nothing is above
		tokens[count] = uint16(raw[p])
		d.counts[raw[p]]++
	}
	for p < to-8 {
		here := load(raw, p)
		above, left := sameBits(here^load(raw, p-stride)), sameBits(here^load(raw, p-1))
		longer := above | left
		copied := -int(longer >> 23 & 1) // all ones when three bytes are the same
		length := bits.OnesCount64(longer) >> 3
		more := left &^ above // not 0 when left is longer
		kind := fromAbove << ((more | -more) >> 63)
		if longer == math.MaxUint64 {
			kind, length = extend(raw, p, to, stride, above == math.MaxUint64)
		}
		value := int(uint8(here))
		symbol := value + (kind+length-minLength-value)&copied
		tokens[count] = uint16(symbol)
		d.counts[symbol&1023]++
		count++
		p += 1 + (length-1)&copied
	}
	for ; p < to; count, p = count+1, p+1 {
		tokens[count] = uint16(raw[p])
		d.counts[raw[p]]++
	}
	d.tokens = tokens[:count]
}

// sameBits has ones where the lowest bits of x are all zeros.
func sameBits(x uint64) uint64 { return (x - 1) &^ x }

// extend is the kind and the length of a copy that has eight bytes at least.
func extend(raw []byte, p, to, stride int, above bool) (kind, length int) {
	kind, distance := fromLeft, 1
	if above {
		kind, distance = fromAbove, stride
	}
	n, most := 8, min(maxLength, to-p)
	for n < most {
		x := load(raw, p+n) ^ load(raw, p+n-distance)
		n += bits.OnesCount64(sameBits(x)) >> 3
		if x != 0 {
			break
		}
	}
	return kind, min(most, n)
}

// lengthSymbol gives the symbol of the length of a copy and the bits that follow.
func lengthSymbol(length uint32) (symbol, extra uint32, n int) {
	v := length - 3
	switch {
	case v < 8:
		return 257 + v, 0, 0
	case length == maxLength:
		return 285, 0, 0
	}
	n = bits.Len32(v) - 3
	return 257 + 4*uint32(n) + v>>n, v & (1<<n - 1), n
}

// countBytes counts in four places, since equal bytes that follow each other
// would wait for one.
func countBytes(counts *[4 * 256]uint32, b []byte) {
	var more [3][256]uint32
	for len(b) >= 4 {
		counts[b[0]]++
		more[0][b[1]]++
		more[1][b[2]]++
		more[2][b[3]]++
		b = b[4:]
	}
	for _, v := range b {
		counts[v]++
	}
	for i := range more[0] {
		counts[i] += more[0][i] + more[1][i] + more[2][i]
	}
}

// deflateOrder is the order in which the lengths of the words of the code of
// lengths are written.
var deflateOrder = [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// countSymbols gives the symbols that stand for bytes and copies their counts.
func (d *deflater) countSymbols() {
	clear(d.literals.counts[:])
	clear(d.distances.counts[:])
	copy(d.literals.counts[:], d.counts[:256])
	d.literals.counts[endOfBlock] = 1
	for i, distance := range d.distance {
		of, _, _ := prefixOf(distance)
		for k, n := range d.counts[256*(i+1) : 256*(i+2)] {
			if n > 0 {
				s, _, _ := lengthSymbol(uint32(k + minLength))
				d.literals.counts[s] += n
				d.distances.counts[of] += n
			}
		}
	}
}

// writeCodes makes the codes and writes them at the head of a block.
func (d *deflater) writeCodes(last bool) {
	d.countSymbols()
	d.literals.build(286, 15)
	d.distances.build(30, 15)
	for _, c := range []*prefixCode{&d.literals, &d.distances} {
		for s, n := range c.counts {
			if c.symbols == 1 && n > 0 {
				c.lengths[s] = 1 // a word cannot have no bits here
			}
		}
	}
	literals, distances := 286, 30
	for literals > 257 && d.literals.lengths[literals-1] == 0 {
		literals--
	}
	for distances > 1 && d.distances.lengths[distances-1] == 0 {
		distances--
	}
	d.lengths = append(append(d.lengths[:0], d.literals.lengths[:literals]...), d.distances.lengths[:distances]...)
	d.runs = appendLengthRuns(d.runs[:0], d.lengths)
	clear(d.of.counts[:])
	for _, r := range d.runs {
		d.of.counts[r.symbol]++
	}
	d.of.build(len(deflateOrder), 7)
	n := len(deflateOrder)
	for n > 4 && d.of.lengths[deflateOrder[n-1]] == 0 {
		n--
	}
	final := uint64(0)
	if last {
		final = 1
	}
	d.put(final|2<<1, 3)
	d.put(uint64(literals-257), 5)
	d.put(uint64(distances-1), 5)
	d.put(uint64(n-4), 4)
	for _, s := range deflateOrder[:n] {
		d.put(uint64(d.of.lengths[s]), 3)
	}
	for _, r := range d.runs {
		d.put(uint64(d.of.words[r.symbol]), int(d.of.lengths[r.symbol]))
		d.put(uint64(r.extra), r.n)
	}
	d.makeWords()
}

// makeWords joins what is written for bytes and copies.
func (d *deflater) makeWords() {
	for i := range 256 {
		d.words[i] = codeWord(d.literals.words[i]) | codeWord(d.literals.lengths[i])<<48
	}
	for i, distance := range d.distance {
		of, far, more := prefixOf(distance)
		for k, n := range d.counts[256*(i+1) : 256*(i+2)] {
			if n == 0 {
				continue
			}
			s, extra, bits := lengthSymbol(uint32(k + minLength))
			w, at := codeWord(d.literals.words[s]), int(d.literals.lengths[s])
			w |= codeWord(extra) << at
			at += bits
			w |= codeWord(d.distances.words[of]) << at
			at += int(d.distances.lengths[of])
			w |= codeWord(far) << at
			d.words[256*(i+1)+k] = w | codeWord(at+more)<<48
		}
	}
}

func (w codeWord) bits() uint64 { return uint64(w) & (1<<48 - 1) }

// reserve makes room for n more words of so many bytes.
func (d *deflater) reserve(n, bytesEach int) (out []byte, at int) {
	at = len(d.out)
	need := at + n*bytesEach + 16
	if cap(d.out) < need {
		d.out = append(make([]byte, 0, need+need/4), d.out...)
	}
	return d.out[:need], at
}

// writeBytes writes bytes by their codes.
func (d *deflater) writeBytes(raw []byte) {
	out, at := d.reserve(len(raw), 2)
	acc, n := d.acc, d.n
	for len(raw) >= 3 { // of at most 15 bits each
		a, b, c := d.words[raw[0]], d.words[raw[1]], d.words[raw[2]]
		acc |= a.bits() << n
		n += int(a >> 48)
		acc |= b.bits() << n
		n += int(b >> 48)
		acc |= c.bits() << n
		n += int(c >> 48)
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += n >> 3
		acc >>= n &^ 7
		n &= 7
		raw = raw[3:]
	}
	d.out, d.acc, d.n = out[:at], acc, n
	for _, v := range raw {
		d.put(d.words[v].bits(), int(d.words[v]>>48))
	}
}

// writeTokens writes bytes and copies by their codes.
func (d *deflater) writeTokens() {
	out, at := d.reserve(len(d.tokens), 6)
	acc, n := d.acc, d.n
	for _, t := range d.tokens {
		w := d.words[t&1023]
		acc |= w.bits() << (n & 63)
		n += int(w >> 48)
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += n >> 3
		acc >>= n &^ 7 & 63
		n &= 7
	}
	d.out, d.acc, d.n = out[:at], acc, n
}
