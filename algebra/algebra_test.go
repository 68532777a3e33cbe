package algebra_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
)

func Example() {
	f, err := algebra.Parse("(nir-red)/(nir+red)", algebra.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f, f.Variables())
	fmt.Println(f.Eval([]algebra.Value{algebra.Of(60), algebra.Of(20)}))
	fmt.Println(f.Eval([]algebra.Value{algebra.Of(0), algebra.Of(0)})) // 0/0
	_, err = algebra.Parse("nir + * red", algebra.Options{})
	fmt.Println(err)
	// Output:
	// (nir - red) / (nir + red) [nir red]
	// 0.5 true
	// 0 false
	// column 7: expected a number, a name or "(", found "*"
}

func TestEval(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	tests := []struct {
		formula string
		x       float64
		want    float64 // NaN: invalid
	}{
		{"2^3^2", 0, 512},
		{"-2^2", 0, -4},
		{"2^-1", 0, 0.5},
		{"(-2)^2", 0, 4},
		{"2+3*4", 0, 14},
		{"10-3-2", 0, 5},
		{"16/4/2", 0, 2},
		{"1+x>3", 3, 1},
		{"1+x>3", 2, 0},
		{"x<1|x>5&x<7", 6, 1},
		{"x<1|x>5&x<7", 8, 0},
		{"!x==1", 0, 1},
		{"!(x==1)", 0, 1},
		{"--x", 4, 4},
		{"1e5", 0, 100000},
		{".5e+1", 0, 5},
		{"5.", 0, 5},
		{"E", 0, math.E},
		{"PI*0", 0, 0},
		{"TRUE+FALSE", 0, 1},
		{"x == NULL", nan, 1},
		{"x == NULL", 3, 0},
		{"NULL != x", 3, 1},
		{"NULL == NULL", 0, 1},
		{"x + 1 == NULL", nan, 1},
		{"x < INF", 3, 1},
		{"x > -INF", 3, 1},
		{"x == INF", math.Inf(1), nan}, // infinite pixels are invalid
		{"x", nan, nan},
		{"x*0", nan, nan},
		{"1/x", 0, nan},
		{"x/0", 0, nan},
		{"log(x)", -1, nan},
		{"log(x)", 0, nan},
		{"sqrt(x)", -1, nan},
		{"exp(x)", 1000, nan},
		{"x^x", 1e300, nan},
		{"asin(x)", 2, nan},
		{"x^0.5", -1, nan},
		{"atan2(x, 1)", 1, math.Pi / 4},
		{"int(x)", -1.7, -1},
		{"round(x)", -2.5, -3},
		{"sign(x)", -2.5, -1},
		{"min(x, 2, -1)", 5, -1},
		{"max(x, 2, -1)", 5, 5},
		{"clip(x, 0, 1)", 5, 1},
		{"mean(x, 2, 6)", 1, 3},
		{"sum(x, 2, 6)", 1, 9},
		{"std(x, 4)", 2, 1},
		{"std(2, 4, 4, 4, 5, 5, 7, x)", 9, 2},
		{"median(x, 1, 9)", 4, 4},
		{"median(x, 1, 9, 5)", 4, 4.5},
		{"median(x, 1)", nan, nan},
		{"mean(1e308, 1e308) + x", 1, nan},
		{"min(x, 2) == NULL", nan, 1},
		{"x^2", -3, 9},
		{"+x", -3, -3},
		{"-x^2", -3, -9},
		{"!x + 1", 0, 2},
		{"-x*-x", 3, 9},
		{"2*x^2", 3, 18},
		{"1 | 0 & 0", 0, 1},
		{"where(x > 0, 1/x, 7)", 0, 7},
		{"where(x > 0, 1/x, NULL)", 0, nan},
		{"where(x == NULL, 1, x)", nan, 1},
		{"where(x, 1, 2)", nan, nan},
		{"x > 1 & x", 2, 1},
		{"(x == NULL) | (x > 1)", nan, nan},
		{"1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+x)))))))))))))))))", 2, 20},
	}
	for _, tt := range tests {
		f, err := algebra.Parse(tt.formula, algebra.Options{})
		if err != nil {
			t.Errorf("%s: %v", tt.formula, err)
			continue
		}
		v, valid := f.Eval([]algebra.Value{algebra.Of(tt.x)})
		if valid == math.IsNaN(tt.want) || valid && math.Abs(v-tt.want) > 1e-15 {
			t.Errorf("%s for x=%v: got %v, %v; want %v", tt.formula, tt.x, v, valid, tt.want)
		}
	}
}

