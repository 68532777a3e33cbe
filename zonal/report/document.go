package report

import (
	"math"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/zonal"
)

// Layer is a layer that was counted, or that a formula reads.
type Layer struct {
	ID       rasterbase.LayerID    `json:"id"`
	Name     string                `json:"name"`
	Slug     string                `json:"slug"`
	Revision rasterbase.RevisionID `json:"revision,omitempty"` // absent of layers made of a formula
	Checksum string                `json:"source_checksum,omitempty"`
}

// LayersOf tells of layers that a coverage is, or is made of, with the revisions of them
// that it reads.
func LayersOf(c coverage.Coverage, layers []*rasterbase.Layer) []Layer {
	read := map[rasterbase.LayerID]*rasterbase.Revision{}
	var visit func(c coverage.Coverage)
	visit = func(c coverage.Coverage) {
		switch c := c.(type) {
		case *coverage.Layer:
			read[c.Layer().ID] = c.Revision()
		case interface{ Inputs() []coverage.Input }:
			for _, in := range c.Inputs() {
				visit(in.Coverage)
			}
		}
	}
	visit(c)
	out := make([]Layer, len(layers))
	for i, l := range layers {
		out[i] = Layer{ID: l.ID, Name: l.Name, Slug: l.Slug}
		if rev := read[l.ID]; rev != nil {
			out[i].Revision, out[i].Checksum = rev.ID, rev.SourceChecksum
		}
	}
	return out
}

// Subject is what was counted, and how.
type Subject struct {
	Layers      []Layer // the first is the one that was counted, unless that is a formula
	Formula     string
	Datatype    rasterbase.Datatype
	Bands       []rasterbase.Band
	Placement   zonal.Placement
	Area        zonal.AreaUnit
	Grouping    string // legend or semantics, of classes
	Classes     []Class
	Percentiles []float64
	// Only names the statistics that are told; nil: all that are known.
	Only []string
}

// Document is an answer for one band of one zone.
type Document struct {
	Layers    []Layer `json:"layers"`
	Formula   string  `json:"formula,omitempty"`
	Band      int     `json:"band"` // from 1
	Datatype  string  `json:"datatype"`
	Group     string  `json:"group"`     // value, legend, semantics, histogram or none
	Coverage  string  `json:"coverage"`  // which pixels: center, touched or fraction
	Densified bool    `json:"densified"` // edges are straight in the geometry's own CRS
	Level     string  `json:"level"`     // base, or zoom and a number
	AreaUnit  string  `json:"area_unit,omitempty"`

	Counts     []Count        `json:"counts"` // null where nothing is grouped
	Total      Total          `json:"total"`
	Unclassed  *float64       `json:"unclassed,omitempty"` // pixels of no class or bin
	Pixels     Pixels         `json:"pixels"`
	Statistics map[string]any `json:"statistics,omitempty"`
	Made       Made           `json:"made"`
}

// Subject names what was counted, the formula or the layer, and of a layer that was
// parsed its revision and its source's checksum.
func (d *Document) Subject() (name, revision, checksum string) {
	if d.Formula != "" || len(d.Layers) == 0 {
		return d.Formula, "", ""
	}
	l := d.Layers[0]
	return l.Slug, l.revision(), l.Checksum
}

// revision is its number, and empty of layers made of a formula.
func (l Layer) revision() string {
	if l.Revision == 0 {
		return ""
	}
	return strconv.FormatInt(int64(l.Revision), 10)
}

// Count is a row of counts.
type Count struct {
	Value      *float64 `json:"value,omitempty"` // by value
	Name       *string  `json:"name,omitempty"`  // of a legend's entry, or a semantics
	Expression string   `json:"expression,omitempty"`
	Color      string   `json:"color,omitempty"`
	Code       string   `json:"code,omitempty"`
	Min        *float64 `json:"min,omitempty"` // of bins
	Max        *float64 `json:"max,omitempty"`
	Count      float64  `json:"count"`
	Share      float64  `json:"share"` // of the valid pixels, from 0 to 1
	Area       *float64 `json:"area,omitempty"`
	Cumulative *float64 `json:"cumulative_share,omitempty"` // of rank ordered values
}

