package algebra

import (
	"encoding/binary"
	"math"

	"github.com/rasterbase/rasterbase/raster"
)

// invalidTruth is a truth that is neither 0 nor 1.
const invalidTruth = 255

func asTruth(is bool) uint8 {
	if is {
		return 1
	}
	return 0
}

// equal, less and lessEqual compare numbers that are all valid. Eight at a time
// take half the time of one by one, as counting takes longer than comparing.

func equal[T float](dst []uint8, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	i := 0
	for ; i+8 <= len(dst); i += 8 {
		x, y, to := (*[8]T)(a[i:]), (*[8]T)(b[i:]), (*[8]uint8)(dst[i:])
		to[0] = asTruth(x[0] == y[0])
		to[1] = asTruth(x[1] == y[1])
		to[2] = asTruth(x[2] == y[2])
		to[3] = asTruth(x[3] == y[3])
		to[4] = asTruth(x[4] == y[4])
		to[5] = asTruth(x[5] == y[5])
		to[6] = asTruth(x[6] == y[6])
		to[7] = asTruth(x[7] == y[7])
	}
	for ; i < len(dst); i++ {
		dst[i] = asTruth(a[i] == b[i])
	}
}

func less[T float](dst []uint8, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	i := 0
	for ; i+8 <= len(dst); i += 8 {
		x, y, to := (*[8]T)(a[i:]), (*[8]T)(b[i:]), (*[8]uint8)(dst[i:])
		to[0] = asTruth(x[0] < y[0])
		to[1] = asTruth(x[1] < y[1])
		to[2] = asTruth(x[2] < y[2])
		to[3] = asTruth(x[3] < y[3])
		to[4] = asTruth(x[4] < y[4])
		to[5] = asTruth(x[5] < y[5])
		to[6] = asTruth(x[6] < y[6])
		to[7] = asTruth(x[7] < y[7])
	}
	for ; i < len(dst); i++ {
		dst[i] = asTruth(a[i] < b[i])
	}
}

func lessEqual[T float](dst []uint8, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	i := 0
	for ; i+8 <= len(dst); i += 8 {
		x, y, to := (*[8]T)(a[i:]), (*[8]T)(b[i:]), (*[8]uint8)(dst[i:])
		to[0] = asTruth(x[0] <= y[0])
		to[1] = asTruth(x[1] <= y[1])
		to[2] = asTruth(x[2] <= y[2])
		to[3] = asTruth(x[3] <= y[3])
		to[4] = asTruth(x[4] <= y[4])
		to[5] = asTruth(x[5] <= y[5])
		to[6] = asTruth(x[6] <= y[6])
		to[7] = asTruth(x[7] <= y[7])
	}
	for ; i < len(dst); i++ {
		dst[i] = asTruth(a[i] <= b[i])
	}
}

// check makes invalid what was compared with x or y where these are not finite.
func check[T float](dst []uint8, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		wrong := uint8(invalidTruth)
		if x[i]-x[i] == y[i]-y[i] { // 0 == 0, or NaN
			wrong = 0
		}
		dst[i] |= wrong
	}
}

// invalid is 1 where a is not finite.
func invalid[T float](dst []uint8, a []T) {
	a = a[:len(dst)]
	for i := range dst {
		is := uint8(1)
		if a[i]-a[i] == 0 {
			is = 0
		}
		dst[i] = is
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// both, either, opposite and invalidTruths work on eight truths at a time. The
// highest bit of a truth tells that it is invalid.

func both(dst, a, b []uint8) {
	a, b = a[:len(dst)], b[:len(dst)]
	i := 0
	for ; i+8 <= len(dst); i += 8 {
		x, y := binary.NativeEndian.Uint64(a[i:i+8]), binary.NativeEndian.Uint64(b[i:i+8])
		wrong := (x | y) >> 7 & ones * invalidTruth
		binary.NativeEndian.PutUint64(dst[i:i+8], x&y|wrong)
	}
	for ; i < len(dst); i++ {
		dst[i] = a[i]&b[i] | (a[i]|b[i])>>7*invalidTruth
	}
}

func either(dst, a, b []uint8) {
	a, b = a[:len(dst)], b[:len(dst)]
	i := 0
	for ; i+8 <= len(dst); i += 8 {
		x, y := binary.NativeEndian.Uint64(a[i:i+8]), binary.NativeEndian.Uint64(b[i:i+8])
		binary.NativeEndian.PutUint64(dst[i:i+8], x|y)
	}
	for ; i < len(dst); i++ {
		dst[i] = a[i] | b[i]
	}
}

func opposite(dst, a []uint8) {
	a = a[:len(dst)]
	i := 0
	for ; i+8 <= len(dst); i += 8 {
		x := binary.NativeEndian.Uint64(a[i : i+8])
		binary.NativeEndian.PutUint64(dst[i:i+8], x^ones|x>>7&ones)
	}
	for ; i < len(dst); i++ {
		dst[i] = a[i] ^ 1 | a[i]>>7
	}
}

func invalidTruths(dst, a []uint8) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] >> 7
	}
}

