package pmtiles

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math"
)

// maxRoot is how long the root directory may be: readers fetch the first 16 KiB of a
// file and find all of it there, behind the header.
const maxRoot = 16384 - headerSize

// maxRootTiles is how many entries the root directory holds of tiles themselves. More
// could fit where they compress well, but every reader unpacks all of them.
const maxRootTiles = 16384

// firstLeaf is how many entries a leaf directory has at first. Where the root gets too
// long with so many leaves, they have more.
const firstLeaf = 4096

// entry says where tiles lie that are the same and follow each other: run of them
// from id on. A run of 0 is a leaf directory, whose first tile is id.
type entry struct {
	id     uint64
	offset uint64 // from the beginning of the tiles, or of the leaf directories
	length uint32
	run    uint32
}

// directories cuts entries into a root directory and, where it does not hold all,
// leaf directories.
func directories(all []entry) (root, leaves []byte, err error) {
	if len(all) <= maxRootTiles {
		if root, err = compress(encode(all)); err != nil || len(root) <= maxRoot {
			return root, nil, err
		}
	}
	return grow(all, firstLeaf)
}

// grow makes leaf directories of a size, or of the next larger one with which the
// root holds them all.
func grow(all []entry, size int) (root, leaves []byte, err error) {
	pack, err := newPacker()
	if err != nil {
		return nil, nil, err
	}
	for ; ; size += size / 2 {
		root, leaves, err = cut(all, size, pack)
		if err != nil || len(root) <= maxRoot {
			return root, leaves, err
		}
	}
}

// cut makes leaf directories of a size and the root that lists them.
func cut(all []entry, size int, pack *packer) (root, leaves []byte, err error) {
	var list []entry
	for from := 0; from < len(all); from += size {
		part := all[from:min(from+size, len(all))]
		leaf, err := pack.pack(encode(part))
		if err != nil {
			return nil, nil, err
		}
		if len(leaf) > math.MaxUint32 {
			return nil, nil, fmt.Errorf("a leaf directory has %d bytes", len(leaf))
		}
		list = append(list, entry{id: part[0].id, offset: uint64(len(leaves)), length: uint32(len(leaf))})
		leaves = append(leaves, leaf...)
	}
	root, err = pack.pack(encode(list))
	return bytes.Clone(root), leaves, err
}

// encode writes a directory: the number of entries, then column by column how far
// each id is from the one before, the runs, the lengths, and the offsets plus one, with 0
// for what follows the entry before. It is compressed in the file.
func encode(list []entry) []byte {
	b := binary.AppendUvarint(nil, uint64(len(list)))
	last := uint64(0)
	for _, e := range list {
		b = binary.AppendUvarint(b, e.id-last)
		last = e.id
	}
	for _, e := range list {
		b = binary.AppendUvarint(b, uint64(e.run))
	}
	for _, e := range list {
		b = binary.AppendUvarint(b, uint64(e.length))
	}
	next := uint64(0)
	for i, e := range list {
		if i > 0 && e.offset == next {
			b = append(b, 0)
		} else {
			b = binary.AppendUvarint(b, e.offset+1)
		}
		next = e.offset + uint64(e.length)
	}
	return b
}

// packer compresses one thing after another with gzip: making a new one for each of
// many leaves takes longer than the compression.
type packer struct {
	w   *gzip.Writer
	out bytes.Buffer
}

func newPacker() (*packer, error) {
	p := &packer{}
	var err error
	p.w, err = gzip.NewWriterLevel(&p.out, gzip.BestCompression)
	return p, err
}

// pack compresses bytes. What it returns is good until the next call.
func (p *packer) pack(b []byte) ([]byte, error) {
	p.out.Reset()
	p.w.Reset(&p.out)
	if _, err := p.w.Write(b); err != nil {
		return nil, err
	}
	if err := p.w.Close(); err != nil {
		return nil, err
	}
	return p.out.Bytes(), nil
}

// compress packs one thing.
func compress(b []byte) ([]byte, error) {
	p, err := newPacker()
	if err != nil {
		return nil, err
	}
	return p.pack(b)
}
