package raster_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// allocated is how many bytes f takes from the heap. The whole process is
// counted, so that the least of a few runs is taken while it is above enough.
func allocated(enough uint64, f func()) uint64 {
	least := ^uint64(0)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= enough {
			break
		}
	}
	return least
}

// maxAllocated is what reading n bytes of WKB may take: the pixels once, in the
// allocator's size classes, which waste less than a quarter or a page of 8 KiB;
// and for each band, which is two bytes at least, what Go keeps of it.
func maxAllocated(wkb []byte) uint64 {
	const header, perBand, fixed = 61, 128, 16 << 10
	n, bands := uint64(len(wkb)), uint64(0)
	if n > header {
		var order binary.ByteOrder = binary.LittleEndian
		if wkb[0] == 0 {
			order = binary.BigEndian
		}
		bands = min(uint64(order.Uint16(wkb[3:])), (n-header)/2+1)
	}
	return n + n/4 + perBand*bands + fixed
}

// Any bytes are a raster or an error, cost no more memory than they account
// for, and a raster is written back as it was read.
func FuzzParseWKB(f *testing.F) {
	for _, c := range readRecorded(f).Cases {
		r, err := raster.ParseHexWKB(c.WKB)
		if err != nil {
			f.Fatal(err)
		}
		b, err := r.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(bigEndian(r))
		f.Add([]byte(c.WKB))
	}
	head := append([]byte{1, 0, 0, 0xff, 0xff}, make([]byte, 52)...)
	f.Add(append(head[:len(head):len(head)], 0xff, 0xff, 0xff, 0xff))                                    // huge
	f.Add(append(append(head[:len(head):len(head)], 0, 0, 0, 0), bytes.Repeat([]byte{4, 0}, 1<<16)...))  // as many bands as there are
	f.Add(append(append(head[:len(head):len(head)], 1, 0, 1, 0), bytes.Repeat([]byte{0x64}, 3<<10)...))  // flagged bands
	f.Add(append(append(head[:len(head):len(head)], 1, 0, 1, 0), bytes.Repeat([]byte{0xc4}, 16<<10)...)) // a long name of a file
	f.Fuzz(func(t *testing.T, b []byte) {
		var r *raster.Raster
		var err error
		limit := maxAllocated(b)
		if n := allocated(limit, func() { r, err = raster.ParseWKB(b) }); n > limit {
			t.Fatalf("reading %d bytes took %d bytes of memory, more than %d", len(b), n, limit)
		}
		checkScan(t, b, r)
		if err != nil {
			if c := rasterbase.CodeOf(err); c != rasterbase.Invalid && c != rasterbase.Unsupported {
				t.Fatalf("the error %v has code %v", err, c)
			}
			return
		}
		checkWrittenBack(t, b, r)
	})
}

// checkScan scans bytes that are a raster, or are not when it is nil, as a
// driver would give them.
func checkScan(t *testing.T, b []byte, want *raster.Raster) {
	var plain, digits raster.Raster
	err := plain.Scan(b)
	if want != nil && (err != nil || !raster.Equal(&plain, want)) {
		t.Fatalf("scanned as %+v, %v", plain, err)
	}
	err = digits.Scan(hex.AppendEncode(nil, b))
	if (err == nil) != (want != nil) || want != nil && !raster.Equal(&digits, want) {
		t.Fatalf("in digits scanned as %+v, %v", digits, err)
	}
}

func checkWrittenBack(t *testing.T, b []byte, r *raster.Raster) {
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	again, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if len(again) != len(b) {
		t.Fatalf("%d bytes became %d", len(b), len(again))
	}
	s, err := raster.ParseWKB(again)
	if err != nil {
		t.Fatal(err)
	}
	if !raster.Equal(r, s) {
		t.Fatalf("read %+v, then %+v", r, s)
	}
	once, err := s.MarshalBinary()
	if err != nil || !bytes.Equal(once, again) {
		t.Fatalf("% x was written back as % x, %v", again, once, err)
	}
}
