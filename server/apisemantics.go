package server

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// semanticsInput names a semantics.
type semanticsInput struct {
	Semantics rasterbase.SemanticsID `path:"semantics" minimum:"1" doc:"Id of a semantics"`
}

func (s *Server) semanticsOperations(a *api) {
	told := response{text: "The semantics as it is now, and where it is used", kind: semanticsJSON{}, tagged: true}
	made := told
	made.located = true
	register(a, operation{
		id: "list-semantics", method: http.MethodGet, path: "/semantics", tag: tagLegends, summary: "List semantics",
		detail:  "The meanings that entries of legends share, ordered by name. Those who may not edit see the ones in legends that they may see.",
		answers: map[int]response{200: {text: "A page of the list", kind: semanticsListJSON{}}}, errors: []int{400},
	}, s.apiListSemantics)
	register(a, operation{
		id: "get-semantics", method: http.MethodGet, path: "/semantics/{semantics}", tag: tagLegends, summary: "Show a semantics",
		answers: map[int]response{200: told}, errors: []int{400},
	}, s.apiShowSemantics)
	register(a, operation{
		id: "create-semantics", method: http.MethodPost, path: "/semantics", tag: tagLegends, summary: "Make a semantics",
		access: editor, answers: map[int]response{201: made}, errors: []int{409},
		example: semanticsBody{Name: "Peat bog", Description: "Wet ground of moss", Keyword: "wetland"},
	}, s.apiCreateSemantics)
	register(a, operation{
		id: "change-semantics", method: http.MethodPatch, path: "/semantics/{semantics}", tag: tagLegends, summary: "Change a semantics",
		detail: "A JSON merge patch (RFC 7396). It shows in every legend at once.",
		access: editor, answers: map[int]response{200: told}, errors: []int{409, 412},
		example: semanticsPatchBody{Description: given("Trees above 5 m")},
	}, s.apiChangeSemantics)
	register(a, operation{
		id: "delete-semantics", method: http.MethodDelete, path: "/semantics/{semantics}", tag: tagLegends, summary: "Delete a semantics",
		detail: "One that entries have is kept, and the answer is 409.",
		access: editor, answers: map[int]response{204: {text: "It is gone"}}, errors: []int{400, 409},
	}, s.apiDeleteSemantics)
}

// semanticsBody is a semantics to be stored.
type semanticsBody struct {
	Name        string `json:"name" doc:"Unique; one line"`
	Description string `json:"description,omitempty"`
	Keyword     string `json:"keyword,omitempty"`
}

// semanticsPatchBody is what can be changed of a semantics.
type semanticsPatchBody struct {
	Name        opt[string] `json:"name,omitzero" doc:"Unique; one line"`
	Description opt[string] `json:"description,omitzero"`
	Keyword     opt[string] `json:"keyword,omitzero"`
}

// semanticsJSON is a semantics and where it is used.
type semanticsJSON struct {
	ID          rasterbase.SemanticsID `json:"id"`
	Name        string                 `json:"name"`
	Description string                 `json:"description"`
	Keyword     string                 `json:"keyword"`
	Legends     []legendNameJSON       `json:"legends" doc:"Those in which entries have it and that the sender may see"`
}

type legendNameJSON struct {
	ID    rasterbase.LegendID `json:"id"`
	Title string              `json:"title"`
}

type semanticsListJSON struct {
	Items  []semanticsJSON `json:"items"`
	Total  int             `json:"total"`
	Limit  int             `json:"limit"`
	Offset int             `json:"offset"`
}

func semanticsDocument(u *store.SemanticsUse, sight legendSight) semanticsJSON {
	out := semanticsJSON{ID: u.ID, Name: u.Name, Description: u.Description, Keyword: u.Keyword, Legends: []legendNameJSON{}}
	for _, l := range u.Legends {
		if sight.sees(l.ID) {
			out.Legends = append(out.Legends, legendNameJSON{l.ID, l.Title})
		}
	}
	return out
}

