package render

import (
	"slices"
	"unsafe"

	"github.com/klauspost/compress/flate"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// encoder is the memory of one image in the making.
type encoder struct {
	width, height int
	keying        keying
	words         []uint16 // keys that had to be made
	// One of the three is set: keys of a byte, keys of two bytes, or colours.
	keys8  []uint8
	keys16 []uint16
	pixels []uint32 // colours, when there are no keys

	seen    [maxKeys]bool
	used    []uint16 // keys seen, in the order of their values
	index   [maxKeys]uint8
	colors  [maxKeys]uint32 // of keys, for true colour
	palette []uint32
	slots   [1024]paletteSlot

	buffer   []uint32 // memory of pixels
	smoothed []uint32 // memory of [Enhance]
	raw      []byte   // filtered rows
	out      writer
	webp     webpWriter
	deflater deflater
	lz       *flate.Writer
}

type paletteSlot struct {
	color uint32
	place int16 // in the palette, counted from 1; 0 is empty
}

// writer collects bytes.
type writer struct{ b []byte }

// Write appends.
func (w *writer) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// grow gives a slice of n elements, of the memory given when that is enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// colorize prepares keys, or colours where keys do not suffice, for one band.
func (e *encoder) colorize(r *raster.Raster, band int, m *rasterbase.Colormap) {
	b := &r.Bands[band]
	n := r.Width * r.Height
	e.keys8, e.keys16, e.pixels = nil, nil, nil
	k := &e.keying
	k.reset(b, m)
	e.words = grow(e.words, n)
	keyed := false
	switch px := b.Pixels.(type) {
	case raster.Slice[uint8]:
		keyed = keyBytes(e, px, r.Validity, false)
	case raster.Slice[int8]:
		keyed = keyBytes(e, px, r.Validity, true)
	case raster.Slice[uint16]:
		keyed = keyWords(e, px, r.Validity, false)
	case raster.Slice[int16]:
		keyed = keyWords(e, px, r.Validity, true)
	case raster.Slice[uint32]:
		keyed = keyValues(e, px, r.Validity)
	case raster.Slice[int32]:
		keyed = keyValues(e, px, r.Validity)
	case raster.Slice[float32]:
		keyed = keyValues(e, px, r.Validity)
	case raster.Slice[float64]:
		keyed = keyValues(e, px, r.Validity)
	}
	if keyed {
		return
	}
	e.keys8, e.keys16 = nil, nil
	e.buffer = grow(e.buffer, n)
	for i := range e.buffer {
		e.buffer[i] = 0
		if r.Valid(band, i) {
			e.buffer[i] = rgba(m.At(b.Pixels.At(i)))
		}
	}
	e.pixels = e.buffer
}

func keyBytes[P uint8 | int8](e *encoder, px []P, validity []uint8, signed bool) bool {
	e.keying.bytes8(signed)
	if validity == nil {
		e.keys8 = unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(px))), len(px))
		return true
	}
	if signed { // its order begins in the middle, where the masked key is not
		e.keying.raw, e.keying.first = false, 0
		e.keys16 = e.words
		return valueKeys(&e.keying, e.words, px, validity)
	}
	e.keys16 = e.words
	maskBytes(&e.keying, e.words, px, validity)
	return true
}

func keyWords[P uint16 | int16](e *encoder, px []P, validity []uint8, signed bool) bool {
	k := &e.keying
	k.words16(signed)
	if validity == nil {
		e.keys16 = unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(px))), len(px))
		return true
	}
	e.keys16 = e.words
	if maskWords(k, &e.seen, e.words, px, validity) {
		return true
	}
	k.raw, k.first = false, 0
	return valueKeys(k, e.words, px, validity)
}

func keyValues[P raster.Number](e *encoder, px []P, validity []uint8) bool {
	e.keys16 = e.words
	return valueKeys(&e.keying, e.words, px, validity)
}

// collect finds the keys that occur, in the order of their values.
func (e *encoder) collect() {
	count := e.keying.count
	clear(e.seen[:count])
	if e.keys8 != nil {
		mark(&e.seen, e.keys8)
	} else {
		mark(&e.seen, e.keys16)
	}
	e.used = e.used[:0]
	e.gather(e.keying.first, count)
	e.gather(0, e.keying.first)
}

func mark[K uint8 | uint16](seen *[maxKeys]bool, keys []K) {
	for _, k := range keys {
		seen[k] = true
	}
}

func (e *encoder) gather(from, to int) {
	seen := e.seen[:to]
	for i := from; i < to; i++ {
		// Most keys do not occur: eight are looked at together.
		for i+8 <= to && *(*uint64)(unsafe.Pointer(unsafe.SliceData(seen[i : i+8]))) == 0 {
			i += 8
		}
		if i < to && seen[i] {
			e.used = append(e.used, uint16(i))
		}
	}
}

