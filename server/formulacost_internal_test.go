package server

import (
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
)

// What a formula may cost is bounded by the pixels of a tile.
func TestLongFormulasDrawSmallTilesOnly(t *testing.T) {
	for _, c := range []struct {
		formula string
		size    int
		fits    bool
	}{
		{"(a-b)/(a+b)", 1024, true},
		{"sin(a)" + strings.Repeat("+sin(a)", 300), 512, true},
		{"sin(a)" + strings.Repeat("+sin(a)", 600), 512, false},
		{"sin(a)" + strings.Repeat("+sin(a)", 600), 256, true},
	} {
		f, err := algebra.Parse(c.formula, algebra.Options{MaxNodes: 5000})
		if err != nil {
			t.Fatal(err)
		}
		if err := affordable("it", f.Cost(), c.size); (err == nil) != c.fits || err != nil && rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%.20s at %d pixels: %v", c.formula, c.size, err)
		}
	}
}
