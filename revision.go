package rasterbase

import (
	"math"
	"strings"
	"time"
)

// CRS is a coordinate reference system. Axes are always in the order of maps,
// x (east, longitude) before y.
type CRS struct {
	SRID int    `json:"srid"` // EPSG code, or from 910000 on one of ours for a CRS without a code
	Name string `json:"name,omitempty"`
	WKT  string `json:"wkt,omitempty"` // WKT 1 as GDAL writes it; may be empty when SRID is an EPSG code
}

// FirstCustomSRID is the first srid given to a CRS without an EPSG code.
const FirstCustomSRID = 910000

// Grid places pixels in a CRS: the affine transform from pixel column and row,
// counted from the upper left corner of the upper left pixel, to coordinates.
//
//	x = OriginX + col*ScaleX + row*SkewX
//	y = OriginY + col*SkewY + row*ScaleY
//
// ScaleY is negative for a north-up raster. These are the names and the
// meaning of ST_MetaData; GDAL's geotransform is OriginX, ScaleX, SkewX,
// OriginY, SkewY, ScaleY.
type Grid struct {
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	OriginX float64 `json:"origin_x"`
	OriginY float64 `json:"origin_y"`
	ScaleX  float64 `json:"scale_x"`
	ScaleY  float64 `json:"scale_y"`
	SkewX   float64 `json:"skew_x"`
	SkewY   float64 `json:"skew_y"`
}

// World gives the coordinates of a place in pixel space.
func (g Grid) World(col, row float64) (x, y float64) {
	return g.OriginX + col*g.ScaleX + row*g.SkewX, g.OriginY + col*g.SkewY + row*g.ScaleY
}

// Pixel gives the place in pixel space of coordinates: NaN when the transform
// cannot be inverted.
func (g Grid) Pixel(x, y float64) (col, row float64) {
	det := g.ScaleX*g.ScaleY - g.SkewX*g.SkewY
	if det == 0 || math.IsNaN(det) {
		return math.NaN(), math.NaN()
	}
	dx, dy := x-g.OriginX, y-g.OriginY
	return (dx*g.ScaleY - dy*g.SkewX) / det, (dy*g.ScaleX - dx*g.SkewY) / det
}

// RevisionState says whether readers may see a revision.
type RevisionState string

// The states of a revision.
const (
	Building  RevisionState = "building"  // a parse is writing it
	Published RevisionState = "published" // readers see it
	Retired   RevisionState = "retired"   // replaced or abandoned; its tiles are being dropped
)

// Kind tells the two kinds of tiles apart.
type Kind uint8

// The kinds of tiles.
const (
	Base    Kind = 0 // in the source's own projection and pixel grid
	Pyramid Kind = 1 // in the XYZ grid of EPSG:3857
)

// String is "base" or "pyramid".
func (k Kind) String() string {
	if k == Base {
		return "base"
	}
	return "pyramid"
}

// Revision is one parse of a layer with everything that was in force for it.
// Once published it never changes.
type Revision struct {
	ID             RevisionID
	Layer          LayerID
	State          RevisionState
	Datatype       Datatype
	DatatypeReason string
	CRS            CRS
	Grid           Grid // of the base tiles
	TileSize       int  // pixels a side
	HasPyramid     bool
	// NoBase says that there are no base tiles, since the revision was not made
	// from a source: the pyramid's max zoom is the finest there is. CRS and Grid
	// are then those of the max zoom's pixels that hold data.
	NoBase     bool
	MaxZoom    int        // of the pyramid, which reaches down to zoom 0
	Resampling Resampling // of the warp
	Bands      []Band
	// BaseValidity and PyramidValidity say that the last band of each stored
	// tile of that kind is not data but validity (8BUI, 0 invalid, 255 valid).
	BaseValidity    bool
	PyramidValidity bool
	Bounds          Bounds // longitude and latitude
	Settings        Settings
	SourceChecksum  string
	Driver          string // GDAL's short name of the format
	BaseTiles       int64  // stored
	PyramidTiles    int64  // stored
	Created         time.Time
	PublishedAt     time.Time
}

// Bounds is a box in longitude and latitude, degrees. West is greater than
// East when it crosses the antimeridian.
type Bounds struct {
	West, South, East, North float64
}

// Validity reports whether tiles of the kind carry a validity band.
func (r *Revision) Validity(k Kind) bool {
	if k == Base {
		return r.BaseValidity
	}
	return r.PyramidValidity
}

// MaxBandsPerSet is how many bands share one tile. A revision with more has a
// band set, and so a tile, for each band.
const MaxBandsPerSet = 4

// BandSets is the number of band sets.
func (r *Revision) BandSets() int {
	if len(r.Bands) > MaxBandsPerSet {
		return len(r.Bands)
	}
	return 1
}

// BandSet gives the indices, from 0, of the bands in a set.
func (r *Revision) BandSet(set int) []int {
	if len(r.Bands) > MaxBandsPerSet {
		return []int{set}
	}
	all := make([]int, len(r.Bands))
	for i := range all {
		all[i] = i
	}
	return all
}

// SetOf gives the band set that holds a band, and the band's place in it; both
// and the band count from 0.
func (r *Revision) SetOf(band int) (set, place int) {
	if len(r.Bands) > MaxBandsPerSet {
		return band, 0
	}
	return 0, band
}

// Band describes one band of a revision: what the file says of it and the
// statistics of all its valid pixels.
type Band struct {
	PixelType   PixelType `json:"pixel_type"`
	Nodata      *Float    `json:"nodata,omitempty"` // nil: none; NaN is written as "nan"
	Description string    `json:"description,omitempty"`
	ColorInterp string    `json:"color_interpretation,omitempty"`
	Unit        string    `json:"unit,omitempty"`
	Scale       float64   `json:"scale"` // true value = stored*Scale + Offset; 1 when the file has none
	Offset      float64   `json:"offset"`
	Count       int64     `json:"count"` // valid pixels
	Min         float64   `json:"min"`   // the four are 0 when Count is 0
	Max         float64   `json:"max"`
	Mean        float64   `json:"mean"`
	Std         float64   `json:"std"` // of the population
	Histogram   Histogram `json:"histogram"`
	Classes     []Class   `json:"classes,omitempty"` // colour table, attribute table or class names
}

// Class is what a file's colour table, attribute table or list of class names
// says of a value.
type Class struct {
	Value float64 `json:"value"`
	Name  string  `json:"name,omitempty"`
	Color *Color  `json:"color,omitempty"`
}

// Histogram counts valid pixels, by value for discrete layers and in bins of
// equal width otherwise.
type Histogram struct {
	Values []ValueCount `json:"values,omitempty"` // sorted by value
	Min    float64      `json:"min"`              // of the first bin
	Max    float64      `json:"max"`              // of the last bin
	Bins   []int64      `json:"bins,omitempty"`
}

// ValueCount is a number of pixels that hold a value.
type ValueCount struct {
	Value float64 `json:"value"`
	Count int64   `json:"count"`
}

// Geographic reports whether coordinates are longitude and latitude.
func (c CRS) Geographic() bool {
	if c.WKT == "" {
		return c.SRID == 4326 || c.SRID == 4258
	}
	return strings.HasPrefix(c.WKT, "GEOGCS") || strings.HasPrefix(c.WKT, "GEOGCRS")
}
