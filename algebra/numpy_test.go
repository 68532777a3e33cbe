package algebra_test

import (
	"bufio"
	"context"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/raster"
)

// TestNumpyGivesTheSame reads testdata/cases.tsv, which testdata/cases.py makes.
// Arithmetic, comparisons, roots and rounding are the same to the last bit; sines,
// logarithms and the like, and powers, may be a few units of it apart, as the
// libraries of the two languages compute them by different series. In float32 they
// are float64 ones rounded here, and numpy has a power of its own.
func TestNumpyGivesTheSame(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/cases.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	formulas := map[string]*algebra.Formula{}
	lines := bufio.NewScanner(file)
	cases := 0
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Split(lines.Text(), "\t")
		text := fields[1]
		if formulas[text] == nil {
			formulas[text] = mustParse(t, text)
		}
		var v [4]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(fields[2+i], 64); err != nil {
				t.Fatal(err)
			}
		}
		compareWithNumpy(t, formulas[text], fields[0] == "float32", v[:3], v[3])
		cases++
	}
	if err := lines.Err(); err != nil || cases < 10_000 {
		t.Fatalf("%d cases, %v", cases, err)
	}
}

// tolerance is in units of the last place of the precision.
func tolerance(text string, x float64, single bool) float64 {
	name, _, _ := strings.Cut(text, "(")
	switch name {
	case "log", "exp":
		return 1
	case "asin", "acos", "atan", "atan2", "log10":
		return 2
	case "sin", "cos", "tan":
		if math.Abs(x) > 1<<29 && !single { // many turns are taken off
			return 64
		}
		return 2
	case "a^b", "a^-1", "a^0.5":
		if single {
			return 2
		}
		return 64 // of large exponents
	}
	return 0
}

func compareWithNumpy(t *testing.T, f *algebra.Formula, single bool, variables []float64, want float64) {
	t.Helper()
	kind := rasterbase.Float64
	if single {
		kind = rasterbase.Float32
	}
	var values []algebra.Value
	var columns []algebra.Column
	var types []rasterbase.PixelType
	for i := range f.Variables() {
		values = append(values, algebra.Of(variables[i]))
		p := raster.NewPixels(kind, 1)
		p.Set(0, variables[i])
		columns = append(columns, algebra.Column{Pixels: p})
		types = append(types, kind)
	}
	got, valid := f.For(types...).Eval(values)
	r, err := f.Evaluate(context.Background(), columns)
	if err != nil {
		t.Fatal(err)
	}
	if block := r.Pixels.At(0); valid != (r.Valid == nil) || valid && block != got {
		t.Errorf("%s of %v: Eval gives %v, Evaluate %v", f, variables, got, block)
	}
	if valid == math.IsNaN(want) || valid && math.Abs(got-want) > tolerance(f.String(), variables[0], single)*unit(want, single) {
		t.Errorf("%s of %v in %v: got %v, %v; numpy gives %v", f, variables, kind, got, valid, want)
	}
}

// unit is one unit of the last place of v.
func unit(v float64, single bool) float64 {
	v = math.Abs(v)
	if single {
		return float64(math.Nextafter32(float32(v), float32(math.Inf(1)))) - v
	}
	return math.Nextafter(v, math.Inf(1)) - v
}
