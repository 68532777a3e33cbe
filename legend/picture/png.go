package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// MaxScale is the largest scale of a picture.
const MaxScale = 3

// scale is what was asked for, kept within bounds.
func (o Options) scale() float64 {
	if !(o.Scale > 0) {
		return 1
	}
	return math.Min(math.Max(o.Scale, 0.5), MaxScale)
}

var (
	checkerLight = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	checkerDark  = color.NRGBA{0xd4, 0xd4, 0xd4, 0xff}
)

// PNG draws a legend.
func PNG(l Legend, o Options) ([]byte, error) {
	f, err := newFonts(false)
	if err != nil {
		return nil, err
	}
	s := lay(l, o, f)
	p, err := newPainter(s, o.scale(), f)
	if err != nil {
		return nil, err
	}
	p.paint()
	var out bytes.Buffer
	if err := png.Encode(&out, p.image); err != nil {
		return nil, fmt.Errorf("encode the picture of a legend: %w", err)
	}
	return out.Bytes(), nil
}

// painter draws a scene.
type painter struct {
	*scene
	scale         float64
	image         *image.RGBA
	regular, bold font.Face
}

func newPainter(s *scene, scale float64, f *fonts) (p *painter, err error) {
	p = &painter{scene: s, scale: scale}
	p.image = image.NewRGBA(image.Rect(0, 0, int(math.Ceil(s.width*scale)), int(math.Ceil(s.height*scale))))
	if p.regular, err = f.regular.at(scale); err == nil {
		p.bold, err = f.bold.at(scale)
	}
	return p, err
}

func (p *painter) paint() {
	draw.Draw(p.image, p.image.Bounds(), image.NewUniform(p.background), image.Point{}, draw.Src)
	for _, b := range p.bars {
		p.strip(b)
	}
	for _, t := range p.ticks {
		x := math.Floor(t.x*p.scale) / p.scale
		p.fill(box4(x, t.y, math.Max(1, math.Round(p.scale))/p.scale, tickLength), image.NewUniform(p.faint(0x99)))
	}
	for _, b := range p.boxes {
		p.swatch(b)
	}
	for _, t := range p.labels {
		p.label(t)
	}
}

// fill fills the inside of a path with a picture.
func (p *painter) fill(path []point, src image.Image) {
	b := p.around(path)
	z := vector.NewRasterizer(b.Dx(), b.Dy())
	p.trace(z, path, b.Min)
	z.Draw(p.image, b, src, b.Min)
}

// border draws a line of one pixel inside of the edge of a path that another path
// follows at that distance.
func (p *painter) border(outer, inner []point) {
	b := p.around(outer)
	z := vector.NewRasterizer(b.Dx(), b.Dy())
	p.trace(z, outer, b.Min)
	for i, j := 0, len(inner)-1; i < j; i, j = i+1, j-1 { // turned around it is a hole
		inner[i], inner[j] = inner[j], inner[i]
	}
	p.trace(z, inner, b.Min)
	z.Draw(p.image, b, image.NewUniform(p.faint(0x4d)), b.Min)
}

// around is the dots that a path touches.
func (p *painter) around(path []point) image.Rectangle {
	low, high := path[0], path[0]
	for _, c := range path {
		low = point{math.Min(low.x, c.x), math.Min(low.y, c.y)}
		high = point{math.Max(high.x, c.x), math.Max(high.y, c.y)}
	}
	return image.Rect(int(math.Floor(low.x*p.scale)), int(math.Floor(low.y*p.scale)),
		int(math.Ceil(high.x*p.scale)), int(math.Ceil(high.y*p.scale))).Intersect(p.image.Bounds())
}

// trace adds a path to a rasterizer of the dots from a place on.
func (p *painter) trace(z *vector.Rasterizer, path []point, from image.Point) {
	at := func(c point) (x, y float32) {
		return float32(c.x*p.scale - float64(from.X)), float32(c.y*p.scale - float64(from.Y))
	}
	for i, c := range path {
		if x, y := at(c); i == 0 {
			z.MoveTo(x, y)
		} else {
			z.LineTo(x, y)
		}
	}
	z.ClosePath()
}

func box4(x, y, w, h float64) []point {
	return []point{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}
}

// rounded is a square with rounded corners.
func rounded(x, y, size, radius float64) []point {
	var out []point
	for corner, center := range []point{
		{x + size - radius, y + size - radius}, {x + radius, y + size - radius}, {x + radius, y + radius}, {x + size - radius, y + radius},
	} {
		const steps = 6
		for i := range steps + 1 {
			angle := (float64(corner) + float64(i)/steps) * math.Pi / 2
			out = append(out, point{center.x + radius*math.Cos(angle), center.y + radius*math.Sin(angle)})
		}
	}
	return out
}

func (p *painter) swatch(b box) {
	outer := rounded(b.x, b.y, swatchSize, 3)
	if b.color.A != 0xff {
		p.fill(outer, checkers(b.point, p.scale))
	}
	p.fill(outer, image.NewUniform(b.color))
	p.border(outer, rounded(b.x+1, b.y+1, swatchSize-2, 2))
}

func (p *painter) strip(b strip) {
	path := b.corners()
	if !b.opaque() {
		p.fill(path, checkers(b.point, p.scale))
	}
	p.fill(path, colored{strip: b, scale: p.scale})
	if b.plain {
		return
	}
	inner := strip{point: point{b.x + 1, b.y + 1}, width: b.width - 2, height: b.height - 2, points: b.points}
	p.border(path, inner.corners())
}

// label draws a line of text.
func (p *painter) label(t label) {
	own := p.regular
	if t.bold {
		own = p.bold
	}
	d := font.Drawer{Dst: p.image, Src: image.NewUniform(p.text), Face: own}
	x := t.x * p.scale
	if t.middle {
		x -= pixels(d.MeasureString(t.text)) / 2
	}
	d.Dot = fixed.Point26_6{X: fixed.Int26_6(math.Round(x * 64)), Y: fixed.Int26_6(math.Round(t.y*p.scale) * 64)}
	d.DrawString(t.text)
	if t.tail != "" {
		d.Face = p.regular
		d.DrawString(t.tail)
	}
}

// colored is the colours of a bar as a picture.
type colored struct {
	strip
	scale float64
}

func (c colored) ColorModel() color.Model { return color.NRGBAModel }
func (c colored) Bounds() image.Rectangle { return image.Rect(-1<<20, -1<<20, 1<<20, 1<<20) }
func (c colored) At(x, _ int) color.Color {
	share := ((float64(x)+0.5)/c.scale - c.x) / c.width
	return c.color(math.Max(0, math.Min(1, share)))
}

// checked is what shows through colours that are not opaque.
type checked struct {
	from point
	size float64
}

func checkers(from point, scale float64) checked {
	return checked{point{from.x * scale, from.y * scale}, 4 * scale}
}

func (c checked) ColorModel() color.Model { return color.NRGBAModel }
func (c checked) Bounds() image.Rectangle { return image.Rect(-1<<20, -1<<20, 1<<20, 1<<20) }
func (c checked) At(x, y int) color.Color {
	if (int(math.Floor((float64(x)-c.from.x)/c.size))+int(math.Floor((float64(y)-c.from.y)/c.size)))&1 == 0 {
		return checkerDark
	}
	return checkerLight
}
