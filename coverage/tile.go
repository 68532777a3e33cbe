package coverage

import (
	"cmp"
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

const (
	// maxTileZoom is the deepest zoom of a [TileRequest]: numbers of pixels fit
	// in 63 bits there at every size, and a pixel is below a micrometre.
	maxTileZoom = 48
	// maxTileSize is the most pixels along a side of a tile.
	maxTileSize = 2048
	// maxTileMargin is the most pixels at each side of a tile.
	maxTileMargin = 256
)

// TileRequest is a tile of the XYZ grid in any size. Z, X and Y mean the same
// ground whatever the size.
type TileRequest struct {
	Z, X, Y int // Z from 0 to 48
	Size    int // pixels along a side, at most 2048; 0: the coverage's own tile size
	// Margin is how many more pixels are read at each side, at most 256: those
	// that the neighbouring tiles have there. Beyond the world they are invalid;
	// x does not go round it.
	Margin int
	Bands  []int // from 0; nil: all
	// Resampling makes pixels where none of the asked size are stored: empty is
	// nearest.
	Resampling rasterbase.Resampling
	// Float makes blended pixels of whole numbers floating-point ones, float32 or
	// for those of 32 bits float64, whose nodata is NaN: slopes between rounded
	// heights are stairs.
	Float bool
}

// Tile reads a tile in any size: a raster of Size plus twice Margin pixels a
// side, which is shared and must not be changed.
//
// Where a zoom has pixels of just that size, they are its pixels: a tile of 512
// pixels is one of the next zoom's windows for a coverage whose tiles have 256.
// A tile of the coverage's own size without a margin is what its Window gives,
// without a copy.
//
// Other sizes, and what is beyond the max zoom, are resampled from the zoom
// whose pixels are the nearest finer ones, or else the finest there are, as
// gdalwarp does it (see [resample.WarpGrid]): a pixel is valid if and only if the
// source pixel that holds its centre is, whatever the resampling, and invalid
// pixels have no weight in others. A pixel depends on its place alone and not on
// the tile or margin that it is read with, bit for bit: tiles have no seams.
//
// A formula is evaluated on its inputs in the size asked for: a resampling that
// blends applies to those inputs that are continuous, and the others are nearest.
//
// The error has code invalid, with field resampling, when a discrete coverage is
// to be blended, or a formula over discrete ones alone, and code not found when
// there is no tile Z, X, Y.
func Tile(ctx context.Context, c Coverage, r TileRequest) (*raster.Raster, error) {
	r.Size = cmp.Or(r.Size, tileSizeOf(c.Describe()))
	if err := r.check(); err != nil {
		return nil, err
	}
	if t, blends := blendable(c); r.Resampling.Blends() && !blends {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s resampling makes values that no class has, and the values are %s", r.Resampling, t).
			WithHint("nearest").WithField("resampling")
	}
	return r.window().read(ctx, c)
}

// window is the tile as a window of the world.
func (r TileRequest) window() worldWindow {
	side := r.Size + 2*r.Margin
	return worldWindow{
		Z: r.Z, Size: r.Size, X: r.X*r.Size - r.Margin, Y: r.Y*r.Size - r.Margin, Width: side, Height: side,
		Bands: r.Bands, Resampling: r.Resampling, Float: r.Float,
	}
}

func (r TileRequest) check() error {
	if r.Z < 0 || r.Z > maxTileZoom {
		return rasterbase.Errorf(rasterbase.Invalid, "there is no zoom %d", r.Z).WithHint("from 0 to %d", maxTileZoom).WithField("z")
	}
	if side := 1 << r.Z; r.X < 0 || r.X >= side || r.Y < 0 || r.Y >= side {
		return rasterbase.Errorf(rasterbase.NotFound, "tile %d/%d/%d is outside the grid", r.Z, r.X, r.Y).
			WithHint("zoom %d has %d tiles a side", r.Z, side)
	}
	if r.Size < 1 || r.Size > maxTileSize {
		return rasterbase.Errorf(rasterbase.Invalid, "tiles of %d pixels a side cannot be read", r.Size).
			WithHint("from 1 to %d", maxTileSize).WithField("tilesize")
	}
	if r.Margin < 0 || r.Margin > maxTileMargin {
		return rasterbase.Errorf(rasterbase.Invalid, "a margin of %d pixels cannot be read", r.Margin).WithHint("from 0 to %d", maxTileMargin)
	}
	if r.Resampling != "" {
		if _, err := rasterbase.ParseResampling(string(r.Resampling)); err != nil {
			return err
		}
	}
	return nil
}
