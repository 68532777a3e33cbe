package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// landCover makes a tile of patches of up to classes values, as a classified
// satellite picture has: cells of random size around random centres, with
// single wrong pixels sprinkled in.
func landCover(seed uint64, side, classes int) *raster.Raster {
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := raster.New(rasterbase.Grid{Width: side, Height: side, ScaleX: 10, ScaleY: -10}, 3857, rasterbase.Uint8)
	p := r.Bands[0].Pixels.(raster.Slice[uint8])
	type centre struct{ x, y, class int }
	cs := make([]centre, 250)
	for i := range cs {
		cs[i] = centre{rnd.IntN(side), rnd.IntN(side), 1 + rnd.IntN(classes)}
	}
	for y := range side {
		for x := range side {
			best, class := math.MaxInt, 0
			for _, c := range cs {
				if d := (x-c.x)*(x-c.x) + (y-c.y)*(y-c.y); d < best {
					best, class = d, c.class
				}
			}
			if rnd.IntN(40) == 0 {
				class = 1 + rnd.IntN(classes)
			}
			p[y*side+x] = uint8(class)
		}
	}
	return r
}

// elevation makes a tile of smooth hills with a little noise.
func elevation(seed uint64, side int, t rasterbase.PixelType) *raster.Raster {
	rnd := rand.New(rand.NewPCG(seed, 2))
	r := raster.New(rasterbase.Grid{Width: side, Height: side, ScaleX: 30, ScaleY: -30}, 32632, t)
	a, b := rnd.Float64()*20+20, rnd.Float64()*20+20
	for y := range side {
		for x := range side {
			v := 800 + 150*math.Sin(float64(x)/a) + 120*math.Cos(float64(y)/b) + 2*rnd.NormFloat64()
			r.Bands[0].Pixels.Set(y*side+x, v)
		}
	}
	return r
}

func sameRaster(a, b *raster.Raster) error {
	if fmt.Sprintf("%v", a.Grid) != fmt.Sprintf("%v", b.Grid) || a.SRID != b.SRID || len(a.Bands) != len(b.Bands) {
		return fmt.Errorf("header: %v, %v", a.Grid, b.Grid)
	}
	if (a.Validity == nil) != (b.Validity == nil) || !bytes.Equal(a.Validity, b.Validity) {
		return errors.New("validity differs")
	}
	for i := range a.Bands {
		x, y := a.Bands[i], b.Bands[i]
		if x.Type != y.Type || x.HasNodata != y.HasNodata || math.Float64bits(x.Nodata) != math.Float64bits(y.Nodata) {
			return fmt.Errorf("band %d: header", i)
		}
		if !bytes.Equal(x.Pixels.Bytes(), y.Pixels.Bytes()) {
			return fmt.Errorf("band %d: pixels", i)
		}
	}
	return nil
}

// drawRaster makes any raster that a tile can hold.
func drawRaster(t *rapid.T) *raster.Raster {
	g := rasterbase.Grid{
		Width: rapid.IntRange(1, 70).Draw(t, "width"), Height: rapid.IntRange(1, 70).Draw(t, "height"),
		OriginX: rapid.Float64().Draw(t, "x"), OriginY: rapid.Float64().Draw(t, "y"),
		ScaleX: rapid.Float64().Draw(t, "sx"), ScaleY: -1, SkewX: 0.5, SkewY: rapid.Float64().Draw(t, "ky"),
	}
	r := raster.New(g, rapid.IntRange(-1, 999999).Draw(t, "srid"),
		rapid.SliceOfN(rapid.SampledFrom(rasterbase.PixelTypes), 1, 5).Draw(t, "types")...)
	rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
	fill := func(b []byte) {
		n := rapid.SampledFrom([]int{1, 2, 3, 4, 5, 16, 17, 256}).Draw(t, "distinct")
		for i := range b {
			b[i] = byte(rnd.IntN(n) * 255 / max(1, n-1))
		}
	}
	for i := range r.Bands {
		fill(r.Bands[i].Pixels.Bytes())
		if r.Bands[i].HasNodata = rapid.Bool().Draw(t, "has nodata"); r.Bands[i].HasNodata {
			r.Bands[i].Nodata = rapid.SampledFrom([]float64{0, -9999, math.NaN(), math.Inf(1), math.Copysign(0, -1)}).Draw(t, "nodata")
		}
	}
	if rapid.Bool().Draw(t, "validity") {
		r.Validity = make([]uint8, g.Width*g.Height)
		fill(r.Validity)
	}
	return r
}

