package report

import (
	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/zonal"
)

// Class is a class of values: an entry of a legend, or a semantics.
type Class struct {
	Name       string
	Expression string // of an entry
	Color      string // of an entry
	Code       string // of an entry
	Keyword    string // of a semantics
}

// ByLegend makes a class of each entry of a legend, for pixels of a type. A value
// belongs to the entry that colours it. The error has code invalid for a legend
// without entries.
func ByLegend(l *rasterbase.Legend, t rasterbase.PixelType) (*zonal.Classes, []Class, error) {
	c, err := classifier(l, t)
	if err != nil {
		return nil, nil, err
	}
	out := make([]Class, len(l.Entries))
	for i, e := range l.Entries {
		out[i] = Class{Name: e.Semantics.Name, Expression: e.Expression, Color: e.Color.String(), Code: e.Code}
	}
	return &zonal.Classes{N: len(out), Of: c.Entry}, out, nil
}

// BySemantics makes a class of each semantics of a legend's entries, in the order in
// which they come first.
func BySemantics(l *rasterbase.Legend, t rasterbase.PixelType) (*zonal.Classes, []Class, error) {
	c, err := classifier(l, t)
	if err != nil {
		return nil, nil, err
	}
	var out []Class
	places, of := map[string]int{}, make([]int, len(l.Entries))
	for i, e := range l.Entries {
		k, ok := places[e.Semantics.Name]
		if !ok {
			k = len(out)
			places[e.Semantics.Name] = k
			out = append(out, Class{Name: e.Semantics.Name, Keyword: e.Semantics.Keyword})
		}
		of[i] = k
	}
	return &zonal.Classes{N: len(out), Of: func(v float64) int {
		if i := c.Entry(v); i >= 0 {
			return of[i]
		}
		return -1
	}}, out, nil
}

func classifier(l *rasterbase.Legend, t rasterbase.PixelType) (*legend.Classifier, error) {
	if l == nil || len(l.Entries) == 0 {
		name := "there is no legend"
		if l != nil {
			name = "the legend " + l.Title + " has no entries"
		}
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s to count by", name).
			WithHint("legend= names one; group=value counts by value, group=histogram in bins").WithField("group")
	}
	return legend.Classify(l, t)
}
