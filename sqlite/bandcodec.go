package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"
)

// The ways in which the pixels of a band are packed.
const (
	packConstant = 0 // one pixel that all are equal to
	packRaw      = 1 // byte planes as they are, because they do not compress
	packPalette  = 2 // up to 16 values of a byte each, indices of 1, 2 or 4 bits, S2
	packPlanes   = 3 // byte planes, S2
)

// maxPalette is the number of values whose indices fit in 4 bits.
const maxPalette = 16

var errCorrupt = errors.New("the tile is corrupt")

// packer packs and unpacks pixels, and keeps the buffers for it. All goroutines
// can share one.
//
// S2 is used throughout: on the tiles that docs/tileformat.md lists it decodes
// up to twice and encodes two to twelve times as fast as the fastest Zstandard,
// for 5 to 60 % more bytes.
type packer struct {
	buf sync.Pool // of *[]byte
}

func newPacker() *packer {
	return &packer{buf: sync.Pool{New: func() any { return new([]byte) }}}
}

// scratch gives a buffer of n bytes with any content, to be given back.
func (p *packer) scratch(n int) *[]byte {
	b := p.buf.Get().(*[]byte)
	*b = slices.Grow((*b)[:0], n)[:n]
	return b
}

// pack appends a packing's number, the length of its payload and the payload of
// pixels of size bytes each.
func (p *packer) pack(dst, pixels []byte, size int) []byte {
	if constant(pixels, size) {
		dst = append(dst, packConstant, byte(size))
		return appendPlanes(dst, pixels[:size], size)
	}
	if size == 1 {
		if values, index, ok := palette(pixels); ok {
			return p.packPalette(dst, pixels, values, index)
		}
	}
	planes := pixels
	if size > 1 {
		b := p.scratch(len(pixels))
		defer p.buf.Put(b)
		planes = appendPlanes((*b)[:0], pixels, size)
	}
	c := p.scratch(s2.MaxEncodedLen(len(planes)))
	defer p.buf.Put(c)
	packed := s2.Encode(*c, planes)
	if len(packed) >= len(planes) {
		return appendPayload(dst, packRaw, planes)
	}
	return appendPayload(dst, packPlanes, packed)
}

func (p *packer) packPalette(dst, pixels, values []byte, index *[256]byte) []byte {
	bits := indexBits(len(values))
	b := p.scratch((len(pixels)*bits + 7) / 8)
	defer p.buf.Put(b)
	packIndices(*b, pixels, index, bits)
	c := p.scratch(s2.MaxEncodedLen(len(*b)))
	defer p.buf.Put(c)
	packed := s2.Encode(*c, *b)
	head := append([]byte{byte(len(values))}, values...)
	dst = append(dst, packPalette)
	dst = binary.AppendUvarint(dst, uint64(len(head)+len(packed)))
	return append(append(dst, head...), packed...)
}

func appendPayload(dst []byte, packing byte, payload []byte) []byte {
	dst = append(dst, packing)
	dst = binary.AppendUvarint(dst, uint64(len(payload)))
	return append(dst, payload...)
}

// unpack fills pixels, of size bytes each, from a payload.
func (p *packer) unpack(pixels []byte, size int, packing byte, payload []byte) error {
	switch packing {
	case packConstant:
		if len(payload) != size {
			return fmt.Errorf("%w: a constant of %d bytes for pixels of %d", errCorrupt, len(payload), size)
		}
		joinPlanes(pixels[:size], payload, size)
		for done := size; done < len(pixels); done *= 2 {
			copy(pixels[done:], pixels[:done])
		}
		return nil
	case packRaw:
		if len(payload) != len(pixels) {
			return fmt.Errorf("%w: %d bytes for %d", errCorrupt, len(payload), len(pixels))
		}
		joinPlanes(pixels, payload, size)
		return nil
	case packPalette:
		return p.unpackPalette(pixels, size, payload)
	case packPlanes:
		return p.unpackPlanes(pixels, size, payload)
	}
	return fmt.Errorf("%w: unknown packing %d", errCorrupt, packing)
}

func (p *packer) unpackPlanes(pixels []byte, size int, payload []byte) error {
	if size == 1 {
		return decodeS2(pixels, payload)
	}
	planes := p.scratch(len(pixels))
	defer p.buf.Put(planes)
	if err := decodeS2(*planes, payload); err != nil {
		return err
	}
	joinPlanes(pixels, *planes, size)
	return nil
}

// decodeS2 fills dst. The length that the block claims is looked at first.
func decodeS2(dst, block []byte) error {
	if n, err := s2.DecodedLen(block); err != nil || n != len(dst) {
		return fmt.Errorf("%w: %d bytes for %d", errCorrupt, n, len(dst))
	}
	if _, err := s2.Decode(dst, block); err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return nil
}

func (p *packer) unpackPalette(pixels []byte, size int, payload []byte) error {
	if size != 1 || len(payload) == 0 {
		return fmt.Errorf("%w: a palette for pixels of %d bytes", errCorrupt, size)
	}
	n := int(payload[0])
	if n < 2 || n > maxPalette || len(payload) < 1+n {
		return fmt.Errorf("%w: a palette of %d values", errCorrupt, n)
	}
	var values [maxPalette]byte // indices past the end show value 0
	copy(values[:], payload[1:1+n])
	payload = payload[1+n:]
	bits := indexBits(n)
	b := p.scratch((len(pixels)*bits + 7) / 8)
	defer p.buf.Put(b)
	if err := decodeS2(*b, payload); err != nil {
		return err
	}
	unpackIndices(pixels, *b, &values, bits)
	return nil
}
