package export

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
)

// spool is the temporary file that packed tiles go to in the order in which they are
// made.
type spool struct {
	f       *os.File
	removed bool // already, where the system keeps an open file
	size    atomic.Int64
	masked  atomic.Bool // a pixel of the image is not valid
}

// tempPrefix begins the names of temporary files and folders.
const tempPrefix = "rasterbase-export-"

// newSpool makes the file in a folder. Where the system allows it, it has no name any
// more, so that nothing is left of a process that is killed.
func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file for an export: %w", err)
	}
	return &spool{f: f, removed: os.Remove(f.Name()) == nil}, nil
}

// place is where a packed tile lies in the spool; the zero place is of none.
type place struct {
	at int64
	n  uint32 // bytes of the tile itself
}

// Around each tile stand its length before and its last bytes once more behind, as
// GDAL's driver for cloud optimized GeoTIFFs writes them: a reader can get the tile
// in one request without the table of lengths, and see whether it was changed.
const (
	leader  = 4
	trailer = 4
)

// whole is the bytes of a tile with what stands around it.
func (p place) whole() int64 {
	if p.n == 0 {
		return 0
	}
	return leader + int64(p.n) + trailer
}

// add appends a packed tile. Several goroutines may call it.
func (s *spool) add(packed []byte) (place, error) {
	b := make([]byte, 0, leader+len(packed)+trailer)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(packed)))
	b = append(b, packed...)
	b = append(b, b[max(leader, len(b)-trailer):]...)
	for len(b) < leader+len(packed)+trailer { // a tile of fewer bytes
		b = append(b, 0)
	}
	end := s.size.Add(int64(len(b)))
	p := place{end - int64(len(b)), uint32(len(packed))}
	if _, err := s.f.WriteAt(b, p.at); err != nil {
		return place{}, fmt.Errorf("write a temporary file for an export: %w", err)
	}
	return p, nil
}

// close takes the file away.
func (s *spool) close() error {
	err := s.f.Close()
	if !s.removed {
		if e := os.Remove(s.f.Name()); err == nil {
			err = e
		}
	}
	return err
}
