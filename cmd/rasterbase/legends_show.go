package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// legendDoc is a legend as the commands print it.
type legendDoc struct {
	ID       rasterbase.LegendID `json:"id"`
	Title    string              `json:"title"`
	Entries  []entryDoc          `json:"entries"`
	Gradient json.RawMessage     `json:"gradient,omitempty"`

	colors string // what there is instead of entries
}

type entryDoc struct {
	Name        string           `json:"name"`
	Description string           `json:"description,omitempty"`
	Keyword     string           `json:"keyword,omitempty"`
	Expression  string           `json:"expression"`
	Color       rasterbase.Color `json:"color"`
	Code        string           `json:"code,omitempty"`
}

func newLegendDoc(l *rasterbase.Legend) legendDoc {
	d := legendDoc{ID: l.ID, Title: l.Title, Entries: []entryDoc{}}
	for _, e := range legend.Order(l).Entries {
		s := e.Semantics
		d.Entries = append(d.Entries, entryDoc{s.Name, s.Description, s.Keyword, e.Expression, e.Color, e.Code})
	}
	d.colors = strconv.Itoa(len(d.Entries))
	if l.Gradient != nil {
		d.colors = gradientText(l.Gradient)
		// A gradient that was stored can be written.
		d.Gradient, _ = legend.MarshalColormap(l)
	}
	return d
}

// gradientText says in a few words what a gradient is.
func gradientText(g *rasterbase.Gradient) string {
	if g.Colormap != "" {
		return g.Colormap
	}
	mode := g.Interpolation
	if mode == "" {
		mode = rasterbase.Linear
	}
	return fmt.Sprintf("%s, %d %s", mode, len(g.Stops), plural(len(g.Stops), "stop"))
}

// rangeText says over which values a gradient lies; empty: its stops say so.
func rangeText(g *rasterbase.Gradient) string {
	if !g.Relative && g.Colormap == "" {
		return ""
	}
	end := func(v *float64, own string) string {
		if v == nil {
			return own
		}
		return formatValue(*v)
	}
	return fmt.Sprintf("from %s to %s", end(g.Min, "the layer's smallest value"), end(g.Max, "the layer's largest value"))
}

func formatValue(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

type legendsShowCmd struct {
	Legend string `arg:"" help:"Title or id."`
	JSON   bool   `name:"json" help:"Print one JSON document."`
}

// Run prints a legend.
func (c *legendsShowCmd) Run(ctx context.Context, a *app) error {
	l, err := a.legend(ctx, c.Legend)
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(newLegendDoc(l))
	}
	if l.Gradient != nil {
		return a.printGradient(l.Gradient)
	}
	t := newTable(a.stdout, "COLOUR", "VALUES", "NAME")
	for _, e := range legend.Order(l).Entries {
		t.row(e.Color.String(), e.Expression, e.Semantics.Name)
	}
	t.flush()
	return nil
}

// printGradient prints what a gradient is and its stops.
func (a *app) printGradient(g *rasterbase.Gradient) error {
	t := newTable(a.stdout, "", "")
	t.row("gradient", gradientText(g))
	if r := rangeText(g); r != "" {
		t.row("values", r)
	}
	t.flush()
	if g.Colormap != "" {
		return nil
	}
	t = newTable(a.stdout, "COLOUR", "VALUE", "NAME")
	for _, s := range g.Stops {
		at := formatValue(s.At)
		if g.Relative {
			at = strconv.FormatFloat(s.At*100, 'g', 10, 64) + "%"
		}
		t.row(s.Color.String(), at, s.Name)
	}
	t.flush()
	return nil
}
