package pgxraster_test

import (
	"math"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/raster/pgxraster"
)

// registered is a connection to a new database that knows rasters.
func registered(t *testing.T) *pgx.Conn {
	t.Helper()
	conn := connect(t, pgtest.Database(t))
	if err := pgxraster.Register(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

// drawGrid draws a georeference of any direction, turned and skewed.
func drawGrid(t *rapid.T, most int) rasterbase.Grid {
	number := rapid.OneOf(rapid.Float64Range(-1e7, 1e7), rapid.SampledFrom([]float64{0, 1, -1, 0.1, 1e-9, -1e300, math.Pi}))
	return rasterbase.Grid{
		Width: rapid.IntRange(1, most).Draw(t, "width"), Height: rapid.IntRange(1, most).Draw(t, "height"),
		OriginX: number.Draw(t, "x"), OriginY: number.Draw(t, "y"),
		ScaleX: number.Draw(t, "scale x"), ScaleY: number.Draw(t, "scale y"),
		SkewX: number.Draw(t, "skew x"), SkewY: number.Draw(t, "skew y"),
	}
}

// PostGIS keeps srids from 0 to 998999 as they are.
func drawSRID(t *rapid.T) int {
	return rapid.OneOf(rapid.SampledFrom([]int{0, 4326, 3857, 32618, rasterbase.FirstCustomSRID}), rapid.IntRange(1, 998999)).Draw(t, "srid")
}

// drawValue draws values of a pixel type, often its limits, and for floats what
// is not finite.
func drawValue(p rasterbase.PixelType) *rapid.Generator[float64] {
	lo, hi := p.Range()
	limits := rapid.SampledFrom([]float64{lo, hi, 0, 1})
	switch p {
	case rasterbase.Float32:
		special := rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), float64(math.SmallestNonzeroFloat32)})
		return rapid.OneOf(limits, special, rapid.Map(rapid.Float32(), func(v float32) float64 { return float64(v) }))
	case rasterbase.Float64:
		special := rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64})
		return rapid.OneOf(limits, special, rapid.Float64())
	}
	return rapid.OneOf(limits, rapid.Map(rapid.Int64Range(int64(lo), int64(hi)), func(v int64) float64 { return float64(v) }))
}

// drawRaster draws a raster of up to 10 bands. Without bands it may have no
// pixels; with bands PostGIS reads none that has no pixels.
func drawRaster(t *rapid.T) *raster.Raster {
	r := raster.New(drawGrid(t, 6), drawSRID(t), rapid.SliceOfN(rapid.SampledFrom(rasterbase.PixelTypes), 0, 10).Draw(t, "types")...)
	if len(r.Bands) == 0 && rapid.Bool().Draw(t, "no pixels") {
		r.Width, r.Height = 0, 0
	}
	for i := range r.Bands {
		b := &r.Bands[i]
		values := drawValue(b.Type)
		if b.HasNodata = rapid.Bool().Draw(t, "has nodata"); b.HasNodata {
			b.Nodata = values.Draw(t, "nodata")
			raster.Fill(b.Pixels, b.Nodata)
		}
		if rapid.IntRange(0, 9).Draw(t, "one value") > 0 {
			for j := range b.Pixels.Len() {
				b.Pixels.Set(j, values.Draw(t, "pixel"))
			}
		}
	}
	return r
}

// What we write PostGIS reads: as a parameter, and as WKB. What it has then, in
// text and in binary, is what we wrote, byte for byte.
func TestPostGISReadsWhatIsWritten(t *testing.T) {
	conn := registered(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawRaster(t)
		wkb, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.HexWKB()
		if err != nil {
			t.Fatal(err)
		}
		for expression, arg := range map[string]any{"$1::raster": r, "ST_RastFromWKB($1::bytea)": wkb} {
			f := ask(t, conn, expression, arg)
			f.check(t, r)
			if f.text != text {
				t.Fatalf("%s became\n%s", text, f.text)
			}
		}
		var column, binary raster.Raster
		if err := conn.QueryRow(t.Context(), `SELECT r, r::bytea FROM (SELECT $1::raster r) q`, r).Scan(&column, &binary); err != nil {
			t.Fatal(err)
		}
		if !raster.Equal(&column, r) || !raster.Equal(&binary, r) {
			t.Fatalf("read back as %+v and %+v", column, binary)
		}
	})
}

