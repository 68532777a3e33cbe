package coverage

import (
	"context"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// StackOptions are what a stack is made with besides its inputs. The zero value is
// good for all that can be read without a Transformer.
type StackOptions struct {
	Name string
	// Grid names the input whose own pixels are the stack's at [BaseLevel], where the
	// others are looked up at the centres of these. Empty: the finest input's, when the
	// grids of all inputs nest.
	Grid        string
	Transformer crs.Transformer // nil: closed forms only
}

// Stack is bands of other coverages on one grid, as a [Coverage] with a band for each.
// Its pixels are read when they are asked for.
//
// A pixel is valid in all bands where it is in all inputs, and else in none. Each band
// has the values and the pixel type of its input, and what the file says of it, but no
// statistics, which are of more pixels than the stack has in common.
//
// The grids, at the base level and at zooms, are those of a [Formula] that is invalid
// where an input is. The datatype is categorical when all inputs are discrete, and else
// continuous.
type Stack struct{ joined }

// NewStack makes a coverage of a band of each input, in their order. Names tell them
// apart.
//
// The error has code invalid, with field layers for no inputs, two of one name, bands
// that are not there, and inputs that read too many bands; and with field grid when no
// input has the name of the grid. Grids that do not fit together are no error: see
// Description.BaseError.
func NewStack(ctx context.Context, inputs []Input, o StackOptions) (*Stack, error) {
	if len(inputs) == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the stack reads no layer").WithHint("it needs one at least").WithField("layers")
	}
	for i, in := range inputs {
		if slices.ContainsFunc(inputs[:i], func(other Input) bool { return other.Name == in.Name }) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "two inputs have the name %s", in.Name).WithField("layers")
		}
		if err := in.check(); err != nil {
			return nil, err
		}
	}
	s := &Stack{joined{kind: "stack", inputs: slices.Clone(inputs), strict: true}}
	if err := s.count(0); err != nil {
		return nil, err
	}
	if err := s.checkGrid(o.Grid); err != nil {
		return nil, err
	}
	s.arrange()
	s.describe(o.Name)
	s.version = "s" + s.hash("", o.Grid)
	return s, s.findBase(ctx, o.Grid, o.Transformer)
}

// describe tells what the inputs make of the stack, apart from the base grid.
func (s *Stack) describe(name string) {
	datatype := rasterbase.Continuous
	if s.describePlace(name) {
		datatype = rasterbase.Categorical
	}
	s.description.Datatype = datatype
	for _, in := range s.inputs {
		b := in.Coverage.Describe().Bands[in.Band]
		b.Count, b.Min, b.Max, b.Mean, b.Std, b.Histogram = 0, 0, 0, 0, 0, rasterbase.Histogram{}
		s.description.Bands = append(s.description.Bands, b)
	}
}

// Inputs are the inputs, one a band.
func (s *Stack) Inputs() []Input { return slices.Clone(s.inputs) }

// Describe tells what can be read. Bounds is what all inputs have in common, and the
// zero Bounds if that is nothing.
func (s *Stack) Describe() Description { return s.description }

// Version names the state that is read by the grid and each input's name, version and
// band.
func (s *Stack) Version() string { return s.version }

// Summaries is an error with code unsupported: which pixels are valid in all inputs is
// not known before they are read.
func (s *Stack) Summaries(context.Context, SummaryQuery) ([]store.SummaryPage, error) {
	return nil, rasterbase.Errorf(rasterbase.Unsupported, "there are no summaries of a stack: which of its pixels are valid is known when they are read")
}

// Window reads a rectangle of a level: all inputs, whichever bands are asked for, since
// each has a say in what is valid. The errors are those of [Formula.Window].
func (s *Stack) Window(ctx context.Context, r WindowRequest) (*raster.Raster, error) {
	if _, err := s.check(&r); err != nil {
		return nil, err
	}
	if r.Level != BaseLevel {
		return s.world(ctx, worldWindow{
			Z: r.Level.Zoom, Size: s.description.TileSize, X: r.X, Y: r.Y, Width: r.Width, Height: r.Height, Bands: r.Bands,
		})
	}
	window := raster.Rect{X: r.X, Y: r.Y, Width: r.Width, Height: r.Height}
	out, err := s.put(ctx, s.baseReader(window), r.Bands)
	if err != nil {
		return nil, err
	}
	out.Grid, out.SRID = s.base.window(window), s.base.crs.SRID
	return out, nil
}

// world reads a window of the world, in pixels of its size.
func (s *Stack) world(ctx context.Context, w worldWindow) (*raster.Raster, error) {
	if s.noPyramid != nil {
		return nil, s.noPyramid
	}
	if err := s.checkBands(w.Bands); err != nil {
		return nil, err
	}
	out, err := s.put(ctx, s.worldReader(w), s.bandsOr(w.Bands))
	if err != nil {
		return nil, err
	}
	out.Grid, out.SRID = w.grid(), 3857
	return out, nil
}

// put reads the groups and makes one raster of their bands, which has no place yet.
func (s *Stack) put(ctx context.Context, read groupReader, bands []int) (*raster.Raster, error) {
	rasters, err := s.read(ctx, read)
	if err != nil {
		return nil, err
	}
	out := &raster.Raster{Bands: make([]raster.Band, len(bands))}
	for i, b := range bands {
		c := s.columns[b]
		out.Bands[i] = rasters[c.group].Bands[c.place]
	}
	own := false // the validity, which may be shared with an input's raster
	for _, c := range s.columns {
		mask := rasters[c.group].ValidMask(c.place)
		switch {
		case mask == nil:
		case out.Validity == nil:
			out.Validity = mask
		default:
			if !own {
				out.Validity, own = slices.Clone(out.Validity), true
			}
			for i, v := range mask {
				if v == 0 {
					out.Validity[i] = 0
				}
			}
		}
	}
	return out, nil
}
