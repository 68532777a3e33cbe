package main

import (
	"context"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

type legendsCheckCmd struct {
	Legend string `arg:"" help:"Title or id."`
	Layer  string `arg:"" help:"The layer, by id, slug or file name."`
	Band   whole  `help:"Band whose values are looked at." default:"1" placeholder:"N"`
	JSON   bool   `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "legends check --help".
func (*legendsCheckCmd) Help() string {
	return `It says which valid pixels of a layer match no entry of a legend, and are transparent, and which match several, of which the last one colours them. It reads the histogram of the layer: where that has no count for each value, numbers of pixels are bounds.

Example:

  rasterbase legends check "Land cover" landcover`
}

// checkDoc is what --json prints.
type checkDoc struct {
	Legend  string    `json:"legend"`
	Layer   string    `json:"layer"`
	Band    int       `json:"band"`
	Pixels  int64     `json:"pixels"`
	Exact   bool      `json:"exact"`
	None    misfitDoc `json:"none"`
	Several misfitDoc `json:"several"`
}

type misfitDoc struct {
	AtLeast int64           `json:"at_least"`
	AtMost  int64           `json:"at_most"`
	Ranges  []valueRangeDoc `json:"ranges"`
	More    int             `json:"more,omitempty"` // ranges that are left out
}

type valueRangeDoc struct {
	From   float64 `json:"from"`
	To     float64 `json:"to"`
	Pixels int64   `json:"pixels"`
}

func newMisfitDoc(m legend.Misfit) misfitDoc {
	d := misfitDoc{AtLeast: m.AtLeast, AtMost: m.AtMost, More: m.More, Ranges: []valueRangeDoc{}}
	for _, r := range m.Ranges {
		d.Ranges = append(d.Ranges, valueRangeDoc(r))
	}
	return d
}

// Run looks a layer's values up in a legend.
func (c *legendsCheckCmd) Run(ctx context.Context, a *app) error {
	var l *rasterbase.Legend
	var layer layerBand
	err := a.view(ctx, func(tx store.Tx) (err error) {
		if l, err = store.FindLegend(ctx, tx, c.Legend); err != nil {
			return orListLegends(err)
		}
		layer, err = findBand(ctx, tx, c.Layer, int(c.Band))
		return err
	})
	if err != nil {
		return err
	}
	report, err := legend.Check(l, layer.band)
	if err != nil {
		return err
	}
	d := checkDoc{Legend: l.Title, Layer: layer.Slug, Band: int(c.Band), Pixels: report.Pixels, Exact: report.Exact,
		None: newMisfitDoc(report.None), Several: newMisfitDoc(report.Several)}
	if c.JSON {
		return a.printJSON(d)
	}
	fmt.Fprintf(a.stdout, "%s on %s: %d valid pixels\n", visible(d.Legend), d.Layer, d.Pixels)
	if d.None.AtMost == 0 && d.Several.AtMost == 0 {
		fmt.Fprintln(a.stdout, "each matches one entry")
		return nil
	}
	a.printMisfit(d.None, "no entry and are transparent")
	a.printMisfit(d.Several, "several entries, of which the last one colours them")
	return nil
}

// printMisfit prints how many pixels match what, and their values.
func (a *app) printMisfit(d misfitDoc, what string) {
	if d.AtMost == 0 {
		return
	}
	count := fmt.Sprint(d.AtMost)
	if d.AtLeast != d.AtMost {
		count = fmt.Sprintf("%d to %d", d.AtLeast, d.AtMost)
	}
	fmt.Fprintf(a.stdout, "%s match %s:\n", count, what)
	t := newTable(a.stdout, "", "")
	for _, r := range d.Ranges {
		values := formatValue(r.From)
		if r.From != r.To {
			values += " to " + formatValue(r.To)
		}
		t.row("", values, fmt.Sprintf("%d %s", r.Pixels, plural(int(r.Pixels), "pixel")))
	}
	t.flush()
	if d.More > 0 {
		fmt.Fprintf(a.stdout, "  and %d more ranges of values\n", d.More)
	}
}
