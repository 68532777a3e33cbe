package picture

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"image/color"
	"math"
	"strconv"

	"github.com/rasterbase/rasterbase"
)

func nrgba(f func(float64) rasterbase.Color) func(float64) color.NRGBA {
	return func(share float64) color.NRGBA { return color.NRGBA(f(share)) }
}

// SVG draws a legend. It holds shapes and escaped text alone, and neither scripts
// nor anything from elsewhere; a title and a description tell what it shows.
func SVG(l Legend, o Options) ([]byte, error) {
	f, err := newFonts(true)
	if err != nil {
		return nil, err
	}
	s := lay(l, o, f)
	scale := o.scale()
	w := &svgWriter{}
	w.open("svg", "xmlns", "http://www.w3.org/2000/svg", "role", "img", "aria-label", s.name,
		"width", short(s.width*scale), "height", short(s.height*scale), "viewBox", "0 0 "+short(s.width)+" "+short(s.height))
	w.text("title", s.name)
	if d := s.description(); d != "" {
		w.text("desc", d)
	}
	w.scene(s)
	w.close("svg")
	return w.Bytes(), nil
}

// svgWriter writes elements.
type svgWriter struct{ bytes.Buffer }

func (w *svgWriter) start(name string, attributes []string) {
	w.WriteByte('<')
	w.WriteString(name)
	for i := 0; i+1 < len(attributes); i += 2 {
		w.WriteString(" " + attributes[i] + `="`)
		w.escaped(attributes[i+1])
		w.WriteByte('"')
	}
}

func (w *svgWriter) escaped(s string) { _ = xml.EscapeText(&w.Buffer, []byte(s)) } // a buffer does not fail

func (w *svgWriter) open(name string, attributes ...string) {
	w.start(name, attributes)
	w.WriteByte('>')
}

func (w *svgWriter) empty(name string, attributes ...string) {
	w.start(name, attributes)
	w.WriteString("/>")
}

func (w *svgWriter) close(name string) { w.WriteString("</" + name + ">") }

func (w *svgWriter) text(name, text string, attributes ...string) {
	w.open(name, attributes...)
	w.escaped(text)
	w.close(name)
}

// scene writes what is laid out.
func (w *svgWriter) scene(s *scene) {
	if s.background.A > 0 {
		w.empty("rect", append([]string{"width", short(s.width), "height", short(s.height)}, fill("fill", s.background)...)...)
	}
	ids := fnv.New64a() // several pictures can stand in one page
	fmt.Fprint(ids, s.name, s.says, s.width, s.height)
	id := fmt.Sprintf("l%x", ids.Sum64())
	if s.checkered() {
		w.checkers(id)
	}
	for i, b := range s.bars {
		w.strip(s, b, fmt.Sprintf("%s-%d", id, i), id)
	}
	for _, t := range s.ticks {
		w.empty("path", append([]string{"d", fmt.Sprintf("M%s %sv%s", short(t.x), short(t.y), short(tickLength))}, fill("stroke", s.faint(0x99))...)...)
	}
	border := fill("stroke", s.faint(0x4d))
	for _, b := range s.boxes {
		at := []string{"x", short(b.x + 0.5), "y", short(b.y + 0.5), "width", short(swatchSize - 1), "height", short(swatchSize - 1), "rx", "2.5"}
		if b.color.A != 0xff {
			w.empty("rect", append(at, "fill", "url(#"+id+"-c)")...)
		}
		w.empty("rect", append(append(at, fill("fill", b.color)...), border...)...)
	}
	w.open("g", append([]string{"font-family", "Go, Arial, Helvetica, sans-serif", "font-size", strconv.Itoa(fontSize)}, fill("fill", s.text)...)...)
	for _, t := range s.labels {
		attributes := []string{"x", short(t.x), "y", short(t.y)}
		if t.bold {
			attributes = append(attributes, "font-weight", "bold")
		}
		if t.middle {
			attributes = append(attributes, "text-anchor", "middle")
		}
		w.open("text", attributes...)
		w.escaped(t.text)
		if t.tail != "" {
			w.text("tspan", t.tail, "font-weight", "normal", "xml:space", "preserve")
		}
		w.close("text")
	}
	w.close("g")
}

