package sqlcatalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// inputOf is an input with the layer whose formula has it.
type inputOf struct {
	layer rasterbase.LayerID
	rasterbase.FormulaInput
	position int
}

// addInputs reads the inputs of the layers that have a formula.
func (x layers) addInputs(ctx context.Context, list ...*rasterbase.Layer) error {
	formulas := map[rasterbase.LayerID]*rasterbase.LayerFormula{}
	var ids []rasterbase.LayerID
	for _, l := range list {
		if l.Formula != nil {
			formulas[l.ID] = l.Formula
			ids = append(ids, l.ID)
		}
	}
	found, err := findRows(ctx, x.Tx, ids, func(row Row) (in inputOf, err error) {
		err = row.Scan(&in.layer, &in.position, &in.Name, &in.Layer, &in.Band)
		return in, err
	}, `SELECT layer_id, position, name, input_id, band FROM @layer_inputs WHERE`, `layer_id`)
	if err != nil {
		return fmt.Errorf("reading the inputs of formulas: %w", err)
	}
	slices.SortFunc(found, func(a, b inputOf) int { return a.position - b.position })
	for _, in := range found {
		f := formulas[in.layer]
		f.Inputs = append(f.Inputs, in.FormulaInput)
	}
	return nil
}

// putInputs stores the inputs of a layer's formula, if it has one, in place of
// those that are there.
func (x layers) putInputs(ctx context.Context, id rasterbase.LayerID, f *rasterbase.LayerFormula) error {
	if f == nil {
		return nil
	}
	if _, err := x.exec(ctx, `DELETE FROM @layer_inputs WHERE layer_id = ?`, id); err != nil {
		return fmt.Errorf("replacing the inputs of a formula: %w", err)
	}
	rows := make([]inputOf, len(f.Inputs))
	for i, in := range f.Inputs {
		rows[i] = inputOf{id, in, i}
	}
	err := putRows(ctx, x.Tx, rows, func(in inputOf) []any {
		return []any{in.layer, in.position, in.Name, in.Layer, in.Band}
	}, `INSERT INTO @layer_inputs (layer_id, position, name, input_id, band) VALUES`, ``)
	if err != nil {
		return fmt.Errorf("storing the inputs of a formula: %w", err)
	}
	return nil
}

// checkFormula looks whether a layer can have a formula: its inputs are there, it
// does not read itself, and formulas do not stand too deep on one another. A layer
// that is not stored yet has own 0.
func (x layers) checkFormula(ctx context.Context, own rasterbase.LayerID, f *rasterbase.LayerFormula) error {
	if f == nil {
		return nil
	}
	ids, err := x.checkInputs(ctx, f)
	if err != nil {
		return err
	}
	below := 0
	for level := ids; len(level) > 0 && below <= store.MaxFormulaDepth; below++ {
		if own != 0 && slices.Contains(level, own) {
			return rasterbase.Errorf(rasterbase.Invalid, "layer %d would read itself%s", own, byWayOf(ids, own)).
				WithHint("a formula cannot read its own layer, nor one that is made of it").WithField("formula")
		}
		if level, err = x.neighbours(ctx, level, `input_id`, `layer_id`); err != nil {
			return err
		}
	}
	above := 0
	if own != 0 {
		for level := []rasterbase.LayerID{own}; above <= store.MaxFormulaDepth; above++ {
			if level, err = x.neighbours(ctx, level, `layer_id`, `input_id`); err != nil {
				return err
			}
			if len(level) == 0 {
				break
			}
		}
	}
	if below+above > store.MaxFormulaDepth {
		return rasterbase.Errorf(rasterbase.Invalid, "formulas would stand on one another more than %d deep", store.MaxFormulaDepth).
			WithHint("read the layers further down directly").WithField("formula")
	}
	return nil
}

// byWayOf tells of the inputs that lead a formula back to its own layer.
func byWayOf(inputs []rasterbase.LayerID, own rasterbase.LayerID) string {
	if slices.Contains(inputs, own) {
		return ""
	}
	return fmt.Sprintf(" by way of %s", layerNumbers(inputs))
}

