package algebra

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"pgregory.net/rapid"
)

// naive evaluates trees by the rules of the language as they are written in the
// package comment, one pixel at a time, with nothing of the evaluators under test:
// NaN is invalid, and an infinity is one that was written to be compared with.
type naive struct {
	single bool
	pixels []Value             // by variable
	whole  map[Reduction]Value // what reductions were bound to
}

func (e naive) round(v float64) float64 {
	if e.single {
		return float64(float32(v))
	}
	return v
}

func (e naive) constant(v float64, compared bool) float64 {
	if v = e.round(v); math.IsInf(v, 0) && !compared {
		return math.NaN()
	}
	return v
}

// value evaluates n. Compared tells that n is an operand of a comparison, perhaps
// with a sign before it.
func (e naive) value(n *node, compared bool) float64 {
	switch n.op {
	case opNumber, opNamed:
		return e.constant(n.number, compared)
	case opInf:
		return math.Inf(1)
	case opNull:
		return math.NaN()
	case opReduction:
		if v, ok := e.whole[Reduction{n.name, n.args[0].name}]; ok && v.Valid {
			return e.constant(v.V, compared)
		}
		return math.NaN()
	case opVariable:
		if v := e.pixels[n.slot]; v.Valid && !math.IsInf(v.V, 0) {
			return v.V
		}
		return math.NaN()
	case opFill:
		if v := e.round(e.pixels[n.args[0].slot].V); !math.IsInf(v, 0) {
			return v
		}
		return math.NaN()
	}
	if n.op == opCall && n.name == "where" {
		c := e.value(n.args[0], false)
		switch {
		case math.IsNaN(c):
			return c
		case c != 0:
			return e.value(n.args[1], false)
		}
		return e.value(n.args[2], false)
	}
	symbol := ""
	if n.op != opCall {
		symbol = n.op.symbol()
	}
	compares := slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, symbol)
	if symbol == "==" || symbol == "!=" {
		for i, a := range n.args {
			if a.op == opNull {
				return naiveTruth(math.IsNaN(e.value(n.args[1-i], true)) == (symbol == "=="))
			}
		}
	}
	signs := len(n.args) == 1 && (symbol == "-" || symbol == "+")
	var v []float64
	for _, a := range n.args {
		v = append(v, e.value(a, compares || compared && signs))
	}
	if slices.ContainsFunc(v, math.IsNaN) {
		return math.NaN()
	}
	var r float64
	if n.op == opCall {
		r = e.round(naiveFunction(n.name, v))
	} else {
		r = e.operator(symbol, v)
	}
	if math.IsInf(r, 0) && (!signs || !compared) {
		return math.NaN()
	}
	return r
}

func naiveTruth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (e naive) operator(symbol string, v []float64) float64 {
	if len(v) == 1 {
		return map[string]float64{"-": -v[0], "+": v[0], "!": naiveTruth(v[0] == 0)}[symbol]
	}
	a, b := v[0], v[1]
	switch symbol {
	case "+":
		return naiveArithmetic(e.single, a, b, func(a, b float32) float32 { return a + b }, func(a, b float64) float64 { return a + b })
	case "-":
		return naiveArithmetic(e.single, a, b, func(a, b float32) float32 { return a - b }, func(a, b float64) float64 { return a - b })
	case "*":
		return naiveArithmetic(e.single, a, b, func(a, b float32) float32 { return a * b }, func(a, b float64) float64 { return a * b })
	case "/":
		return naiveArithmetic(e.single, a, b, func(a, b float32) float32 { return a / b }, func(a, b float64) float64 { return a / b })
	case "^":
		if b == 2 {
			return e.round(a * a)
		}
		return e.round(math.Pow(a, b))
	}
	return naiveTruth(map[string]bool{"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b,
		"&": a != 0 && b != 0, "|": a != 0 || b != 0}[symbol])
}

// naiveArithmetic computes in the precision itself, without rounding afterwards.
func naiveArithmetic(single bool, a, b float64, in32 func(a, b float32) float32, in64 func(a, b float64) float64) float64 {
	if single {
		return float64(in32(float32(a), float32(b)))
	}
	return in64(a, b)
}

