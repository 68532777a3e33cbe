package rasterbase_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"io/fs"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
)

func ExampleColormap() {
	m := rasterbase.Colormap{First: 1, Table: []color.NRGBA{{R: 0x47, G: 0x6b, B: 0xa0, A: 0xff}}}
	fmt.Println(rasterbase.Color(m.At(1)), rasterbase.Color(m.At(2)))
	// Output: #476BA0 #00000000
}

func ExampleBandSummary_Add() {
	a := rasterbase.BandSummary{Valid: 2, Mean: 1, Min: 1, Max: 1, Counts: []rasterbase.ValueCount{{Value: 1, Count: 2}}}
	a.Add(rasterbase.BandSummary{Valid: 2, Mean: 3, Min: 3, Max: 3, Counts: []rasterbase.ValueCount{{Value: 3, Count: 2}}})
	fmt.Println(a.Valid, a.Mean, a.Std(), a.Counts)
	// Output: 4 2 1 [{1 2} {3 2}]
}

// The summary of a whole is that of its parts joined, however it is cut.
func TestSummariesOfPartsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.IntRange(-9, 9), 0, 200).Draw(t, "values")
		var joined rasterbase.BandSummary
		for from := 0; from < len(values); {
			to := from + rapid.IntRange(1, len(values)-from).Draw(t, "cut")
			joined.Add(summaryOf(values[from:to]))
			from = to
		}
		whole := summaryOf(values)
		if joined.Valid != whole.Valid || joined.Min != whole.Min || joined.Max != whole.Max ||
			math.Abs(joined.Mean-whole.Mean) > 1e-9 || math.Abs(joined.M2-whole.M2) > 1e-7*(1+whole.M2) {
			t.Fatalf("joined %+v, whole %+v", joined, whole)
		}
		if len(joined.Counts) != len(whole.Counts) {
			t.Fatalf("joined %v, whole %v", joined.Counts, whole.Counts)
		}
		for i, c := range whole.Counts {
			if joined.Counts[i] != c {
				t.Fatalf("joined %v, whole %v", joined.Counts, whole.Counts)
			}
		}
	})
}

func summaryOf(values []int) rasterbase.BandSummary {
	if len(values) == 0 {
		return rasterbase.BandSummary{}
	}
	s := rasterbase.BandSummary{Valid: int64(len(values)), Min: math.Inf(1), Max: math.Inf(-1)}
	sum := 0.0
	for _, v := range values {
		sum += float64(v)
		s.Min, s.Max = min(s.Min, float64(v)), max(s.Max, float64(v))
	}
	s.Mean = sum / float64(len(values))
	for v := -9; v <= 9; v++ {
		n := int64(0)
		for _, w := range values {
			if w == v {
				n++
			}
		}
		if n > 0 {
			s.Counts = append(s.Counts, rasterbase.ValueCount{Value: float64(v), Count: n})
			d := float64(v) - s.Mean
			s.M2 += float64(n) * d * d
		}
	}
	return s
}

func TestManyDistinctValuesKeepNoCounts(t *testing.T) {
	half := func(from int) rasterbase.BandSummary {
		s := rasterbase.BandSummary{Valid: rasterbase.MaxDistinct}
		for i := range rasterbase.MaxDistinct {
			s.Counts = append(s.Counts, rasterbase.ValueCount{Value: float64(from + i), Count: 1})
		}
		return s
	}
	s := half(0)
	s.Add(half(0))
	if len(s.Counts) != rasterbase.MaxDistinct || s.Counts[7].Count != 2 {
		t.Fatalf("%d counts", len(s.Counts))
	}
	s.Add(half(1))
	if s.Counts != nil {
		t.Fatalf("%d counts above the limit", len(s.Counts))
	}
}

