package tiff

// lzwEncoder writes the LZW of TIFF 6.0: codes of 9 to 12 bits from the highest
// bit on, which grow one code earlier than elsewhere.
type lzwEncoder struct {
	table [1 << 14]uint32 // prefix<<8|byte, plus 1, above the code's 12 bits; 0 is free
	out   []byte
	bits  uint64
	n     int
	width int
	next  int
}

const (
	lzwClear = 256
	lzwEnd   = 257
	lzwLast  = 4094 // with it the table is full
)

func (e *lzwEncoder) encode(data []byte) []byte {
	e.out, e.bits, e.n = nil, 0, 0
	e.width = 9
	e.put(lzwClear)
	e.reset()
	prefix := -1
	for _, b := range data {
		if prefix < 0 {
			prefix = int(b)
			continue
		}
		key := uint32(prefix)<<8 | uint32(b)
		slot, code := e.find(key)
		if code >= 0 {
			prefix = code
			continue
		}
		e.put(prefix)
		e.table[slot] = (key+1)<<12 | uint32(e.next)
		e.count()
		prefix = int(b)
	}
	if prefix >= 0 {
		e.put(prefix)
		e.count()
	}
	e.put(lzwEnd)
	if e.n > 0 {
		e.out = append(e.out, byte(e.bits<<(8-e.n)))
	}
	return e.out
}

// count takes the next code, after which codes get longer or all begin anew.
func (e *lzwEncoder) count() {
	e.next++
	if e.next == lzwLast {
		e.put(lzwClear)
		e.reset()
		return
	}
	if e.next >= 1<<e.width {
		e.width++
	}
}

func (e *lzwEncoder) reset() {
	clear(e.table[:])
	e.width, e.next = 9, lzwEnd+1
}

// find gives the code of a key, or -1 and the place where it belongs.
func (e *lzwEncoder) find(key uint32) (slot, code int) {
	for h := int(key * 0x9E3779B1 >> 18); ; h = (h + 1) % len(e.table) {
		switch v := e.table[h]; {
		case v == 0:
			return h, -1
		case v>>12 == key+1:
			return h, int(v & 0xfff)
		}
	}
}

func (e *lzwEncoder) put(code int) {
	e.bits = e.bits<<e.width | uint64(code)
	e.n += e.width
	for e.n >= 8 {
		e.n -= 8
		e.out = append(e.out, byte(e.bits>>e.n))
	}
}
