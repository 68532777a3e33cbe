package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/zonal"
	"github.com/rasterbase/rasterbase/zonal/report"
)

// countTarget is what is counted: a layer, a formula, or a pair of layers.
type countTarget struct {
	name      string // that layers gives it; of a formula and a pair, the first one's
	cov       coverage.Coverage
	layers    []*rasterbase.Layer // that are read
	placement zonal.Placement
	query     zonal.Query
	subject   report.Subject
	legend    *rasterbase.Legend // whose entries are counted; nil: none
}

// countPlan is a count that can be made: everything is open, and nothing was read yet.
type countPlan struct {
	*countRequest
	targets []countTarget
	layers  []*rasterbase.Layer // that are read, each once
	private bool
	etag    string
}

// planCount opens what is counted, for the sender of a request, who needs the right to
// read all of it. Again tells that nothing remembered counts.
func (s *Server) planCount(r *http.Request, who rasterbase.Principal, c *countRequest, again bool) (*countPlan, error) {
	p := &countPlan{countRequest: c}
	d, err := s.legendDrawing(c.colors)
	if err != nil {
		return nil, err
	}
	if p.private, err = s.mayName(r.Context(), who, d); err != nil {
		return nil, err
	}
	p.private = p.private || d.personal
	for _, e := range c.parts() {
		t := countTarget{name: e.inputs[0].name}
		if err := s.openTarget(r.Context(), who, p, &t, e, again); err != nil {
			return nil, err
		}
		if err := s.settleTarget(r, c, &t, e, d, again); err != nil {
			return nil, err
		}
		p.targets = append(p.targets, t)
	}
	p.etag = p.tag(s.c.Version)
	return p, nil
}

// parts are the expressions that are counted: one, or each layer by itself.
func (c *countRequest) parts() []*expression {
	if !c.separate() {
		return []*expression{c.expression}
	}
	out := make([]*expression, len(c.expression.inputs))
	for i, in := range c.expression.inputs {
		out[i] = &expression{inputs: []input{in}}
	}
	return out
}

// openTarget opens an expression.
func (s *Server) openTarget(ctx context.Context, who rasterbase.Principal, p *countPlan, t *countTarget, e *expression, again bool) error {
	if p.kind == crossTabs {
		if err := s.openPair(ctx, who, p, t, again); err != nil {
			return err
		}
	} else {
		o, err := s.openExpression(ctx, who, e, again)
		if err != nil {
			return err
		}
		t.cov, t.layers, t.subject.Formula = o.cov, o.layers, e.text
		p.private = p.private || o.private
	}
	for _, l := range t.layers {
		if !slices.ContainsFunc(p.layers, func(have *rasterbase.Layer) bool { return have.ID == l.ID }) {
			p.layers = append(p.layers, l)
		}
	}
	return nil
}

// settleTarget finds what is counted of a target, and where.
func (s *Server) settleTarget(r *http.Request, c *countRequest, t *countTarget, e *expression, d *drawing, again bool) error {
	desc := t.cov.Describe()
	t.placement, t.query = c.placement, c.query
	t.placement.Transformer = s.c.Transformer
	t.placement.MaxVertices = s.c.CountMaxVertices
	if c.zoom != nil {
		t.placement.Level = coverage.ZoomLevel(*c.zoom)
	}
	if t.placement.CRS.SRID != 0 && desc.BaseError == nil {
		if err := s.checkSRID(t.placement.CRS, desc, t.placement.Level); err != nil {
			return err
		}
	}
	t.query.Bands = c.bandsOf(e, desc)
	for _, b := range t.query.Bands {
		if b >= len(desc.Bands) {
			return rasterbase.Errorf(rasterbase.Invalid, "%s has no band %d: it has %d", desc.Name, b+1, len(desc.Bands)).
				WithHint("bands count from 1 in bidx=, and from 0 in layers=a:0=1").WithField(c.bandField())
		}
	}
	t.subject.Datatype, t.subject.Bands, t.subject.Placement, t.subject.Area = desc.Datatype, desc.Bands, t.placement, t.query.Area
	t.subject.Percentiles, t.subject.Only = c.query.Percentiles, c.only
	t.subject.Layers = report.LayersOf(t.cov, t.layers)
	if c.grouping == "" {
		return nil
	}
	return s.classify(r, c, t, d, again)
}