// layerNumbers lists layers by their ids: layer 7, layers 7, 8.
func layerNumbers(ids []rasterbase.LayerID) string {
	text := make([]string, len(ids))
	for i, id := range ids {
		text[i] = fmt.Sprint(id)
	}
	if len(ids) == 1 {
		return "layer " + text[0]
	}
	return "layers " + strings.Join(text, ", ")
}

// checkInputs gives the layers that a formula reads, each once, if all are there.
func (x layers) checkInputs(ctx context.Context, f *rasterbase.LayerFormula) ([]rasterbase.LayerID, error) {
	var ids []rasterbase.LayerID
	for _, in := range f.Inputs {
		if !slices.Contains(ids, in.Layer) {
			ids = append(ids, in.Layer)
		}
	}
	found, err := findRows(ctx, x.Tx, ids, scanLayerID, `SELECT id FROM @layers WHERE`, `id`)
	if err != nil {
		return nil, fmt.Errorf("looking for the inputs of a formula: %w", err)
	}
	for _, in := range f.Inputs {
		if !slices.Contains(found, in.Layer) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "there is no layer %d for %s of the formula", in.Layer, in.Name).WithField("formula")
		}
	}
	return ids, nil
}

func scanLayerID(row Row) (id rasterbase.LayerID, err error) {
	err = row.Scan(&id)
	return id, err
}

// neighbours gives the layers one step up or down from a list, each once: wanted
// is the column of layer_inputs that has them, known that which has the list.
func (x layers) neighbours(ctx context.Context, list []rasterbase.LayerID, wanted, known string) ([]rasterbase.LayerID, error) {
	found, err := findRows(ctx, x.Tx, list, scanLayerID, `SELECT DISTINCT `+wanted+` FROM @layer_inputs WHERE`, known)
	if err != nil {
		return nil, fmt.Errorf("following formulas: %w", err)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func (x layers) ReadBy(ctx context.Context, id rasterbase.LayerID) ([]*rasterbase.Layer, error) {
	if exists, err := x.exists(ctx, `SELECT 1 FROM @layers WHERE id = ?`, id); err != nil {
		return nil, fmt.Errorf("looking for layer %d: %w", id, err)
	} else if !exists {
		return nil, noLayer(id)
	}
	list, err := collect(ctx, x.Tx, scanLayer, `WITH RECURSIVE reading (id) AS (
			SELECT layer_id FROM @layer_inputs WHERE input_id = ?
			UNION SELECT i.layer_id FROM @layer_inputs i JOIN reading ON i.input_id = reading.id
		) SELECT `+layerColumns+` FROM @layers l JOIN reading ON reading.id = l.id ORDER BY l.id`, id)
	if err == nil {
		err = x.addInputs(ctx, list...)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for what reads layer %d: %w", id, err)
	}
	return list, nil
}

// mostNamed is how many layers an error names.
const mostNamed = 5

// checkUnread looks whether no formula reads a layer.
func (x layers) checkUnread(ctx context.Context, id rasterbase.LayerID) error {
	type reader struct {
		id   rasterbase.LayerID
		name string
	}
	list, err := collect(ctx, x.Tx, func(row Row) (r reader, err error) {
		err = row.Scan(&r.id, &r.name)
		return r, err
	}, `SELECT l.id, l.name FROM @layers l WHERE l.id IN (SELECT layer_id FROM @layer_inputs WHERE input_id = ?) ORDER BY l.id`, id)
	if err != nil {
		return fmt.Errorf("looking for what reads layer %d: %w", id, err)
	}
	if len(list) == 0 {
		return nil
	}
	var names []string
	for _, r := range list[:min(len(list), mostNamed)] {
		names = append(names, fmt.Sprintf("%d (%s)", r.id, r.name))
	}
	text := strings.Join(names, ", ")
	if more := len(list) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return store.StillRead(id, text)
}
