package admin

import (
	"slices"
	"strconv"
)

// matrixOf compares zones: the areas of their classes, or their statistics.
func matrixOf(a *askAnswer) *matrix {
	switch {
	case a.Zones[0].Change != nil:
		return changeMatrix(a)
	case !a.Zones[0].Named || len(a.Zones[0].Statistics) > 0:
		return statisticMatrix(a)
	}
	m := &matrix{Caption: "Areas in " + unitName(a.Unit)}
	for _, z := range a.Zones {
		for _, r := range z.Rows {
			if c := (label{r.Name, r.Color}); !slices.Contains(m.Columns, c) {
				m.Columns = append(m.Columns, c)
			}
		}
	}
	for _, z := range a.Zones {
		cells := make([]string, len(m.Columns))
		for _, r := range z.Rows {
			if k := slices.Index(m.Columns, label{r.Name, r.Color}); r.Area != nil {
				cells[k] = amount(*r.Area)
			}
		}
		m.Rows = append(m.Rows, matrixRow{z.Index, z.Name, cells})
	}
	return m
}

// statisticMatrix has a column for each statistic.
func statisticMatrix(a *askAnswer) *matrix {
	m := &matrix{Caption: "Statistics", Columns: []label{{Name: "Pixels"}}}
	for _, f := range a.Zones[0].Statistics {
		m.Columns = append(m.Columns, label{Name: f.Label()})
	}
	for _, z := range a.Zones {
		cells := []string{amount(z.Valid)}
		for _, f := range z.Statistics {
			cells = append(cells, f.Text)
		}
		m.Rows = append(m.Rows, matrixRow{z.Index, z.Name, cells})
	}
	return m
}

// changeMatrix says how much of each zone has changed.
func changeMatrix(a *askAnswer) *matrix {
	m := &matrix{Caption: "Changed", Columns: []label{{Name: "Pixels"}, {Name: "Changed"}, {Name: "Share"}, {Name: "Area, " + unitName(a.Unit)}}}
	for _, z := range a.Zones {
		c := z.Change
		m.Rows = append(m.Rows, matrixRow{z.Index, z.Name, []string{amount(z.Valid), amount(c.Changed), percent(c.Share()), amount(c.Area)}})
	}
	return m
}

// unitName is a unit of area as people write it.
func unitName(unit string) string {
	switch unit {
	case "km2":
		return "km²"
	case "m2":
		return "m²"
	}
	return unit
}

// amount is a number of pixels or of an area, with as many decimals as say something.
func amount(v float64) string {
	switch size := max(v, -v); {
	case v == float64(int64(v)) || size >= 1e6:
		return count(v)
	case size >= 1:
		whole := float64(int64(v))
		decimals := strconv.FormatFloat(size-max(whole, -whole), 'f', 2, 64)
		if decimals == "1.00" { // rounded up
			return count(v) + ".00"
		}
		return count(whole) + decimals[1:]
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// percent is a share as people read it.
func percent(share float64) string {
	v := 100 * share
	if v != 0 && max(v, -v) < 0.01 {
		return "< 0.01 %"
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + " %"
}
