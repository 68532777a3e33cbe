package raster_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// bigEndian writes a raster as big-endian WKB, value by value and slowly.
func bigEndian(r *raster.Raster) []byte {
	be := binary.BigEndian
	b := []byte{0, 0, 0}
	b = be.AppendUint16(b, uint16(len(r.Bands)))
	for _, v := range []float64{r.ScaleX, r.ScaleY, r.OriginX, r.OriginY, r.SkewX, r.SkewY} {
		b = be.AppendUint64(b, math.Float64bits(v))
	}
	b = be.AppendUint32(b, uint32(int32(r.SRID)))
	b = be.AppendUint16(b, uint16(r.Width))
	b = be.AppendUint16(b, uint16(r.Height))
	for _, band := range r.Bands {
		flags := byte(band.Type)
		if band.HasNodata {
			flags |= 0x40
		}
		b = appendBig(append(b, flags), band.Type, band.Nodata)
		for i := range band.Pixels.Len() {
			b = appendBig(b, band.Type, band.Pixels.At(i))
		}
	}
	return b
}

func appendBig(b []byte, t rasterbase.PixelType, v float64) []byte {
	be := binary.BigEndian
	switch t {
	case rasterbase.Int16, rasterbase.Uint16:
		return be.AppendUint16(b, uint16(int64(v)))
	case rasterbase.Int32, rasterbase.Uint32:
		return be.AppendUint32(b, uint32(int64(v)))
	case rasterbase.Float32:
		return be.AppendUint32(b, math.Float32bits(float32(v)))
	case rasterbase.Float64:
		return be.AppendUint64(b, math.Float64bits(v))
	}
	return append(b, uint8(int64(v)))
}

// drawRaster draws a raster of any types, sizes, nodata and validity.
func drawRaster(t *rapid.T) *raster.Raster {
	coord := rapid.Float64Range(-1e8, 1e8)
	g := rasterbase.Grid{
		Width: rapid.IntRange(0, 9).Draw(t, "width"), Height: rapid.IntRange(0, 9).Draw(t, "height"),
		OriginX: coord.Draw(t, "x"), OriginY: coord.Draw(t, "y"),
		ScaleX: coord.Draw(t, "scale x"), ScaleY: coord.Draw(t, "scale y"),
		SkewX: coord.Draw(t, "skew x"), SkewY: coord.Draw(t, "skew y"),
	}
	types := rapid.SliceOfN(rapid.SampledFrom(rasterbase.PixelTypes), 0, 5).Draw(t, "types")
	r := raster.New(g, int(rapid.Int32().Draw(t, "srid")), types...)
	for i := range r.Bands {
		b := &r.Bands[i]
		values := drawValue(b.Type)
		if b.HasNodata = rapid.Bool().Draw(t, "has nodata"); b.HasNodata {
			b.Nodata = values.Draw(t, "nodata")
		}
		for j := range b.Pixels.Len() {
			b.Pixels.Set(j, values.Draw(t, "pixel"))
		}
	}
	if rapid.Bool().Draw(t, "has validity") {
		r.Validity = make([]uint8, g.Width*g.Height)
		for i := range r.Validity {
			r.Validity[i] = rapid.Uint8().Draw(t, "validity")
		}
	}
	return r
}

func drawValue(t rasterbase.PixelType) *rapid.Generator[float64] {
	switch t {
	case rasterbase.Float32:
		return rapid.Custom(func(t *rapid.T) float64 {
			return float64(math.Float32frombits(rapid.Uint32().Draw(t, "bits")))
		})
	case rasterbase.Float64:
		return rapid.Custom(func(t *rapid.T) float64 {
			return math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		})
	}
	lo, hi := t.Range()
	return rapid.Custom(func(t *rapid.T) float64 {
		return float64(rapid.Int64Range(int64(lo), int64(hi)).Draw(t, "int"))
	})
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRaster(t)
		prefix := []byte("before")
		b, err := r.AppendWKB(prefix)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, prefix) {
			t.Fatal("what stood before is gone")
		}
		var got raster.Raster
		if err := got.UnmarshalBinary(b[len(prefix):]); err != nil {
			t.Fatal(err)
		}
		if r.Validity != nil {
			for i, v := range got.Bands[len(got.Bands)-1].Pixels.Bytes() {
				if want := r.Validity[i] != 0; v != 0 && v != 255 || (v == 255) != want {
					t.Fatalf("validity %d is written as %d", r.Validity[i], v)
				}
			}
			if err := got.SplitValidity(); err != nil {
				t.Fatal(err)
			}
		}
		if !raster.Equal(&got, r) {
			t.Fatalf("read %+v\nwrote %+v", got, r)
		}
	})
}

func TestBigEndianRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRaster(t)
		r.Validity = nil
		got, err := raster.ParseWKB(bigEndian(r))
		if err != nil {
			t.Fatal(err)
		}
		if !raster.Equal(got, r) {
			t.Fatalf("read %+v\nwrote %+v", got, r)
		}
	})
}

func TestParsedRasterKeepsNoInput(t *testing.T) {
	r := raster.New(rasterbase.Grid{Width: 4, Height: 4, ScaleX: 1, ScaleY: -1}, 0, rasterbase.Uint8, rasterbase.Float64)
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	got, err := raster.ParseWKB(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 0xff
	}
	if !raster.Equal(got, r) {
		t.Error("a change of the input changed the raster")
	}
}

func TestParseRefuses(t *testing.T) {
	wkb := func(change func(b []byte) []byte) []byte {
		r := raster.New(rasterbase.Grid{Width: 3, Height: 3, ScaleX: 1, ScaleY: -1}, 4326, rasterbase.Uint4, rasterbase.Int16)
		b, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return change(b)
	}
	outside := func(b []byte) []byte { // one band, in the file dem.tif
		b = append(b[:61:61], 0xc4, 5, 0)
		b[3] = 1
		return append(b, "dem.tif\x00"...)
	}
	tests := []struct {
		name string
		wkb  []byte
		code rasterbase.Code
		says string
	}{
		{"no bytes", nil, rasterbase.Invalid, "0 bytes"},
		{"half a header", wkb(func(b []byte) []byte { return b[:30] }), rasterbase.Invalid, "30 bytes"},
		{"byte order", wkb(func(b []byte) []byte { b[0] = 7; return b }), rasterbase.Invalid, "0x07"},
		{"version", wkb(func(b []byte) []byte { b[1] = 2; return b }), rasterbase.Invalid, "version 2"},
		{"no bands left", wkb(func(b []byte) []byte { return b[:61] }), rasterbase.Invalid, "band 1"},
		{"half a band", wkb(func(b []byte) []byte { return b[:len(b)-1] }), rasterbase.Invalid, "band 2"},
		{"unused pixel type", wkb(func(b []byte) []byte { b[61] = 9; return b }), rasterbase.Invalid, "9 is no pixel type"},
		{"pixel too large", wkb(func(b []byte) []byte { b[61+2+8] = 17; return b }), rasterbase.Invalid, "value 17 is too large for a pixel of type 4BUI (pixel 8)"},
		{"nodata too large", wkb(func(b []byte) []byte { b[62] = 16; return b }), rasterbase.Invalid, "4BUI"},
		{"bytes after it", wkb(func(b []byte) []byte { return append(b, 0) }), rasterbase.Invalid, "followed by 1"},
		{"huge size", wkb(func(b []byte) []byte { copy(b[57:], "\xff\xff\xff\xff"); return b }), rasterbase.Invalid, "65535x65535"},
		{"many bands", wkb(func(b []byte) []byte { copy(b[3:], "\xff\xff"); return b }), rasterbase.Invalid, "band 3"},
		{"pixels in a file", wkb(outside), rasterbase.Unsupported, `"dem.tif"`},
		{"pixels in a file, cut", wkb(func(b []byte) []byte { return outside(b)[:62] }), rasterbase.Unsupported, "not in the database"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := raster.ParseWKB(tt.wkb)
			if rasterbase.CodeOf(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("the error is %v (%v), not one of code %v with %q", err, rasterbase.CodeOf(err), tt.code, tt.says)
			}
		})
	}
}

