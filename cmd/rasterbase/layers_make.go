package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/store"
)

type layersMakeCmd struct {
	Name        string `arg:"" help:"What the layer is called."`
	Formula     string `required:"" help:"What is computed of the layers, for instance (b-a)/(b+a)." placeholder:"F"`
	Layers      string `required:"" help:"The layers of the formula's variables: a=dem,b:1=other. After a colon bands are counted from 0." placeholder:"a=L,b:N=L"`
	Grid        string `help:"The variable whose pixels are the layer's own where no zoom is asked for." placeholder:"NAME"`
	Type        string `help:"What the numbers mean: continuous, categorical, mask or rank-ordered; told from the formula otherwise." placeholder:"DATATYPE"`
	Legend      string `help:"Title or id of the legend that colours it." placeholder:"T"`
	Description string `help:"What the layer shows." placeholder:"TEXT"`
	Attribution string `help:"Whom maps must name as the source." placeholder:"TEXT"`
	License     string `help:"Licence of the data." placeholder:"TEXT"`
	JSON        bool   `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "layers make --help".
func (*layersMakeCmd) Help() string {
	return `The layer is computed from the others whenever somebody looks at it: it has no file, nothing is parsed, and it changes when they do. They cannot be deleted as long as it reads them.

Examples:

  rasterbase layers make NDVI --formula "(b-a)/(b+a)" --layers a:3=scene,b:7=scene
  rasterbase layers make "High forest" --formula "(h > 1200) & (c == 41)" --layers h=dem,c=landcover --grid c`
}

// Run makes the layer.
func (c *layersMakeCmd) Run(ctx context.Context, a *app) error {
	l := &rasterbase.Layer{Name: c.Name, Description: c.Description, Attribution: c.Attribution, License: c.License,
		Formula: &rasterbase.LayerFormula{Text: c.Formula, Grid: c.Grid}}
	if err := setLayerType(l, c.Type); err != nil {
		return usageError{named(err, "type")}
	}
	return a.withParser(ctx, 1, func(p *parsing) error {
		var err error
		if l.Formula.Inputs, err = p.formulaInputs(ctx, c.Layers); err != nil {
			return err
		}
		detected, err := p.checkFormula(ctx, l.Formula)
		if err != nil {
			return err
		}
		l.Settings.Datatype = cmp.Or(l.Settings.Datatype, detected)
		if l.Legend, _, err = p.found(ctx, []change{{key: layerKey{name: "legend"}, value: c.Legend}}); err != nil {
			return err
		}
		if _, err := p.parser.Create(ctx, l, rasterbase.SourceFrom{}); err != nil {
			return err
		}
		if !c.JSON {
			fmt.Fprintf(a.stdout, "made layer %d, %s: %s\n", l.ID, l.Slug, l.Settings.Datatype)
			return nil
		}
		doc, err := readLayer(ctx, p.store, l.ID)
		if err != nil {
			return err
		}
		return a.printJSON(doc)
	})
}

// formulaInputs finds the layers of a=1,b:2=dem.
func (p *parsing) formulaInputs(ctx context.Context, text string) ([]rasterbase.FormulaInput, error) {
	var out []rasterbase.FormulaInput
	for one := range strings.SplitSeq(text, ",") {
		in, ref, err := readVariable(one)
		if err != nil {
			return nil, err
		}
		l, err := findLayer(ctx, p.store, ref)
		if err != nil {
			return nil, err
		}
		out = append(out, rasterbase.FormulaInput{Name: in.Variable, Layer: l.ID, Band: in.Band})
	}
	return out, nil
}

// checkFormula opens a formula that a layer is to have, and gives the datatype that is
// told from it.
func (p *parsing) checkFormula(ctx context.Context, f *rasterbase.LayerFormula) (rasterbase.Datatype, error) {
	limits := algebra.Options{MaxNodes: p.conf.FormulaNodes, MaxVariables: p.conf.FormulaVariables}
	cov, err := coverage.CheckFormula(ctx, p.store, *f, limits, coverage.OpenOptions{Transformer: transformer()})
	if err != nil {
		return "", err
	}
	return cov.Describe().Datatype, nil
}

// changedFormula is what changes make of the formula of a layer, and of its datatype,
// which stays told from the formula when it was; nil: they say nothing of it.
func (p *parsing) changedFormula(ctx context.Context, l *rasterbase.Layer, changes []change) (func(*rasterbase.Layer), error) {
	given, typed, untyped := map[string]string{}, false, false
	for _, c := range changes {
		switch c.key.name {
		case "formula", "layers", "grid":
			given[c.key.name] = c.value
		case "type":
			typed, untyped = true, c.value == ""
		}
	}
	if l.Formula == nil {
		for _, name := range []string{"formula", "layers", "grid"} {
			if _, ok := given[name]; ok {
				return nil, rasterbase.Errorf(rasterbase.Invalid, "layer %d is parsed from its source and has no %s", l.ID, name).
					WithHint("`rasterbase layers make` makes a layer of others").WithField(name)
			}
		}
		return nil, nil
	}
	if len(given) == 0 && !untyped {
		return nil, nil
	}
	f := *l.Formula
	if text, ok := given["formula"]; ok {
		f.Text = text
	}
	if grid, ok := given["grid"]; ok {
		f.Grid = grid
	}
	if layers, ok := given["layers"]; ok {
		var err error
		if f.Inputs, err = p.formulaInputs(ctx, layers); err != nil {
			return nil, err
		}
	}
	detected, err := p.checkFormula(ctx, &f)
	if err != nil {
		return nil, err
	}
	follows := untyped
	if !typed {
		was, err := p.checkFormula(ctx, l.Formula)
		follows = err != nil || was == l.Settings.Datatype
	}
	return func(l *rasterbase.Layer) {
		if l.Formula = &f; follows {
			l.Settings.Datatype = detected
		}
	}, nil
}

// formulaDoc is a formula as the commands print it.
type formulaDoc struct {
	Text   string            `json:"text"`
	Layers []formulaInputDoc `json:"layers"`
	Grid   string            `json:"grid,omitempty"`
}

type formulaInputDoc struct {
	Name  string             `json:"name"`
	Layer rasterbase.LayerID `json:"layer"`
	Slug  string             `json:"slug"`
	Band  int                `json:"band"` // from 0
}

// addFormula tells of a layer's formula. It is finished, as it is never parsed, when
// all that it reads is.
func (d *layerDoc) addFormula(ctx context.Context, tx store.Tx, f *rasterbase.LayerFormula) error {
	d.NoSource, d.Datatype = false, d.Settings.Datatype
	d.Status, d.Percent = rasterbase.Finished, 100
	d.Formula = &formulaDoc{Text: f.Text, Layers: []formulaInputDoc{}, Grid: f.Grid}
	for _, in := range f.Inputs {
		l, err := tx.Layers().Get(ctx, in.Layer)
		if err != nil {
			return err
		}
		d.Formula.Layers = append(d.Formula.Layers, formulaInputDoc{in.Name, in.Layer, l.Slug, in.Band})
		if err := d.addUnparsed(ctx, tx, l); err != nil {
			return err
		}
	}
	return nil
}

// addUnparsed notes what keeps a formula from being read: an input that was never
// parsed.
func (d *layerDoc) addUnparsed(ctx context.Context, tx store.Tx, input *rasterbase.Layer) error {
	if input.Formula == nil {
		if input.Published == 0 && d.Error == "" {
			d.Status, d.Percent = rasterbase.Unparsed, 0
			d.Error = fmt.Sprintf("layer %d (%s), which the formula reads, is not parsed yet", input.ID, input.Name)
		}
		return nil
	}
	for _, in := range input.Formula.Inputs {
		l, err := tx.Layers().Get(ctx, in.Layer)
		if err == nil {
			err = d.addUnparsed(ctx, tx, l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inputs lists the layers of the variables as --layers takes them.
func (f *formulaDoc) inputs() string {
	var out []string
	for _, in := range f.Layers {
		name := in.Name
		if in.Band > 0 {
			name += fmt.Sprintf(":%d", in.Band)
		}
		out = append(out, name+"="+in.Slug)
	}
	return strings.Join(out, ",")
}
