package render

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"testing"
)

// patches is bytes that repeat what is to the left or above, and noise.
func patches(n, stride int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), uint64(stride)))
	out := make([]byte, n)
	for i := range out {
		switch k := r.IntN(20); {
		case k < 9 && i > 0:
			out[i] = out[i-1]
		case k < 18 && i >= stride:
			out[i] = out[i-stride]
		default:
			out[i] = byte(r.IntN(256))
		}
	}
	return out
}

func FuzzDeflate(f *testing.F) {
	for _, n := range []int{0, 1, 2, 8, 9, 10, 257, 1000, 33024} {
		f.Add(patches(n, 129), uint16(129))
		f.Add(patches(n, 3), uint16(3))
		f.Add(bytes.Repeat([]byte{7}, n), uint16(1))
	}
	f.Add(patches(2*deflateBlock+5, 40000), uint16(40000)) // several blocks, rows beyond the reach
	f.Add(patches(deflateBlock, 100), uint16(100))
	f.Add([]byte{1, 2, 3}, uint16(9))
	f.Fuzz(func(t *testing.T, data []byte, stride uint16) {
		raw := append(bytes.Clone(data), make([]byte, spare)...)[:len(data)]
		for _, copies := range []bool{true, false} {
			var d deflater
			d.begin(nil)
			packed := d.append(raw, max(1, int(stride)), copies)
			got, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("deflate of %d bytes, copies %v: %v, %d bytes", len(data), copies, err, len(got))
			}
		}
	})
}

// Words that would be too long are made shorter, and still tell all symbols.
func TestPrefixCodeIsLimited(t *testing.T) {
	t.Parallel()
	var c prefixCode
	a, b := uint32(1), uint32(1)
	for i := range 40 { // Fibonacci's numbers make the longest words
		c.counts[i] = a
		a, b = b, a+b
	}
	c.build(286, 15)
	sum := 0.0
	for i := range 40 {
		n := c.lengths[i]
		if n < 1 || n > 15 {
			t.Fatalf("a word of %d bits", n)
		}
		sum += 1 / float64(uint32(1)<<n)
	}
	if sum != 1 {
		t.Errorf("the words take %v of all", sum)
	}
}
