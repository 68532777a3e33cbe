package legend

import (
	"image/color"
	"math"

	"github.com/rasterbase/rasterbase"
)

// stepBuilder collects steps from low values to high ones. colors begins with
// the colour below the first break.
type stepBuilder struct {
	breaks []float64
	colors []rasterbase.Color
}

// add gives the values from v on a colour. A break at the value of the one
// before replaces it.
func (b *stepBuilder) add(v float64, c rasterbase.Color) {
	if v-v != 0 {
		return // no finite value lies there
	}
	if n := len(b.breaks); n > 0 && b.breaks[n-1] == v {
		b.breaks, b.colors = b.breaks[:n-1], b.colors[:n]
	}
	if b.colors[len(b.colors)-1] == c {
		return
	}
	b.breaks, b.colors = append(b.breaks, v), append(b.colors, c)
}

func (b *stepBuilder) steps() *rasterbase.Steps {
	return rasterbase.NewSteps(b.breaks, toNRGBA(b.colors...))
}

func toNRGBA(colors ...rasterbase.Color) []color.NRGBA {
	out := make([]color.NRGBA, len(colors))
	for i, c := range colors {
		out[i] = color.NRGBA(c)
	}
	return out
}

// steps are the cells of a classifier without opaque rules; nil when there are
// too many.
func (c *classifier) steps() *rasterbase.Steps {
	colorOf := func(cell int) rasterbase.Color {
		if i := c.cells[cell]; i > 0 {
			return c.rules[i-1].color
		}
		return rasterbase.Color{}
	}
	b := stepBuilder{colors: []rasterbase.Color{colorOf(0)}}
	for i, v := range c.breaks {
		b.add(v, colorOf(2*i+1))
		b.add(math.Nextafter(v, math.Inf(1)), colorOf(2*i+2))
	}
	if len(b.colors) > maxSteps {
		return nil
	}
	return b.steps()
}
