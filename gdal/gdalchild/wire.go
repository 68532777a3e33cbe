package gdalchild

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/rasterbase/rasterbase/vector"
)

// A feature on the pipe, little-endian: its FID (int64), its values, and its geometry
// (uint32 length, WKB). A value is a byte that says what it is, and then 8 bytes of a
// number, a byte of a boolean, or a uint32 length and a text.
const (
	wireNull = iota
	wireInteger
	wireReal
	wireBoolean
	wireText
)

// appendFeature writes a feature.
func appendFeature(b []byte, f vector.Feature) ([]byte, error) {
	b = binary.LittleEndian.AppendUint64(b, uint64(f.FID))
	for _, v := range f.Values {
		switch x := v.(type) {
		case nil:
			b = append(b, wireNull)
		case int64:
			b = binary.LittleEndian.AppendUint64(append(b, wireInteger), uint64(x))
		case float64:
			b = binary.LittleEndian.AppendUint64(append(b, wireReal), math.Float64bits(x))
		case bool:
			b = append(b, wireBoolean, 0)
			if x {
				b[len(b)-1] = 1
			}
		case string:
			b = binary.LittleEndian.AppendUint32(append(b, wireText), uint32(len(x)))
			b = append(b, x...)
		default:
			return nil, fmt.Errorf("a value of type %T cannot be sent", v)
		}
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.WKB)))
	return append(b, f.WKB...), nil
}

// errFeatures is the error of features that a child that works could not have sent.
var errFeatures = errors.New("the features from the GDAL child are not as they must be")

// readFeatures reads up to n features, each with so many values. Geometries share the
// bytes given.
func readFeatures(b []byte, n, values int) ([]vector.Feature, error) {
	r := wireReader{b: b}
	var out []vector.Feature
	for len(r.b) > 0 && !r.bad {
		if len(out) == n {
			return nil, errFeatures
		}
		f := vector.Feature{FID: int64(r.uint64())}
		if len(r.b) < values {
			return nil, errFeatures
		}
		f.Values = make([]any, values)
		for i := range f.Values {
			f.Values[i] = r.value()
		}
		if size := r.uint32(); size > 0 {
			f.WKB = r.bytes(int64(size))
		}
		out = append(out, f)
	}
	if r.bad {
		return nil, errFeatures
	}
	return out, nil
}

// wireReader takes bytes from the beginning of b until there are too few.
type wireReader struct {
	b   []byte
	bad bool
}

func (r *wireReader) bytes(n int64) []byte {
	if n > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *wireReader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *wireReader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *wireReader) value() any {
	kind := r.bytes(1)
	if kind == nil {
		return nil
	}
	switch kind[0] {
	case wireNull:
		return nil
	case wireInteger:
		return int64(r.uint64())
	case wireReal:
		return math.Float64frombits(r.uint64())
	case wireBoolean:
		b := r.bytes(1)
		return b != nil && b[0] != 0
	case wireText:
		return string(r.bytes(int64(r.uint32())))
	}
	r.bad = true
	return nil
}
