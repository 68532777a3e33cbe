package pmtiles

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzDirectory makes a directory of any bytes, in ascending order as all are, and
// reads it back.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x00\x01\x01\x01\x00\x00\x00\x01\x02"))
	f.Add([]byte("a tile and another one that follows the first, and more"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list := []entry{{id: 0, offset: 7, length: 1, run: 1}}
		for ; len(data) >= 8; data = data[8:] {
			n, last := binary.LittleEndian.Uint64(data), list[len(list)-1]
			e := entry{id: last.id + uint64(max(last.run, 1)) + n&0xffff, length: uint32(n>>16&0xffffff) + 1, run: uint32(n >> 40 & 0xff)}
			switch n >> 62 {
			case 0:
				e.offset = last.offset + uint64(last.length)
			case 1:
				e.offset = last.offset
			default:
				e.offset = n >> 4
			}
			list = append(list, e)
		}
		b, err := compress(encode(list))
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(b)
		if err != nil || !slices.Equal(got, list) {
			t.Fatalf("%v: read %v, written %v", err, got, list)
		}
	})
}

// Whatever the number of tiles, the root directory stays within what readers fetch
// at once, and the leaves list them all.
func TestTheRootDirectoryStaysSmall(t *testing.T) {
	for _, n := range []int{1, 2000, 16384, 16385, 400_000} {
		random := rand.New(rand.NewPCG(1, uint64(n)))
		all := make([]entry, n)
		offset, id := uint64(0), uint64(0)
		for i := range all { // lengths and gaps that compress badly
			id += 1 + random.Uint64N(1<<20)
			all[i] = entry{id: id, offset: offset, length: 1 + random.Uint32N(1<<20), run: 1}
			offset += uint64(all[i].length)
		}
		root, leaves, err := directories(all)
		if err != nil || len(root) > maxRoot {
			t.Fatalf("%d tiles: %v, a root of %d bytes", n, err, len(root))
		}
		if small := n <= 2000; small != (len(leaves) == 0) {
			t.Errorf("%d tiles: leaves of %d bytes", n, len(leaves))
		}
		file := make([]byte, headerSize)
		h := header{root: section{headerSize, uint64(len(root))}}
		h.leaves = section{h.root.end(), uint64(len(leaves))}
		copy(file, h.encode())
		got, err := archive{slices.Concat(file, root, leaves), map[uint64][]entry{}}.entries()
		if err != nil || !slices.Equal(got, all) {
			t.Errorf("%d tiles: %v, %d read", n, err, len(got))
		}
	}
}

// Where the root directory does not hold all leaves of the first size, they are
// made larger.
func TestLeavesGrow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]entry, 24_000)
	id := uint64(0)
	for i := range all {
		id += 1 + random.Uint64N(1<<40)
		all[i] = entry{id: id, offset: random.Uint64N(1 << 50), length: 1, run: 1}
	}
	pack, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	one, _, err := cut(all, 8, pack)
	if err != nil {
		t.Fatal(err)
	}
	if len(one) <= maxRoot {
		t.Fatalf("leaves of eight entries fit a root of %d bytes", len(one))
	}
	root, _, err := grow(all, 8)
	if err != nil || len(root) > maxRoot {
		t.Errorf("%v; %d bytes", err, len(root))
	}
}
