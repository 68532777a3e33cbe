package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// resolved is a layer as one request sees it: its row, the revision that is
// published now, and how it is drawn.
type resolved struct {
	layer   *rasterbase.Layer
	cov     *coverage.Layer
	legend  *rasterbase.Legend // that the request names, or else the layer's own; nil: none
	style   *style
	private bool // no cache may keep it
}

// asked is what one request asks of a layer's pictures.
type asked struct {
	layer string // id, slug or file name
	*drawing
	values bool // not colours
	again  bool // nothing that is remembered counts
}

// resolve finds a layer that has tiles, with the style that is asked for.
func (s *Server) resolve(r *http.Request, a asked) (*resolved, error) {
	own, err := s.ownColormap(r, a.drawing)
	if err != nil {
		return nil, err
	}
	legendRef := ""
	if !a.personal {
		legendRef = a.drawing.legend
	}
	out := &resolved{}
	if out.layer, out.legend, err = s.look(r, a.layer, legendRef, a.again); err != nil {
		return nil, err
	}
	out.private = a.personal || out.layer.Visibility == rasterbase.Private
	if out.cov, err = s.open(r.Context(), out.layer); err != nil {
		return nil, err
	}
	if out.style, err = s.styleOf(out.cov, inForce(out.legend, own, a.drawing), a.drawing, a.values); err != nil {
		return nil, s.blameLegend(err, out, a.drawing)
	}
	return out, nil
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

// open gives the coverage of the layer's published revision.
func (s *Server) open(ctx context.Context, l *rasterbase.Layer) (*coverage.Layer, error) {
	if cov, ok := s.coverages.get(l.Published); ok && l.Published != 0 {
		return cov, nil
	}
	cov, err := coverage.Open(ctx, s.c.Store, l.ID)
	if err != nil {
		return nil, err
	}
	s.coverages.put(cov.Revision().ID, cov)
	return cov, nil
}

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
