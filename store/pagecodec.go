package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/rasterbase/rasterbase"
)

// The binary form of a page's cells, shared by backends. Numbers are varints
// of encoding/binary, floats 8 bytes with the low byte first.
//
//	form      1
//	cells     how many
//	bands     of each cell
//	cell      its place in the page (a byte: row*16 + column), then each band:
//	  valid   pixels; the others follow only if it is not 0
//	  mean, m2, min, max: floats
//	  counts  0: not kept; n+1: n counts follow, and before them a byte:
//	    whole    1: values are whole numbers, each written as the difference
//	             from the one before; 0: values are floats
//	    value and count, n times
const pageForm = 1

// maxBands bounds what a corrupt page can claim; GDAL has the same limit.
const maxBands = 65535

// exactWhole is the number up to which floats hold all whole numbers.
const exactWhole = 1 << 53

var errCorruptPage = errors.New("the summary page is corrupt")

// AppendCells appends the binary form of the page's cells. It fails for a cell
// outside the page, for cells with different numbers of bands, and for more
// than rasterbase.MaxDistinct counts.
func (p *SummaryPage) AppendCells(b []byte) ([]byte, error) {
	bands := 0
	if len(p.Cells) > 0 {
		bands = len(p.Cells[0].Bands)
	}
	if len(p.Cells) > PageSize*PageSize || bands > maxBands {
		return nil, fmt.Errorf("a summary page cannot have %d cells of %d bands", len(p.Cells), bands)
	}
	b = append(b, pageForm)
	b = binary.AppendUvarint(b, uint64(len(p.Cells)))
	b = binary.AppendUvarint(b, uint64(bands))
	last := -1
	for _, c := range p.Cells {
		x, y := c.X-p.X*PageSize, c.Y-p.Y*PageSize
		if x < 0 || y < 0 || x >= PageSize || y >= PageSize {
			return nil, fmt.Errorf("cell %d,%d is not in summary page %d,%d", c.X, c.Y, p.X, p.Y)
		}
		if y*PageSize+x <= last {
			return nil, fmt.Errorf("the cells of summary page %d,%d are not in order", p.X, p.Y)
		}
		last = y*PageSize + x
		if len(c.Bands) != bands {
			return nil, fmt.Errorf("cell %d,%d has %d bands and others have %d", c.X, c.Y, len(c.Bands), bands)
		}
		b = append(b, byte(last))
		for i := range c.Bands {
			if n := len(c.Bands[i].Counts); n > rasterbase.MaxDistinct {
				return nil, fmt.Errorf("cell %d,%d has %d counts, more than %d", c.X, c.Y, n, rasterbase.MaxDistinct)
			}
			b = appendBand(b, &c.Bands[i])
		}
	}
	return b, nil
}

func appendBand(b []byte, s *rasterbase.BandSummary) []byte {
	b = binary.AppendUvarint(b, uint64(s.Valid))
	if s.Valid == 0 {
		return b
	}
	for _, v := range []float64{s.Mean, s.M2, s.Min, s.Max} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	if s.Counts == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(s.Counts)+1))
	whole := true
	for _, c := range s.Counts {
		// The bits are compared so that -0 is not taken for 0.
		v := c.Value
		whole = whole && math.Abs(v) <= exactWhole && math.Float64bits(float64(int64(v))) == math.Float64bits(v)
	}
	if !whole {
		b = append(b, 0)
		for _, c := range s.Counts {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(c.Value))
			b = binary.AppendUvarint(b, uint64(c.Count))
		}
		return b
	}
	b = append(b, 1)
	var last int64
	for _, c := range s.Counts {
		b = binary.AppendVarint(b, int64(c.Value)-last)
		b = binary.AppendUvarint(b, uint64(c.Count))
		last = int64(c.Value)
	}
	return b
}

// ReadCells replaces the page's cells by those of the binary form. X and Y of
// the page must be set. Corrupt input is an error, and never allocates more
// than a small multiple of its own size.
func (p *SummaryPage) ReadCells(b []byte) error {
	in := pageReader{b: b}
	form, cells, bands := in.byte(), in.number(), in.number()
	// A band takes a byte at least, and a cell another one.
	if in.bad || form != pageForm || cells > PageSize*PageSize || bands > maxBands || cells*(1+bands) > uint64(len(in.b)) {
		return errCorruptPage
	}
	p.Cells = make([]SummaryCell, cells)
	last := -1
	for i := range p.Cells {
		at := int(in.byte())
		if at <= last {
			return errCorruptPage
		}
		last = at
		c := &p.Cells[i]
		c.X, c.Y = p.X*PageSize+at%PageSize, p.Y*PageSize+at/PageSize
		c.Bands = make([]rasterbase.BandSummary, bands)
		for j := range c.Bands {
			in.band(&c.Bands[j])
		}
		if in.bad {
			return errCorruptPage
		}
	}
	if len(in.b) != 0 {
		return errCorruptPage
	}
	return nil
}

// pageReader takes values from the front of b; bad is set after the end.
type pageReader struct {
	b   []byte
	bad bool
}

func (r *pageReader) fail() { r.bad, r.b = true, nil }

func (r *pageReader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *pageReader) float() float64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
	r.b = r.b[8:]
	return v
}

func (r *pageReader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > math.MaxInt64 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *pageReader) difference() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *pageReader) band(s *rasterbase.BandSummary) {
	if s.Valid = int64(r.number()); s.Valid == 0 {
		return
	}
	s.Mean, s.M2, s.Min, s.Max = r.float(), r.float(), r.float(), r.float()
	n := r.number()
	if n == 0 {
		return
	}
	// A value and its count take two bytes at least.
	if n--; n > rasterbase.MaxDistinct || 2*n > uint64(len(r.b)) {
		r.fail()
		return
	}
	whole := r.byte() != 0
	s.Counts = make([]rasterbase.ValueCount, n)
	var last int64
	for i := range s.Counts {
		if whole {
			last += r.difference()
			s.Counts[i].Value = float64(last)
		} else {
			s.Counts[i].Value = r.float()
		}
		s.Counts[i].Count = int64(r.number())
	}
}