// numbersOf turns truths into numbers.
func numbersOf[T float](dst []T, a []uint8) {
	a = a[:len(dst)]
	nan := T(math.NaN())
	table := [4]T{0, 1, nan, nan}
	for i := range dst {
		dst[i] = table[a[i]&3]
	}
}

// selected takes a where the condition holds, b where it does not.
func selected[T float](dst []T, condition []uint8, a, b []T) {
	condition, a, b = condition[:len(dst)], a[:len(dst)], b[:len(dst)]
	nan := T(math.NaN())
	for i := range dst {
		choice := [4]T{b[i], a[i], nan, nan} // no branch that could be foretold wrongly
		dst[i] = choice[condition[i]&3]
	}
}

// without makes pixels NaN whose validity is 0.
func without[T float](dst []T, valid []uint8) {
	valid = valid[:len(dst)]
	nan := T(math.NaN())
	for i := range dst {
		if valid[i] == 0 {
			dst[i] = nan
		}
	}
}

// filled is a where it is finite, and nodata elsewhere.
func filled[T float](dst, a []T, nodata T) {
	a = a[:len(dst)]
	for i := range dst {
		v := a[i]
		if v-v != 0 {
			v = nodata
		}
		dst[i] = v
	}
}

// hasZero tells whether one of the bytes is 0.
func hasZero(v []uint8) bool {
	i := 0
	for ; i+8 <= len(v); i += 8 {
		x := binary.NativeEndian.Uint64(v[i : i+8])
		if (x-ones)&^x&highs != 0 {
			return true
		}
	}
	for ; i < len(v); i++ {
		if v[i] == 0 {
			return true
		}
	}
	return false
}

// hasInvalidTruth tells whether one of the truths is invalid.
func hasInvalidTruth(v []uint8) bool {
	var seen uint64
	i := 0
	for ; i+8 <= len(v); i += 8 {
		seen |= binary.NativeEndian.Uint64(v[i : i+8])
	}
	for ; i < len(v); i++ {
		seen |= uint64(v[i])
	}
	return seen&highs != 0
}

// allFinite tells whether all numbers are finite: the bits of the exponent are not
// all set, so that adding 1 to it does not carry into the bit of the sign.
func allFinite[T float](v []T) bool {
	var seen uint64
	switch v := any(v).(type) {
	case []float32:
		if n := len(v); n%2 == 1 {
			if d := v[n-1] - v[n-1]; d != 0 {
				return false
			}
		}
		const signs, exponent = 0x8000000080000000, 0x0080000000800000
		b := raster.Slice[float32](v).Bytes()
		i := 0
		for ; i+32 <= len(b); i += 32 {
			eight := (*[32]byte)(b[i:])
			seen |= binary.NativeEndian.Uint64(eight[:])&^signs + exponent
			seen |= binary.NativeEndian.Uint64(eight[8:])&^signs + exponent
			seen |= binary.NativeEndian.Uint64(eight[16:])&^signs + exponent
			seen |= binary.NativeEndian.Uint64(eight[24:])&^signs + exponent
		}
		for ; i+8 <= len(b); i += 8 {
			seen |= binary.NativeEndian.Uint64(b[i:])&^signs + exponent
		}
		return seen&signs == 0
	case []float64:
		const sign, exponent = 1 << 63, 1 << 52
		for _, x := range v {
			seen |= math.Float64bits(x)&^sign + exponent
		}
		return seen&sign == 0
	}
	return false
}
