package ingest

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/xyz"
)

// Plan is what a parse will make of a source, known before the work.
type Plan struct {
	rasterbase.Plan

	baseValidity, pyramidValidity bool
	boxes                         []xyz.Box
	resolution                    resolution
	warpZoom                      int // where the warp goes to, at or above MaxZoom
}

// plan decides what is made of an open source.
func (p *Parser) plan(ctx context.Context, d Dataset, s rasterbase.Settings) (*Plan, error) {
	info := withoutInvented(d.Info())
	pl := &Plan{Plan: rasterbase.Plan{
		Driver: info.Driver, CRS: info.CRS, Grid: info.Grid, Warnings: info.Warnings,
		TileSize: s.TileSize, HasPyramid: !s.NoPyramid,
	}}
	if pl.TileSize == 0 {
		pl.TileSize = p.c.TileSize
	}
	if err := p.checkSize(info, pl.TileSize); err != nil {
		return nil, err
	}
	if err := pl.planBands(info, s); err != nil {
		return nil, err
	}
	if err := pl.planDatatype(info, s); err != nil {
		return nil, err
	}
	boxes, tight, err := extent(ctx, d)
	if err != nil {
		return nil, err
	}
	pl.boxes, pl.Bounds = boxes, lonLatBounds(tight)
	if err := pl.planZooms(ctx, d, s); err != nil {
		return nil, err
	}
	return pl, pl.planTiles(p.c.Limits)
}

func (p *Parser) checkSize(info Info, tileSize int) error {
	l := p.c.Limits
	if err := checkTileSize(tileSize); err != nil {
		return err
	}
	switch pixels := int64(info.Grid.Width) * int64(info.Grid.Height); {
	case len(info.Bands) == 0:
		return rasterbase.Errorf(rasterbase.Invalid, "the file has no band of data")
	case len(info.Bands) > l.Bands:
		return rasterbase.Errorf(rasterbase.TooLarge, "the file has %d bands, more than the %d allowed", len(info.Bands), l.Bands)
	case pixels > l.Pixels:
		return rasterbase.Errorf(rasterbase.TooLarge, "the raster has %d x %d pixels, more than the %d allowed",
			info.Grid.Width, info.Grid.Height, l.Pixels)
	}
	return nil
}

// planBands settles each band's nodata, and whether tiles need a validity band:
// where invalid pixels can occur in whole-number bands without nodata.
func (pl *Plan) planBands(info Info, s rasterbase.Settings) error {
	unmarked := false
	for i, b := range info.Bands {
		band := rasterbase.Band{
			PixelType: b.PixelType, Description: b.Description, ColorInterp: b.ColorInterp,
			Unit: b.Unit, Scale: b.Scale, Offset: b.Offset, Classes: b.Classes,
		}
		nodata := b.Nodata
		if s.Nodata != nil {
			nodata = rasterbase.FloatPtr(*s.Nodata)
			if !b.PixelType.Holds(*s.Nodata) {
				return rasterbase.Errorf(rasterbase.Invalid, "band %d (%v) cannot hold the nodata value %v", i+1, b.PixelType, *s.Nodata).
					WithField("nodata")
			}
		}
		if nodata != nil {
			if v := storedNodata(float64(*nodata), b.PixelType); v != nil {
				band.Nodata = v
			} else {
				pl.Warnings = append(pl.Warnings, fmt.Sprintf(
					"band %d: the nodata value %v cannot occur in %v pixels and is left out", i+1, float64(*nodata), b.PixelType))
			}
		}
		unmarked = unmarked || band.Nodata == nil && !b.PixelType.IsFloat()
		pl.Bands = append(pl.Bands, band)
	}
	pl.baseValidity = unmarked && info.HasMask
	pl.pyramidValidity = unmarked
	return nil
}

// withoutInvented takes black and white out of 1-bit bands: GDAL gives a colour
// table of these two to every such GeoTIFF, whether the file has one or not.
func withoutInvented(info Info) Info {
	info.Bands = slices.Clone(info.Bands)
	for i := range info.Bands {
		b := &info.Bands[i]
		if b.PixelType == rasterbase.Bit1 && b.HasColorTable && !slices.ContainsFunc(b.Classes, tells) {
			b.HasColorTable, b.Classes = false, nil
		}
	}
	return info
}

// tells reports whether a class has a name or a colour that is not black or
// white.
func tells(c rasterbase.Class) bool {
	if c.Name != "" || c.Color == nil {
		return c.Name != ""
	}
	r, g, b := c.Color.R, c.Color.G, c.Color.B
	return r != g || g != b || r != 0 && r != 255
}

// storedNodata is the nodata value as pixels of the type hold it, nil when
// they cannot. Values a little beyond float32 are a decimal rounding of its
// largest number, and mean that.
func storedNodata(v float64, t rasterbase.PixelType) *rasterbase.Float {
	if t == rasterbase.Float32 {
		if a := math.Abs(v); a > math.MaxFloat32 && a <= math.MaxFloat32*(1+1e-6) {
			v = math.Copysign(math.MaxFloat32, v)
		}
		if f := float64(float32(v)); !math.IsInf(f, 0) || math.IsInf(v, 0) {
			return rasterbase.FloatPtr(f)
		}
		return nil
	}
	if !t.Holds(v) {
		return nil
	}
	return rasterbase.FloatPtr(v)
}

