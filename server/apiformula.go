package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/store"
)

// formulaJSON is the formula of a layer as it is told. It can be sent back.
type formulaJSON struct {
	Text   string             `json:"text"`
	Layers []formulaInputJSON `json:"layers"`
	Grid   string             `json:"grid,omitempty"` // the name whose pixels are the layer's own
}

// formulaInputJSON is a band of a layer under the name of a variable.
type formulaInputJSON struct {
	Name  string             `json:"name"`
	Layer rasterbase.LayerID `json:"layer"`
	Slug  string             `json:"slug"` // of the layer
	Band  int                `json:"band"` // from 0, as in the parameter layers
}

// unparsedInput is why a formula has nothing to show: it reads, itself or by way of
// others, a layer that was never parsed.
type unparsedInput struct{ layer *rasterbase.Layer }

func (e *unparsedInput) Error() string {
	return fmt.Sprintf("layer %d (%s), which the formula reads, is not parsed yet", e.layer.ID, e.layer.Name)
}

// readLayerFormula reads what is told of a layer's formula, and whether all that it
// reads is parsed; nil for a layer without one.
func readLayerFormula(ctx context.Context, tx store.Tx, l *rasterbase.Layer) (doc *formulaJSON, unread, err error) {
	if l.Formula == nil {
		return nil, nil, nil
	}
	doc = &formulaJSON{Text: l.Formula.Text, Layers: []formulaInputJSON{}, Grid: l.Formula.Grid}
	read := map[rasterbase.LayerID]*rasterbase.Layer{}
	for _, in := range l.Formula.Inputs {
		missing, err := readInput(ctx, tx, in.Layer, read)
		if err != nil {
			return nil, nil, fmt.Errorf("read the inputs of layer %d: %w", l.ID, internal(err))
		}
		if unread == nil && missing != nil {
			unread = &unparsedInput{missing}
		}
		doc.Layers = append(doc.Layers, formulaInputJSON{Name: in.Name, Layer: in.Layer, Slug: read[in.Layer].Slug, Band: in.Band})
	}
	return doc, unread, nil
}

// readInput reads a layer and all that it reads, each once, and gives one of them that
// was never parsed; nil: there is none.
func readInput(ctx context.Context, tx store.Tx, id rasterbase.LayerID, read map[rasterbase.LayerID]*rasterbase.Layer) (missing *rasterbase.Layer, err error) {
	if read[id] != nil {
		return nil, nil
	}
	l, err := tx.Layers().Get(ctx, id)
	if err != nil {
		return nil, err
	}
	read[id] = l
	if l.Formula == nil {
		if l.Published == 0 {
			missing = l
		}
		return missing, nil
	}
	for _, in := range l.Formula.Inputs {
		m, err := readInput(ctx, tx, in.Layer, read)
		if err != nil {
			return nil, err
		}
		if missing == nil {
			missing = m
		}
	}
	return missing, nil
}

// formulaState is how a formula, which is never parsed, takes part in the states of
// layers: finished when it can be read.
func (k known) formulaState() parseJSON {
	if k.unread == nil {
		return parseJSON{Status: rasterbase.Finished, Percent: 100}
	}
	out := parseJSON{Status: rasterbase.Failed}
	if _, ok := errors.AsType[*unparsedInput](k.unread); ok {
		out.Status = rasterbase.Unparsed
	}
	if k.edits {
		out.Error = k.unread.Error()
	}
	return out
}

// neverParsed fails for what belongs to parses of a layer that is made of others.
func neverParsed(l *rasterbase.Layer) error {
	if l.Formula == nil {
		return nil
	}
	return rasterbase.Errorf(rasterbase.NotFound, "layer %d is made of a formula, which is never parsed", l.ID).
		WithHint("the layers that it reads have parses").WithField("layer")
}

// formulaBody is the formula of a layer in a body.
type formulaBody struct {
	Text   opt[string]        `json:"text,omitzero" doc:"Such as (b-a)/(b+a)"`
	Layers opt[formulaLayers] `json:"layers,omitzero" doc:"The layers of the variables: a=1,b:2=dem, or a list. Bands count from 0"`
	Grid   opt[string]        `json:"grid,omitzero" doc:"The variable whose pixels are the layer's own where no zoom is asked for; null: that of the finest input, where the grids of all fit together"`
}

// formulaLayers are the inputs of a formula in a body, whose layers are still to be
// found.
type formulaLayers []formulaInputBody

