package footprint

import (
	"cmp"
	"math"
	"slices"
)

const (
	// fewPieces are put in order in all of the strips between their ends; of more
	// than those a pixel is halved, until there are few in each part of it.
	fewPieces = 12
	// mostHalvings leaves parts of a pixel of which a million million make one.
	mostHalvings = 40
	// leastShare is what rounding may make of nothing.
	leastShare = 1e-16
)

// shares measures what of a pixel is inside.
type shares struct {
	// left is how many more pieces may be looked at in a pixel. Edges that do not
	// cross each other by the thousand need less.
	left  int
	cuts  []float64
	lines []across
	// What is inside before the first line of a strip, and along it.
	before, in areaSet
}

// across is a piece that reaches across a strip.
type across struct {
	area           int32
	x0, x1, middle float64 // at the strip's upper and lower border, and between them
}

type box struct{ x0, y0, x1, y1 float64 }

func (b box) size() float64 { return (b.x1 - b.x0) * (b.y1 - b.y0) }

// share is the share of a pixel that is inside, from 0 to 1. odd is what is inside at
// its upper left.
func (s *shares) share(pieces []piece, odd areaSet, b box) float64 {
	s.left = 1<<16 + 256*len(pieces)
	return min(max(s.part(pieces, odd, b, 0), 0), 1)
}

// part is the size of what is inside of a part of a pixel.
func (s *shares) part(pieces []piece, odd areaSet, b box, halvings int) float64 {
	for _, id := range odd {
		if !slices.ContainsFunc(pieces, func(p piece) bool { return p.area == id }) {
			return b.size() // all of it is inside that area
		}
	}
	if len(pieces) == 0 {
		return 0
	}
	if s.left -= len(pieces); len(pieces) <= fewPieces {
		return s.measure(pieces, odd, b)
	}
	if halvings >= mostHalvings || s.left < 0 {
		return s.strip(pieces, odd, b, b.y0, b.y1, false)
	}
	if b.x1-b.x0 > b.y1-b.y0 {
		return s.halveAcross(pieces, odd, b, halvings+1)
	}
	return s.halveDown(pieces, odd, b, halvings+1)
}

// halveAcross measures the left and the right half of a box.
func (s *shares) halveAcross(pieces []piece, odd areaSet, b box, halvings int) float64 {
	x := b.x0 + (b.x1-b.x0)/2
	var left, right []piece
	beyond := slices.Clone(odd)
	for _, p := range pieces {
		if p.top && p.x0 < x {
			beyond.turn(p.area)
		}
		switch a, b := p.x0 < x, p.x1 < x; {
		case a && b:
			left = append(left, p)
		case !a && !b:
			right = append(right, p)
		default:
			l, r := p.split(x)
			left, right = append(left, l), append(right, r)
		}
	}
	return s.part(left, odd, box{b.x0, b.y0, x, b.y1}, halvings) + s.part(right, beyond, box{x, b.y0, b.x1, b.y1}, halvings)
}

// halveDown measures the upper and the lower half of a box. Vertices where they meet
// are in the upper one, and so is what is level there: what begins at them comes into
// the lower one from above.
func (s *shares) halveDown(pieces []piece, odd areaSet, b box, halvings int) float64 {
	y := b.y0 + (b.y1-b.y0)/2
	var upper, lower []piece
	below := slices.Clone(odd)
	for _, p := range pieces {
		switch {
		case p.y1 < y, p.y1 == y && (p.level || p.y0 < y || !p.side1):
			upper = append(upper, p)
		case p.y0 >= y:
			p.top = p.y0 == y && !p.side0
			lower = append(lower, p)
			continue
		default:
			rest := p
			p.x1, p.y1, p.side1, p.left1 = p.at(y), y, false, false
			rest.x0, rest.y0, rest.top, rest.side0, rest.left0 = p.x1, y, true, false, false
			upper, lower = append(upper, p), append(lower, rest)
		}
		if p.left0 != p.left1 {
			below.turn(p.area)
		}
	}
	return s.part(upper, odd, box{b.x0, b.y0, b.x1, y}, halvings) + s.part(lower, below, box{b.x0, y, b.x1, b.y1}, halvings)
}

