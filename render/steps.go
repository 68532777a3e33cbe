package render

import (
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// stepTable finds the step of a value. It cuts the span of the breaks into so
// many equal parts that most hold one break at most, which is then compared.
type stepTable struct {
	breaks []float64
	low    float64
	scale  float64 // parts for a unit of value
	// below is how many breaks lie in parts before; -1: the part has several.
	below []int32
}

// make prepares the table for the steps of a colormap. It is false when floating
// point cannot divide their span.
func (t *stepTable) make(s *rasterbase.Steps) bool {
	t.breaks = s.Breaks()
	n := len(t.breaks)
	if n < 2 {
		return false
	}
	parts := min(8*n, 1<<12)
	t.low, t.scale = t.breaks[0], float64(parts)/(t.breaks[n-1]-t.breaks[0])
	if t.scale == 0 || t.scale-t.scale != 0 {
		return false
	}
	t.below = grow(t.below, parts+2)
	next := 0
	for i, b := range t.breaks {
		part := t.part(b)
		if next > part { // the break before lies in it too
			t.below[part] = -1
			continue
		}
		for ; next <= part; next++ {
			t.below[next] = int32(i)
		}
	}
	for ; next < len(t.below); next++ {
		t.below[next] = int32(n)
	}
	return true
}

// part never falls when the value rises, so that breaks of other parts are truly
// below or above.
func (t *stepTable) part(v float64) int { return min(int((v-t.low)*t.scale), len(t.below)-2) }

// stepKeys is valueKeys for steps alone.
func stepKeys[P raster.Number](k *keying, keys []uint16, px []P, validity []uint8) {
	steps, nodata, t := k.colors.Steps, k.nodata, &k.steps
	low, high := math.Inf(1), math.Inf(1) // without a table every value is asked for
	if t.make(steps) {
		low, high = t.breaks[0], t.breaks[len(t.breaks)-1]
	}
	end := uint16(len(steps.Colors))
	keys = keys[:len(px)]
	for i, p := range px {
		v := float64(p)
		switch {
		case v-v != 0 || v == nodata:
			keys[i] = 0
		case v >= low && v < high:
			key := t.below[t.part(v)]
			switch {
			case key < 0:
				key = int32(steps.Index(v))
			case v >= t.breaks[key]:
				key++
			}
			keys[i] = uint16(key + 1)
		case v >= high:
			keys[i] = end
		default:
			keys[i] = uint16(steps.Index(v) + 1)
		}
	}
	hideMasked(keys, validity)
}
