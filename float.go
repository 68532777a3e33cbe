package rasterbase

import (
	"fmt"
	"math"
	"strconv"
)

// Float is a number whose JSON form can hold what JSON numbers cannot: NaN and
// the infinities are written as the strings "nan", "inf" and "-inf".
type Float float64

// FloatPtr makes a pointer to a [Float].
func FloatPtr(v float64) *Float { f := Float(v); return &f }

// MarshalJSON writes the number, or a string when it is not finite.
func (f Float) MarshalJSON() ([]byte, error) {
	v := float64(f)
	switch {
	case math.IsNaN(v):
		return []byte(`"nan"`), nil
	case math.IsInf(v, 1):
		return []byte(`"inf"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-inf"`), nil
	}
	return strconv.AppendFloat(nil, v, 'g', -1, 64), nil
}

// UnmarshalJSON reads a number or one of the three strings.
func (f *Float) UnmarshalJSON(b []byte) error {
	s := string(b)
	if len(s) > 1 && s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return fmt.Errorf("read %q as a number: %w", s, err)
	}
	*f = Float(v)
	return nil
}