// Validity is a band more for PostGIS, and becomes Validity again.
func TestValidityIsALastBand(t *testing.T) {
	conn := registered(t)
	r := small()
	r.Validity = []uint8{255, 0, 1, 255, 0, 7}
	var bands int
	var back raster.Raster
	var values []int
	if err := conn.QueryRow(t.Context(), `SELECT ST_NumBands(r), ST_DumpValues(r, 2)::int[], r FROM (SELECT $1::raster r) q`, r).Scan(&bands, &values, &back); err != nil {
		t.Fatal(err)
	}
	if err := back.SplitValidity(); err != nil || bands != 2 || !raster.Equal(&back, r) {
		t.Errorf("%d bands, %v, read back as %+v, %v", bands, values, back, err)
	}
}

// A value at a pixel and at a coordinate is what ST_Value says, but that only
// finite ones are values here.
func TestValuesAreThoseOfPostGIS(t *testing.T) {
	conn := registered(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawRaster(t)
		r.SRID = 0
		scale := rapid.SampledFrom([]float64{-30, -0.5, 0.25, 1, 100})
		skew := rapid.SampledFrom([]float64{0, 0, 0.1, -0.2})
		r.OriginX, r.OriginY = 500000, 4000000
		r.ScaleX, r.ScaleY, r.SkewX, r.SkewY = scale.Draw(t, "sx"), scale.Draw(t, "sy"), skew.Draw(t, "kx"), skew.Draw(t, "ky")
		if len(r.Bands) == 0 {
			return
		}
		for range 4 {
			band := rapid.IntRange(0, len(r.Bands)-1).Draw(t, "band")
			col, row := rapid.IntRange(0, r.Width-1).Draw(t, "col"), rapid.IntRange(0, r.Height-1).Draw(t, "row")
			x, y := r.World(float64(col)+rapid.Float64Range(0.05, 0.95).Draw(t, "u"), float64(row)+rapid.Float64Range(0.05, 0.95).Draw(t, "v"))
			if nearlyNodata(&r.Bands[band], r.Bands[band].Pixels.At(row*r.Width+col)) {
				continue
			}
			var atPixel, atCoord *float64
			err := conn.QueryRow(t.Context(), `SELECT ST_Value(r, $2, $3::int, $4::int), ST_Value(r, $2, ST_Point($5, $6)) FROM (SELECT $1::raster r) q`,
				r, band+1, col+1, row+1, x, y).Scan(&atPixel, &atCoord)
			if err != nil {
				t.Fatal(err)
			}
			v, ok := r.At(band, col, row)
			checkValue(t, "At", v, ok, atPixel)
			v, ok = r.AtCoord(band, x, y)
			checkValue(t, "AtCoord", v, ok, atCoord)
		}
	})
}

// nearlyNodata tells of values that PostGIS takes for nodata because they are
// within the epsilon of a float32, or because it takes an infinite nodata value of
// a float32 band for the largest number.
func nearlyNodata(b *raster.Band, v float64) bool {
	const epsilon = 1.1920928955078125e-07
	nodata := b.Nodata
	if math.IsInf(nodata, 0) {
		nodata = math.Copysign(math.MaxFloat32, nodata)
	}
	return b.HasNodata && b.IsData(v) && math.Abs(v-nodata) <= epsilon
}

func checkValue(t *rapid.T, what string, v float64, ok bool, want *float64) {
	t.Helper()
	switch {
	case want == nil || math.IsNaN(*want) || math.IsInf(*want, 0):
		if ok {
			t.Fatalf("%s is %v, PostGIS has none", what, v)
		}
	case !ok || v != *want:
		t.Fatalf("%s is %v, %v, PostGIS says %v", what, v, ok, *want)
	}
}
