package zonal

import (
	"math"
	"slices"
)

// result makes the answer of what was gathered.
func (p *tallyPlan) result(t *part) (BandResult, error) {
	if err := t.err(p); err != nil {
		return BandResult{}, err
	}
	if p.byValue {
		t.moments = momentsOf(t.values)
	}
	out := BandResult{Band: p.band, Group: p.group, Valid: t.valid, Nodata: t.nodata, Area: p.inUnit(t.area)}
	switch p.group {
	case ByValue:
		out.Counts = p.valueRows(t)
	case ByClass:
		out.Counts = p.classRows(t)
	case Histogram:
		out.Counts = p.binRows(t)
	}
	if p.group == ByClass || p.group == Histogram {
		out.Unclassed = t.valid
		for _, r := range out.Counts {
			out.Unclassed -= r.Count
		}
		switch {
		case !p.fraction:
			out.Unclassed = math.Round(out.Unclassed)
		case out.Unclassed < 1e-9*t.valid: // what rounding leaves of none
			out.Unclassed = 0
		}
	}
	if p.stats != 0 {
		out.Statistics = p.statistics(t)
	}
	return out, nil
}

func (p *tallyPlan) inUnit(area float64) float64 {
	if p.unit == 0 {
		return 0
	}
	return area / p.unit
}

func (p *tallyPlan) valueRows(t *part) []Row {
	out := make([]Row, len(t.values))
	sum := 0.0
	for i, v := range t.values {
		out[i] = Row{Value: v.value, Count: v.count, Area: p.inUnit(v.area)}
		if p.rankOrdered {
			sum += v.count
			out[i].Cumulative = min(1, sum/t.valid)
		}
	}
	return out
}

func (p *tallyPlan) classRows(t *part) (out []Row) {
	all := t.classes
	if p.byValue {
		all = make([]sums, p.classes.N)
		for _, v := range t.values {
			if k := p.classes.Of(v.value); k >= 0 {
				all[k].count += v.count
				all[k].area += v.area
			}
		}
	}
	for k, s := range all {
		if s.count > 0 {
			out = append(out, Row{Class: k, Count: s.count, Area: p.inUnit(s.area)})
		}
	}
	return out
}

func (p *tallyPlan) binRows(t *part) []Row {
	low, high := p.low, p.high
	if math.IsNaN(low) {
		low, high = t.moments.min, t.moments.max
	}
	if t.moments.n == 0 && math.IsNaN(p.low) {
		return nil
	}
	low, high = opened(low, high)
	all := t.bins
	if p.byValue {
		all = make([]sums, p.bins)
		for _, v := range t.values {
			if k := binOf(v.value, low, high, p.bins); k >= 0 {
				all[k].count += v.count
				all[k].area += v.area
			}
		}
	}
	out := make([]Row, p.bins)
	for k := range out {
		out[k] = Row{Low: edgeOf(k, low, high, p.bins), High: edgeOf(k+1, low, high, p.bins)}
		if all != nil {
			out[k].Count, out[k].Area = all[k].count, p.inUnit(all[k].area)
		}
	}
	return out
}

// opened is a range that has a width: one of a single value reaches half to either
// side, as numpy has it.
func opened(low, high float64) (float64, float64) {
	if low < high {
		return low, high
	}
	return low - 0.5, high + 0.5
}

// momentsOf makes moments of counted values, in two passes.
func momentsOf(all []valueSum) (m moments) {
	for _, v := range all {
		m.n += v.count
		m.sum += v.count * v.value
	}
	if m.n == 0 {
		return moments{}
	}
	m.mean = m.sum / m.n
	for _, v := range all {
		d := v.value - m.mean
		m.m2 += v.count * d * d
	}
	m.min, m.max = all[0].value, all[len(all)-1].value
	return m
}

func (p *tallyPlan) statistics(t *part) *Statistics {
	m, nan := t.moments, math.NaN()
	out := &Statistics{Mean: nan, Min: nan, Max: nan, Std: nan, Variance: nan, Median: nan, Majority: nan, Minority: nan}
	out.Percentiles = slices.Repeat([]float64{nan}, len(p.percentiles))
	varied := p.stats&(Quantiles|Variety) != 0
	if m.n == 0 {
		out.VarietyKnown = varied
		return out
	}
	out.Count, out.Sum, out.Mean, out.Min, out.Max = m.n, m.sum, m.mean, m.min, m.max
	if !p.kind.IsFloat() && math.Abs(m.sum) < 1<<53 { // which is exact then
		out.Mean = m.sum / m.n
	}
	out.Variance = m.m2 / m.n
	out.Std = math.Sqrt(out.Variance)
	if !varied {
		return out
	}
	all, bound := pixelsOf(t.values), 0.0
	if p.sampled {
		all, bound = t.kept.distribution()
	}
	if p.stats&Quantiles != 0 {
		shares := []float64{0.5}
		for _, v := range p.percentiles {
			shares = append(shares, v/100)
		}
		found := quantiles(all, shares)
		out.Median, out.Percentiles, out.QuantileError = found[0], found[1:], bound
	}
	if out.VarietyKnown = bound == 0; out.VarietyKnown {
		out.Majority, out.Minority, out.Unique = variety(all)
	}
	return out
}
