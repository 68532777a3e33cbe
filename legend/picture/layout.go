package picture

import (
	"fmt"
	"image/color"
	"math"
	"strings"
)

// Lengths in pixels at scale 1.
const (
	padding     = 10.0
	swatchSize  = 16.0
	swatchGap   = 8.0
	rowGap      = 6.0
	lineHeight  = 16.0
	ascent      = 12.0 // of text, from the top of its line
	columnGap   = 20.0
	longestName = 230.0
	titleWidth  = 300.0
	barWidth    = 256.0
	barHeight   = 18.0
	pointWidth  = 9.0
	tickLength  = 4.0
	plainWidth  = 256.0
	plainHeight = 24.0
	perColumn   = 24
)

// scene is a picture laid out.
type scene struct {
	width, height float64
	background    color.NRGBA
	text          color.NRGBA
	name          string   // of the picture, for those who do not see it
	says          []string // what stands in it
	labels        []label
	boxes         []box
	bars          []strip
	ticks         []point
}

type point struct{ x, y float64 }

// label is a line of text; y is its baseline.
type label struct {
	point
	text   string
	tail   string // behind it, and not bold
	bold   bool
	middle bool // x is its middle
}

// box is a swatch.
type box struct {
	point
	color color.NRGBA
}

// strip is a bar.
type strip struct {
	point
	width, height float64
	points        bool // at both ends, outside of the width
	plain         bool // no corners and no border
	color         func(share float64) color.NRGBA
}

// lay lays a legend out.
func lay(l Legend, o Options, f *fonts) *scene {
	s := &scene{background: color.NRGBA{0xff, 0xff, 0xff, 0xff}}
	if o.Background != nil {
		s.background = *o.Background
	}
	if s.text = textOn(s.background); o.Text != nil {
		s.text = *o.Text
	}
	if s.name = f.drawable(l.Title, "", true); s.name == "" {
		s.name = "Legend"
	}
	if l.Bar != nil && l.Bar.Plain {
		s.bars = []strip{{width: plainWidth, height: plainHeight, plain: true, color: nrgba(l.Bar.Color)}}
		s.width, s.height = plainWidth, plainHeight
		return s
	}
	p := &placer{scene: s, fonts: f, y: padding}
	p.heading(l)
	if l.Bar != nil {
		p.bar(l.Bar)
	}
	p.swatches(l.Swatches)
	for _, note := range l.Notes {
		p.lines(note)
	}
	s.width, s.height = math.Ceil(p.right+padding), math.Ceil(p.y-rowGap+padding)
	return s
}

// textOn is a colour for text on a background: light where that is dark.
func textOn(b color.NRGBA) color.NRGBA {
	light := 0.299*float64(b.R) + 0.587*float64(b.G) + 0.114*float64(b.B)
	if b.A >= 0x80 && light < 120 {
		return color.NRGBA{0xf3, 0xf5, 0xf7, 0xff}
	}
	return color.NRGBA{0x1c, 0x24, 0x2c, 0xff}
}

// placer puts things below each other.
type placer struct {
	*scene
	fonts    *fonts
	y, right float64
}

// put adds a line of text with its left end and the top of its line.
func (p *placer) put(x, top float64, text string, bold bool) {
	p.labels = append(p.labels, label{point: point{x, top + ascent}, text: text, bold: bold})
	p.right = math.Max(p.right, x+p.fonts.width(text, bold))
}

// heading is the title, and the unit of the bar's numbers behind it.
func (p *placer) heading(l Legend) {
	title := p.fonts.drawable(l.Title, "", true)
	lines := p.fonts.lines(title, titleWidth, true)
	for i, line := range lines {
		p.put(padding, p.y, line, true)
		if i < len(lines)-1 {
			p.y += lineHeight
		}
	}
	unit := p.fonts.cut(p.fonts.drawable(l.Unit, "", false), titleWidth/2, false)
	switch {
	case unit != "" && len(lines) > 0:
		last := &p.labels[len(p.labels)-1]
		last.tail = " (" + unit + ")"
		p.right = math.Max(p.right, last.x+p.fonts.width(last.text, true)+p.fonts.width(last.tail, false))
	case unit != "":
		p.put(padding, p.y, unit, false)
	}
	if len(lines) > 0 || unit != "" {
		p.y += lineHeight + rowGap
	}
}

