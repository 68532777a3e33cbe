package render

import (
	"math/bits"
	"slices"
)

// maxSymbols is the size of the largest alphabet.
const maxSymbols = 288

// prefixCode is Huffman's code of an alphabet, as deflate and lossless WebP have
// it: how often each symbol occurs, the lengths of its words, and the words with
// their first bit lowest.
type prefixCode struct {
	counts  [maxSymbols]uint32
	lengths [maxSymbols]uint8
	words   [maxSymbols]uint16
	symbols int // that occur; the word of a single one has no bits

	order   [maxSymbols]uint64 // memory: count and symbol
	weights [2 * maxSymbols]uint64
	parents [2 * maxSymbols]uint16
	depths  [2 * maxSymbols]uint8
}

// build makes words of at most so many bits for the first symbols of the
// alphabet. While one is too long, rare symbols count for more.
func (c *prefixCode) build(size, limit int) {
	clear(c.lengths[:])
	clear(c.words[:])
	for least := uint32(1); ; least *= 2 {
		n := 0
		for s, k := range c.counts[:size] {
			if k > 0 {
				c.order[n] = uint64(max(k, least))<<16 | uint64(s)
				n++
			}
		}
		c.symbols = n
		if n < 2 {
			return
		}
		slices.Sort(c.order[:n])
		if c.join(n) <= limit {
			break
		}
	}
	c.assign()
}

// join makes the tree of n sorted leaves: always the two lightest nodes become
// one. It notes the depths of the leaves and gives the greatest.
func (c *prefixCode) join(n int) (deepest int) {
	w := &c.weights
	for i, o := range c.order[:n] {
		w[i] = o >> 16
	}
	leaf, inner := 0, n
	for next := n; next < 2*n-1; next++ {
		w[next] = 0
		for range 2 {
			pick := inner
			if leaf < n && (inner == next || w[leaf] <= w[inner]) {
				pick = leaf
				leaf++
			} else {
				inner++
			}
			w[next] += w[pick]
			c.parents[pick] = uint16(next)
		}
	}
	c.depths[2*n-2] = 0
	for i := 2*n - 3; i >= 0; i-- {
		c.depths[i] = c.depths[c.parents[i]] + 1
	}
	for i, o := range c.order[:n] {
		c.lengths[uint16(o)] = c.depths[i]
		deepest = max(deepest, int(c.depths[i]))
	}
	return deepest
}

// assign gives words in the order of their lengths, then of their symbols.
func (c *prefixCode) assign() {
	var of, starts [16]uint16
	for _, n := range c.lengths {
		of[n]++
	}
	of[0] = 0
	for n := 1; n < len(starts); n++ {
		starts[n] = (starts[n-1] + of[n-1]) << 1
	}
	for s, n := range c.lengths {
		if n > 0 {
			c.words[s] = bits.Reverse16(starts[n]) >> (16 - n)
			starts[n]++
		}
	}
}

// prefixOf gives the symbol of a distance, or of a length in a WebP, from 1 on,
// and the bits that follow it.
func prefixOf(v uint32) (symbol, extra uint32, n int) {
	v--
	if v < 4 {
		return v, 0, 0
	}
	n = bits.Len32(v) - 2
	return 2*uint32(n) + v>>n, v & (1<<n - 1), n
}

// lengthRun is the length of a word, or a run of one, as it is written.
type lengthRun struct {
	symbol, extra uint32
	n             int // bits of extra
}

// appendLengthRuns writes lengths as runs of zeros (17: 3 to 10, 18: 11 to 138)
// and as lengths that may be repeated (16: 3 to 6 times).
func appendLengthRuns(out []lengthRun, lengths []uint8) []lengthRun {
	for len(lengths) > 0 {
		n := 1
		for n < len(lengths) && lengths[n] == lengths[0] {
			n++
		}
		v := lengths[0]
		lengths = lengths[n:]
		if v != 0 {
			out = append(out, lengthRun{symbol: uint32(v)})
			n--
		}
		for n > 0 {
			switch {
			case n < 3:
				out = append(out, lengthRun{symbol: uint32(v)})
				n--
			case v != 0:
				k := min(n, 6)
				out = append(out, lengthRun{16, uint32(k - 3), 2})
				n -= k
			case n <= 10:
				out = append(out, lengthRun{17, uint32(n - 3), 3})
				n = 0
			default:
				k := min(n, 138)
				out = append(out, lengthRun{18, uint32(k - 11), 7})
				n -= k
			}
		}
	}
	return out
}