func TestFillBringsBackNodata(t *testing.T) {
	t.Parallel()
	f, err := algebra.Parse("~x + 1", algebra.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if v, valid := f.Eval([]algebra.Value{{V: 255}}); v != 256 || !valid {
		t.Errorf("invalid pixel with nodata 255: got %v, %v", v, valid)
	}
	if _, valid := f.Eval([]algebra.Value{{V: math.NaN()}}); valid {
		t.Error("NaN as nodata became valid")
	}
}

func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		formula string
		column  int
		text    string
	}{
		{"", 1, "found the end"},
		{"3*a bc abc/", 5, `expected an operator, found "bc"`},
		{"a*", 3, "found the end"},
		{"(a", 3, "the parenthesis at column 1 is not closed"},
		{"a)", 2, `expected an operator, found ")"`},
		{"1e999", 1, "too large"},
		{"1e", 2, "digits"},
		{"1.e+", 3, "digits"},
		{".", 1, "digit"},
		{"a = 1", 3, "=="},
		{"a % 1", 3, `unexpected character '%'`},
		{"\"é\" + a", 1, "unexpected character"},
		{"a + é", 5, `unexpected character 'é'`},
		{"a\xff", 2, "unexpected character"},
		{"1 < x < 3", 7, "do not chain"},
		{"foo(1)", 1, "unknown function"},
		{"mean(x)", 1, "each tile"},
		{"median(x)", 1, "each tile"},
		{"median()", 1, "two arguments"},
		{"x + 1e999", 5, "too large"},
		{"a + - ", 7, "found the end"},
		{"* a", 1, `found "*"`},
		{"a & | b", 5, `found "|"`},
		{"max(a,, b)", 7, `found ","`},
		{"where(INF, 1, 2)", 7, "compared"},
		{"min(" + strings.Repeat("a,", 64) + "a)", 1, "at most 64"},
		{"1 + min(x)", 5, "each tile"},
		{"min()", 1, "two arguments"},
		{"sin(1, 2)", 1, "takes 1 argument, not 2"},
		{"sin()", 1, "takes 1 argument, not 0"},
		{"sin(1,)", 7, "expected a number"},
		{"where(1, 2)", 1, "takes 3 arguments"},
		{"~(a + b)", 1, "variable only"},
		{"INF", 1, "compared"},
		{"x + INF", 5, "compared"},
		{"x < NULL", 5, "NULL"},
		{"NULL", 1, "NULL"},
		{strings.Repeat("(", 10_000) + "x" + strings.Repeat(")", 10_000), 10_001, "longer than 10000"},
		{strings.Repeat("(", 4_000) + "x" + strings.Repeat(")", 4_000), 101, "nested"},
		{strings.Repeat("-", 4_000) + "x", 101, "nested"},
		{"2" + strings.Repeat("^2", 4_000), 201, "nested"},
		{"2" + strings.Repeat("+2", 4_000), 2000, "more than 2000"},
	}
	for _, tt := range tests {
		_, err := algebra.Parse(tt.formula, algebra.Options{})
		se, ok := errors.AsType[*algebra.SyntaxError](err)
		if !ok || rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%.30q: %v is not a syntax error", tt.formula, err)
			continue
		}
		if se.Column != tt.column || !strings.Contains(se.Message, tt.text) {
			t.Errorf("%.30q: got %v; want column %d and %q", tt.formula, err, tt.column, tt.text)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	o := algebra.Options{Names: []string{"x"}}
	if _, err := algebra.Parse("x < 1 & y > 2", o); err == nil || !strings.Contains(err.Error(), "column 9") {
		t.Errorf("unknown name: %v", err)
	}
	if _, _, err := mustParse(t, "a+b").EvalMap(map[string]float64{"a": 1}); err == nil {
		t.Error("a variable without a value was accepted")
	}
	if v, ok, err := mustParse(t, "a+b").EvalMap(map[string]float64{"a": 1, "b": 2}); v != 3 || !ok || err != nil {
		t.Errorf("a+b: %v, %v, %v", v, ok, err)
	}
}

