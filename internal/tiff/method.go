package tiff

import (
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// Method is a compression by its number in a TIFF.
type Method uint16

// The methods that this package packs blocks with.
const (
	None     Method = 1
	LZW      Method = 5
	JPEG     Method = 7
	Deflate  Method = 8
	PackBits Method = 32773
	ZSTD     Method = 50000
)

// ParseMethod finds a method by its name as RASTER_COMPRESS_METHOD has them, in
// any case. For LZMA and the three of CCITT, which are not made here, it is
// Deflate.
func ParseMethod(name string) (Method, error) {
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "", "NONE":
		return None, nil
	case "PACKBITS":
		return PackBits, nil
	case "LZW":
		return LZW, nil
	case "DEFLATE", "LZMA", "CCITTRLE", "CCITTFAX3", "CCITTFAX4":
		return Deflate, nil
	case "ZSTD":
		return ZSTD, nil
	case "JPEG":
		return JPEG, nil
	}
	return 0, rasterbase.Errorf(rasterbase.Invalid, "unknown compression %.20q", name).
		WithHint("one of JPEG, LZW, PACKBITS, DEFLATE, ZSTD, or empty for none").WithField("compress_method")
}

// Check fails when the method cannot hold so many bands of pixels of a type.
func (m Method) Check(t rasterbase.PixelType, bands int) error {
	if m != JPEG || t == rasterbase.Uint8 && (bands == 1 || bands == 3) {
		return nil
	}
	of := "one of " + t.String()
	if bands > 1 {
		of = strconv.Itoa(bands) + " of " + t.String()
	}
	return rasterbase.Errorf(rasterbase.Invalid, "JPEG holds 1 or 3 bands of 8-bit pixels only, not %s", of).
		WithHint("one of LZW, DEFLATE, PACKBITS and ZSTD holds pixels of every type").WithField("compress_method")
}

// Predictor is the number of the predictor that makes pixels smaller: the
// differences of neighbours are for measurements and pictures. Those of class
// numbers, which stand in patches, are more diverse than the numbers. 0: none.
func (m Method) Predictor(t rasterbase.PixelType, bands int, patches bool) uint16 {
	switch {
	case m != LZW && m != Deflate && m != ZSTD, patches:
		return 0
	case t.IsFloat():
		return predictorFloat
	case t.Size() > 1, t == rasterbase.Uint8 && bands >= 3:
		return predictorDifference
	}
	return 0
}

// ForMask is the method for the mask of an image: a mask is packed without loss,
// whatever the method of the pixels is, and is mostly runs.
func (m Method) ForMask() Method {
	switch m {
	case None:
		return PackBits
	case JPEG:
		return Deflate
	}
	return m
}
