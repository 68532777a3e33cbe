package tiff

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/tiff/lzw"
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

func FuzzCodecs(f *testing.F) {
	for _, n := range []int{0, 1, 2, 8, 9, 10, 257, 1000, 33024} {
		f.Add(patches(n, 129))
		f.Add(patches(n, 3))
		f.Add(bytes.Repeat([]byte{7}, n))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		packed := new(lzwEncoder).encode(data)
		got, err := io.ReadAll(lzw.NewReader(bytes.NewReader(packed), lzw.MSB, 8))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("LZW of %d bytes: %v, %d bytes", len(data), err, len(got))
		}
		if got := unpackBits(appendPackBits(nil, data)); !bytes.Equal(got, data) {
			t.Fatalf("PackBits of %d bytes: %d bytes", len(data), len(got))
		}
	})
}

// unpackBits reads PackBits (TIFF 6.0, section 9).
func unpackBits(b []byte) (out []byte) {
	for len(b) > 0 {
		n := int(int8(b[0]))
		if n >= 0 {
			out = append(out, b[1:2+n]...)
			b = b[2+n:]
			continue
		}
		out = append(out, bytes.Repeat(b[1:2], 1-n)...)
		b = b[2:]
	}
	return out
}
