package export

import (
	"context"
	"math"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/internal/tiff"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/xyz"
)

// Plan is a file that can be made, known before the work. It is made by [NewPlan]
// and does not change.
type Plan struct {
	Format Format
	Level  coverage.Level
	Rect   raster.Rect     // of the level's pixels
	Grid   rasterbase.Grid // where they lie
	CRS    rasterbase.CRS
	Bands  []rasterbase.Band    // as the coverage describes them
	Type   rasterbase.PixelType // of all bands of the file
	// Compression is a name of RASTER_COMPRESS_METHOD, or empty for none.
	Compression string
	Masked      bool  // pixels outside of the area become invalid
	Pixels      int64 // width times height
	Bytes       int64 // of the pixels of all bands before compression, overviews included

	cov      coverage.Coverage
	bands    []int
	datatype rasterbase.Datatype
	outline  *footprint.Outline // nil: nothing is masked
	palette  *palette
	quality  int
	method   tiff.Method
	elsewise bool // the compression is one that only GDAL has
}

// NewPlan says what a request makes of a coverage. Errors come before any work: with
// code too large for more pixels than allowed, invalid for an area without pixels,
// for a zoom or a band that is not there and for a compression that cannot hold the
// pixels, each with the field at fault, and those of reading the coverage.
func NewPlan(ctx context.Context, cov coverage.Coverage, r Request) (*Plan, error) {
	d := cov.Describe()
	p := &Plan{Format: r.Format, Level: coverage.BaseLevel, cov: cov, datatype: d.Datatype, quality: r.Quality}
	switch r.Format {
	case "":
		p.Format = GeoTIFF
	case GeoTIFF, COG:
	default:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "there is no export format %.20q", r.Format).
			WithHint("one of tif and cog").WithField("format")
	}
	if r.Zoom != nil {
		if *r.Zoom < 0 || *r.Zoom > xyz.MaxZoom {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "there is no zoom %d", *r.Zoom).
				WithHint("zooms go from 0 to %d", xyz.MaxZoom).WithField("zoom")
		}
		p.Level = coverage.ZoomLevel(*r.Zoom)
	}
	if err := p.chooseBands(d, r.Bands); err != nil {
		return nil, err
	}
	// Whoever cannot give one pixel gives none: that says so before the work.
	if _, err := cov.Window(ctx, coverage.WindowRequest{Level: p.Level, Width: 1, Height: 1, Bands: p.bands[:1]}); err != nil {
		return nil, err
	}
	if err := p.choosePlace(ctx, d, r); err != nil {
		return nil, err
	}
	if err := p.checkSize(d, r); err != nil {
		return nil, err
	}
	if err := p.tighten(d); err != nil {
		return nil, err
	}
	p.place()
	if err := p.chooseForm(r); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Plan) chooseBands(d coverage.Description, bands []int) error {
	if bands == nil {
		for i := range d.Bands {
			bands = append(bands, i)
		}
	}
	if len(bands) == 0 || len(bands) > math.MaxUint16 {
		return rasterbase.Errorf(rasterbase.Invalid, "%d bands cannot be exported", len(bands)).WithField("bands")
	}
	for i, b := range bands {
		if b < 0 || b >= len(d.Bands) {
			return rasterbase.Errorf(rasterbase.Invalid, "%s has no band %d", d.Name, b+1).
				WithHint("bands are counted from 1 to %d", len(d.Bands)).WithField("bands")
		}
		band := d.Bands[b]
		p.Bands = append(p.Bands, band)
		t := band.PixelType
		// A byte of memory can hold more than a type of fewer bits says.
		if _, most := t.Range(); t.Size() == 1 && t < rasterbase.Int8 && band.Count > 0 && band.Max > most {
			t = rasterbase.Uint8
		}
		if i == 0 {
			p.Type = t
		}
		p.Type = tiff.Widen(p.Type, t)
	}
	p.bands = bands
	return nil
}

// choosePlace finds the rectangle of pixels.
func (p *Plan) choosePlace(ctx context.Context, d coverage.Description, r Request) error {
	p.Rect = extent(d, p.Level)
	p.Grid, p.CRS = d.Grid, d.CRS
	if p.Level.Kind == rasterbase.Pyramid {
		p.Grid, p.CRS = xyz.PixelGrid(p.Level.Zoom, d.TileSize), rasterbase.CRS{SRID: 3857, Name: "WGS 84 / Pseudo-Mercator"}
	}
	if r.Area != nil {
		if err := p.limit(ctx, d, r); err != nil {
			return err
		}
	}
	if p.Rect.Width <= 0 || p.Rect.Height <= 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "%s has no pixels to export", d.Name)
	}
	return nil
}

// place moves the level's grid to the rectangle.
func (p *Plan) place() {
	g := &p.Grid
	g.OriginX, g.OriginY = g.World(float64(p.Rect.X), float64(p.Rect.Y))
	g.Width, g.Height = p.Rect.Width, p.Rect.Height
	p.Pixels = int64(g.Width) * int64(g.Height)
}

