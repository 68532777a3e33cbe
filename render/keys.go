package render

import (
	"image/color"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// maxKeys is the number of different keys.
const maxKeys = 1 << 16

// keying gives pixels keys: whole numbers below maxKeys, one colour each. For
// types of up to 16 bits the stored bits are the key. For others it is 0 for
// invalid pixels, then follow the places of the colormap's table, those of its
// ramp, and the colours of its function in the order in which they came up.
type keying struct {
	band    *raster.Band
	colors  *rasterbase.Colormap
	nodata  float64 // as a pixel holds it; NaN, which equals nothing, if there is none
	raw     bool
	invalid int // the key of invalid pixels, -1 if there is none
	count   int // keys lie below
	first   int // where the order of values begins: half of count for signed bits
	hidden  int // the key of a table's value that is nodata, -1 if there is none
	table   int // keys 1 to table
	ramp    int // keys table+1 to table+ramp, of steps or a ramp
	found   []uint32
	byColor map[uint32]uint16
	cache   [1024]cachedKey
	steps   stepTable
}

type cachedKey struct {
	color uint32
	key   uint16
	used  bool
}

// rgba is a colour as one number: red in the lowest byte. All that is wholly
// transparent is 0.
func rgba(c color.NRGBA) uint32 {
	if c.A == 0 {
		return 0
	}
	return uint32(c.R) | uint32(c.G)<<8 | uint32(c.B)<<16 | uint32(c.A)<<24
}

func hashColor(c uint32) uint32 { return c * 0x9E3779B1 >> 22 }

// colorOf is the colour of a key.
func (k *keying) colorOf(key int) uint32 {
	switch {
	case key == k.invalid, key == k.hidden:
		return 0
	case k.raw:
		v := float64(key)
		if k.first > 0 && key >= k.first {
			v -= float64(k.count)
		}
		if !k.band.IsData(v) {
			return 0
		}
		return rgba(k.colors.At(v))
	case key <= k.table:
		return rgba(k.colors.Table[key-1])
	case key <= k.table+k.ramp:
		return rgba(k.rampColors()[key-k.table-1])
	}
	return k.found[key-k.table-k.ramp-1]
}

func (k *keying) reset(b *raster.Band, m *rasterbase.Colormap) {
	k.band, k.colors, k.raw, k.invalid, k.hidden, k.first = b, m, false, -1, -1, 0
	k.nodata = nodataOf(b)
}

// nodataOf is a band's nodata value as a pixel holds it; NaN, which equals
// nothing, if there is none.
func nodataOf(b *raster.Band) float64 {
	switch {
	case !b.HasNodata:
		return math.NaN()
	case b.Type == rasterbase.Float32:
		return float64(float32(b.Nodata))
	}
	return b.Nodata
}

// rampColors are the colours of the colormap's steps or of its ramp.
func (k *keying) rampColors() []color.NRGBA {
	switch {
	case k.colors.Steps != nil:
		return k.colors.Steps.Colors
	case k.colors.Ramp != nil:
		return k.colors.Ramp.Colors
	}
	return nil
}

// rampIndex is the place of a value's colour in rampColors.
func (k *keying) rampIndex(v float64) int {
	if k.colors.Steps != nil {
		return k.colors.Steps.Index(v)
	}
	return k.colors.Ramp.Index(v)
}

// tableOnly tells whether nothing but the table colours values.
func (k *keying) tableOnly() bool {
	return k.colors.Steps == nil && k.colors.Ramp == nil && k.colors.Func == nil
}

// bytes8 prepares for keys that are the bits of 8-bit pixels.
func (k *keying) bytes8(signed bool) {
	k.raw, k.count = true, 256
	if signed {
		k.first = 128
	}
}

// words16 prepares for keys that are the bits of 16-bit pixels.
func (k *keying) words16(signed bool) {
	k.raw, k.count = true, maxKeys
	if signed {
		k.first = maxKeys / 2
	}
}

// valueKeys writes the keys of pixels of any type. It is false when there are
// more colours than keys.
func valueKeys[P raster.Number](k *keying, keys []uint16, px []P, validity []uint8) bool {
	k.invalid, k.hidden = 0, -1
	k.table, k.ramp = len(k.colors.Table), len(k.rampColors())
	if k.table+k.ramp >= maxKeys { // then colours alone make keys
		k.table, k.ramp = 0, 0
	}
	k.found = k.found[:0]
	if k.byColor == nil {
		k.byColor = map[uint32]uint16{}
	}
	clear(k.byColor)
	clear(k.cache[:])
	switch {
	case k.table > 0:
		if !tableKeys(k, keys, px, validity) {
			return false
		}
	case k.ramp > 0 && len(k.colors.Table) == 0 && k.colors.Steps != nil:
		stepKeys(k, keys, px, validity)
	case k.ramp > 0 && len(k.colors.Table) == 0:
		rampKeys(k, keys, px, validity)
	default:
		if !otherKeys(k, keys, px, validity) {
			return false
		}
	}
	k.count = k.table + k.ramp + 1 + len(k.found)
	return true
}

// otherKeys is valueKeys by the value alone. Neighbours are often equal.
func otherKeys[P raster.Number](k *keying, keys []uint16, px []P, validity []uint8) bool {
	last, lastKey := math.NaN(), 0
	for i, p := range px {
		v := float64(p)
		if v == last && (validity == nil || validity[i] != 0) {
			keys[i] = uint16(lastKey)
			continue
		}
		if v-v != 0 || v == k.nodata || validity != nil && validity[i] == 0 {
			keys[i] = 0
			continue
		}
		key := k.keyOf(v)
		if key < 0 {
			return false
		}
		last, lastKey = v, key
		keys[i] = uint16(key)
	}
	return true
}

// tableKeys is valueKeys when there is a table, which holds most values.
func tableKeys[P raster.Number](k *keying, keys []uint16, px []P, validity []uint8) bool {
	first, only := float64(k.colors.First), k.tableOnly()
	size := uint(k.table)
	keys = keys[:len(px)]
	for i, p := range px {
		v := float64(p)
		// The sum is of whole numbers and so exact, unlike the difference, in
		// which a small fraction is lost.
		at := int(v - first)
		if uint(at) < size && float64(at)+first == v {
			keys[i] = uint16(at + 1)
			continue
		}
		keys[i] = 0
		if only || v-v != 0 || v == k.nodata || validity != nil && validity[i] == 0 {
			continue
		}
		key := k.keyOf(v)
		if key < 0 {
			return false
		}
		keys[i] = uint16(key)
	}
	if at := k.nodata - first; at >= 0 && at < float64(k.table) && k.nodata == math.Trunc(k.nodata) {
		k.hidden = int(at) + 1
	}
	hideMasked(keys, validity)
	return true
}

// hideMasked gives the key 0 to pixels that the validity masks out.
func hideMasked(keys []uint16, validity []uint8) {
	for i, v := range validity {
		if v == 0 {
			keys[i] = 0
		}
	}
}

// keyOf is the key of a valid value, in the order of [rasterbase.Colormap.At];
// -1 when there are none left.
func (k *keying) keyOf(v float64) int {
	if k.table > 0 {
		if i := v - float64(k.colors.First); i >= 0 && i < float64(k.table) && v == math.Trunc(v) {
			return 1 + int(i)
		}
	}
	if k.ramp > 0 {
		return 1 + k.table + k.rampIndex(v)
	}
	return k.keyOfColor(v)
}

// keyOfColor is the key of the colour that the colormap gives a value.
func (k *keying) keyOfColor(v float64) int {
	c := rgba(k.colors.At(v))
	slot := &k.cache[hashColor(c)]
	if slot.used && slot.color == c {
		return int(slot.key)
	}
	key, ok := k.byColor[c]
	if !ok {
		next := k.table + k.ramp + 1 + len(k.found)
		if next >= maxKeys {
			return -1
		}
		key = uint16(next)
		k.byColor[c] = key
		k.found = append(k.found, c)
	}
	*slot = cachedKey{c, key, true}
	return int(key)
}

// rampKeys does what valueKeys does for a ramp alone, with the arithmetic of
// [rasterbase.Ramp.Index] in the loop.
func rampKeys[P raster.Number](k *keying, keys []uint16, px []P, validity []uint8) {
	r := k.colors.Ramp
	nodata := k.nodata
	low, span, n := r.Min, r.Max-r.Min, float64(len(r.Colors))
	flat := !(r.Max > r.Min)
	end := uint16(len(r.Colors))
	keys = keys[:len(px)]
	for i, p := range px {
		v := float64(p)
		if v-v != 0 || v == nodata || validity != nil && validity[i] == 0 {
			keys[i] = 0
			continue
		}
		f := (v - low) / span * n
		switch {
		case flat || !(f > 0):
			keys[i] = 1
		case f >= n:
			keys[i] = end
		default:
			keys[i] = 1 + uint16(int(f))
		}
	}
}

// maskBytes writes the bits of 8-bit pixels, and a key of its own for those
// that the validity masks out.
func maskBytes[P uint8 | int8](k *keying, keys []uint16, px []P, validity []uint8) {
	k.invalid, k.count = 256, 257
	for i, p := range px {
		key := uint16(uint8(p))
		if validity[i] == 0 {
			key = 256
		}
		keys[i] = key
	}
}

// maskWords does the same for 16-bit pixels, with a key that no valid pixel
// has. It is false when all are taken.
func maskWords[P uint16 | int16](k *keying, seen *[maxKeys]bool, keys []uint16, px []P, validity []uint8) bool {
	clear(seen[:])
	for i, p := range px {
		if validity[i] != 0 {
			seen[uint16(p)] = true
		}
	}
	free := 0
	for free < maxKeys && seen[free] {
		free++
	}
	if free == maxKeys {
		return false
	}
	k.invalid = free
	for i, p := range px {
		key := uint16(p)
		if validity[i] == 0 {
			key = uint16(free)
		}
		keys[i] = key
	}
	return true
}
