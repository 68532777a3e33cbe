package server

import (
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
)

// measured is the memory that what of gives holds, in bytes.
func measured[T any](n int, of func(i int) T) (int64, []T) {
	out := slices.Repeat([]T{*new(T)}, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range out {
		out[i] = of(i)
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc), out
}

// What is remembered is bounded by costs, so that these must not be much less than
// what it takes.
func TestCostsAreNotTooLow(t *testing.T) {
	colormap := func(i, entries int, form string) string {
		var b strings.Builder
		for e := range entries {
			fmt.Fprintf(&b, form, 4*e+i%3)
		}
		return "{" + strings.TrimSuffix(b.String(), ",") + "}"
	}
	rev := &rasterbase.Revision{
		ID: 1, Datatype: rasterbase.Continuous, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint16, Scale: 1, Max: 65535}},
	}
	for name, query := range map[string]func(i int) url.Values{
		"a range": func(i int) url.Values { return url.Values{"rescale": {fmt.Sprint("0,", i+1)}} },
		"a name": func(i int) url.Values {
			return url.Values{"colormap_name": {"viridis"}, "rescale": {fmt.Sprint("0,", i+1)}}
		},
		"values":   func(i int) url.Values { return url.Values{"colormap": {colormap(i, 300, `"%d":"#123456",`)}} },
		"formulas": func(i int) url.Values { return url.Values{"colormap": {colormap(i, 100, `"x > %d":[1,2,3],`)}} },
		"counted": func(i int) url.Values {
			return url.Values{"aggregation": {"true"}, "colormap": {colormap(i, 300, `"%d":[1,2,3],`)}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 60
			queries := make([]url.Values, n)
			for i := range queries {
				queries[i] = query(i)
			}
			held, drawings := measured(n, func(i int) *drawing {
				d, err := newDrawing(queries[i], tileRoute)
				if err != nil {
					t.Fatal(err)
				}
				return d
			})
			counted := int64(0)
			for i, d := range drawings {
				counted += drawingCost(queries[i].Encode(), d)
			}
			t.Logf("a drawing: %d bytes, cost %d", held/n, counted/n)
			if held > counted*3/2 {
				t.Errorf("%d drawings take %d bytes and cost %d", n, held, counted)
			}
			held, styles := measured(n, func(i int) *style {
				st, err := newStyle(rev, drawings[i].colormap, drawings[i], false)
				if err != nil {
					t.Fatal(err)
				}
				return st
			})
			counted = 0
			for _, st := range styles {
				counted += styleCost("", st)
			}
			t.Logf("a style: %d bytes, cost %d", held/n, counted/n)
			if held > counted*3/2 {
				t.Errorf("%d styles take %d bytes and cost %d", n, held, counted)
			}
			runtime.KeepAlive(drawings)
		})
	}
}
