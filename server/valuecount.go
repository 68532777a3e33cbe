package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// countRoutes are the routes of counts: of a layer, of several or a formula, and of the
// pairs of values of two.
func (s *Server) countRoutes() map[string]handler {
	out := map[string]handler{}
	for _, method := range []string{"GET", "POST"} {
		for _, kind := range []countKind{valueCounts, statistics, crossTabs} {
			answer := func(w http.ResponseWriter, r *http.Request) error { return s.counts(w, r, kind) }
			out[fmt.Sprintf("%s /%s", method, kind)] = answer
			if kind != crossTabs {
				out[fmt.Sprintf("%s /layers/{layer}/%s", method, kind)] = answer
			}
		}
	}
	return out
}

// counts answers how many pixels there are of what, or their statistics, or makes that in
// the background for those who say that they prefer it.
func (s *Server) counts(w http.ResponseWriter, r *http.Request, kind countKind) error {
	r, who, err := s.identified(r)
	if err != nil {
		return err
	}
	a, err := s.askedCount(w, r, who, kind)
	if a != nil {
		defer a.forget()
	}
	if err != nil {
		return err
	}
	if who.Name != "" && prefersAsync(r) {
		return s.countLater(w, r, who, a)
	}
	c, err := s.readCount(a.params)
	if err != nil {
		return blameLayer(err, r)
	}
	if err := s.inRequestCount(c); err != nil {
		return err
	}
	if a.features {
		if err := c.zones.keepFeatures(a.params.Get("zones")); err != nil {
			return err
		}
	}
	p, err := s.planCountNow(r, who, c, false)
	if err != nil {
		return blameLayer(err, r)
	}
	p.headers(w.Header())
	if reading := r.Method == http.MethodGet || r.Method == http.MethodHead; reading && matches(r.Header.Get("If-None-Match"), strings.TrimPrefix(p.etag, "W/")) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", p.media())
		return nil
	}
	return s.sendCounts(w, r, who, p)
}

// askedCount reads what is asked for: the layer of the path, the query, and the body.
// Who may not read the layer need not send a body before they are told.
func (s *Server) askedCount(w http.ResponseWriter, r *http.Request, who rasterbase.Principal, kind countKind) (*askedCount, error) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	var layer *rasterbase.Layer
	if ref := r.PathValue("layer"); ref != "" {
		if layer, _, err = s.look(r.Context(), who, ref, "", false); err != nil {
			return nil, err
		}
	}
	a, err := s.readCountBody(w, r, who, q)
	if err != nil {
		return a, err
	}
	if !a.params.Has("f") && !a.params.Has("format") {
		form, err := answerForm(r, url.Values{})
		if err != nil {
			return a, err
		}
		if accepts(r, "application/x-ndjson") {
			form = "ndjson"
		}
		a.params.Set("f", form)
	}
	a.params.Set("count", string(kind))
	if layer != nil {
		return a, s.layerParameters(layer, a.params)
	}
	return a, nil
}

// accepts reports whether a request names a type of answers before others.
func accepts(r *http.Request, media string) bool {
	first, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	first, _, _ = strings.Cut(first, ";")
	return strings.EqualFold(strings.TrimSpace(first), media)
}

// blameLayer names what the sender wrote in place of layers, where the path has the
// layer.
func blameLayer(err error, r *http.Request) error {
	e, ok := asError(err)
	if !ok || e.Field != "layers" || r.PathValue("layer") == "" {
		return err
	}
	named := *e
	if named.Field = "layer"; r.URL.Query().Has("formula") {
		named.Field, named.Hint = "formula", "it is over the bands of the layer, b1, b2 and so on; /valuecount and /statistics take several layers"
	}
	return &named
}

// inRequestCount refuses what has too many zones for one request.
func (s *Server) inRequestCount(c *countRequest) error {
	most := s.c.CountMaxZones
	if c.zones == nil || len(c.zones.all) <= most {
		return nil
	}
	return rasterbase.Errorf(rasterbase.TooLarge, "%d zones are too many to be counted while you wait: up to %d are", len(c.zones.all), most).
		WithHint("%s", inTheBackground).WithField("zones")
}

// headers say who may keep the answer.
func (p *countPlan) headers(h http.Header) {
	h.Set("Cache-Control", "no-cache")
	if p.private {
		private(h)
	}
	h.Set("ETag", p.etag)
}

// sendCounts counts and answers. What was parsed anew meanwhile is opened and counted
// again.
func (s *Server) sendCounts(w http.ResponseWriter, r *http.Request, who rasterbase.Principal, p *countPlan) error {
	release, err := s.admitWork(r)
	if err != nil {
		return err
	}
	defer release()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // it may take longer than other answers
	all, err := s.countInTurn(r.Context(), p)
	if errors.Is(err, store.ErrRevisionGone) {
		if p, err = s.planCountNow(r, who, p.countRequest, true); err != nil {
			return err
		}
		p.headers(w.Header())
		all, err = s.countInTurn(r.Context(), p)
	}
	if err != nil {
		return err
	}
	return s.stream(w, r, p.media(), func(out *outgoing) error {
		to, err := p.newCountWriter(out)
		if err != nil {
			return err
		}
		for i := range all {
			if err := to.write(i, &all[i]); err != nil {
				return err
			}
		}
		return to.end()
	})
}

// countInTurn counts when it is its turn: only so much is counted at once, on all cores,
// so that a burst of requests takes time and not memory.
func (s *Server) countInTurn(ctx context.Context, p *countPlan) (all []zoneAnswer, err error) {
	select {
	case s.counting <- struct{}{}:
		defer func() { <-s.counting }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	l := countLimits{pixels: s.c.CountMaxPixels, rows: maxCountRows}
	err = p.count(ctx, l, func(_ int, some []zoneAnswer) error {
		all = append(all, some...)
		return nil
	})
	return all, err
}