// bar is the colours with their numbers below.
func (p *placer) bar(b *Bar) {
	measure := func(s string) float64 { return p.fonts.width(s, false) }
	paint := nrgba(b.Color)
	low, high := b.Low, b.High
	if low > high {
		low, high = high, low
		paint = func(share float64) color.NRGBA { return color.NRGBA(b.Color(1 - share)) }
	}
	ticks := []tick{{0, b.LowName}, {1, b.HighName}}
	if b.LowName == "" && b.HighName == "" {
		ticks = ticksOf(low, high, barWidth, 10, measure)
	}
	left := padding
	if b.More {
		left += pointWidth
	}
	for _, t := range ticks { // texts may reach over the ends
		left = math.Max(left, padding+measure(t.text)/2-t.at*barWidth)
	}
	p.bars = append(p.bars, strip{point: point{left, p.y}, width: barWidth, height: barHeight, points: b.More, color: paint})
	p.right = math.Max(p.right, left+barWidth)
	if b.More {
		p.right = math.Max(p.right, left+barWidth+pointWidth)
	}
	p.y += barHeight
	says := make([]string, 0, len(ticks))
	for _, t := range ticks {
		x := left + t.at*barWidth
		p.ticks = append(p.ticks, point{x, p.y})
		p.labels = append(p.labels, label{point: point{x, p.y + tickLength + 1 + ascent}, text: t.text, middle: true})
		p.right = math.Max(p.right, x+measure(t.text)/2)
		says = append(says, t.text)
	}
	p.says = append(p.says, "Colours from "+says[0]+" to "+says[len(says)-1])
	p.y += tickLength + 1 + lineHeight + rowGap
}

// swatches are colours with their names, in columns.
func (p *placer) swatches(all []Swatch) {
	shown := all[:min(len(all), MaxSwatches)]
	columns := max(1, (len(shown)+perColumn-1)/perColumn)
	rows := (len(shown) + columns - 1) / columns
	longest := longestName
	if columns > 2 {
		longest = 0.75 * longestName
	}
	top, bottom, x := p.y, p.y, padding
	for len(shown) > 0 {
		n := min(rows, len(shown))
		p.y, p.right = top, math.Max(p.right, x)
		end := x
		for _, s := range shown[:n] {
			end = math.Max(end, p.swatch(s, x, longest))
		}
		bottom = math.Max(bottom, p.y)
		shown, x = shown[n:], end+columnGap
	}
	p.y = bottom
	if more := len(all) - MaxSwatches; more > 0 {
		p.lines(fmt.Sprintf("and %s more", grouped4(more)))
	}
}

// grouped4 groups digits of whole numbers from 1,000 on.
func grouped4(n int) string {
	if n >= 1000 && n < 10000 {
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return grouped(fmt.Sprint(n))
}

// swatch puts one and gives its right end.
func (p *placer) swatch(s Swatch, x, longest float64) float64 {
	p.boxes = append(p.boxes, box{point{x, p.y}, color.NRGBA(s.Color)})
	name := p.fonts.drawable(s.Name, s.Other, false)
	lines := p.fonts.lines(name, longest, false)
	x += swatchSize + swatchGap
	end := x
	for i, line := range lines {
		if i > 0 {
			p.y += lineHeight
		}
		p.put(x, p.y, line, false)
		end = math.Max(end, x+p.fonts.width(line, false))
	}
	p.y += lineHeight + rowGap
	if name != "" {
		p.says = append(p.says, name)
	}
	return end
}

// lines puts a note.
func (p *placer) lines(note string) {
	note = p.fonts.drawable(note, "", false)
	for _, line := range p.fonts.lines(note, math.Max(titleWidth, p.right-padding), false) {
		p.put(padding, p.y, line, false)
		p.y += lineHeight
	}
	p.y += rowGap
	p.says = append(p.says, note)
}

// description is what stands in the picture, in words.
func (s *scene) description() string { return strings.Join(s.says, "; ") }

// faint is the colour of borders and ticks.
func (s *scene) faint(alpha uint8) color.NRGBA {
	c := s.text
	c.A = alpha
	return c
}

// corners are those of a strip, with its points.
func (b strip) corners() []point {
	if !b.points {
		return []point{{b.x, b.y}, {b.x + b.width, b.y}, {b.x + b.width, b.y + b.height}, {b.x, b.y + b.height}}
	}
	return []point{
		{b.x, b.y}, {b.x + b.width, b.y}, {b.x + b.width + pointWidth, b.y + b.height/2},
		{b.x + b.width, b.y + b.height}, {b.x, b.y + b.height}, {b.x - pointWidth, b.y + b.height/2},
	}
}

// opaque reports whether nothing shows through a strip.
func (b strip) opaque() bool {
	for i := range int(b.width) + 1 {
		if b.color(float64(i)/b.width).A != 0xff {
			return false
		}
	}
	return true
}