func TestMaxVariables(t *testing.T) {
	t.Parallel()
	if _, err := algebra.Parse("a+b+a+c", algebra.Options{MaxVariables: 2}); err == nil || !strings.Contains(err.Error(), "column 7") {
		t.Errorf("third variable: %v", err)
	}
}

func mustParse(t *testing.T, s string) *algebra.Formula {
	t.Helper()
	f, err := algebra.Parse(s, algebra.Options{})
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return f
}

func TestBreaks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		formula string
		want    []float64
		ok      bool
	}{
		{"(-3.0 < x) & (x <= 1)", []float64{-3, 1}, true},
		{"!(x == 2) | 7 >= x", []float64{2, 7}, true},
		{"x", []float64{0}, true},
		{"x < 2*3 & x < INF", []float64{6}, true},
		{"x == NULL", nil, true},
		{"1 < 2", nil, true},
		{"x < 1/0", nil, true},
		{"x == -0", []float64{0}, true},
		{"x + 1 < 3", nil, false},
		{"sin(x) > 0", nil, false},
		{"x < y", nil, false},
		{"(x < 3) == 1", nil, false},
		{"5 * x", nil, false},
	}
	for _, tt := range tests {
		got, ok := mustParse(t, tt.formula).Breaks()
		if ok != tt.ok || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, %v; want %v, %v", tt.formula, got, ok, tt.want, tt.ok)
		}
	}
}

func TestFloat32RoundsComparedConstants(t *testing.T) {
	t.Parallel()
	pixel := []algebra.Value{algebra.Of(float64(float32(0.1)))}
	f := mustParse(t, "x == 0.1 & x <= 1/10")
	if v, _ := f.Eval(pixel); v != 0 {
		t.Error("0.1 as float32 equals 0.1 as float64")
	}
	if v, _ := f.Float32().Eval(pixel); v != 1 {
		t.Error("0.1 as float32 does not equal the rounded constant")
	}
	if f.Float32().String() != f.String() {
		t.Errorf("the text changed to %s", f.Float32())
	}
	if v, ok := mustParse(t, "x < 1e300").Float32().Eval(pixel); v != 1 || !ok {
		t.Error("a constant above float32 is not above all pixels")
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]float64{"5": 5, "-2.5": -2.5, "+(-(3))": -3, "x": math.NaN(), "1+1": math.NaN(), "TRUE": math.NaN()} {
		if v, ok := mustParse(t, s).Number(); ok == math.IsNaN(want) || ok && v != want {
			t.Errorf("%s: %v, %v", s, v, ok)
		}
	}
}

func TestEvalDoesNotAllocate(t *testing.T) {
	f := mustParse(t, "where(a > 0, min(a, b, 3) / (b + sin(a)), ~b)")
	vars := []algebra.Value{algebra.Of(1), algebra.Of(2)}
	if n := testing.AllocsPerRun(100, func() { f.Eval(vars) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEval(b *testing.B) {
	f, err := algebra.Parse("(nir - red) / (nir + red)", algebra.Options{})
	if err != nil {
		b.Fatal(err)
	}
	vars := []algebra.Value{algebra.Of(60), algebra.Of(20)}
	for b.Loop() {
		f.Eval(vars)
	}
}