func (pl *Plan) planDatatype(info Info, s rasterbase.Settings) error {
	pl.Datatype, pl.DatatypeReason = datatypeOf(info, s)
	pl.Resampling = s.Resampling
	if pl.Datatype == "" {
		return nil
	}
	return pl.settle(pl.Datatype, pl.DatatypeReason)
}

// settle fixes the datatype, and with it the resampling.
func (pl *Plan) settle(d rasterbase.Datatype, reason string) error {
	pl.Datatype, pl.DatatypeReason = d, reason
	switch {
	case d.Discrete() && pl.Resampling.Blends():
		return blending(pl.Resampling, d)
	case pl.Resampling != "":
	case d.Discrete():
		pl.Resampling = rasterbase.Nearest
	default:
		pl.Resampling = rasterbase.Bilinear
	}
	return nil
}

// datatypeOf tells the datatype as far as the file's header does, and why.
func datatypeOf(info Info, s rasterbase.Settings) (rasterbase.Datatype, string) {
	first := info.Bands[0]
	photo := false
	for _, b := range info.Bands {
		switch b.ColorInterp {
		case "red", "green", "blue", "cyan", "magenta", "yellow":
			photo = true
		}
	}
	switch {
	case s.Datatype != "":
		return s.Datatype, "asked for"
	case first.HasColorTable:
		return rasterbase.Categorical, "the file has a colour table"
	case first.HasAttributeTable:
		return rasterbase.Categorical, "the file has an attribute table"
	case first.HasClassNames:
		return rasterbase.Categorical, "the file has class names"
	case first.PixelType == rasterbase.Bit1:
		return rasterbase.Mask, "pixels have 1 bit"
	case first.PixelType.IsFloat():
		return rasterbase.Continuous, "pixels are floating-point numbers"
	case photo:
		return rasterbase.Continuous, "the bands are colours of a picture"
	}
	return "", fmt.Sprintf("whole numbers: categorical if there are at most %d distinct values, continuous otherwise", fewValues)
}

// fewValues is the most distinct values that make whole numbers categorical.
const fewValues = 64

// shrinkZooms is how many zooms below the source's own resolution the warp
// may go in one step. Below, it goes to a larger zoom, which is reduced.
const shrinkZooms = 3

func (pl *Plan) planZooms(ctx context.Context, d Dataset, s rasterbase.Settings) error {
	if s.NoPyramid {
		return nil
	}
	var err error
	if pl.resolution, err = measure(ctx, d, pl.boxes); err != nil {
		return err
	}
	natural := xyz.ZoomFor(pl.resolution.metres, pl.TileSize, s.NextLower)
	pl.MaxZoom = natural
	if s.MaxZoom != nil {
		if *s.MaxZoom < 0 || *s.MaxZoom > xyz.MaxZoom {
			return rasterbase.Errorf(rasterbase.Invalid, "max zoom %d does not exist", *s.MaxZoom).
				WithHint("0 to %d; this source fits zoom %d", xyz.MaxZoom, natural).WithField("max-zoom")
		}
		pl.MaxZoom = *s.MaxZoom
	}
	pl.warpZoom = max(pl.MaxZoom, natural-shrinkZooms)
	return nil
}

func (pl *Plan) planTiles(l Limits) error {
	g, ts := pl.Grid, pl.TileSize
	cols, rows := pl.baseGrid()
	pl.BaseTiles = int64(cols) * int64(rows)
	if pl.HasPyramid {
		pl.PyramidTiles = countTiles(pl.boxes, xyz.Tile{}, pl.warpZoom, l.Tiles)
	}
	if n := pl.BaseTiles + pl.PyramidTiles; n > l.Tiles {
		return rasterbase.Errorf(rasterbase.TooLarge, "the parse would make more than the %d tiles allowed", l.Tiles).
			WithHint("choose a lower --max-zoom").WithField("max-zoom")
	}
	pixel := int64(0)
	for _, b := range pl.Bands {
		pixel += int64(b.PixelType.Size())
	}
	pl.Bytes = (int64(g.Width)*int64(g.Height) + pl.PyramidTiles*int64(ts)*int64(ts)) * pixel
	return nil
}

// baseGrid is how many base tiles there are along each axis.
func (pl *Plan) baseGrid() (cols, rows int) {
	ts := pl.TileSize
	return (pl.Grid.Width + ts - 1) / ts, (pl.Grid.Height + ts - 1) / ts
}

// revision is the revision that a plan leads to, before any pixel is read.
func (pl *Plan) revision(layer *rasterbase.Layer) *rasterbase.Revision {
	return &rasterbase.Revision{
		Layer: layer.ID, Datatype: pl.Datatype, DatatypeReason: pl.DatatypeReason,
		CRS: pl.CRS, Grid: pl.Grid, TileSize: pl.TileSize,
		HasPyramid: pl.HasPyramid, MaxZoom: pl.MaxZoom, Resampling: pl.Resampling,
		Bands: slices.Clone(pl.Bands), BaseValidity: pl.baseValidity, PyramidValidity: pl.pyramidValidity,
		Bounds: pl.Bounds, Settings: layer.Settings, SourceChecksum: layer.Source.Checksum, Driver: pl.Driver,
	}
}
