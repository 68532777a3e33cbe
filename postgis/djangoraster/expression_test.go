package djangoraster_test

import (
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/postgis/djangoraster"
)

func TestExpressionsMeanWhatDjangoRasterReads(t *testing.T) {
	for _, c := range []struct {
		src, want string
		at, is    float64 // what it is worth there, as django-raster computes it
	}{
		{"3", "3", 0, 3},
		{"-3.5", "-3.5", 0, -3.5},
		{"(-3.0 < x) & (x <= 1)", "(-3.0 < x) & (x <= 1)", 0, 1},
		{"x <= 1", "x <= 1", 1, 1},
		{"x + 2 > 3", "", 0, 0},     // x + (2 > 3)
		{"x + 2 > 3", "", 5, 5},     // the sum, and not a truth
		{"x > 1 & x < 5", "", 7, 1}, // ((x > 1) & x) < 5
		{"2 * x == 4", "2 * x == 4", 2, 1},
		{"-x^2", "", 3, 9}, // (-x)^2
		{"2^3^2", "2^3^2", 0, 512},
		{"x == 1 | x == 2", "", 2, 0}, // ((x == 1) | x) == 2
		{"abs(x - 1) < 2", "abs(x - 1) < 2", 2, 1},
	} {
		got, err := djangoraster.Expression(c.src)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		if c.want != "" && got != c.want {
			t.Errorf("%s became %s", c.src, got)
		}
		f, err := algebra.Parse(got, algebra.Options{})
		if err != nil {
			t.Errorf("%s became %s: %v", c.src, got, err)
			continue
		}
		v, valid, err := f.EvalMap(map[string]float64{"x": c.at})
		if err != nil || !valid || v != c.is {
			t.Errorf("%s became %s: at %v it is %v (valid %v, %v), want %v", c.src, got, c.at, v, valid, err, c.is)
		}
	}
	for _, src := range []string{"", "x >", "continuous", "range", "(x", "x)", "x ** 2", "median(x)", "\"3\""} {
		if got, err := djangoraster.Expression(src); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%q became %q, %v", src, got, err)
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{"3", "(-3.0 < x) & (x <= 1)", "x+2>3", "-x^2", "!x", "~x", "((((", "E+PI"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		out, err := djangoraster.Expression(src)
		if err != nil {
			return
		}
		if _, err := algebra.Parse(out, algebra.Options{Names: []string{"x"}}); err != nil {
			t.Errorf("%q became %q: %v", src, out, err)
		}
	})
}
