package footprint

// edge is a straight piece of a geometry, from the lower y to the higher one, and of
// level ones from the lower x. A point is one without length.
type edge struct {
	x1, y1, x2, y2 float64
	// area numbers the polygon that the edge bounds, from 1, in rising order; lines
	// and points have one of those below.
	area int32
}

const (
	lineEdge   = 0
	borderEdge = -1 // of a line that lies on borders of pixels alone
	pointEdge  = -2
)

// upright is the edge from its lower end to its higher one.
func (e edge) upright() edge {
	if e.y1 > e.y2 || e.y1 == e.y2 && e.x1 > e.x2 {
		e.x1, e.y1, e.x2, e.y2 = e.x2, e.y2, e.x1, e.y1
	}
	return e
}

// between is the range of x of an edge between y1 and y2, which it touches.
func (e edge) between(y1, y2 float64) (from, to float64) {
	a, b := e.x1, e.x2
	if e.y1 != e.y2 {
		a, b = e.at(min(max(e.y1, y1), y2)), e.at(min(max(e.y2, y1), y2))
	}
	return min(a, b), max(a, b)
}

// at is the x of an edge at y, which is between its ends. Multiplied first, so that
// it is exact where it can be.
func (e edge) at(y float64) float64 {
	switch y {
	case e.y1:
		return e.x1
	case e.y2:
		return e.x2
	}
	x := e.x1 + (y-e.y1)*(e.x2-e.x1)/(e.y2-e.y1)
	return min(max(x, min(e.x1, e.x2)), max(e.x1, e.x2))
}