func TestAppendRefuses(t *testing.T) {
	grid := func(w, h int) rasterbase.Grid { return rasterbase.Grid{Width: w, Height: h, ScaleX: 1, ScaleY: -1} }
	change := func(f func(r *raster.Raster)) *raster.Raster {
		r := raster.New(grid(2, 2), 4326, rasterbase.Uint2)
		f(r)
		return r
	}
	type test struct {
		name string
		r    *raster.Raster
		says string
	}
	tests := []test{
		{"too wide", raster.New(grid(65536, 1), 0), "cut the raster into tiles"},
		{"negative", raster.New(grid(-1, -1), 0), "-1x-1"},
		{"too few pixels", change(func(r *raster.Raster) { r.Width = 3 }), "6 pixels"},
		{"too little validity", change(func(r *raster.Raster) { r.Validity = []uint8{1} }), "validity"},
		{"pixels of another type", change(func(r *raster.Raster) { r.Bands[0].Pixels = raster.Slice[int16]{1, 2, 3, 4} }), "uint2"},
		{"no type", change(func(r *raster.Raster) { r.Bands[0].Type = 9 }), "pixeltype(9)"},
		{"pixel too large", change(func(r *raster.Raster) { r.Bands[0].Pixels.Set(3, 4) }), "value 4"},
	}
	if math.MaxInt > math.MaxInt32 {
		tests = append(tests, test{"srid", change(func(r *raster.Raster) { r.SRID = math.MaxInt }), "srid"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := tt.r.AppendWKB([]byte{1})
			if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("the error is %v, without %q", err, tt.says)
			}
			if len(b) != 1 {
				t.Errorf("it left %d bytes", len(b))
			}
		})
	}
}

func TestNodataThatNoPixelCanHold(t *testing.T) {
	tests := []struct {
		t      rasterbase.PixelType
		nodata float64
		kept   bool
	}{
		{rasterbase.Uint8, -9999, false},
		{rasterbase.Uint8, 0.5, false},
		{rasterbase.Int16, math.NaN(), false},
		{rasterbase.Bit1, 255, false},
		{rasterbase.Float32, -1e300, false},
		{rasterbase.Float32, -3.4028235e+38, true}, // rounds to the lowest float32
		{rasterbase.Float32, math.Inf(-1), true},
		{rasterbase.Float64, -1e300, true},
		{rasterbase.Uint8, 255, true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.t, tt.nodata), func(t *testing.T) {
			r := raster.New(rasterbase.Grid{Width: 1, Height: 1, ScaleX: 1, ScaleY: -1}, 0, tt.t)
			r.Bands[0].HasNodata, r.Bands[0].Nodata = true, tt.nodata
			b, err := r.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			got, err := raster.ParseWKB(b)
			if err != nil {
				t.Fatal(err)
			}
			if got.Bands[0].HasNodata != tt.kept || got.Valid(0, 0) != r.Valid(0, 0) || !raster.Equal(got, r) {
				t.Errorf("read back as %+v", got.Bands[0])
			}
		})
	}
}

func BenchmarkAppendWKB(b *testing.B) {
	for _, t := range []rasterbase.PixelType{rasterbase.Uint4, rasterbase.Uint8, rasterbase.Int16, rasterbase.Float32, rasterbase.Float64} {
		b.Run(t.String(), func(b *testing.B) {
			r := raster.New(rasterbase.Grid{Width: 256, Height: 256, ScaleX: 1, ScaleY: -1}, 3857, t)
			buf, err := r.AppendWKB(nil)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				if buf, err = r.AppendWKB(buf[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseWKB(b *testing.B) {
	for _, t := range []rasterbase.PixelType{rasterbase.Uint4, rasterbase.Uint8, rasterbase.Int16, rasterbase.Float32, rasterbase.Float64} {
		r := raster.New(rasterbase.Grid{Width: 256, Height: 256, ScaleX: 1, ScaleY: -1}, 3857, t)
		little, err := r.AppendWKB(nil)
		if err != nil {
			b.Fatal(err)
		}
		for _, order := range []struct {
			name string
			wkb  []byte
		}{{"little", little}, {"big", bigEndian(r)}} {
			b.Run(fmt.Sprintf("%v/%s", t, order.name), func(b *testing.B) {
				b.SetBytes(int64(len(order.wkb)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := raster.ParseWKB(order.wkb); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
