package algebra_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/raster"
)

// BenchmarkEvaluate has its twin in testdata/speed.py, which measures numpy and
// numexpr for the same formulas over arrays of the same sizes:
//
//	go test ./algebra -run - -bench Evaluate -cpu 1
//	python3 algebra/testdata/speed.py
func BenchmarkEvaluate(b *testing.B) {
	for _, n := range []int{1 << 16, 1 << 24} {
		columns := make(map[string]algebra.Column)
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			p := make(raster.Slice[float32], n)
			for i := range p {
				p[i] = rand.Float32()
			}
			columns[name] = algebra.Column{Pixels: p}
		}
		for _, formula := range []struct{ name, text string }{
			{"ndvi", "(b - a) / (b + a)"},
			{"sum", "a + b + c + d + e"},
			{"logical", "(a > 0.5) & (b < 0.3) | (c >= 0.9)"},
			{"where", "where(a > 0.5, b, c)"},
		} {
			f, err := algebra.Parse(formula.text, algebra.Options{})
			if err != nil {
				b.Fatal(err)
			}
			var arguments []algebra.Column
			for _, name := range f.Variables() {
				arguments = append(arguments, columns[name])
			}
			b.Run(fmt.Sprintf("%s/%d", formula.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := f.Evaluate(context.Background(), arguments); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/pixel")
			})
		}
	}
}