// Total are the valid pixels.
type Total struct {
	Count float64  `json:"count"`
	Area  *float64 `json:"area,omitempty"`
}

// Pixels are those that the geometry holds.
type Pixels struct {
	Valid   float64  `json:"valid"`
	Nodata  float64  `json:"nodata"`
	Outside *float64 `json:"outside"` // beyond the coverage; null: not known
}

// Made says how an answer was made.
type Made struct {
	Exact              bool     `json:"exact"`
	QuantileError      *float64 `json:"quantile_error,omitempty"`
	TilesFromSummaries int64    `json:"tiles_from_summaries"`
	SummaryPages       int64    `json:"summary_pages"`
	TilesRead          int64    `json:"tiles_read"`
	PixelsRead         int64    `json:"pixels_read"`
}

// New makes the document of a band of a result, by its place in the result.
func New(s *Subject, r *zonal.Result, band int) *Document {
	b := &r.Bands[band]
	d := &Document{
		Layers: s.Layers, Formula: s.Formula, Band: b.Band + 1, Datatype: string(s.Datatype), Group: string(b.Group),
		Coverage: s.Placement.Rule.String(), Densified: !s.Placement.VerticesOnly, Level: LevelName(r.Made.Level), AreaUnit: string(s.Area),
		Pixels: PixelsOf(b.Valid, b.Nodata, r.Made.Outside), Made: MadeOf(r.Made),
	}
	if b.Group == zonal.ByClass {
		d.Group = s.Grouping
	}
	d.Total = Total{Count: b.Valid, Area: s.area(b.Area)}
	if b.Group != zonal.NoGroup {
		d.Counts = make([]Count, len(b.Counts))
		for i, row := range b.Counts {
			d.Counts[i] = s.count(b, row)
		}
	}
	if b.Group == zonal.ByClass || b.Group == zonal.Histogram {
		d.Unclassed = &b.Unclassed
	}
	if b.Statistics != nil {
		d.Statistics = s.Statistics(b)
		if e := b.Statistics.QuantileError; e > 0 {
			d.Made.QuantileError = &e
		}
	}
	return d
}

func (s *Subject) area(v float64) *float64 {
	if s.Area == "" {
		return nil
	}
	return &v
}

func (s *Subject) count(b *zonal.BandResult, row zonal.Row) Count {
	out := Count{Count: row.Count, Area: s.area(row.Area)}
	if b.Valid > 0 {
		out.Share = row.Count / b.Valid
	}
	switch b.Group {
	case zonal.ByValue:
		v := s.value(b.Band, row.Value)
		out.Value = &v
		if s.Datatype == rasterbase.RankOrdered {
			out.Cumulative = &row.Cumulative
		}
	case zonal.ByClass:
		c := s.Classes[row.Class]
		out.Name, out.Expression, out.Color, out.Code = &c.Name, c.Expression, c.Color, c.Code
	case zonal.Histogram:
		out.Min, out.Max = &row.Low, &row.High
	}
	return out
}

// value is a value as it is told: the shortest number that is the same in the band's
// type.
func (s *Subject) value(band int, v float64) float64 {
	if s.Bands[band].PixelType != rasterbase.Float32 {
		return v
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64)
	if err != nil { // never: it was just written
		return v
	}
	return short
}

// Needs is what has to be found out for a statistic; false: there is none of the name.
func Needs(statistic string) (zonal.Stats, bool) {
	switch statistic {
	case "median":
		return zonal.Quantiles, true
	case "majority", "minority", "unique":
		return zonal.Variety, true
	}
	return zonal.Moments, contains(StatisticNames(), statistic)
}

// StatisticNames are those of the statistics but for percentiles, as TiTiler has them,
// in the order in which they are told.
func StatisticNames() []string {
	return []string{"count", "sum", "mean", "min", "max", "std", "variance", "median", "majority", "minority", "unique"}
}