// formulaInputBody is one of them, written out.
type formulaInputBody struct {
	Name  string         `json:"name"`
	Layer inputReference `json:"layer" doc:"Id, slug, or source file name of a layer"`
	Slug  string         `json:"slug,omitempty" doc:"Is answered; of no effect"`
	Band  int            `json:"band,omitempty" minimum:"0" maximum:"65535" doc:"From 0"`
}

// inputReference is the id or another name of a layer.
type inputReference string

// Schema implements huma.SchemaProvider.
func (inputReference) Schema(schemas huma.Registry) *huma.Schema {
	return legendReference("").Schema(schemas)
}

// UnmarshalJSON reads a number or a string.
func (l *inputReference) UnmarshalJSON(b []byte) error {
	return (*legendReference)(l).UnmarshalJSON(b)
}

// Schema implements huma.SchemaProvider.
func (formulaLayers) Schema(schemas huma.Registry) *huma.Schema {
	list := schemas.Schema(reflect.TypeFor[[]formulaInputBody](), true, "FormulaLayers")
	return &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeString}, list}}
}

// UnmarshalJSON reads a text as the parameter layers has it, or a list.
func (l *formulaLayers) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(b), []byte(`"`)) {
		return json.Unmarshal(b, (*[]formulaInputBody)(l))
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	*l = layersText(text)
	return nil
}

// MarshalJSON writes a text as such, for the examples of the document.
func (l formulaLayers) MarshalJSON() ([]byte, error) {
	if text, ok := l.text(); ok {
		return json.Marshal(text)
	}
	return json.Marshal([]formulaInputBody(l))
}

// unreadInputs marks the text of inputs that is still to be read: a mistake in it is
// to be told by whoever asks, with its place.
const unreadInputs = -1

// layersText makes inputs of a text.
func layersText(text string) formulaLayers { return formulaLayers{{Name: text, Band: unreadInputs}} }

// text is the text of inputs that were given as one.
func (l formulaLayers) text() (string, bool) {
	if len(l) == 1 && l[0].Band == unreadInputs {
		return l[0].Name, true
	}
	return "", false
}

// inputs reads names and bands.
func (l formulaLayers) inputs() ([]input, error) {
	if text, ok := l.text(); ok {
		var d drawing
		_, err := readLayers(&d, "layers", []string{text})
		return d.inputs, blame(err, "formula.layers")
	}
	var out []input
	for _, one := range l {
		switch {
		case !isName(one.Name):
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%.40q names no input", one.Name).
				WithHint("a name is a letter, and letters, digits and _").WithField("formula.layers")
		case len(out) >= coverage.MaxReads:
			return nil, rasterbase.Errorf(rasterbase.Invalid, "those are more than %d layers", coverage.MaxReads).WithField("formula.layers")
		}
		out = append(out, input{name: one.Name, layer: string(one.Layer), band: one.Band})
	}
	return out, nil
}

// checkedFormula is a formula that a layer can have, with the datatype that is told
// from it.
type checkedFormula struct {
	formula  *rasterbase.LayerFormula
	datatype rasterbase.Datatype
}

// formulaOf reads the formula that a body makes of the one that a layer has, which
// somebody may change, nil for a new one. They need the right to read all inputs: what
// they may not read does not exist for them.
func (s *Server) formulaOf(ctx context.Context, who rasterbase.Principal, b formulaBody, has *rasterbase.LayerFormula) (*checkedFormula, error) {
	f := rasterbase.LayerFormula{}
	if has != nil {
		f = *has
	}
	if b.Text.to(&f.Text); f.Text == "" {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a formula has a text").WithField("formula")
	}
	b.Grid.to(&f.Grid)
	if b.Layers.given {
		inputs, err := b.Layers.value.inputs()
		if err != nil {
			return nil, err
		}
		if f.Inputs, err = s.formulaInputs(ctx, who, inputs); err != nil {
			return nil, err
		}
	}
	if len(f.Inputs) == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the formula names no layers").
			WithHint(`"layers": "a=1,b:0=dem"`).WithField("formula.layers")
	}
	return s.checkFormula(ctx, &f)
}

