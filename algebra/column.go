package algebra

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Column is the pixels of one variable.
type Column struct {
	Pixels raster.Pixels
	// Valid is 0 for invalid pixels. Nil: all are valid that are finite; pixels
	// that are not finite are never valid.
	Valid []uint8
	// Nodata is the value that ~ gives invalid pixels. NaN: none, they stay invalid.
	Nodata float64
}

// Result is the pixels that a formula gives.
type Result struct {
	// Pixels are of the type that [Formula.PixelType] tells. Invalid pixels are
	// NaN, or 255 for Uint8.
	Pixels raster.Pixels
	Valid  []uint8 // 0 for invalid pixels, 255 for valid ones; nil: all are valid
}

// Evaluate evaluates the formula for every pixel of the columns, one for each of
// Variables in that order, all of one length. The precision is that which
// [Formula.For] tells for the columns' types, and the results are exactly those of
// its Eval. A formula without variables has no pixels: there Eval tells the value.
//
// Evaluate works in blocks that stay in the processor's cache. It takes the memory
// of its result and nothing for each pixel. When the context ends, it stops soon
// with the context's error.
func (f *Formula) Evaluate(ctx context.Context, columns []Column) (Result, error) {
	n, types, err := f.checkColumns(columns)
	if err != nil {
		return Result{}, err
	}
	if len(columns) == 1 && n > 4*256 {
		switch p := columns[0].Pixels.(type) {
		case raster.Slice[uint8]:
			return evaluateTable(ctx, f, p, columns[0])
		case raster.Slice[int8]:
			return evaluateTable(ctx, f, p, columns[0])
		}
	}
	return f.evaluateBlocks(ctx, columns, n, inFloat32(types))
}

func (f *Formula) evaluateBlocks(ctx context.Context, columns []Column, n int, single bool) (Result, error) {
	if single {
		return evaluate(ctx, f, &f.plan32, columns, n)
	}
	return evaluate(ctx, f, &f.plan64, columns, n)
}

func (f *Formula) checkColumns(columns []Column) (n int, types []rasterbase.PixelType, err error) {
	if len(columns) != len(f.variables) {
		return 0, nil, fmt.Errorf("evaluating a formula of %d variables: %d columns", len(f.variables), len(columns))
	}
	types = make([]rasterbase.PixelType, len(columns))
	for i, c := range columns {
		if i == 0 {
			n = c.Pixels.Len()
		}
		if c.Pixels.Len() != n || c.Valid != nil && len(c.Valid) != n {
			return 0, nil, fmt.Errorf("evaluating a formula: the column of %s has %d pixels and a validity of %d, the first %d pixels",
				f.variables[i], c.Pixels.Len(), len(c.Valid), n)
		}
		types[i] = c.pixelType()
	}
	return n, types, nil
}

func (c Column) pixelType() rasterbase.PixelType {
	switch c.Pixels.(type) {
	case raster.Slice[uint8]:
		return rasterbase.Uint8
	case raster.Slice[int8]:
		return rasterbase.Int8
	case raster.Slice[uint16]:
		return rasterbase.Uint16
	case raster.Slice[int16]:
		return rasterbase.Int16
	case raster.Slice[uint32]:
		return rasterbase.Uint32
	case raster.Slice[int32]:
		return rasterbase.Int32
	case raster.Slice[float32]:
		return rasterbase.Float32
	}
	return rasterbase.Float64
}

// source is a column as a plan reads it.
type source[T float] struct {
	direct  []T                      // the pixels, when they are of the type already
	convert func(dst []T, start int) // else: takes pixels from start on
	whole   bool                     // pixels are integers
	valid   []uint8
	nodata  T
}

func newSource[T float](c Column) source[T] {
	s := source[T]{valid: c.Valid, nodata: T(c.Nodata)}
	switch p := c.Pixels.(type) {
	case raster.Slice[uint8]:
		s.convert, s.whole = converter[T](p), true
	case raster.Slice[int8]:
		s.convert, s.whole = converter[T](p), true
	case raster.Slice[uint16]:
		s.convert, s.whole = converter[T](p), true
	case raster.Slice[int16]:
		s.convert, s.whole = converter[T](p), true
	case raster.Slice[uint32]:
		s.convert, s.whole = converter[T](p), true
	case raster.Slice[int32]:
		s.convert, s.whole = converter[T](p), true
	case raster.Slice[float32]:
		if same, ok := any([]float32(p)).([]T); ok {
			s.direct = same
		} else {
			s.convert = converter[T](p)
		}
	case raster.Slice[float64]:
		if same, ok := any([]float64(p)).([]T); ok {
			s.direct = same
		} else {
			s.convert = converter[T](p)
		}
	}
	return s
}