func naiveFunction(name string, v []float64) float64 {
	one := map[string]func(float64) float64{
		"sin": math.Sin, "cos": math.Cos, "tan": math.Tan, "asin": math.Asin, "acos": math.Acos, "atan": math.Atan,
		"log": math.Log, "log10": math.Log10, "exp": math.Exp, "sqrt": math.Sqrt, "abs": math.Abs, "int": math.Trunc,
		"floor": math.Floor, "ceil": math.Ceil,
	}
	if f, ok := one[name]; ok {
		return f(v[0])
	}
	sum := 0.0
	for i, x := range v {
		if sum += x; i == 0 {
			sum = x // -0 stays
		}
	}
	mean := sum / float64(len(v))
	switch name {
	case "round":
		r := math.Trunc(v[0])
		if math.Abs(v[0]-r) >= 0.5 {
			r += math.Copysign(1, v[0])
		}
		return math.Copysign(r, v[0])
	case "sign":
		return naiveTruth(v[0] > 0) - naiveTruth(v[0] < 0)
	case "atan2":
		return math.Atan2(v[0], v[1])
	case "clip":
		return math.Min(math.Max(v[0], v[1]), v[2])
	case "sum":
		return sum
	case "mean":
		return mean
	case "std":
		squares := 0.0
		for _, x := range v {
			d := x - mean
			squares += float64(d * d)
		}
		return math.Sqrt(squares / float64(len(v)))
	}
	r := v[0]
	for _, x := range v[1:] {
		if name == "min" {
			r = math.Min(r, x)
		} else {
			r = math.Max(r, x)
		}
	}
	if name != "median" {
		return r
	}
	sorted := slices.Clone(v)
	slices.SortStableFunc(sorted, func(a, b float64) int {
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

var edges = []float64{
	0, math.Copysign(0, -1), 1, -1, 2, 3, 0.5, -2.5, 0.1, 255, 1e5, 65535, -32768, 4294967295, 1e30, 3e38, -3e38, 1e-40, 1e300, -1e300,
	math.NaN(), math.Inf(1), math.Inf(-1),
}

// columnOf makes a column of n random pixels.
func columnOf(random *rand.Rand, t rasterbase.PixelType, n int) Column {
	c := Column{Pixels: raster.NewPixels(t, n), Nodata: []float64{math.NaN(), 0, 255, -9999, 1e300, 0.1}[random.IntN(6)]}
	plain := random.IntN(2) == 0 // without edges, so that whole blocks are valid
	for i := range n {
		switch {
		case plain:
			c.Pixels.Set(i, float64(random.IntN(2000)-1000)/4)
		case random.IntN(2) == 0:
			c.Pixels.Set(i, edges[random.IntN(len(edges))])
		default:
			c.Pixels.Set(i, random.NormFloat64()*10)
		}
	}
	switch random.IntN(4) {
	case 0: // pixels here and there
		c.Valid = make([]uint8, n)
		for i := range n {
			c.Valid[i] = []uint8{0, 1, 255, 255}[random.IntN(4)]
		}
	case 1: // up to a place
		c.Valid = make([]uint8, n)
		for i := range random.IntN(n + 1) {
			c.Valid[i] = 255
		}
	}
	return c
}

func (c Column) value(i int) Value {
	v := c.Pixels.At(i)
	if v-v != 0 || c.Valid != nil && c.Valid[i] == 0 {
		return Value{c.Nodata, false}
	}
	return Value{v, true}
}

// same tells whether a valid result is exactly what is wanted, or both are invalid.
func same(got float64, valid bool, want float64) bool {
	if math.IsNaN(want) || !valid {
		return math.IsNaN(want) && !valid
	}
	return math.Float64bits(got) == math.Float64bits(want)
}

// TestEvaluatorsAgree compares the naive evaluator, Eval and Evaluate: pixel types,
// masks, nodata, and lengths around those of blocks.
func TestEvaluatorsAgree(t *testing.T) {
	t.Parallel()
	names := []string{"x", "y", "z"}
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		types := make([]rasterbase.PixelType, len(names))
		for i := range types {
			types[i] = rapid.SampledFrom([]rasterbase.PixelType{
				rasterbase.Float32, rasterbase.Float32, rasterbase.Float32, rasterbase.Float64, rasterbase.Bit1,
				rasterbase.Uint8, rasterbase.Int8, rasterbase.Uint16, rasterbase.Int16, rasterbase.Uint32, rasterbase.Int32,
			}).Draw(t, "type")
		}
		n := rapid.SampledFrom([]int{0, 1, 7, 300, blockSize - 1, blockSize, blockSize + 1, 2*blockSize + 3}).Draw(t, "n")
		columns := make([]Column, len(names))
		for i := range columns {
			columns[i] = columnOf(random, types[i], n)
		}
		whole := map[Reduction]Value{{"mean", "x"}: {12.3, true}, {"std", "y"}: {0.1, true}, {"sum", "x"}: {1e300, true}, {"max", "z"}: {math.NaN(), false}}
		for range 12 {
			tree := genNode(t, 5)
			f, err := compile(tree, names, false).Bind(func(r Reduction) (float64, bool) { return whole[r].V, whole[r].Valid })
			if err != nil {
				t.Fatal(err)
			}
			agree(t, f, tree, columns, types, whole)
		}
	})
}

func agree(t *rapid.T, f *Formula, tree *node, columns []Column, types []rasterbase.PixelType, whole map[Reduction]Value) {
	r, err := f.Evaluate(context.Background(), columns)
	if err != nil {
		t.Fatal(err)
	}
	scalar := f.For(types...)
	e := naive{single: f.PixelType(types...) == rasterbase.Float32 || scalar.single, pixels: make([]Value, len(columns)), whole: whole}
	invalid := 0
	for i := range r.Pixels.Len() {
		for k, c := range columns {
			e.pixels[k] = c.value(i)
		}
		want := e.value(tree, false)
		got, valid := scalar.Eval(e.pixels)
		if !same(got, valid, want) {
			t.Fatalf("%s for %v of %v: Eval gives %v, %v; want %v", f, e.pixels, types, got, valid, want)
		}
		valid = r.Valid == nil || r.Valid[i] == 255
		if got = r.Pixels.At(i); !same(got, valid, want) {
			t.Fatalf("%s for %v of %v, pixel %d: Evaluate gives %v, %v; want %v", f, e.pixels, types, i, got, valid, want)
		}
		if !valid {
			invalid++
			if r.Valid[i] != 0 || got == got && got != 255 {
				t.Fatalf("%s: an invalid pixel holds %v and validity %d", f, got, r.Valid[i])
			}
		}
	}
	if r.Valid != nil && invalid == 0 {
		t.Fatalf("%s: all pixels are valid, and there is a validity", f)
	}
}

// TestTablesAgree compares evaluators for one variable of 8 bits, which are looked
// up in a table.
func TestTablesAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		types := []rasterbase.PixelType{rapid.SampledFrom([]rasterbase.PixelType{rasterbase.Uint8, rasterbase.Int8}).Draw(t, "type")}
		columns := []Column{columnOf(random, types[0], 1100)}
		tree := genNode(t, 4)
		tree.visit(func(n *node) {
			if n.op == opVariable {
				n.name, n.slot = "x", 0
			}
		})
		agree(t, compile(tree, []string{"x"}, false), tree, columns, types, nil)
	})
}

