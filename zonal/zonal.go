package zonal

import (
	"context"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
)

// Group says which pixels are counted together.
type Group string

// Groups.
const (
	Auto      Group = "auto"      // by value of discrete coverages, in bins of others
	ByValue   Group = "value"     // each distinct value, up to rasterbase.MaxDistinct of them
	ByClass   Group = "class"     // the classes of Query.Classes
	Histogram Group = "histogram" // bins of equal width
	NoGroup   Group = "none"      // nothing is counted: statistics alone
)

// Classes puts values into classes, as a legend's entries do.
type Classes struct {
	N  int                 // how many there are
	Of func(v float64) int // the class of a value, from 0; -1: none. Several goroutines call it
}

// Stats chooses statistics.
type Stats uint8

// Statistics that can be asked for, to be put together with |.
const (
	// Moments are count, sum, mean, min, max, std and variance. They need no pixels
	// of tiles that lie inside.
	Moments Stats = 1 << iota
	// Quantiles are the median and the percentiles asked for.
	Quantiles
	// Variety is how many values there are, and which is the most and the least
	// frequent.
	Variety
)

// AreaUnit is a unit of ground area; empty for none.
type AreaUnit string

// Units of area.
const (
	SquareMetres     AreaUnit = "m2"
	Hectares         AreaUnit = "ha"
	SquareKilometres AreaUnit = "km2"
	Acres            AreaUnit = "acres" // international: 4046.8564224 m2
)

// Placement says how geometries are placed in the pixels of a coverage.
type Placement struct {
	Level       coverage.Level // the zero Level is the base grid
	Rule        footprint.Rule
	CRS         rasterbase.CRS  // of the geometries; the zero CRS is EPSG:4326
	Transformer crs.Transformer // nil: closed forms only
	// VerticesOnly moves vertices and leaves the edges between them straight in the
	// coverage's CRS, as PostGIS does.
	VerticesOnly bool
	// MaxVertices is the most vertices of one geometry; 0: any number.
	MaxVertices int
}

// Query says what is counted. The zero Query counts by Auto.
type Query struct {
	// Bands count from 0. None are the first for counts, and all for statistics alone.
	Bands   []int
	Group   Group       // empty: Auto
	Classes *Classes    // of ByClass
	Bins    int         // of Histogram; 0: 10, or those that the layer keeps when it is counted whole, and nothing else
	Range   *[2]float64 // of Histogram; nil: from the least to the greatest of what is counted
	Stats   Stats
	// Percentiles are from 0 to 100, of Quantiles.
	Percentiles []float64
	Area        AreaUnit
	// MaxPixels is the most pixels that may be read; 0: any number. The error has
	// code too large, and comes before anything is read.
	MaxPixels int64
	Workers   int // that read and count at once; 0: runtime.GOMAXPROCS
	// Progress is told now and then how many of the tiles to be read are. It is
	// called by one goroutine at a time.
	Progress func(done, planned int64)
}

// Options is all that one answer for one geometry needs.
type Options struct {
	Placement
	Query
}

// Result is the answer for one geometry.
type Result struct {
	Bands []BandResult // in the order of Query.Bands
	Made  Made
}

// BandResult is what was counted of a band.
type BandResult struct {
	Band   int   // from 0
	Group  Group // ByValue, ByClass, Histogram or NoGroup
	Counts []Row // by value, class or bin, in rising order; without those that have no pixel, bins apart
	// Valid and Nodata are the pixels that the geometry holds and that lie in the
	// coverage, fractions of them where fractions are counted.
	Valid, Nodata float64
	Area          float64 // of the valid ones, in Query.Area
	// Unclassed are valid pixels that no class or bin holds.
	Unclassed  float64
	Statistics *Statistics // nil: none asked for
}

// Row is how many pixels have a value, are of a class, or lie in a bin.
type Row struct {
	Value     float64 // ByValue
	Class     int     // ByClass
	Low, High float64 // Histogram: from Low to below High, the last one with High
	Count     float64 // a whole number, but for footprint.Fraction
	Area      float64 // in Query.Area; 0 when none was asked for
	// Cumulative is the share of the valid pixels with this value or a lower one,
	// from 0 to 1: of rank ordered coverages, by value.
	Cumulative float64
}

// Statistics are those of the valid pixels, weighted by the share of each that is
// covered where fractions are counted. All are NaN where there is no pixel, but for
// Count, Sum and Unique, which are 0.
type Statistics struct {
	Count, Sum, Mean, Min, Max float64
	Std, Variance              float64 // of the population
	Median                     float64
	Percentiles                []float64 // as asked for
	// QuantileError is how far Median and Percentiles may be from the exact ones;
	// 0: they are exact. Between two values they are interpolated.
	QuantileError float64
	// Majority and Minority are the most and the least frequent value, the lowest of
	// several. VarietyKnown is false when there were too many values to tell.
	Majority, Minority float64
	Unique             int64 // how many values there are
	VarietyKnown       bool
}

// Made says how an answer was made.
type Made struct {
	Level coverage.Level // whose pixels were counted
	// SummaryTiles are the tiles that were answered from summaries, alone or in pages
	// of them; TilesRead those whose pixels were read.
	SummaryTiles, TilesRead int64
	SummaryPages            int64 // that were read
	PixelsRead              int64
	// Outside are the pixels of the geometry beyond the coverage; -1: not known, where
	// it is much larger than the coverage.
	Outside float64
	// Exact is false where an answer has a bound: see Statistics.QuantileError.
	Exact bool
}

// Table is a cross-tabulation: how many pixels have one value in the first band and
// another in the second.
type Table struct {
	Rows, Columns []float64   // the values of the first and of the second band, rising
	Counts        [][]float64 // by row and column
	Areas         [][]float64 // the same in Query.Area; nil when none was asked for
	// Valid are the pixels that are valid in both; Nodata the others that the
	// geometry holds.
	Valid, Nodata float64
	Made          Made
}

// ZoneError is an error of one of several geometries.
type ZoneError struct {
	Index int // of the geometry
	Err   error
}

// Error implements error.
func (e *ZoneError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *ZoneError) Unwrap() error { return e.Err }

// ValueCount counts a coverage inside a geometry, and whole for a nil one. The error
// has code invalid for a geometry that cannot be placed, too large where a limit of
// the options is passed, not found where the level is not there, and unsupported where
// there is no transform between the CRSs.
func ValueCount(ctx context.Context, cov coverage.Coverage, g orb.Geometry, o Options) (*Result, error) {
	z, err := Place(ctx, cov.Describe(), o.Placement, []orb.Geometry{g})
	if err != nil {
		return nil, err
	}
	all, err := Count(ctx, cov, z, o.Query)
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}