func converter[T float, P raster.Number](p []P) func([]T, int) {
	return func(dst []T, start int) {
		from := p[start : start+len(dst)]
		for i, v := range from {
			dst[i] = T(v)
		}
	}
}

// load puts pixels start to end of a variable into its place. Float columns stay
// where they are unless pixels of the block are masked.
func (e *engine[T]) load(k int, s *source[T], start, end int) {
	n := end - start
	masked := s.valid != nil && hasZero(s.valid[start:end])
	if s.direct != nil && !masked {
		e.numbers[k] = s.direct[start:end]
	} else {
		if e.columns[k] == nil {
			e.columns[k] = make([]T, blockSize)
		}
		dst := e.columns[k][:n]
		if s.direct != nil {
			copy(dst, s.direct[start:end])
		} else {
			s.convert(dst, start)
		}
		if masked {
			without(dst, s.valid[start:end])
		}
		e.numbers[k] = dst
	}
	e.valid[k] = !masked && (s.whole || e.plan.compared[k] && allFinite(e.numbers[k]))
	if e.plan.fills[k] {
		filled(e.numbers[e.plan.variables+k][:n], e.numbers[k], s.nodata)
	}
}

// release forgets the pixels of the columns.
func (e *engine[T]) release() {
	clear(e.numbers[:e.plan.variables])
	clear(e.rows)
}

// evaluate executes the plan of f, block after block.
func evaluate[T float](ctx context.Context, f *Formula, lazy *lazyPlan[T], columns []Column, n int) (Result, error) {
	e := lazy.engine(f)
	p := e.plan
	defer func() {
		e.release()
		lazy.engines.Put(e)
	}()
	sources := make([]source[T], len(columns))
	for k, c := range columns {
		sources[k] = newSource[T](c)
	}
	out := output[T]{n: n}
	var own []T
	var ownTruths []uint8
	if p.logical {
		out.truths, ownTruths = make([]uint8, n), e.truths[p.result]
		defer func() { e.truths[p.result] = ownTruths }()
	} else {
		out.numbers, own = make([]T, n), e.numbers[p.result]
		defer func() { e.numbers[p.result] = own }()
	}
	const blocksBetweenLooks = 16
	for start, block := 0, 0; start < n; start, block = start+blockSize, block+1 {
		if block%blocksBetweenLooks == 0 && ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		end := min(start+blockSize, n)
		for k := range sources {
			if p.uses[k] {
				e.load(k, &sources[k], start, end)
			}
		}
		if p.logical { // the last step writes where the result belongs
			e.truths[p.result] = out.truths[start:end]
		} else {
			e.numbers[p.result] = out.numbers[start:end]
		}
		e.run(end - start)
		out.finish(start, end)
	}
	return out.result(), ctx.Err()
}

// output is a result that is being made.
type output[T float] struct {
	n       int
	numbers []T
	truths  []uint8
	valid   []uint8
}

// finish notes which pixels of a block are invalid.
func (o *output[T]) finish(start, end int) {
	if o.truths != nil {
		if !hasInvalidTruth(o.truths[start:end]) {
			return
		}
		o.needValid()
		for i := start; i < end; i++ {
			o.valid[i] = ^uint8(int8(o.truths[i]) >> 7)
		}
		return
	}
	if allFinite(o.numbers[start:end]) {
		return
	}
	o.needValid()
	nan := T(math.NaN())
	for i := start; i < end; i++ {
		if v := o.numbers[i]; v-v != 0 {
			o.numbers[i], o.valid[i] = nan, 0
		}
	}
}

func (o *output[T]) needValid() {
	if o.valid == nil {
		o.valid = bytes.Repeat([]byte{255}, o.n)
	}
}

func (o *output[T]) result() Result {
	r := Result{Valid: o.valid}
	switch v := any(o.numbers).(type) {
	case []float32:
		r.Pixels = raster.Slice[float32](v)
	case []float64:
		r.Pixels = raster.Slice[float64](v)
	}
	if o.truths != nil {
		r.Pixels = raster.Slice[uint8](o.truths)
	}
	return r
}
