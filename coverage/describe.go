package coverage

import (
	"math"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// describe tells what a formula's inputs make of it, apart from the base grid.
func (f *Formula) describe(o FormulaOptions) {
	discrete := f.describePlace(o.Name)
	types := make([]rasterbase.PixelType, len(f.inputs))
	for i, in := range f.inputs {
		types[i] = in.Coverage.Describe().Bands[in.Band].PixelType
	}
	f.band = raster.Band{Type: f.formula.PixelType(types...), HasNodata: true, Nodata: math.NaN()}
	if f.band.Type == rasterbase.Uint8 {
		f.band.Nodata = math.MaxUint8
	}
	d := &f.description
	d.Bands = []rasterbase.Band{{PixelType: f.band.Type, Nodata: rasterbase.FloatPtr(f.band.Nodata), Scale: 1}}
	switch {
	case o.Datatype != "":
		d.Datatype = o.Datatype
	case f.band.Type == rasterbase.Uint8:
		d.Datatype = rasterbase.Mask
	case discrete:
		d.Datatype = rasterbase.Categorical
	default:
		d.Datatype = rasterbase.Continuous
	}
}

// describePlace describes all but the bands, the datatype and the base grid, and tells
// whether all inputs are discrete.
func (j *joined) describePlace(name string) (discrete bool) {
	d := Description{Name: name, HasPyramid: true}
	finest := 0.0 // pixels along the world's side
	discrete = true
	for _, in := range j.inputs {
		of := in.Coverage.Describe()
		d.TileSize = max(d.TileSize, tileSizeOf(of))
		finest = max(finest, math.Ldexp(float64(tileSizeOf(of)), of.MaxZoom))
		discrete = discrete && of.Datatype.Discrete()
		if !of.HasPyramid && d.HasPyramid {
			d.HasPyramid = false
			j.noPyramid = rasterbase.Errorf(rasterbase.NotFound, "%s (%s) was parsed without a pyramid", in.Name, of.Name).
				WithHint("parse it again with a pyramid to see the %s on a map", j.kind)
		}
	}
	for math.Ldexp(float64(d.TileSize), d.MaxZoom) < finest {
		d.MaxZoom++
	}
	d.Bounds, j.empty = j.bounds()
	j.description = d
	return discrete
}

// bounds is what all inputs cover, or any of them.
func (j *joined) bounds() (b rasterbase.Bounds, empty bool) {
	b = j.inputs[0].Coverage.Describe().Bounds
	empty = j.inputs[0].empty()
	for _, in := range j.inputs[1:] {
		other := in.Coverage.Describe().Bounds
		switch {
		case j.strict && (empty || in.empty()):
			return rasterbase.Bounds{}, true
		case j.strict:
			both, ok := intersectBounds(b, other)
			if !ok {
				return rasterbase.Bounds{}, true
			}
			b = both
		case empty:
			b, empty = other, in.empty()
		case !in.empty():
			b = joinBounds(b, other)
		}
	}
	return b, empty
}

// empty reports whether an input covers no place.
func (in Input) empty() bool {
	j := joinedOf(in.Coverage)
	return j != nil && j.empty
}

// names lists the names of inputs.
func names(inputs []Input) string {
	all := make([]string, len(inputs))
	for i, in := range inputs {
		all[i] = in.Name
	}
	return strings.Join(all, ", ")
}

// intersectBounds is what two boxes have in common: the smallest box around it
// where that is in two pieces. It is not ok when there is nothing.
func intersectBounds(a, b rasterbase.Bounds) (out rasterbase.Bounds, ok bool) {
	out.South, out.North = max(a.South, b.South), min(a.North, b.North)
	if out.South > out.North {
		return rasterbase.Bounds{}, false
	}
	if a.West <= a.East && b.West <= b.East {
		out.West, out.East = max(a.West, b.West), min(a.East, b.East)
		return out, out.West <= out.East
	}
	// Counted from the west of a.
	from, width, other := turned(b.West-a.West), widthOf(a), widthOf(b)
	switch {
	case width >= 360:
		out.West, out.East = b.West, b.East
	case other >= 360, from+other >= 360 && from <= width: // all of a, or both ends of it
		out.West, out.East = a.West, a.East
	case from+other >= 360:
		out.West, out.East = a.West, eastOf(a.West, min(width, from+other-360))
	case from <= width:
		out.West, out.East = b.West, eastOf(a.West, min(width, from+other))
	default:
		return rasterbase.Bounds{}, false
	}
	return out, true
}

// joinBounds is the smallest box around two.
func joinBounds(a, b rasterbase.Bounds) rasterbase.Bounds {
	out := rasterbase.Bounds{South: min(a.South, b.South), North: max(a.North, b.North)}
	out.West, out.East = min(a.West, b.West), max(a.East, b.East)
	if a.West <= a.East && b.West <= b.East && out.East-out.West <= 180 {
		return out
	}
	switch fromA, fromB := spanFrom(a, b), spanFrom(b, a); {
	case min(fromA, fromB) >= 360:
		out.West, out.East = -180, 180
	case fromA <= fromB:
		out.West, out.East = a.West, eastOf(a.West, fromA)
	default:
		out.West, out.East = b.West, eastOf(b.West, fromB)
	}
	return out
}

// spanFrom is how far a box from the west of a on has to reach to hold both.
func spanFrom(a, b rasterbase.Bounds) float64 {
	return min(360, max(widthOf(a), turned(b.West-a.West)+widthOf(b)))
}

// turned is a difference of longitudes, from 0 to below 360.
func turned(d float64) float64 {
	if d = math.Mod(d, 360); d < 0 {
		d += 360
	}
	return d
}

// widthOf is how many degrees of longitude a box has.
func widthOf(b rasterbase.Bounds) float64 {
	if b.West > b.East {
		return b.East - b.West + 360
	}
	return b.East - b.West
}

// eastOf is the longitude so many degrees to the east.
func eastOf(west, width float64) float64 {
	east := west + width
	if east > 180 {
		east -= 360
	}
	return east
}
