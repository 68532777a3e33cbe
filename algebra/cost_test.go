package algebra_test

import (
	"testing"

	"github.com/rasterbase/rasterbase/algebra"
)

func TestCost(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int{
		"5": 1, "x": 1, "x * x < 0": 5, "-x": 2, "x ^ 2": 12, "sin(x) > 1": 13, "floor(x / 10) == 3": 7, "max(x, 1, 2)": 5,
	} {
		f, err := algebra.Parse(s, algebra.Options{Names: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Cost(); got != want {
			t.Errorf("%s: %d, want %d", s, got, want)
		}
	}
}