// Statistics are those of a band by their names. What is not known is nil.
func (s *Subject) Statistics(b *zonal.BandResult) map[string]any {
	st := b.Statistics
	known := func(v float64) any {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return v
	}
	of := func(v float64) any { return known(s.value(b.Band, v)) }
	all := map[string]any{
		"count": st.Count, "sum": known(st.Sum), "mean": known(st.Mean), "min": of(st.Min), "max": of(st.Max),
		"std": known(st.Std), "variance": known(st.Variance), "median": known(st.Median),
		"majority": of(st.Majority), "minority": of(st.Minority), "unique": nil,
	}
	if st.VarietyKnown {
		all["unique"] = st.Unique
	}
	out := map[string]any{}
	for name, v := range all {
		if s.Only == nil || contains(s.Only, name) {
			out[name] = v
		}
	}
	for i, p := range s.Percentiles {
		out[PercentileName(p)] = known(st.Percentiles[i])
	}
	out["valid_pixels"], out["masked_pixels"] = b.Valid, b.Nodata
	if n := b.Valid + b.Nodata; n > 0 {
		out["valid_percent"] = 100 * b.Valid / n
	} else {
		out["valid_percent"] = nil
	}
	return out
}

func contains(all []string, name string) bool {
	for _, one := range all {
		if one == name {
			return true
		}
	}
	return false
}

// PercentileName is the name of a percentile: percentile_98.
func PercentileName(p float64) string { return "percentile_" + strconv.FormatFloat(p, 'f', -1, 64) }

// LevelName names a level: base, or zoom 7.
func LevelName(l coverage.Level) string {
	if l == coverage.BaseLevel {
		return "base"
	}
	return "zoom " + strconv.Itoa(l.Zoom)
}

// PixelsOf tells of pixels; outside below 0 is not known.
func PixelsOf(valid, nodata, outside float64) Pixels {
	out := Pixels{Valid: valid, Nodata: nodata}
	if outside >= 0 {
		out.Outside = &outside
	}
	return out
}

// MadeOf tells how an answer was made.
func MadeOf(m zonal.Made) Made {
	return Made{Exact: m.Exact, TilesFromSummaries: m.SummaryTiles, SummaryPages: m.SummaryPages, TilesRead: m.TilesRead, PixelsRead: m.PixelsRead}
}

// Table is the document of a cross-tabulation.
type Table struct {
	Layers    []Layer     `json:"layers"`
	Coverage  string      `json:"coverage"`
	Densified bool        `json:"densified"`
	Level     string      `json:"level"`
	Rows      []float64   `json:"rows"`    // values of the first band
	Columns   []float64   `json:"columns"` // of the second
	Counts    [][]float64 `json:"counts"`
	Areas     [][]float64 `json:"areas,omitempty"`
	AreaUnit  string      `json:"area_unit,omitempty"`
	Pixels    Pixels      `json:"pixels"`
	Made      Made        `json:"made"`
}

// NewTable makes the document of a cross-tabulation.
func NewTable(s *Subject, t *zonal.Table) *Table {
	return &Table{
		Layers: s.Layers, Coverage: s.Placement.Rule.String(), Densified: !s.Placement.VerticesOnly, Level: LevelName(t.Made.Level),
		Rows: orEmpty(t.Rows), Columns: orEmpty(t.Columns), Counts: orEmpty(t.Counts), Areas: t.Areas, AreaUnit: string(s.Area),
		Pixels: PixelsOf(t.Valid, t.Nodata, t.Made.Outside), Made: MadeOf(t.Made),
	}
}

func orEmpty[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// ParseRule is footprint.ParseRule; all_touched is another name of the second one.
func ParseRule(text string, allTouched bool) (footprint.Rule, error) {
	if text == "" && allTouched {
		return footprint.Touched, nil
	}
	if text == "" {
		return footprint.Centre, nil
	}
	rule, err := footprint.ParseRule(text)
	if err == nil && allTouched && rule != footprint.Touched {
		return rule, rasterbase.Errorf(rasterbase.Invalid, "all_touched and coverage=%s do not go together", text).WithHint("leave out one of them").WithField("all_touched")
	}
	return rule, err
}
