package server

import (
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
)

// openPair opens two bands, of two layers or of one, as one coverage.
func (s *Server) openPair(ctx context.Context, who rasterbase.Principal, p *countPlan, t *countTarget, again bool) error {
	var inputs []coverage.Input
	for _, in := range p.expression.inputs {
		o, err := s.openExpression(ctx, who, &expression{inputs: []input{in}}, again)
		if err != nil {
			return err
		}
		inputs = append(inputs, coverage.Input{Name: in.name, Coverage: o.cov, Band: in.band})
		t.layers = append(t.layers, o.layers...)
		p.private = p.private || o.private
	}
	stack, err := coverage.NewStack(ctx, inputs, coverage.StackOptions{
		Name: p.params.Get("layers"), Grid: p.expression.grid, Transformer: s.c.Transformer,
	})
	if err != nil {
		return err
	}
	for _, in := range inputs {
		if d := in.Coverage.Describe(); !d.Datatype.Discrete() {
			return rasterbase.Errorf(rasterbase.Invalid, "%s is %s, and pairs of values are those of discrete layers", in.Name, d.Datatype).
				WithHint("a formula layer can make classes of it, such as (a > 100) + (a > 500)").WithField("layers")
		}
	}
	t.cov = stack
	return nil
}

// crossTabNames are parameters that pairs of values leave no place for.
var crossTabNames = []string{
	"formula", "group", "categorical", "bins", "range", "stats", "percentiles", "p", "bidx", "legend", "store", "colormap", "entries",
}

// checkCrossTab tells what pairs of values have no place for.
func (c *countRequest) checkCrossTab() error {
	if len(c.expression.inputs) != 2 {
		return rasterbase.Errorf(rasterbase.Invalid, "pairs of values are those of two layers, and not of %d", len(c.expression.inputs)).
			WithHint("layers=a=1,b=2").WithField("layers")
	}
	for _, name := range crossTabNames {
		if c.params.Has(name) {
			return rasterbase.Errorf(rasterbase.Invalid, "%s says nothing of pairs of values, which are counted as they are stored", name).
				WithHint("leave it out; a layer can be made of a formula").WithField(name)
		}
	}
	if c.expression.grid != "" && c.zoom != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "grid chooses among the layers' own pixels, and zoom asks for the map's").
			WithHint("leave out one of them").WithField("grid")
	}
	c.query.Bands = []int{0, 1}
	return nil
}
