package algebra_test

import (
	"context"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/raster"
)

// TestGuide runs every formula of the guide: those in tables give the value that
// stands there, and those in blocks can be evaluated.
func TestGuide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/guides/formulas.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks, rows := 0, 0
	for _, block := range regexp.MustCompile("(?s)```formula\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			evaluateAnywhere(t, strings.TrimSpace(line))
			blocks++
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]*)` \\|([^|`]*)\\|([^|`]*)\\|([^|`]+)\\|$").FindAllStringSubmatch(string(text), -1) {
		checkGuideRow(t, strings.ReplaceAll(row[1], `\|`, "|"), row[2], row[3], row[4])
		rows++
	}
	if blocks < 15 || rows < 40 {
		t.Errorf("only %d formulas in blocks and %d in tables", blocks, rows)
	}
}

func evaluateAnywhere(t *testing.T, formula string) {
	f, err := algebra.Parse(formula, algebra.Options{Reductions: true})
	if err != nil {
		t.Errorf("%s: %v", formula, err)
		return
	}
	if f, err = f.Bind(func(r algebra.Reduction) (float64, bool) { return map[string]float64{"max": 9}[r.Function] + 1, true }); err != nil {
		t.Fatal(err)
	}
	columns := make([]algebra.Column, len(f.Variables()))
	for i := range columns {
		columns[i] = algebra.Column{Pixels: raster.Slice[float32]{1, float32(i + 2), 7, 0}}
	}
	r, err := f.Evaluate(context.Background(), columns)
	if err != nil || r.Valid != nil && strings.Trim(string(r.Valid), "\x00") == "" {
		t.Errorf("%s: %v, %v", formula, r, err)
	}
}

func checkGuideRow(t *testing.T, formula, a, b, want string) {
	t.Helper()
	f := mustParse(t, formula)
	number := func(s string) float64 {
		if s = strings.TrimSpace(s); s == "" || s == "invalid" {
			return math.NaN()
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatalf("%s: %v", formula, err)
		}
		return v
	}
	got, valid, err := f.EvalMap(map[string]float64{"a": number(a), "b": number(b)})
	if w := number(want); err != nil || valid == math.IsNaN(w) || valid && got != w {
		t.Errorf("%s for a = %s, b = %s is %v, %v in place of %s; %v", formula, a, b, got, valid, want, err)
	}
}
