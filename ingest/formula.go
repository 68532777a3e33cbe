package ingest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// createFormula saves a new layer with a formula. There is nothing to be parsed.
func (p *Parser) createFormula(ctx context.Context, l *rasterbase.Layer, from rasterbase.SourceFrom) (rasterbase.Ticket, error) {
	if from != (rasterbase.SourceFrom{}) {
		return rasterbase.Ticket{}, rasterbase.Errorf(rasterbase.Invalid, "a layer is made of a formula or of a source, not of both").WithField("source")
	}
	layer := rasterbase.Layer{
		Slug: l.Slug, Name: l.Name, Description: l.Description, Attribution: l.Attribution, License: l.License,
		Settings: l.Settings, Legend: l.Legend, Visibility: cmp.Or(l.Visibility, p.c.Visibility), Formula: l.Formula,
	}
	var t rasterbase.Ticket
	err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		made := layer
		if err := checkLayer(ctx, tx, &made, nil); err != nil {
			return err
		}
		if err := tx.Layers().Create(ctx, &made); err != nil {
			return err
		}
		t, *l = rasterbase.Ticket{Layer: made.ID}, made
		return nil
	})
	return t, err
}

// CheckFormulaSettings refuses settings that a layer with a formula has no use for:
// all but the datatype. The error is as those of [CheckSettings].
func CheckFormulaSettings(s rasterbase.Settings) error {
	for _, one := range []struct {
		name  string
		given bool
	}{
		{"srid", s.SRID != 0}, {"nodata", s.Nodata != nil}, {"max-zoom", s.MaxZoom != nil}, {"next-lower", s.NextLower},
		{"no-pyramid", s.NoPyramid}, {"resampling", s.Resampling != ""}, {"tilesize", s.TileSize != 0}, {"subdataset", s.Subdataset != ""},
	} {
		if one.given {
			return rasterbase.Errorf(rasterbase.Invalid, "a formula has no %s of its own", one.name).
				WithHint("it has that of the layers that it reads; of the settings it takes the datatype alone").WithField(one.name)
		}
	}
	return CheckSettings(s)
}

// neverParsed is the error of parsing a layer with a formula.
func neverParsed(l *rasterbase.Layer) error {
	return rasterbase.Errorf(rasterbase.Invalid, "layer %d is a formula, it is never parsed", l.ID).
		WithHint("it shows what the layers that it reads show now: parse %s", inputsOf(l.Formula))
}

// noSource is the error of giving a layer with a formula a source.
func noSource(l *rasterbase.Layer) error {
	return rasterbase.Errorf(rasterbase.Invalid, "layer %d is a formula and has no source", l.ID).
		WithHint("change the formula, or make another layer").WithField("source")
}

// inputsOf lists the layers that a formula reads, by their ids.
func inputsOf(f *rasterbase.LayerFormula) string {
	var ids []string
	for _, in := range f.Inputs {
		if id := fmt.Sprint(in.Layer); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, ", ")
}