func TestPixelTypesHold(t *testing.T) {
	for _, c := range []struct {
		t    rasterbase.PixelType
		v    float64
		want bool
	}{
		{rasterbase.Uint8, 255, true}, {rasterbase.Uint8, 256, false}, {rasterbase.Uint8, -1, false}, {rasterbase.Uint8, 1.5, false},
		{rasterbase.Uint8, math.NaN(), false}, {rasterbase.Int8, -128, true}, {rasterbase.Bit1, 2, false},
		{rasterbase.Int32, math.MinInt32, true}, {rasterbase.Uint32, math.MaxUint32, true},
		{rasterbase.Float32, math.NaN(), true}, {rasterbase.Float32, 1e39, false}, {rasterbase.Float32, -3.4028235e38, true},
		{rasterbase.Float64, 1e300, true},
	} {
		if got := c.t.Holds(c.v); got != c.want {
			t.Errorf("%v holds %v: %v", c.t, c.v, got)
		}
	}
	for _, p := range rasterbase.PixelTypes {
		for _, name := range []string{p.String(), p.PostGIS()} {
			if got, err := rasterbase.ParsePixelType(name); err != nil || got != p {
				t.Errorf("%s is read as %v, %v", name, got, err)
			}
		}
	}
}

func TestGridPlacesAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := func(name string) float64 { return rapid.Float64Range(-10, 10).Draw(t, name) }
		g := rasterbase.Grid{OriginX: f("x"), OriginY: f("y"), ScaleX: 1 + f("sx")/20, ScaleY: -1 + f("sy")/20, SkewX: f("kx") / 20, SkewY: f("ky") / 20}
		if math.Abs(g.ScaleX*g.ScaleY-g.SkewX*g.SkewY) < 0.1 {
			t.Skip("all but singular")
		}
		col, row := f("col"), f("row")
		x, y := g.World(col, row)
		c, r := g.Pixel(x, y)
		if math.Abs(c-col) > 1e-9 || math.Abs(r-row) > 1e-9 {
			t.Fatalf("%v, %v came back as %v, %v", col, row, c, r)
		}
	})
	if c, _ := (rasterbase.Grid{}).Pixel(1, 1); !math.IsNaN(c) {
		t.Error("a grid without scale has pixels")
	}
}

func TestErrors(t *testing.T) {
	err := fmt.Errorf("import: %w", rasterbase.Errorf(rasterbase.TooLarge, "read %s: %w", "x.tif", fs.ErrClosed).WithHint("close it less"))
	if rasterbase.CodeOf(err) != rasterbase.TooLarge || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%v lost its code or its cause", err)
	}
	if want := "import: read x.tif: file already closed (close it less)"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if rasterbase.CodeOf(nil) != "" || rasterbase.CodeOf(fs.ErrClosed) != rasterbase.Internal {
		t.Error("codes of other errors")
	}
}

func TestFloatsInJSON(t *testing.T) {
	for _, v := range []float64{0, -1.5, 1e300, math.Inf(1), math.Inf(-1), math.NaN()} {
		b, err := json.Marshal(rasterbase.Float(v))
		if err != nil {
			t.Fatal(err)
		}
		var back rasterbase.Float
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if float64(back) != v && !(math.IsNaN(v) && math.IsNaN(float64(back))) {
			t.Errorf("%v became %s and %v", v, b, back)
		}
	}
}

func TestColours(t *testing.T) {
	for in, want := range map[string]string{"#abc": "#AABBCC", "a1b2c3": "#A1B2C3", "#01020304": "#01020304", " #FFFFFFFF ": "#FFFFFF"} {
		c, err := rasterbase.ParseColor(in)
		if err != nil || c.String() != want {
			t.Errorf("%q is read as %v, %v", in, c, err)
		}
	}
	for _, bad := range []string{"", "#", "#12", "#12345", "#gggggg", "#1234567890"} {
		if _, err := rasterbase.ParseColor(bad); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%q is accepted: %v", bad, err)
		}
	}
}

// Nobody is let in by the Auth of a server without users.
func TestReadPublic(t *testing.T) {
	a := rasterbase.ReadPublic{}
	private := &rasterbase.Layer{Visibility: rasterbase.Private}
	for _, c := range []struct {
		action rasterbase.Action
		layer  *rasterbase.Layer
		want   rasterbase.Code
	}{
		{rasterbase.Read, &rasterbase.Layer{Visibility: rasterbase.Public}, ""}, {rasterbase.Read, nil, ""},
		{rasterbase.Read, private, rasterbase.Unauthorized}, {rasterbase.Edit, nil, rasterbase.Unauthorized},
		{rasterbase.Manage, nil, rasterbase.Unauthorized},
	} {
		if got := rasterbase.CodeOf(a.May(t.Context(), rasterbase.Principal{}, c.action, c.layer)); got != c.want {
			t.Errorf("%s of %+v: %q", c.action, c.layer, got)
		}
	}
}