// makePalette gives the colours of the keys that occur places in a palette,
// those that are not opaque first. It is false when there are more than 256.
func (e *encoder) makePalette() bool {
	e.beginPalette()
	return e.fillPalette()
}

func (e *encoder) beginPalette() {
	e.palette = e.palette[:0]
	clear(e.slots[:])
}

func (e *encoder) fillPalette() bool {
	for _, key := range e.used {
		place := e.place(e.keying.colorOf(int(key)))
		if place < 0 {
			return false
		}
		e.index[key] = uint8(place)
	}
	var order [256]uint8
	var sorted [256]uint32
	n := 0
	for _, opaque := range []bool{false, true} {
		for i, c := range e.palette {
			if (c>>24 == 255) == opaque {
				order[i], sorted[n] = uint8(n), c
				n++
			}
		}
	}
	copy(e.palette, sorted[:n])
	for _, key := range e.used {
		e.index[key] = order[e.index[key]]
	}
	return true
}

// place is a colour's place in the palette, where it is added if need be; -1
// when the palette is full.
func (e *encoder) place(c uint32) int {
	for h := hashColor(c); ; h = (h + 1) % uint32(len(e.slots)) {
		s := &e.slots[h]
		if s.place == 0 {
			if len(e.palette) == 256 {
				return -1
			}
			e.palette = append(e.palette, c)
			*s = paletteSlot{c, int16(len(e.palette))}
		}
		if s.color == c {
			return int(s.place) - 1
		}
	}
}

// indexed makes a palette and keys that have places in it; it is false when there
// are more than 256 colours.
func (e *encoder) indexed() bool {
	if e.pixels != nil {
		return e.indexPixels() && e.makePalette()
	}
	e.collect()
	return e.makePalette()
}

// expect makes a palette of all the colours that a small table has, before it is
// known which of them occur. It is false when they are not few.
func (e *encoder) expect() bool {
	k := &e.keying
	if e.pixels != nil || !k.tableOnly() || len(k.colors.Table) > 256 {
		return false
	}
	size, lowest := min(k.count&^255, maxKeys), -k.first
	e.used = e.used[:0]
	for i := range k.colors.Table {
		switch v := k.colors.First + i; {
		case !k.raw:
			e.used = append(e.used, uint16(i+1))
		case v >= lowest && v < lowest+size:
			e.used = append(e.used, uint16(v&(size-1)))
		}
	}
	e.beginPalette()
	e.place(0) // of all other keys: it comes first
	clear(e.index[:k.count])
	return e.fillPalette() && len(e.palette) <= 16
}

// indexPixels gives colours keys, in the order of their lightness. It is false
// when there are more than 256.
func (e *encoder) indexPixels() bool {
	e.words = grow(e.words, len(e.pixels))
	e.beginPalette()
	last, key := e.pixels[0], 0
	if key = e.place(last); key < 0 {
		return false
	}
	for i, c := range e.pixels {
		if c != last {
			if key = e.place(c); key < 0 {
				return false
			}
			last = c
		}
		e.words[i] = uint16(key + 1) // 0 stands for what is invalid
	}
	k := &e.keying
	k.raw, k.invalid, k.hidden, k.first, k.table, k.ramp = false, -1, -1, 0, 0, 0
	k.found = append(k.found[:0], e.palette...)
	k.count = len(k.found) + 1
	e.used = e.used[:0]
	for i := range k.found {
		e.used = append(e.used, uint16(i+1))
	}
	slices.SortFunc(e.used, func(a, b uint16) int { return int(grey(k.found[a-1])) - int(grey(k.found[b-1])) })
	e.keys8, e.keys16, e.pixels = nil, e.words, nil
	return true
}

// enhance changes the colours.
func (e *encoder) enhance(h *Enhance) {
	if e.pixels == nil {
		e.collect()
	}
	px := e.paint()
	if h.Sharpness != nil {
		e.smoothed = grow(e.smoothed, len(px))
	}
	h.apply(px, e.smoothed, e.width)
}

// paint turns keys into colours.
func (e *encoder) paint() []uint32 {
	if e.pixels != nil {
		return e.pixels
	}
	for _, key := range e.used {
		e.colors[key] = e.keying.colorOf(int(key))
	}
	e.buffer = grow(e.buffer, e.width*e.height)
	if e.keys8 != nil {
		paintKeys(e.buffer, e.keys8, &e.colors)
	} else {
		paintKeys(e.buffer, e.keys16, &e.colors)
	}
	e.pixels = e.buffer
	return e.pixels
}

func paintKeys[K uint8 | uint16](dst []uint32, keys []K, colors *[maxKeys]uint32) {
	dst = dst[:len(keys)]
	for i, k := range keys {
		dst[i] = colors[k]
	}
}
