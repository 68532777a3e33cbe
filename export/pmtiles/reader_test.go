package pmtiles

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// archive reads a file as the specification says, and shares no code with the
// writer.
type archive struct {
	all     []byte
	decoded map[uint64][]entry // directories by their place in the file
}

// directory is that of a place, which is read once.
func (a archive) directory(from, length uint64) ([]entry, error) {
	if list := a.decoded[from]; list != nil {
		return list, nil
	}
	list, err := decode(a.all[from : from+length])
	if err == nil {
		a.decoded[from] = list
	}
	return list, err
}

func (a archive) number(at int) uint64 { return binary.LittleEndian.Uint64(a.all[at:]) }

func (a archive) degrees(at int) float64 {
	return float64(int32(binary.LittleEndian.Uint32(a.all[at:]))) / 1e7
}

// section is the bytes whose place the header says at an offset.
func (a archive) section(at int) []byte {
	from, length := a.number(at), a.number(at+8)
	return a.all[from : from+length]
}

// check looks at the rules that a file keeps as a whole.
func (a archive) check() error {
	if string(a.all[:8]) != "PMTiles\x03" {
		return fmt.Errorf("the file begins with %q", a.all[:8])
	}
	next := uint64(127)
	for _, at := range []int{8, 24, 40, 56} { // root, metadata, leaves, tiles
		if a.number(at) != next {
			return fmt.Errorf("the section of offset %d begins at %d and not at %d", at, a.number(at), next)
		}
		next += a.number(at + 8)
	}
	if next != uint64(len(a.all)) {
		return fmt.Errorf("the file has %d bytes, its sections end at %d", len(a.all), next)
	}
	if end := a.number(8) + a.number(16); end > 16384 {
		return fmt.Errorf("the root directory ends at %d", end)
	}
	if a.all[96] != 1 || a.all[97] != 2 || a.all[98] != 1 {
		return fmt.Errorf("clustered %d, compressions %d and %d", a.all[96], a.all[97], a.all[98])
	}
	return nil
}

// entries are all tiles of all directories.
func (a archive) entries() ([]entry, error) {
	root, err := a.directory(a.number(8), a.number(16))
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, e := range root {
		if e.run > 0 {
			all = append(all, e)
			continue
		}
		leaf, err := a.directory(a.number(40)+e.offset, uint64(e.length))
		if err != nil {
			return nil, err
		}
		if leaf[0].id != e.id {
			return nil, fmt.Errorf("the leaf of tile %d begins with %d", e.id, leaf[0].id)
		}
		all = append(all, leaf...)
	}
	return all, nil
}

// tile finds one as a client does: through the root directory and at most one leaf.
func (a archive) tile(id uint64) ([]byte, error) {
	list, err := a.directory(a.number(8), a.number(16))
	for range 2 {
		if err != nil {
			return nil, err
		}
		i, found := slices.BinarySearchFunc(list, id, func(e entry, id uint64) int {
			switch {
			case e.id < id:
				return -1
			case e.id > id:
				return 1
			}
			return 0
		})
		if !found {
			i--
		}
		if i < 0 {
			return nil, nil
		}
		e := list[i]
		if e.run > 0 {
			if id-e.id >= uint64(e.run) {
				return nil, nil
			}
			return a.section(56)[e.offset:][:e.length], nil
		}
		list, err = a.directory(a.number(40)+e.offset, uint64(e.length))
	}
	return nil, errors.New("directories nest too deep")
}

func unzip(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// decode reads a directory.
func decode(b []byte) ([]entry, error) {
	b, err := unzip(b)
	if err != nil {
		return nil, err
	}
	r := bytes.NewReader(b)
	number := func() uint64 {
		v, e := binary.ReadUvarint(r)
		err = errors.Join(err, e)
		return v
	}
	n := number()
	if err != nil || n == 0 || n > uint64(len(b)) {
		return nil, fmt.Errorf("a directory of %d entries in %d bytes: %w", n, len(b), err)
	}
	list := make([]entry, n)
	for i := range list {
		list[i].id = number()
		if i > 0 {
			list[i].id += list[i-1].id
		}
	}
	for i := range list {
		list[i].run = uint32(number())
	}
	for i := range list {
		if list[i].length = uint32(number()); list[i].length == 0 {
			err = errors.Join(err, errors.New("an entry has no length"))
		}
	}
	for i := range list {
		if v := number(); v > 0 {
			list[i].offset = v - 1
		} else if i > 0 {
			list[i].offset = list[i-1].offset + uint64(list[i-1].length)
		}
	}
	if err == nil && r.Len() > 0 {
		err = fmt.Errorf("%d bytes follow a directory", r.Len())
	}
	return list, err
}
