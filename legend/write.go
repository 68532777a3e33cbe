package legend

import (
	"math"
	"path"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// WriteFile writes a legend in the form that the extension of a file's name asks
// for:
//
//	.json   all of it, as [MarshalJSON] writes it
//	.csv    all of it
//	.clr    colour text of GDAL and ESRI: single values, or the stops of a gradient;
//	        ranges are stops at both of their ends
//	.txt    colour map of QGIS: single values, ranges, or the stops of a gradient
//	.qml    style of QGIS: the same
//
// [ReadFile] reads them all, and .clr, .txt and .qml give each value the colour
// that the legend gives it, whatever entries overlap; of their texts they keep the
// names. Ranges whose upper end does not belong to them end at the next smaller
// number of 32 bits there, because these programs know no others, and so do stops
// at one place. A named colormap becomes its 256 colours.
//
// Errors have the code unsupported, and for an entry name it and the forms that
// can hold it: formulas that are no ranges are in .json and .csv alone, shares of
// a layer's range in .json, .csv and .clr. See [Fit] for these.
func WriteFile(name string, l *rasterbase.Legend) ([]byte, error) {
	if err := Validate(l); err != nil {
		return nil, err
	}
	switch ext := strings.ToLower(path.Ext(strings.ReplaceAll(name, `\`, "/"))); ext {
	case ".json":
		b, err := MarshalJSON(l)
		return append(b, '\n'), err
	case ".csv":
		return writeCSV(l)
	case ".clr":
		return writeCLR(l)
	case ".txt":
		return writeQGISText(l)
	case ".qml":
		return writeQML(l)
	default:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the extension %q is not that of a legend", ext).
			WithHint("one of %s", fileForms)
	}
}

// itemsOf gives the colours of a legend at values, and how the values between
// them are coloured. form is named in errors.
func itemsOf(l *rasterbase.Legend, form string) ([]colorItem, rasterbase.Interpolation, error) {
	if l.Gradient != nil {
		return stopItems(l.Gradient, form)
	}
	rules, err := newRules(l, false)
	if err != nil {
		return nil, "", err
	}
	c := newClassifier(rules)
	if len(c.opaque) > 0 {
		i := rules[c.opaque[0]].entry
		return nil, "", rasterbase.Errorf(rasterbase.Unsupported, "entry %d (%s): the formula %.60q cannot be written to a %s file, which has values and ranges only",
			i+1, l.Entries[i].Semantics.Name, l.Entries[i].Expression, form).WithHint("write the legend as .json or .csv")
	}
	items, mode := c.rangeItems(l), rasterbase.Discrete
	if c.numbersOnly() {
		items, mode = c.valueItems(l), rasterbase.Exact
	}
	if len(items) == 0 {
		return nil, "", rasterbase.Errorf(rasterbase.Unsupported, "the legend matches no value, so that there is nothing to write to a %s file", form).
			WithHint("write it as .json or .csv")
	}
	return items, mode, nil
}

// itemOf is an entry's colour and name.
func (c *classifier) itemOf(l *rasterbase.Legend, rule int) colorItem {
	e := l.Entries[c.rules[rule].entry]
	return colorItem{color: e.Color, name: e.Semantics.Name}
}

// valueItems are the entries of single values, in the order in which they are
// painted, without those that later ones hide.
func (c *classifier) valueItems(l *rasterbase.Legend) []colorItem {
	var items []colorItem
	for i := range c.rules {
		v := c.rules[i].number
		if math.IsInf(v, 0) || c.find(v) != i {
			continue
		}
		item := c.itemOf(l, i)
		item.value = v
		items = append(items, item)
	}
	return items
}

// rangeItems cover the number line up to the last value that has a colour: each
// with the colour of the cells up to its value.
func (c *classifier) rangeItems(l *rasterbase.Legend) []colorItem {
	var items []colorItem
	last := int32(-1)
	for i, rule := range c.cells {
		low, high := math.Inf(-1), math.Inf(1)
		if i/2 < len(c.breaks) {
			high = c.breaks[i/2]
		}
		if i%2 == 0 && i > 0 {
			low = c.breaks[i/2-1]
		}
		if i%2 == 0 && math.IsNaN(between(low, high)) {
			continue // no number lies there
		}
		if rule != last {
			item := colorItem{}
			if rule > 0 {
				item = c.itemOf(l, int(rule)-1)
			}
			items = append(items, item)
		}
		last = rule
		item := &items[len(items)-1]
		item.value, item.below = high, i%2 == 0 && !math.IsInf(high, 1)
	}
	if last == 0 {
		items = items[:len(items)-1]
	}
	return items
}

// stopItems are the stops of a gradient.
func stopItems(g *rasterbase.Gradient, form string) ([]colorItem, rasterbase.Interpolation, error) {
	shares := relative(g) && g.Min == nil && g.Max == nil && form == ".clr"
	if shares {
		unit := *g // at 0 to 1
		low, high := 0., 1.
		unit.Min, unit.Max = &low, &high
		g = &unit
	}
	if relative(g) && (g.Min == nil || g.Max == nil) {
		return nil, "", rasterbase.Errorf(rasterbase.Unsupported, "a gradient over each layer's own range cannot be written to a %s file", form).
			WithHint("give the gradient a range, or write it as .json, .csv or, where both of its ends are open, .clr").WithField("range")
	}
	stops, mode, err := Stops(g)
	if err != nil {
		return nil, "", err
	}
	if g.Colormap != "" && mode == rasterbase.Discrete {
		stops[len(stops)-1].At = math.Inf(1) // what is beyond the range has the nearer end
	}
	items := make([]colorItem, len(stops))
	for i, s := range stops {
		items[i] = colorItem{value: s.At, percent: shares, color: s.Color, name: s.Name}
	}
	switch mode {
	case rasterbase.Linear:
		items = spread(items)
	case rasterbase.Discrete: // of several at one place, the first counts
		items = slices.CompactFunc(items, func(a, b colorItem) bool { return a.value == b.value })
	default: // the last
		slices.Reverse(items)
		items = slices.CompactFunc(items, func(a, b colorItem) bool { return a.value == b.value })
		slices.Reverse(items)
	}
	return items, mode, nil
}

// spread takes linear stops at one place apart, for programs that know only one
// at each: the first of them ends at the number before.
func spread(items []colorItem) []colorItem {
	var out []colorItem
	for i := 0; i < len(items); {
		n := i + 1
		for n < len(items) && items[n].value == items[i].value {
			n++
		}
		if n > i+1 {
			first := items[i]
			first.value = below32(first.value)
			if len(out) == 0 || out[len(out)-1].value < first.value {
				out = append(out, first)
			}
		}
		out = append(out, items[n-1])
		i = n
	}
	return out
}

// below32 is the number of 32 bits before the one that v is rounded to, as the
// constants of expressions are on pixels of 32 bits. Where there is none it is
// the number of 64 bits before v.
func below32(v float64) float64 {
	w := float64(math.Nextafter32(float32(v), float32(math.Inf(-1))))
	if w < v && !math.IsInf(w, 0) {
		return w
	}
	return math.Nextafter(v, math.Inf(-1))
}

// above32 is the number of 32 bits after v, as below32.
func above32(v float64) float64 { return -below32(-v) }

// ends gives for each discrete item the number that its range ends at, the end
// included, and such that the ends rise.
func ends(items []colorItem) []float64 {
	out := make([]float64, len(items))
	before := math.Inf(-1)
	for i, item := range items {
		out[i] = item.value
		if item.below {
			out[i] = below32(item.value)
			if out[i] <= before {
				out[i] = math.Nextafter(item.value, math.Inf(-1))
			}
		}
		before = out[i]
	}
	return out
}