// checkered reports whether something in the scene can be seen through.
func (s *scene) checkered() bool {
	for _, b := range s.boxes {
		if b.color.A != 0xff {
			return true
		}
	}
	for _, b := range s.bars {
		if !b.opaque() {
			return true
		}
	}
	return false
}

// checkers are what shows through colours that are not opaque.
func (w *svgWriter) checkers(id string) {
	w.open("pattern", "id", id+"-c", "width", "8", "height", "8", "patternUnits", "userSpaceOnUse")
	w.empty("rect", append([]string{"width", "8", "height", "8"}, fill("fill", checkerLight)...)...)
	w.empty("path", append([]string{"d", "M0 0h4v8h4v-4h-8z"}, fill("fill", checkerDark)...)...)
	w.close("pattern")
}

func (w *svgWriter) strip(s *scene, b strip, id, checkers string) {
	w.open("linearGradient", "id", id, "gradientUnits", "userSpaceOnUse", "x1", short(b.x), "x2", short(b.x+b.width), "y1", "0", "y2", "0")
	for _, stop := range simplified(b.color) {
		w.empty("stop", append([]string{"offset", strconv.FormatFloat(stop.at, 'f', 4, 64)}, fill("stop-color", stop.color)...)...)
	}
	w.close("linearGradient")
	path := "M"
	for i, c := range b.corners() {
		if i > 0 {
			path += "L"
		}
		path += short(c.x) + " " + short(c.y)
	}
	path += "z"
	if !b.opaque() {
		w.empty("path", "d", path, "fill", "url(#"+checkers+"-c)")
	}
	attributes := []string{"d", path, "fill", "url(#" + id + ")"}
	if !b.plain {
		attributes = append(append(attributes, fill("stroke", s.faint(0x4d))...), "stroke-linejoin", "round")
	}
	w.empty("path", attributes...)
}

// stop is a colour at a share of a bar.
type stop struct {
	at    float64
	color color.NRGBA
}

// simplified are stops between which the colours of a bar are mixed evenly, within
// what can be seen. The colours are looked at in so many places that jumps are as
// sharp as a pixel.
func simplified(paint func(float64) color.NRGBA) []stop {
	const samples = 1024
	at := make([]color.NRGBA, samples+1)
	for i := range at {
		at[i] = paint(float64(i) / samples)
	}
	stops := []stop{{0, at[0]}}
	for i := 0; i < samples; {
		j, step := i+1, 1
		for { // the longest even run, in steps that double
			next := min(j+step, samples)
			if next == j || !even(at[i:next+1]) {
				if step == 1 || next == j {
					break
				}
				step = 1
				continue
			}
			j, step = next, 2*step
		}
		stops = append(stops, stop{float64(j) / samples, at[j]})
		i = j
	}
	return stops
}

// even reports whether colours lie on the line between the first and the last.
func even(colors []color.NRGBA) bool {
	first, last, n := colors[0], colors[len(colors)-1], float64(len(colors)-1)
	for i, c := range colors {
		t := float64(i) / n
		for _, p := range [][3]uint8{{first.R, last.R, c.R}, {first.G, last.G, c.G}, {first.B, last.B, c.B}, {first.A, last.A, c.A}} {
			if math.Abs(float64(p[0])*(1-t)+float64(p[1])*t-float64(p[2])) > 1.5 {
				return false
			}
		}
	}
	return true
}

// fill are the attributes of a colour.
func fill(name string, c color.NRGBA) []string {
	out := []string{name, fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)}
	if c.A != 0xff {
		out = append(out, map[string]string{"fill": "fill-opacity", "stroke": "stroke-opacity", "stop-color": "stop-opacity"}[name],
			strconv.FormatFloat(float64(c.A)/255, 'g', 3, 64))
	}
	return out
}

// short writes a length.
func short(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}
