package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// legendForms are the extensions of a legend's addresses with their types.
var legendForms = map[string]string{
	".json": "application/json",
	".png":  "image/png",
	".svg":  "image/svg+xml",
	".csv":  "text/csv; charset=utf-8",
	".clr":  "text/plain; charset=utf-8",
	".txt":  "text/plain; charset=utf-8",
	".qml":  "application/xml",
}

// mayRead fails for those who may read nothing at all.
func (s *Server) mayRead(r *http.Request) (rasterbase.Principal, error) {
	who, err := s.principal(r)
	if err == nil {
		err = s.c.Auth.May(r.Context(), who, rasterbase.Read, nil)
	}
	return who, err
}

// legend answers a legend by id or title, as [{"name","expression","color","code"}]
// or in the form that an extension asks for.
func (s *Server) legend(w http.ResponseWriter, r *http.Request) error {
	ctx, ref := r.Context(), r.PathValue("legend")
	r, who, err := s.identified(r)
	if err != nil {
		return err
	}
	if err := s.c.Auth.May(ctx, who, rasterbase.Read, nil); err != nil {
		return err
	}
	meant, sight, err := s.seenLegend(ctx, who, ref, true)
	if err != nil {
		return err
	}
	lg, form := meant.legend, meant.form
	var band *rasterbase.Band
	isPrivate := sight.hidden(lg.ID)
	if ref, err := single(r.URL.Query(), "layer"); err != nil {
		return err
	} else if ref != "" {
		k, err := s.readLayer(r, ref)
		if err != nil {
			return err
		}
		isPrivate = isPrivate || k.private
		if k.about != nil && len(k.about.Bands) > 0 {
			band = &k.about.Bands[0]
			lg = legend.Fit(lg, band.Min, band.Max)
		}
	}
	switch form {
	case "", ".json":
		return writeLegend(w, r, lg, isPrivate)
	case ".png", ".svg":
		return s.writePictureOf(w, r, lg, band, form, isPrivate)
	}
	return writeLegendFile(w, r, lg, form, isPrivate)
}

// layerLegend answers the legend of the layer that the query names.
func (s *Server) layerLegend(w http.ResponseWriter, r *http.Request) error {
	ref, err := layerOfQuery(r.URL.Query())
	if err != nil {
		return err
	}
	k, err := s.readLayer(r, ref)
	if err != nil {
		return err
	}
	if k.legend == nil {
		return rasterbase.Errorf(rasterbase.NotFound, "layer %d has no legend: it is drawn in its own colours, in one for each value, or in grey", k.layer.ID).
			WithHint("legend.png?layer=%d shows them", k.layer.ID).WithField("layer")
	}
	return writeLegend(w, r, k.legend, k.private)
}

func layerOfQuery(q url.Values) (string, error) {
	ref, err := single(q, "layer")
	if err == nil && ref == "" {
		err = rasterbase.Errorf(rasterbase.Invalid, "no legend is named").
			WithHint("legend/{id or title}, or legend?layer={layer}").WithField("layer")
	}
	return ref, err
}

func writeLegend(w http.ResponseWriter, r *http.Request, lg *rasterbase.Legend, isPrivate bool) error {
	body, err := legend.MarshalJSON(lg)
	if err != nil {
		return fmt.Errorf("write legend %d: %w", lg.ID, err)
	}
	return answer{contentType: "application/json", body: body, private: isPrivate}.write(w, r)
}

// writeLegendFile answers a legend as a file of another program.
func writeLegendFile(w http.ResponseWriter, r *http.Request, lg *rasterbase.Legend, form string, isPrivate bool) error {
	body, err := legend.WriteFile("legend"+form, lg)
	if err != nil {
		return unwritable(err)
	}
	w.Header().Set("Content-Disposition", attachment(lg.Title, form))
	return answer{contentType: legendForms[form], body: body, private: isPrivate}.write(w, r)
}

// unwritable is the error of a legend that a form of file cannot hold: it is the
// address that is wrong, since others are answered.
func unwritable(err error) error {
	e, ok := asError(err)
	if !ok || e.Code != rasterbase.Unsupported {
		return blame(err, "legend")
	}
	named := *e
	named.Code, named.Field = rasterbase.Invalid, "legend"
	if named.Hint != "" {
		named.Hint += "; "
	}
	named.Hint += "?layer={layer} gives a gradient the range of a layer; .json and .csv hold any legend"
	return &named
}

// attachment names a file for browsers that save it.
func attachment(title, form string) string {
	plain := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.() ", c) {
			return c
		}
		return '_'
	}, title)
	return fmt.Sprintf(`attachment; filename="%s"; filename*=UTF-8''%s`, plain+form, url.PathEscape(title)+form)
}

// lookAround asks what the sender may see of legends now.
func (s *Server) lookAround(ctx context.Context, who rasterbase.Principal) (legendSight, error) {
	var layers []*rasterbase.Layer
	err := s.view(ctx, func(tx store.Tx) (err error) {
		layers, _, err = tx.Layers().Find(ctx, store.LayerFilter{})
		return err
	})
	if err != nil {
		return legendSight{}, err
	}
	return s.sightOf(ctx, who, layers)
}

// senderSight asks what the sender of a request may see of legends now.
func (s *Server) senderSight(r *http.Request) (legendSight, error) {
	who, err := s.principal(r)
	if err != nil {
		return legendSight{}, err
	}
	return s.lookAround(r.Context(), who)
}

// layerReference names a layer.
type layerReference struct {
	ID   rasterbase.LayerID `json:"id"`
	Slug string             `json:"slug"`
	Name string             `json:"name"`
}

// bandOf is the band of a layer that colours are made for or looked at with.
func (s *Server) bandOf(r *http.Request, ref string, number int) (known, rasterbase.Band, error) {
	k, err := s.readLayer(r, ref)
	if err != nil {
		return k, rasterbase.Band{}, err
	}
	if k.unread != nil {
		return k, rasterbase.Band{}, blame(k.unread, "layer")
	}
	if k.about == nil {
		err := s.view(r.Context(), func(tx store.Tx) error { return blame(coverage.Unpublished(r.Context(), tx, k.layer), "layer") })
		return k, rasterbase.Band{}, err
	}
	if number < 1 || number > len(k.about.Bands) {
		return k, rasterbase.Band{}, rasterbase.Errorf(rasterbase.Invalid, "layer %d has no band %d: it has %d", k.layer.ID, number, len(k.about.Bands)).
			WithHint("bands count from 1").WithField("band")
	}
	return k, k.about.Bands[number-1], nil
}
