package main

import (
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/zonal"
	"github.com/rasterbase/rasterbase/zonal/report"
)

// flagError is an error of what a flag was given.
func flagError(field, hint, format string, args ...any) error {
	return usageError{rasterbase.Errorf(rasterbase.Invalid, format, args...).WithHint("%s", hint).WithField(field)}
}

// query reads what is counted, but for classes and bands, which are the layer's.
func (c *countCmd) query() (q zonal.Query, err error) {
	if q.Group, err = c.grouping(); err != nil {
		return q, err
	}
	for _, name := range c.statList() {
		need, ok := report.Needs(name)
		if !ok {
			return q, flagError("stats", "one of "+strings.Join(report.StatisticNames(), ", ")+", or all", "there is no statistic %.40q", name)
		}
		q.Stats |= need
	}
	if q.Percentiles, err = numbersIn("percentiles", c.Percentiles, 0, 100); err != nil {
		return q, err
	}
	if len(q.Percentiles) > 0 {
		q.Stats |= zonal.Quantiles
	}
	if c.Range != "" {
		ends, err := numbersIn("range", c.Range, 0, 0)
		if err != nil {
			return q, err
		}
		if len(ends) != 2 || ends[0] >= ends[1] {
			return q, flagError("range", "give two numbers, the lower one first: --range=0,100", "%.40q is no range", c.Range)
		}
		q.Range = &[2]float64{ends[0], ends[1]}
	}
	if c.Bins != nil {
		if q.Bins = int(*c.Bins); q.Bins < 1 {
			return q, flagError("bins", "give a number from 1 on", "%d bins are asked for", q.Bins)
		}
	}
	if (c.Bins != nil || c.Range != "") && q.Group != zonal.Auto && q.Group != zonal.Histogram {
		return q, flagError("group", "leave --bins and --range out, or count by --group histogram", "bins are those of a histogram, not of --group %s", c.Group)
	}
	if q.Area, err = c.areaUnit(); err != nil {
		return q, err
	}
	if c.MaxPixels != nil {
		if q.MaxPixels = int64(*c.MaxPixels); q.MaxPixels < 1 {
			return q, flagError("max-pixels", "give a number from 1 on, or leave it out", "at most %d pixels are to be read", q.MaxPixels)
		}
	}
	return q, nil
}

// grouping is the group; legend and semantics are classes.
func (c *countCmd) grouping() (zonal.Group, error) {
	switch g := strings.ToLower(c.Group); g {
	case "auto", "value", "histogram", "none":
		if c.Legend != "" {
			return "", flagError("legend", "count by --group legend or --group semantics", "a legend is given, and pixels are not counted by it")
		}
		return zonal.Group(g), nil
	case "legend", "semantics":
		return zonal.ByClass, nil
	}
	return "", flagError("group", "one of auto, value, legend, semantics, histogram and none", "there is no group %.40q", c.Group)
}

// statList are the statistics that are asked for, in the order in which they are told.
func (c *countCmd) statList() []string {
	var out []string
	for name := range strings.SplitSeq(c.Stats, ",") {
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "":
		case "all":
			return report.StatisticNames()
		default:
			out = append(out, name)
		}
	}
	return out
}

func (c *countCmd) areaUnit() (zonal.AreaUnit, error) {
	u, err := zonal.ParseAreaUnit(strings.ToLower(c.Area))
	if err != nil {
		return "", usageError{err}
	}
	return u, nil
}

// numbersIn reads a list of numbers within bounds; none where they are equal.
func numbersIn(field, text string, low, high float64) (out []float64, err error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	for s := range strings.SplitSeq(text, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || v-v != 0 || low < high && (v < low || v > high) {
			hint := "give a list of numbers"
			if low < high {
				hint += " from " + decimal(low) + " to " + decimal(high)
			}
			return nil, flagError(field, hint, "%.40q is no such number", s)
		}
		out = append(out, v)
	}
	return out, nil
}

// place is how zones are placed, whose CRS the file says.
func (r *counting) place(said rasterbase.CRS) (p zonal.Placement, err error) {
	p = zonal.Placement{CRS: said, Transformer: transformer(), VerticesOnly: r.cmd.NoDensify}
	if p.Rule, err = footprint.ParseRule(r.cmd.Coverage); err != nil {
		return p, usageError{err}
	}
	if r.cmd.AllTouched {
		p.Rule = footprint.Touched
	}
	if r.cmd.SRID != nil {
		p.CRS = rasterbase.CRS{SRID: int(*r.cmd.SRID)}
	}
	if p.CRS.SRID == 0 && p.CRS.WKT == "" && r.cmd.Zones != "" {
		return p, rasterbase.Errorf(rasterbase.Invalid, "%s does not say in which CRS its zones are", r.cmd.Zones).
			WithHint("give the EPSG code of its coordinates with --srid").WithField("srid")
	}
	return p, nil
}