// at is the x of a piece at y, which is between its ends.
func (p piece) at(y float64) float64 {
	return edge{x1: p.x0, y1: p.y0, x2: p.x1, y2: p.y1}.at(y)
}

// measure is the size of what is inside of a box, strip by strip between the ends of
// pieces.
func (s *shares) measure(pieces []piece, odd areaSet, b box) (size float64) {
	s.cuts = append(s.cuts[:0], b.y0, b.y1)
	for _, p := range pieces {
		s.cuts = append(s.cuts, p.y0, p.y1)
	}
	slices.Sort(s.cuts)
	s.cuts = slices.Compact(s.cuts)
	for i := 1; i < len(s.cuts); i++ {
		size += s.strip(pieces, odd, b, s.cuts[i-1], s.cuts[i], true)
	}
	return size
}

// strip is the size of what is inside of a strip of a box. Exactly means that pieces
// may cross in it, and else that their order in its middle is taken for that in all
// of it.
func (s *shares) strip(pieces []piece, odd areaSet, b box, y0, y1 float64, exactly bool) (size float64) {
	s.before = append(s.before[:0], odd...)
	left := &s.before
	s.lines = s.lines[:0]
	middle := y0 + (y1-y0)/2
	for _, p := range pieces {
		if p.left0 && p.y0 < middle {
			left.turn(p.area)
		}
		if p.left1 && p.y1 < middle {
			left.turn(p.area)
		}
		if !p.level && p.y0 < middle && middle < p.y1 {
			a, b := p.at(max(p.y0, y0)), p.at(min(p.y1, y1))
			at := (a + b) / 2
			if !exactly {
				at = p.at(middle)
			}
			s.lines = append(s.lines, across{p.area, a, b, at})
		}
	}
	byMiddle := func(a, b across) int { return cmp.Or(cmp.Compare(a.middle, b.middle), cmp.Compare(a.x0, b.x0)) }
	slices.SortFunc(s.lines, byMiddle)
	if exactly && s.crossed() {
		cuts := append(s.crossings(), 0, 1)
		slices.Sort(cuts)
		for i := 1; i < len(cuts); i++ {
			if t := (cuts[i-1] + cuts[i]) / 2; cuts[i-1] < cuts[i] {
				for k, l := range s.lines {
					s.lines[k].middle = l.x0 + (l.x1-l.x0)*t
				}
				slices.SortFunc(s.lines, byMiddle)
				size += (cuts[i] - cuts[i-1]) * (y1 - y0) * s.inside(*left, b)
			}
		}
		return size
	}
	return (y1 - y0) * s.inside(*left, b)
}

// inside is the length of what is inside along the line through the middles of pieces,
// of which none crosses another near it. left is what is inside before the first.
func (s *shares) inside(left areaSet, b box) (length float64) {
	s.in = append(s.in[:0], left...)
	from := b.x0
	for _, l := range s.lines {
		before := len(s.in)
		switch s.in.turn(l.area); {
		case before == 0:
			from = l.middle
		case len(s.in) == 0:
			length += l.middle - from
		}
	}
	if len(s.in) > 0 {
		length += b.x1 - from
	}
	return length
}

// crossed reports whether some of the pieces, in the order of their middles, cross.
func (s *shares) crossed() bool {
	for i := 1; i < len(s.lines); i++ {
		if a, b := s.lines[i-1], s.lines[i]; a.x0 > b.x0 || a.x1 > b.x1 {
			return true
		}
	}
	return false
}

// crossings are where pieces cross, from 0 at the strip's upper border to 1 at the
// lower one.
func (s *shares) crossings() (at []float64) {
	for i, a := range s.lines {
		for _, b := range s.lines[:i] {
			upper, lower := a.x0-b.x0, a.x1-b.x1
			if upper < 0 != (lower < 0) && upper != 0 && lower != 0 {
				at = append(at, math.Abs(upper)/(math.Abs(upper)+math.Abs(lower)))
			}
		}
	}
	return at
}