// FuzzEvaluate compares evaluators for formulas as text, over pixels of any bits.
func FuzzEvaluate(f *testing.F) {
	for _, s := range []string{"(a-b)/(a+b)", "where(a>b,~a,NULL)*2", "a+b+c+d+e", "std(a,b,1e30)^-2", "!(a==NULL)&(b<-INF)|a", "a-(b*c-a)"} {
		f.Add(s, []byte("\x00\x00\x80\x7f\x01\x02\x03\x04\xff\xff\xff\xff\x00\x00\x00\x80 some pixels, of any bits"))
	}
	f.Fuzz(func(t *testing.T, src string, data []byte) {
		parsed, err := Parse(src, Options{MaxNodes: 100, MaxVariables: 8, Reductions: true})
		if err != nil || len(parsed.variables) == 0 {
			return
		}
		n := len(data) / 4
		columns := make([]Column, len(parsed.variables))
		types := make([]rasterbase.PixelType, len(columns))
		for k := range columns {
			p := make(raster.Slice[float32], n)
			for i := range p {
				at := (i + 3*k) % n * 4
				p[i] = math.Float32frombits(uint32(data[at]) | uint32(data[at+1])<<8 | uint32(data[at+2])<<16 | uint32(data[at+3])<<24)
			}
			columns[k], types[k] = Column{Pixels: p, Nodata: float64(k)}, rasterbase.Float32
		}
		r, err := parsed.Evaluate(context.Background(), columns)
		if err != nil {
			t.Fatal(err)
		}
		scalar := parsed.For(types...)
		values := make([]Value, len(columns))
		for i := range n {
			for k, c := range columns {
				values[k] = c.value(i)
			}
			want, valid := scalar.Eval(values)
			if got := r.Pixels.At(i); valid != (r.Valid == nil || r.Valid[i] != 0) || valid && math.Float64bits(got) != math.Float64bits(want) {
				t.Fatalf("%s for %v: Evaluate gives %v, Eval %v, %v", parsed, values, got, want, valid)
			}
		}
	})
}