func TestCodecRoundTrip(t *testing.T) {
	c := newTileCodec()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRaster(t)
		b, err := c.encode(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameRaster(r, got); err != nil {
			t.Fatal(err)
		}
		again, err := c.encode(got)
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("encoding is not deterministic (%v)", err)
		}
	})
}

// The form is kept for ever: these bytes were written by the first version.
func TestCodecBytes(t *testing.T) {
	c := newTileCodec()
	r := raster.New(rasterbase.Grid{Width: 2, Height: 1, OriginX: 1, ScaleX: 2, ScaleY: -2}, 4326, rasterbase.Uint16)
	r.Bands[0].Pixels.Set(0, 0x0102)
	r.Bands[0].Pixels.Set(1, 0x0304)
	r.Validity = []uint8{255, 255}
	b, err := c.encode(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = "01" + "02" + "01" + // codec, width, height
		"000000000000f03f" + "0000000000000000" + "0000000000000040" + "00000000000000c0" +
		"0000000000000000" + "0000000000000000" + "cc43" + // scale, skew, srid
		"01" + "01" + // validity, one band
		"0600" + "0104" + "02040103" + // uint16, no nodata, raw, low bytes, high bytes
		"0001ff" // validity: constant
	if got := fmt.Sprintf("%x", b[:len(b)-4]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCodecRefuses(t *testing.T) {
	c := newTileCodec()
	g := rasterbase.Grid{Width: 2, Height: 2}
	wrongType := raster.New(g, 0, rasterbase.Uint8)
	wrongType.Bands[0].Type = rasterbase.Float64
	short := raster.New(g, 0, rasterbase.Uint8)
	short.Validity = []uint8{1}
	for name, r := range map[string]*raster.Raster{
		"nil":            nil,
		"no bands":       raster.New(g, 0),
		"no pixels":      raster.New(rasterbase.Grid{}, 0, rasterbase.Uint8),
		"wrong type":     wrongType,
		"short validity": short,
		"too many bytes": raster.New(rasterbase.Grid{Width: 1 << 13, Height: 1 << 12}, 0, rasterbase.Float64),
	} {
		if _, err := c.encode(r); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodecCorrupt(t *testing.T) {
	c := newTileCodec()
	b, err := c.encode(landCover(1, 64, 9))
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 0x41
		if _, err := c.decode(bad); err == nil {
			t.Fatalf("byte %d changed and nobody noticed", i)
		}
	}
	for i := range b {
		if _, err := c.decode(b[:i]); err == nil {
			t.Fatalf("cut at %d and nobody noticed", i)
		}
	}
}

// FuzzDecode looks behind the checksum, which would hide everything.
func FuzzDecode(f *testing.F) {
	c := newTileCodec()
	withValidity := elevation(1, 16, rasterbase.Float32)
	withValidity.Validity = make([]uint8, 256)
	withValidity.Validity[3] = 255
	for _, r := range []*raster.Raster{
		landCover(1, 16, 9), landCover(1, 16, 3), landCover(1, 16, 1), landCover(1, 32, 60),
		elevation(1, 16, rasterbase.Int16), elevation(1, 16, rasterbase.Float64), withValidity,
	} {
		b, err := c.encode(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[1 : len(b)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := c.decodeBody(body)
		if err != nil {
			return
		}
		b, err := c.encode(r)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		again, err := c.decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameRaster(r, again); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkCodec measures whole tiles of 256x256, a different one each time.
func BenchmarkCodec(b *testing.B) {
	c := newTileCodec()
	for _, k := range []struct {
		name string
		make func(seed uint64) *raster.Raster
	}{
		{"land cover of 9", func(s uint64) *raster.Raster { return landCover(s, 256, 9) }},
		{"land cover of 3", func(s uint64) *raster.Raster { return landCover(s, 256, 3) }},
		{"land cover of 40", func(s uint64) *raster.Raster { return landCover(s, 256, 40) }},
		{"one class", func(s uint64) *raster.Raster {
			return raster.New(rasterbase.Grid{Width: 256, Height: 256}, 3857, rasterbase.Uint8)
		}},
		{"elevation int16", func(s uint64) *raster.Raster { return elevation(s, 256, rasterbase.Int16) }},
		{"elevation float32", func(s uint64) *raster.Raster { return elevation(s, 256, rasterbase.Float32) }},
	} {
		rs := make([]*raster.Raster, 16)
		bs := make([][]byte, len(rs))
		total := 0
		for i := range rs {
			rs[i] = k.make(uint64(i))
			var err error
			if bs[i], err = c.encode(rs[i]); err != nil {
				b.Fatal(err)
			}
			total += len(bs[i])
		}
		b.Run("encode/"+k.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := c.encode(rs[i%len(rs)]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(total)/float64(len(rs)), "B/tile")
		})
		b.Run("decode/"+k.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := c.decode(bs[i%len(bs)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAlternatives measures the compressions that were weighed, on what
// they would be given: bytes, packed indices, byte planes.
func BenchmarkAlternatives(b *testing.B) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	if err != nil {
		b.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		b.Fatal(err)
	}
	inputs := map[string]func(seed uint64) []byte{
		"bytes of land cover": func(s uint64) []byte { return landCover(s, 256, 9).Bands[0].Pixels.Bytes() },
		"indices of land cover": func(s uint64) []byte {
			p := landCover(s, 256, 9).Bands[0].Pixels.Bytes()
			_, index, _ := palette(p)
			out := make([]byte, len(p)/2)
			packIndices(out, p, index, 4)
			return out
		},
		"bytes of land cover of 40": func(s uint64) []byte { return landCover(s, 256, 40).Bands[0].Pixels.Bytes() },
		"elevation int16":           func(s uint64) []byte { return elevation(s, 256, rasterbase.Int16).Bands[0].Pixels.Bytes() },
		"planes of elevation int16": func(s uint64) []byte {
			return appendPlanes(nil, elevation(s, 256, rasterbase.Int16).Bands[0].Pixels.Bytes(), 2)
		},
		"elevation float32": func(s uint64) []byte { return elevation(s, 256, rasterbase.Float32).Bands[0].Pixels.Bytes() },
		"planes of elevation float32": func(s uint64) []byte {
			return appendPlanes(nil, elevation(s, 256, rasterbase.Float32).Bands[0].Pixels.Bytes(), 4)
		},
	}
	codecs := map[string]struct {
		enc func(dst, src []byte) []byte
		dec func(dst, src []byte) ([]byte, error)
	}{
		"zstd": {func(d, s []byte) []byte { return enc.EncodeAll(s, d[:0]) },
			func(d, s []byte) ([]byte, error) { return dec.DecodeAll(s, d[:0]) }},
		"s2": {func(d, s []byte) []byte { return s2.Encode(d[:cap(d)], s) },
			func(d, s []byte) ([]byte, error) { return s2.Decode(d[:cap(d)], s) }},
		"s2 better": {func(d, s []byte) []byte { return s2.EncodeBetter(d[:cap(d)], s) },
			func(d, s []byte) ([]byte, error) { return s2.Decode(d[:cap(d)], s) }},
	}
	for in, gen := range inputs {
		src := make([][]byte, 16)
		for i := range src {
			src[i] = gen(uint64(i))
		}
		for name, k := range codecs {
			benchmarkBytes(b, in+"/"+name, src, k.enc, k.dec)
		}
	}
}

func benchmarkBytes(b *testing.B, name string, src [][]byte, enc func(dst, src []byte) []byte, dec func(dst, src []byte) ([]byte, error)) {
	out := make([][]byte, len(src))
	total := 0
	for i := range src {
		out[i] = enc(make([]byte, 0, s2.MaxEncodedLen(len(src[i]))), src[i])
		total += len(out[i])
	}
	buf := make([]byte, 0, s2.MaxEncodedLen(len(src[0])))
	b.Run(name+"/encode", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			enc(buf, src[i%len(src)])
		}
		b.ReportMetric(float64(total)/float64(len(src)), "B/tile")
	})
	b.Run(name+"/decode", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := dec(buf, out[i%len(out)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
