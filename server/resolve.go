package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// resolved is a layer as one request sees it: its row, the revision that is
// published now, and how it is drawn.
type resolved struct {
	layer *rasterbase.Layer // of a formula that no layer has: one with its name alone
	*subject
	legend *rasterbase.Legend // that the request names, or else the layer's own; nil: none
	style  *style
	hidden bool // no cache may keep it
}

// asked is what one request asks of a layer's pictures.
type asked struct {
	layer string // id, slug or file name; empty: the drawing has an expression
	*drawing
	values bool // not colours
	again  bool // nothing that is remembered counts
}

// resolve finds a layer, or the layers of a formula, with the style that is asked for.
func (s *Server) resolve(r *http.Request, a asked) (*resolved, error) {
	own, err := s.ownColormap(r, a.drawing)
	if err != nil {
		return nil, err
	}
	legendRef := ""
	if !a.personal {
		legendRef = a.drawing.legend
	}
	who, err := s.principal(r)
	if err != nil {
		return nil, err
	}
	out, err := s.locate(r.Context(), who, a, legendRef)
	if err != nil {
		return nil, err
	}
	out.hidden = out.hidden || a.personal
	if out.style, err = s.styleOf(r, out.subject, inForce(out.legend, own, a.drawing), a.drawing, a.values); err != nil {
		return nil, s.blameLegend(err, out, a.drawing)
	}
	return out, nil
}

// locate finds what is drawn, for somebody, and the legend that is named or else the
// layer's own.
func (s *Server) locate(ctx context.Context, who rasterbase.Principal, a asked, legendRef string) (out *resolved, err error) {
	out = &resolved{}
	if a.layer == "" {
		e, err := s.readExpression(a.params)
		if err != nil {
			return nil, err
		}
		o, err := s.openExpression(ctx, who, e, a.again)
		if err != nil {
			return nil, err
		}
		out.layer, out.subject, out.hidden = &rasterbase.Layer{Name: e.text}, o.subject, o.private
		if legendRef != "" {
			out.legend, err = s.lookLegend(ctx, legendRef, a.again)
		}
		return out, err
	}
	if out.layer, out.legend, err = s.look(ctx, who, a.layer, legendRef, a.again); err != nil {
		return nil, err
	}
	if out.subject, err = s.openFor(ctx, who, out.layer, a.again); err != nil {
		return nil, err
	}
	out.hidden = out.subject.hides(out.layer)
	if a.formula != "" {
		out.subject, err = s.overBands(ctx, out.subject, a.formula, a.again)
		if legendRef == "" {
			out.legend = nil // explains the layer's values, not what is made of them
		}
	}
	return out, err
}

// inForce is the legend that colours: the one given or named, or else the layer's
// own unless what was asked for leaves no place for it.
func inForce(named, own *rasterbase.Legend, d *drawing) *rasterbase.Legend {
	switch {
	case own != nil:
		return own
	case d.colormap != nil:
		return d.colormap
	case d.legend != "":
		return named
	case named == nil || d.algorithm != "" || len(d.bands) == 3:
		return nil
	}
	if g := named.Gradient; d.rescale != nil && d.entries == "" && (g == nil || !g.Relative && g.Colormap == "") {
		return nil
	}
	return named
}

// blameLegend tells whether the request or the layer's own legend is at fault.
func (s *Server) blameLegend(err error, l *resolved, d *drawing) error {
	e, ok := asError(err)
	switch {
	case !ok:
		return err
	case e.Field != "" && d.params.Has(e.Field):
		return err
	case d.legend != "":
		return blame(err, "legend")
	case d.named != "":
		return blame(err, "colormap_name")
	case d.colormap != nil:
		return blame(err, "colormap")
	case l.legend != nil:
		return fmt.Errorf("the legend of layer %d: %w", l.layer.ID, internal(err))
	}
	return err
}

// ownColormap gives the colormap that the sender keeps, if that is asked for.
func (s *Server) ownColormap(r *http.Request, d *drawing) (*rasterbase.Legend, error) {
	if !d.personal {
		return nil, nil
	}
	who, err := s.signedIn(r)
	if err != nil {
		return nil, blame(err, "store")
	}
	var m *rasterbase.UserColormap
	err = s.view(r.Context(), func(tx store.Tx) (err error) {
		m, err = tx.Colormaps().Get(r.Context(), who.Name, d.legend)
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		return nil, rasterbase.Errorf(rasterbase.NotFound, "you keep no colormap %.80q", d.legend).
			WithHint("without store=session, legend= names the legends of all").WithField("legend")
	}
	if err != nil {
		return nil, err
	}
	key := string(m.JSON)
	if lg, ok := s.colormaps.get(key); ok {
		return lg, nil
	}
	lg, err := legend.ParseColormap(m.JSON)
	if err != nil {
		return nil, blame(err, "legend")
	}
	s.colormaps.put(key, lg)
	return lg, nil
}

// colormapCost is the memory that a colormap takes, roughly.
func colormapCost(key string, _ *rasterbase.Legend) int64 { return 1000 + 10*int64(len(key)) }

// findLegend gives the legend asked for, or the layer's own, which may be none.
func findLegend(ctx context.Context, tx store.Tx, l *rasterbase.Layer, ref string) (*rasterbase.Legend, error) {
	if ref != "" {
		lg, err := store.FindLegend(ctx, tx, ref)
		return lg, blame(err, "legend")
	}
	if l.Legend == 0 {
		return nil, nil
	}
	lg, err := tx.Legends().Get(ctx, l.Legend)
	if errors.Is(err, store.ErrNotExist) {
		return nil, nil // deleted a moment ago: grey until the layer says so
	}
	return lg, err
}

// internal makes an error one of ours whatever its code says: a tile that the
// store lost is no fault of the client's address.
func internal(err error) error {
	return &rasterbase.Error{Code: rasterbase.Internal, Err: err}
}
