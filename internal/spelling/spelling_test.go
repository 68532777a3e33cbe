package spelling_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase/internal/spelling"
)

func ExampleDistance() {
	fmt.Println(spelling.Distance("virdis", "viridis"))
	// Output: 1
}

func TestDistanceIsAMetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[A-D]{0,8}`)
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		ab, ba := spelling.Distance(a, b), spelling.Distance(b, a)
		if ab != ba || (ab == 0) != (a == b) || spelling.Distance(a, c) > ab+spelling.Distance(b, c) {
			t.Errorf("%q %q %q: %d %d", a, b, c, ab, ba)
		}
	})
}
