package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// legend answers a legend by id or title: [{"name","expression","color","code"}].
func (s *Server) legend(w http.ResponseWriter, r *http.Request) error {
	ctx, ref := r.Context(), r.PathValue("legend")
	who, err := s.principal(r)
	if err != nil {
		return err
	}
	if err := s.c.Auth.May(ctx, who, rasterbase.Read, nil); err != nil {
		return err
	}
	var lg *rasterbase.Legend
	err = s.view(ctx, func(tx store.Tx) (err error) {
		lg, err = store.FindLegend(ctx, tx, ref)
		if bare, ok := strings.CutSuffix(ref, ".json"); ok && rasterbase.CodeOf(err) == rasterbase.NotFound {
			lg, err = store.FindLegend(ctx, tx, bare)
		}
		return blame(err, "legend")
	})
	if err != nil {
		return err
	}
	return writeLegend(w, r, lg, false)
}

// layerLegend answers the legend of the layer that the query names.
func (s *Server) layerLegend(w http.ResponseWriter, r *http.Request) error {
	ref, err := single(r.URL.Query(), "layer")
	if err != nil {
		return err
	}
	if ref == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "no legend is named").
			WithHint("legend/{id or title}, or legend?layer={layer}").WithField("layer")
	}
	k, err := s.readLayer(r, ref)
	if err != nil {
		return err
	}
	if k.legend == nil {
		return rasterbase.Errorf(rasterbase.NotFound, "layer %d has no legend: it is drawn in its own colours, in one for each value, or in grey", k.layer.ID).WithField("layer")
	}
	return writeLegend(w, r, k.legend, k.layer.Visibility == rasterbase.Private)
}

func writeLegend(w http.ResponseWriter, r *http.Request, lg *rasterbase.Legend, isPrivate bool) error {
	body, err := legend.MarshalJSON(lg)
	if err != nil {
		return fmt.Errorf("write legend %d: %w", lg.ID, err)
	}
	return answer{contentType: "application/json", body: body, private: isPrivate}.write(w, r)
}