// extent is the pixels of a level that can be valid.
func extent(d coverage.Description, l coverage.Level) raster.Rect {
	if l.Kind == rasterbase.Base {
		return raster.Rect{Width: d.Grid.Width, Height: d.Grid.Height}
	}
	g := xyz.PixelGrid(l.Zoom, d.TileSize)
	side := float64(d.TileSize) * float64(xyz.Side(l.Zoom))
	west, north := xyz.FromLonLat(d.Bounds.West, min(d.Bounds.North, xyz.MaxLatitude))
	east, south := xyz.FromLonLat(d.Bounds.East, max(d.Bounds.South, -xyz.MaxLatitude))
	x1, y1 := g.Pixel(west, north)
	x2, y2 := g.Pixel(east, south)
	if d.Bounds.West > d.Bounds.East { // on both sides of the antimeridian
		x1, x2 = 0, side
	}
	slack := max(1e-6, side*0x1p-48) // what rounding makes of places
	return covering(max(x1, 0), max(y1, 0), min(x2, side), min(y2, side), slack)
}

// covering is the pixels that a box has a part in.
func covering(x1, y1, x2, y2, slack float64) raster.Rect {
	if !(x1 <= x2 && y1 <= y2) {
		return raster.Rect{}
	}
	r := raster.Rect{X: int(math.Floor(x1 + slack)), Y: int(math.Floor(y1 + slack))}
	r.Width, r.Height = max(1, int(math.Ceil(x2-slack))-r.X), max(1, int(math.Ceil(y2-slack))-r.Y)
	return r
}

// checkSize refuses more pixels than allowed.
func (p *Plan) checkSize(d coverage.Description, r Request) error {
	const most = math.MaxInt32 // pixels along a side of a GeoTIFF, for GDAL
	p.Pixels = math.MaxInt64
	if w, h := int64(p.Rect.Width), int64(p.Rect.Height); w < p.Pixels/h {
		p.Pixels = w * h
	}
	allowed := r.MaxPixels
	if allowed <= 0 {
		allowed = math.MaxInt64
	}
	if p.Rect.Width <= most && p.Rect.Height <= most && p.Pixels <= allowed {
		return nil
	}
	e := rasterbase.Errorf(rasterbase.TooLarge, "an export of %d x %d pixels is larger than the %d pixels that RASTER_EXPORT_MAX_PIXELS allows",
		p.Rect.Width, p.Rect.Height, allowed)
	if p.Pixels <= allowed {
		e = rasterbase.Errorf(rasterbase.TooLarge, "no GeoTIFF has %d x %d pixels", p.Rect.Width, p.Rect.Height)
	}
	way := "choose a smaller bbox"
	switch {
	case d.Bounds.West > d.Bounds.East && p.Level.Kind == rasterbase.Pyramid:
		way += ", on one side of the antimeridian, which this layer crosses"
	case p.Level.Kind == rasterbase.Pyramid && p.Level.Zoom > 0:
		lower := int(math.Ceil(math.Log2(float64(p.Pixels)/float64(min(allowed, most))) / 2))
		way += ", or " + zoomText(max(0, p.Level.Zoom-max(1, lower)))
	case d.HasPyramid:
		way += ", or a zoom of the map: " + zoomText(d.MaxZoom) + " has about the source's pixels"
	}
	return e.WithHint("%s", way).WithField("bbox")
}

// gdalOnly are the compressions that this package does not write itself.
var gdalOnly = []string{"LZMA", "CCITTRLE", "CCITTFAX3", "CCITTFAX4"}

// chooseForm finds how the pixels are packed.
func (p *Plan) chooseForm(r Request) (err error) {
	p.Compression = strings.ToUpper(strings.TrimSpace(r.Compression))
	if p.Compression == "NONE" {
		p.Compression = ""
	}
	if p.method, err = tiff.ParseMethod(p.Compression); err != nil {
		return err
	}
	if err := p.method.Check(p.Type, len(p.Bands)); err != nil {
		return err
	}
	for _, name := range gdalOnly {
		p.elsewise = p.elsewise || p.Compression == name
	}
	if strings.HasPrefix(p.Compression, "CCITT") && (p.Type != rasterbase.Bit1 || len(p.Bands) != 1) {
		return rasterbase.Errorf(rasterbase.Invalid, "%s holds one band of 1-bit pixels only, not %d of %v", p.Compression, len(p.Bands), p.Type).
			WithHint("one of LZW, DEFLATE, PACKBITS and ZSTD holds pixels of every type").WithField("compress_method")
	}
	if r.Quality < 0 || r.Quality > 100 {
		return rasterbase.Errorf(rasterbase.Invalid, "quality %d is not within 1 to 100", r.Quality).WithField("quality")
	}
	if _, err := tiff.Place(p.Grid, p.CRS); err != nil {
		return err
	}
	if r.Colors != nil && len(p.Bands) == 1 && p.method != tiff.JPEG && p.Type.Size() == 1 && p.Type != rasterbase.Int8 {
		p.palette = paletteOf(r.Colors)
	}
	each := float64(len(p.Bands) * p.Type.Size())
	if p.Format == COG {
		each *= 4.0 / 3
	}
	p.Bytes = int64(float64(p.Pixels) * each)
	return nil
}
