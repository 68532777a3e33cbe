package gdal

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Compression is how the pixels of a GeoTIFF are packed: one of GDAL's names, or
// empty for none. Constants of it are written as they stand; what a user says is
// read with [ParseCompression].
type Compression string

// compressions are the methods that there are, in the order in which a user is
// told of them.
var compressions = []Compression{"JPEG", "LZW", "PACKBITS", "DEFLATE", "CCITTRLE", "CCITTFAX3", "CCITTFAX4", "LZMA", "ZSTD"}

// ParseCompression reads the name of a compression, in any case; empty is none.
// The error for an unknown one has code invalid and names those that there are.
func ParseCompression(s string) (Compression, error) {
	c := Compression(strings.ToUpper(strings.TrimSpace(s)))
	if c == "" || slices.Contains(compressions, c) {
		return c, nil
	}
	names := make([]string, len(compressions))
	for i, k := range compressions {
		names[i] = string(k)
	}
	return "", rasterbase.Errorf(rasterbase.Invalid, "unknown compression %q", s).
		WithHint("one of %s, or empty for none", strings.Join(names, ", ")).WithField("compress_method")
}

// Lossy tells whether pixels can change.
func (c Compression) Lossy() bool { return c == "JPEG" }

// bilevel tells whether the method takes pixels of 1 bit only.
func (c Compression) bilevel() bool { return strings.HasPrefix(string(c), "CCITT") }

// Check fails, with code invalid, when the method cannot hold so many bands of
// pixels of a type.
func (c Compression) Check(t rasterbase.PixelType, bands int) error {
	hint := "one of LZW, DEFLATE, PACKBITS, ZSTD and LZMA holds pixels of every type"
	switch {
	case c.bilevel() && (t != rasterbase.Bit1 || bands != 1):
		return rasterbase.Errorf(rasterbase.Invalid, "%s holds one band of 1-bit pixels only, not %s", c, pixelsText(t, bands)).
			WithHint("%s", hint).WithField("compress_method")
	case c == "JPEG" && (t != rasterbase.Uint8 || bands != 1 && bands != 3):
		return rasterbase.Errorf(rasterbase.Invalid, "JPEG holds 1 or 3 bands of 8-bit pixels only, not %s", pixelsText(t, bands)).
			WithHint("%s", hint).WithField("compress_method")
	}
	return nil
}

func pixelsText(t rasterbase.PixelType, bands int) string {
	if bands == 1 {
		return "one of " + t.String()
	}
	return strconv.Itoa(bands) + " of " + t.String()
}

// Lossless is the method for files whose pixels must not change: the method
// itself or, when it loses something or cannot hold such pixels, LZW.
func (c Compression) Lossless(t rasterbase.PixelType, bands int) Compression {
	if c.Lossy() || c.Check(t, bands) != nil {
		return "LZW"
	}
	return c
}

// predictor is the number of the TIFF predictor that makes pixels smaller: the
// differences of neighbours are for measurements and pictures, since those of
// class numbers are more diverse than the numbers. 0: none.
func (c Compression) predictor(t rasterbase.PixelType, bands int) int {
	switch {
	case c != "LZW" && c != "DEFLATE" && c != "ZSTD":
		return 0
	case t.IsFloat():
		return 3
	case t.Size() > 1, t == rasterbase.Uint8 && bands >= 3:
		return 2
	}
	return 0
}

// creation gives the creation options of a method for a raster with options of
// its own, which win.
func (c Compression) creation(r *raster.Raster, options []string) []string {
	t, n := r.Bands[0].Type, len(r.Bands)
	bits := bitsOf[t]
	out := slices.Clone(options)
	if bits != "" {
		out = append(out, bits)
		if c == "" {
			// Without compression GDAL 3.6 looks at too few bytes to see whether
			// a block is all zero when its rows end within a byte, and loses
			// pixels.
			c = "PACKBITS"
		}
	}
	if c == "" {
		return out
	}
	out = append(out, "COMPRESS="+string(c))
	if p := c.predictor(t, n); p != 0 && bits == "" && !hasOption(options, "PREDICTOR") {
		out = append(out, "PREDICTOR="+strconv.Itoa(p))
	}
	return out
}

// bitsOf are the NBITS creation options of types that GeoTIFF packs.
var bitsOf = map[rasterbase.PixelType]string{
	rasterbase.Bit1: "NBITS=1", rasterbase.Uint2: "NBITS=2", rasterbase.Uint4: "NBITS=4",
}

func hasOption(options []string, name string) bool {
	for _, o := range options {
		if key, _, _ := strings.Cut(o, "="); strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}