type semanticsListInput struct {
	Search string `query:"search" doc:"Part of the name or the keyword, in any case"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Offset int    `query:"offset" minimum:"0" maximum:"2147483647" default:"0"`
}

func (s *Server) apiListSemantics(w http.ResponseWriter, r *http.Request, in *semanticsListInput) error {
	who, err := s.mayRead(r)
	if err != nil {
		return err
	}
	var all []*store.SemanticsUse
	var layers []*rasterbase.Layer
	err = s.view(r.Context(), func(tx store.Tx) (err error) {
		if all, err = tx.Semantics().List(r.Context()); err == nil {
			layers, _, err = tx.Layers().Find(r.Context(), store.LayerFilter{})
		}
		return err
	})
	if err != nil {
		return err
	}
	sight, err := s.sightOf(r.Context(), who, layers)
	if err != nil {
		return err
	}
	out := semanticsListJSON{Items: []semanticsJSON{}, Limit: in.Limit, Offset: in.Offset}
	wanted := strings.ToLower(in.Search)
	for _, u := range all {
		if !sight.seesSemantics(u) || !strings.Contains(strings.ToLower(u.Name), wanted) && !strings.Contains(strings.ToLower(u.Keyword), wanted) {
			continue
		}
		if out.Total++; out.Total > in.Offset && len(out.Items) < in.Limit {
			out.Items = append(out.Items, semanticsDocument(u, sight))
		}
	}
	return writeJSON(w, r, out, sight.private)
}

// findSemantics finds a semantics by its id.
func findSemantics(ctx context.Context, tx store.Tx, id rasterbase.SemanticsID) (*store.SemanticsUse, error) {
	u, err := tx.Semantics().Get(ctx, id)
	if errors.Is(err, store.ErrNotExist) {
		return nil, noSemantics(id)
	}
	return u, err
}

// noSemantics is the error for a semantics that does not exist, or not for the sender.
func noSemantics(id rasterbase.SemanticsID) error {
	return rasterbase.Errorf(rasterbase.NotFound, "there is no semantics %d", id).WithHint("%s/semantics lists them", apiPath).WithField("semantics")
}

func (s *Server) apiShowSemantics(w http.ResponseWriter, r *http.Request, in *semanticsInput) error {
	who, err := s.mayRead(r)
	if err != nil {
		return err
	}
	var u *store.SemanticsUse
	var layers []*rasterbase.Layer
	err = s.view(r.Context(), func(tx store.Tx) (err error) {
		if u, err = findSemantics(r.Context(), tx, in.Semantics); err == nil {
			layers, _, err = tx.Layers().Find(r.Context(), store.LayerFilter{})
		}
		return err
	})
	if err != nil {
		return err
	}
	sight, err := s.sightOf(r.Context(), who, layers)
	if err != nil {
		return err
	}
	if !sight.seesSemantics(u) {
		return noSemantics(u.ID)
	}
	return s.writeSemantics(w, r, u, sight, http.StatusOK)
}

// answerSemantics answers a semantics that the sender has changed.
func (s *Server) answerSemantics(w http.ResponseWriter, r *http.Request, u *store.SemanticsUse, status int) error {
	sight, err := s.senderSight(r)
	if err != nil {
		return err
	}
	return s.writeSemantics(w, r, u, sight, status)
}

func (s *Server) writeSemantics(w http.ResponseWriter, r *http.Request, u *store.SemanticsUse, sight legendSight, status int) error {
	body, err := marshal(semanticsDocument(u, sight))
	if err != nil {
		return fmt.Errorf("write semantics %d as JSON: %w", u.ID, err)
	}
	if status == http.StatusCreated {
		w.Header().Set("Location", fmt.Sprintf("%s%s/semantics/%d", s.root(r), apiPath, u.ID))
	}
	return answer{
		contentType: "application/json", body: append(body, '\n'), status: status, version: semanticsTag(u.Semantics), private: sight.private,
	}.write(w, r)
}

// semanticsTag names the state of what can be changed of a semantics.
func semanticsTag(s rasterbase.Semantics) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %q %q %q", s.ID, s.Name, s.Description, s.Keyword)
	return fmt.Sprintf("%016x", h.Sum64())
}

// checkSemantics refuses texts that cannot be shown.
func checkSemantics(s *rasterbase.Semantics) error {
	if s.Name = strings.TrimSpace(s.Name); s.Name == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "the semantics has no name").WithField("name")
	}
	return entryBody{Name: &s.Name, Description: &s.Description, Keyword: &s.Keyword}.checkTexts()
}

type createSemanticsInput struct {
	Body semanticsBody
}

func (s *Server) apiCreateSemantics(w http.ResponseWriter, r *http.Request, in *createSemanticsInput) error {
	ctx := r.Context()
	var u *store.SemanticsUse
	err := s.c.Store.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		made := rasterbase.Semantics{Name: in.Body.Name, Description: in.Body.Description, Keyword: in.Body.Keyword}
		if err := checkSemantics(&made); err != nil {
			return err
		}
		if err := tx.Semantics().Create(ctx, &made); err != nil {
			return err
		}
		u, err = tx.Semantics().Get(ctx, made.ID)
		return err
	})
	if err != nil {
		return err
	}
	return s.answerSemantics(w, r, u, http.StatusCreated)
}

type changeSemanticsInput struct {
	Semantics rasterbase.SemanticsID `path:"semantics" minimum:"1" doc:"Id of a semantics"`
	IfMatch   string                 `header:"If-Match" doc:"The ETag of the semantics that the change is made to; the answer is 412 when it was changed since"`
	Body      semanticsPatchBody
}

func (s *Server) apiChangeSemantics(w http.ResponseWriter, r *http.Request, in *changeSemanticsInput) error {
	ctx := r.Context()
	var u *store.SemanticsUse
	err := s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		before, err := findSemantics(ctx, tx, in.Semantics)
		if err != nil {
			return err
		}
		changed := before.Semantics
		if err := unmatched(in.IfMatch, semanticsTag(changed), fmt.Sprintf("semantics %d", changed.ID)); err != nil {
			return err
		}
		in.Body.Name.to(&changed.Name)
		in.Body.Description.to(&changed.Description)
		in.Body.Keyword.to(&changed.Keyword)
		if err := checkSemantics(&changed); err != nil {
			return err
		}
		if err := tx.Semantics().Update(ctx, &changed); err != nil {
			return err
		}
		u, err = tx.Semantics().Get(ctx, changed.ID)
		return err
	})
	if err != nil {
		return err
	}
	return s.answerSemantics(w, r, u, http.StatusOK)
}

func (s *Server) apiDeleteSemantics(w http.ResponseWriter, r *http.Request, in *semanticsInput) error {
	ctx := r.Context()
	err := s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		if _, err := findSemantics(ctx, tx, in.Semantics); err != nil {
			return err
		}
		return tx.Semantics().Delete(ctx, in.Semantics)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
