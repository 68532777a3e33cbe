package server

import (
	"fmt"
	"maps"

	"github.com/rasterbase/rasterbase/zonal/report"
)

// aboutJSON says of statistics what they are those of, and how they were made.
type aboutJSON struct {
	Layers    []report.Layer `json:"layers"`
	Formula   string         `json:"formula,omitempty"`
	Band      int            `json:"band"`
	Datatype  string         `json:"datatype"`
	Coverage  string         `json:"coverage"`
	Densified bool           `json:"densified"`
	Level     string         `json:"level"`
	AreaUnit  string         `json:"area_unit,omitempty"`
	Group     string         `json:"group"`
	Total     report.Total   `json:"total"`
	Unclassed *float64       `json:"unclassed,omitempty"`
	Pixels    report.Pixels  `json:"pixels"`
	Made      report.Made    `json:"made"`
}

// statisticsOf gives the statistics of bands by their names, b1 and so on, each with the
// members that TiTiler's have: histogram has the counts and then the edges of the bins,
// or the values. What they are of stands in the member about.
func statisticsOf(all []*report.Document) map[string]map[string]any {
	out := make(map[string]map[string]any, len(all))
	for _, d := range all {
		band := map[string]any{}
		maps.Copy(band, d.Statistics)
		if d.Counts != nil {
			h := histogramOf(d)
			if h != nil {
				band["histogram"] = h
			}
			if h == nil || d.AreaUnit != "" {
				band["counts"] = d.Counts
			}
		}
		band["about"] = aboutJSON{
			Layers: d.Layers, Formula: d.Formula, Band: d.Band, Datatype: d.Datatype, Coverage: d.Coverage, Densified: d.Densified,
			Level: d.Level, AreaUnit: d.AreaUnit, Group: d.Group, Total: d.Total, Unclassed: d.Unclassed, Pixels: d.Pixels, Made: d.Made,
		}
		out[fmt.Sprintf("b%d", d.Band)] = band
	}
	return out
}

// histogramOf is the histogram as TiTiler has it; nil where pixels are counted by a
// legend, whose entries are no numbers.
func histogramOf(d *report.Document) [][]float64 {
	counts, at := []float64{}, []float64{}
	for i, c := range d.Counts {
		switch {
		case c.Value != nil:
			at = append(at, *c.Value)
		case c.Min != nil && c.Max != nil:
			if at = append(at, *c.Min); i == len(d.Counts)-1 {
				at = append(at, *c.Max)
			}
		default:
			return nil
		}
		counts = append(counts, c.Count)
	}
	return [][]float64{counts, at}
}
