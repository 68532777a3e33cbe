package algebra

import (
	"context"

	"github.com/rasterbase/rasterbase/raster"
)

// evaluateTable evaluates a formula of one variable of 8 bits: for each value that
// a pixel can have and for an invalid one, and then looks these results up.
func evaluateTable[P uint8 | int8](ctx context.Context, f *Formula, pixels []P, c Column) (Result, error) {
	const none = 256 // the place of the result for invalid pixels
	values, valid := make(raster.Slice[P], none+1), make([]uint8, none+1)
	for i := range none {
		values[i], valid[i] = P(i), 255
	}
	r, err := f.evaluateBlocks(ctx, []Column{{Pixels: values, Valid: valid, Nodata: c.Nodata}}, none+1, false)
	if err != nil {
		return Result{}, err
	}
	switch p := r.Pixels.(type) {
	case raster.Slice[uint8]:
		return lookUp(ctx, pixels, c.Valid, p, r.Valid)
	case raster.Slice[float64]:
		return lookUp(ctx, pixels, c.Valid, p, r.Valid)
	}
	panic("algebra: a formula over integers gave float32")
}

// lookUp takes the results for pixels from tables of 257.
func lookUp[P uint8 | int8, T raster.Number](ctx context.Context, pixels []P, mask []uint8, results []T, resultsValid []uint8) (Result, error) {
	out := make(raster.Slice[T], len(pixels))
	var outValid []uint8
	const atOnce = 1 << 16
	table := (*[256]T)(results)
	for start := 0; start < len(pixels); start += atOnce {
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		end := min(start+atOnce, len(pixels))
		part, dst := pixels[start:end], out[start:end]
		for i, p := range part {
			dst[i] = table[uint8(p)]
		}
		if mask != nil {
			for i, v := range mask[start:end] {
				if v == 0 {
					dst[i] = results[256]
				}
			}
		}
	}
	if resultsValid != nil {
		outValid = lookUpValid(pixels, mask, resultsValid)
	}
	return Result{Pixels: out, Valid: outValid}, nil
}

// lookUpValid is nil when all of the pixels have valid results.
func lookUpValid[P uint8 | int8](pixels []P, mask, results []uint8) []uint8 {
	out := make([]uint8, len(pixels))
	table := (*[256]uint8)(results)
	for i, p := range pixels {
		out[i] = table[uint8(p)]
	}
	for i, v := range mask {
		if v == 0 {
			out[i] = results[256]
		}
	}
	if !hasZero(out) {
		return nil
	}
	return out
}
