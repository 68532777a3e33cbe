package legend

import (
	"hash/fnv"
	"math"
	"strconv"

	"github.com/rasterbase/rasterbase"
)

// MaxDistinct is the largest number of values that [Distinct] gives colours.
// More than these cannot be told apart.
const MaxDistinct = 256

// noClass is the colour of 0, which most often means that there is nothing.
var noClass = rasterbase.Color{R: 0xd9, G: 0xd9, B: 0xd9, A: 0xff}

// roomy is the distance in OKLab at which a value keeps its own colour.
// Differences below 0.02 are hardly seen.
const roomy = 0.12

// apart are the distances that another colour should keep from all that are
// taken: the first of them that one can keep counts.
var apart = []float64{0.2, 0.16, 0.13, 0.1, 0.08, 0.06, 0.045, 0.03, 0.02, 0}

// Distinct makes a legend for classes of which nothing is known: an entry for
// each value, named by it, in opaque colours that are easy to tell apart. 0 is
// light grey. Any other value has a colour of its own, and takes another one
// only where that is too near to the colour of a value before it: layers with
// nearly the same values get nearly the same legends. It is nil for no values
// and for more than [MaxDistinct].
func Distinct(values []rasterbase.ValueCount) *rasterbase.Legend {
	if len(values) == 0 || len(values) > MaxDistinct {
		return nil
	}
	p := newPalette()
	l := &rasterbase.Legend{Entries: make([]rasterbase.Entry, len(values))}
	var crowded []int // those that come later do not lose their own colour to these
	for i, v := range values {
		place := home(v.Value)
		switch {
		case v.Value == 0:
			l.Entries[i] = entry(v.Value, "", noClass)
		case p.gap[place] < roomy:
			crowded = append(crowded, i)
		default:
			l.Entries[i] = entry(v.Value, "", p.take(place))
		}
	}
	for _, i := range crowded {
		v := values[i].Value
		l.Entries[i] = entry(v, "", p.take(p.next(home(v))))
	}
	return l
}

// palette is colours in a circle in which those that follow each other differ
// most, and how far each is from those that were taken.
type palette struct {
	colors [MaxDistinct]lab
	gap    [MaxDistinct]float64
}

// newPalette turns the hue by the golden angle from colour to colour, so that
// any run of them is spread evenly, and alternates dark, middle and light ones.
func newPalette() *palette {
	p := &palette{}
	levels := [3]struct{ lightness, chroma float64 }{{0.48, 0.15}, {0.64, 0.21}, {0.8, 0.13}}
	const golden = 2.399963229728653 // radians: the circle times 2 minus the golden ratio
	for i := range p.colors {
		level := levels[i%3]
		level.lightness += 0.018 * float64(i/3%5-2)
		level.chroma *= 1 - 0.3*float64(i/3%2)
		hue := 0.5 + golden*float64(i-1) // 1 is red
		p.colors[i] = inGamut(level.lightness, level.chroma, hue)
		p.gap[i] = math.Inf(1)
	}
	p.shut(labOf(noClass))
	return p
}

// next is the place of the first colour from a place on that is far enough from
// those that are taken.
func (p *palette) next(place int) int {
	for _, enough := range apart {
		for step := range MaxDistinct {
			if i := (place + step) % MaxDistinct; p.gap[i] > enough {
				return i
			}
		}
	}
	return place // not reached: there are as many colours as values
}

// take gives a place's colour away.
func (p *palette) take(place int) rasterbase.Color {
	c := p.colors[place]
	p.shut(c)
	return c.color()
}

// shut notes that a colour is taken.
func (p *palette) shut(c lab) {
	for i, other := range p.colors {
		p.gap[i] = min(p.gap[i], c.distance(other))
	}
}

// home is the place of a value's own colour.
func home(v float64) int {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return int(uint64(int64(v)) % MaxDistinct)
	}
	h := fnv.New32a()
	h.Write([]byte(strconv.FormatFloat(v, 'g', -1, 64)))
	return int(h.Sum32() % MaxDistinct)
}

// lab is a colour in OKLab, in which equal distances look about equally large:
// Björn Ottosson, "A perceptual color space for image processing", 2020.
type lab struct{ l, a, b float64 }

func (c lab) distance(o lab) float64 {
	return math.Sqrt((c.l-o.l)*(c.l-o.l) + (c.a-o.a)*(c.a-o.a) + (c.b-o.b)*(c.b-o.b))
}

// inGamut is the colour of a lightness and hue whose chroma is as near to the
// one wished for as a screen can show.
func inGamut(lightness, chroma, hue float64) lab {
	sin, cos := math.Sincos(hue)
	for ; ; chroma -= 0.005 {
		c := lab{lightness, chroma * cos, chroma * sin}
		r, g, b := c.linear()
		if chroma <= 0 || min(r, g, b) >= 0 && max(r, g, b) <= 1 {
			return c
		}
	}
}

// linear gives red, green and blue as amounts of light, 0 to 1 inside sRGB.
func (c lab) linear() (r, g, b float64) {
	cube := func(v float64) float64 { return v * v * v }
	l := cube(c.l + 0.3963377774*c.a + 0.2158037573*c.b)
	m := cube(c.l - 0.1055613458*c.a - 0.0638541728*c.b)
	s := cube(c.l - 0.0894841775*c.a - 1.2914855480*c.b)
	return 4.0767416621*l - 3.3077115913*m + 0.2309699292*s,
		-1.2684380046*l + 2.6097574011*m - 0.3413193965*s,
		-0.0041960863*l - 0.7034186147*m + 1.7076147010*s
}

// color is the nearest colour of 8 bits.
func (c lab) color() rasterbase.Color {
	byteOf := func(v float64) uint8 {
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		return uint8(math.Round(255 * max(0, min(1, v))))
	}
	r, g, b := c.linear()
	return rasterbase.Color{R: byteOf(r), G: byteOf(g), B: byteOf(b), A: 0xff}
}

// labOf is the inverse of color.
func labOf(c rasterbase.Color) lab {
	light := func(b uint8) float64 {
		v := float64(b) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	r, g, b := light(c.R), light(c.G), light(c.B)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	return lab{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}