// formulaInputs finds the layers of a formula's inputs.
func (s *Server) formulaInputs(ctx context.Context, who rasterbase.Principal, inputs []input) ([]rasterbase.FormulaInput, error) {
	out := make([]rasterbase.FormulaInput, len(inputs))
	for i, in := range inputs {
		l, err := s.findAs(ctx, who, in.layer)
		if err != nil {
			return nil, blame(err, "formula.layers")
		}
		out[i] = rasterbase.FormulaInput{Name: in.name, Layer: l.ID, Band: in.band}
	}
	return out, nil
}

// checkFormula opens a formula that a layer is to have.
func (s *Server) checkFormula(ctx context.Context, f *rasterbase.LayerFormula) (*checkedFormula, error) {
	cov, err := coverage.CheckFormula(ctx, s.c.Store, *f, s.c.Formula, coverage.OpenOptions{Transformer: s.c.Transformer})
	if err != nil {
		return nil, inFormula(err)
	}
	return &checkedFormula{f, cov.Describe().Datatype}, nil
}

// inFormula names the member of a body that an error about a formula blames.
func inFormula(err error) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	switch e.Field {
	case "layers", "grid":
		return blame(err, "formula."+e.Field)
	case "":
		if e.Code == rasterbase.Invalid || e.Code == rasterbase.Conflict || e.Code == rasterbase.NotFound {
			return blame(err, "formula")
		}
	}
	return err
}

// createFormula makes a layer of a formula.
func (s *Server) createFormula(w http.ResponseWriter, r *http.Request, l *rasterbase.Layer, body layerPatchBody) error {
	ctx := r.Context()
	if body.Source.given && !body.Source.null {
		return rasterbase.Errorf(rasterbase.Invalid, "a layer is made of a formula or of a source, not of both").WithField("source")
	}
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	checked, err := s.formulaOf(ctx, who, body.Formula.value, nil)
	if err != nil {
		return err
	}
	l.Formula = checked.formula
	if l.Settings.Datatype == "" {
		l.Settings.Datatype = checked.datatype
	}
	if l.Name == "" {
		l.Name = l.Formula.Text
	}
	t, err := s.c.Parser.Create(ctx, l, rasterbase.SourceFrom{})
	if err != nil {
		return inSettings(err)
	}
	return s.answerParsed(w, r, t, http.StatusCreated)
}

// formulaChange is what a patch makes of a layer with a formula.
type formulaChange struct {
	before   *rasterbase.LayerFormula
	after    *checkedFormula
	detected bool // the layer's datatype was told from its formula, or is to be
}

// changeFormula reads what a patch says of the formula of a layer; nil: nothing.
func (s *Server) changeFormula(ctx context.Context, who rasterbase.Principal, l *rasterbase.Layer, p layerPatchBody) (*formulaChange, error) {
	datatype := p.Settings.value.Datatype
	detect := p.Settings.null || datatype.given && datatype.null
	switch {
	case p.Formula.null:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the formula of a layer cannot be taken away").WithHint("delete the layer").WithField("formula")
	case p.Formula.given && l.Formula == nil:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "layer %d is parsed from its source and cannot become a formula", l.ID).
			WithHint("make another layer").WithField("formula")
	case l.Formula != nil && p.Source.given:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "layer %d is a formula and has no source", l.ID).
			WithHint("change the formula, or make another layer").WithField("source")
	case l.Formula == nil || !p.Formula.given && !detect:
		return nil, nil
	}
	after, err := s.formulaOf(ctx, who, p.Formula.value, l.Formula)
	if err != nil {
		return nil, err
	}
	c := &formulaChange{before: l.Formula, after: after, detected: detect}
	if !detect && !datatype.given {
		was, err := s.checkFormula(ctx, l.Formula)
		c.detected = err != nil || was.datatype == l.Settings.Datatype
	}
	return c, nil
}

// apply changes the layer as it is stored, unless its formula is another than the one
// that the change was made to.
func (c *formulaChange) apply(l *rasterbase.Layer) error {
	if c == nil {
		return nil
	}
	if !sameFormula(l.Formula, c.before) {
		return rasterbase.Errorf(rasterbase.Conflict, "somebody has changed the formula of layer %d at the same time", l.ID).
			WithHint("read it again, and make the change to what it is now").WithField("formula")
	}
	l.Formula = c.after.formula
	if c.detected {
		l.Settings.Datatype = c.after.datatype
	}
	return nil
}

func sameFormula(a, b *rasterbase.LayerFormula) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Text == b.Text && a.Grid == b.Grid && slices.Equal(a.Inputs, b.Inputs)
}