// bandsOf are the bands that are counted of a target, from 0.
func (c *countRequest) bandsOf(e *expression, d coverage.Description) []int {
	switch {
	case c.query.Bands != nil:
		return c.query.Bands
	case c.separate():
		return []int{e.inputs[0].band}
	case c.kind == valueCounts:
		return []int{0}
	}
	all := make([]int, len(d.Bands))
	for i := range all {
		all[i] = i
	}
	return all
}

// bandField is the parameter that names bands.
func (c *countRequest) bandField() string {
	if c.params.Has("bidx") {
		return "bidx"
	}
	return "layers"
}

// classify makes classes of the entries of the legend that is asked for, or else of the
// layer's own.
func (s *Server) classify(r *http.Request, c *countRequest, t *countTarget, d *drawing, again bool) (err error) {
	if t.legend, err = s.countedLegend(r, t, d, again); err != nil {
		return err
	}
	if d.entries != "" && t.legend != nil {
		if t.legend, err = legend.Select(t.legend, d.entries); err != nil {
			return blame(err, "entries")
		}
	}
	bands := t.cov.Describe().Bands
	kind := bands[t.query.Bands[0]].PixelType
	for _, b := range t.query.Bands[1:] {
		if bands[b].PixelType != kind {
			return rasterbase.Errorf(rasterbase.Invalid, "bands %d and %d are of different types, and a legend is read for one", t.query.Bands[0]+1, b+1).
				WithHint("ask for each of them").WithField(c.bandField())
		}
	}
	classes := report.ByLegend
	if c.grouping == "semantics" {
		classes = report.BySemantics
	}
	t.subject.Grouping = c.grouping
	t.query.Classes, t.subject.Classes, err = classes(t.legend, kind)
	return s.blameClasses(err, c, t)
}

// blameClasses tells whether the request or the layer's own legend is at fault.
func (s *Server) blameClasses(err error, c *countRequest, t *countTarget) error {
	if err == nil {
		return nil
	}
	for _, name := range []string{"legend", "colormap"} {
		if c.colors.Has(name) {
			return blame(err, name)
		}
	}
	if t.legend != nil && len(t.legend.Entries) > 0 {
		return fmt.Errorf("the legend of %s: %w", t.cov.Describe().Name, internal(err))
	}
	return err
}

// countedLegend is the legend that is named or given, or else that of the one layer.
func (s *Server) countedLegend(r *http.Request, t *countTarget, d *drawing, again bool) (*rasterbase.Legend, error) {
	own, err := s.ownColormap(r, d)
	if err != nil {
		return nil, err
	}
	if d.legend != "" && !d.personal {
		named, err := s.lookLegend(r.Context(), d.legend, again)
		return inForce(named, own, d), err
	}
	var named *rasterbase.Legend
	if t.subject.Formula == "" && own == nil && d.colormap == nil {
		err = s.view(r.Context(), func(tx store.Tx) (err error) {
			named, err = findLegend(r.Context(), tx, t.layer(), "")
			return err
		})
	}
	return inForce(named, own, d), err
}

// layer is the one layer that is counted, which may be made of others.
func (t *countTarget) layer() *rasterbase.Layer {
	if f, ok := t.cov.(*coverage.Formula); ok {
		if l := f.Layer(); l != nil {
			return l
		}
		return &rasterbase.Layer{}
	}
	return t.layers[0]
}

// tag is the ETag of the answer: it changes with every input's version and with the
// parameters. It is weak, since the answer may be compressed.
func (p *countPlan) tag(version string) string {
	h := sha256.New()
	writeTexts(h, "count", version, string(p.kind), p.form, p.params.Encode())
	for i := range p.targets {
		t := &p.targets[i]
		writeTexts(h, t.name, t.cov.Version())
		for _, l := range t.subject.Layers {
			writeTexts(h, fmt.Sprint(l.ID, l.Revision), l.Name, l.Slug, l.Checksum)
		}
		if t.legend != nil {
			hashLegend(h, t.legend)
		}
	}
	return `W/"` + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18]) + `"`
}

// planCountNow is planCount, once more where a layer was parsed anew at that moment.
func (s *Server) planCountNow(r *http.Request, who rasterbase.Principal, c *countRequest, again bool) (*countPlan, error) {
	p, err := s.planCount(r, who, c, again)
	if errors.Is(err, store.ErrRevisionGone) {
		return s.planCount(r, who, c, true)
	}
	return p, err
}
