package admin

import (
	"net/http"
	"net/url"

	"github.com/rasterbase/rasterbase"
)

// semanticsRow is a semantics and where it is used.
type semanticsRow struct {
	ID          int64   `json:"id"`
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Keyword     string  `json:"keyword"`
	Legends     []named `json:"legends"`
}

// semanticsList is the page of semantics.
type semanticsList struct {
	turning
	Items  []semanticsRow `json:"items"`
	Search string         `json:"-"`
	Form   url.Values     `json:"-"` // what was sent to make one
}

func (a *Admin) semantics(w http.ResponseWriter, r *http.Request) error {
	if err := a.mustSignIn(r); err != nil {
		return err
	}
	return a.showSemantics(w, r, url.Values{}, nil)
}

func (a *Admin) showSemantics(w http.ResponseWriter, r *http.Request, form url.Values, problem *rasterbase.Error) error {
	p := semanticsList{Search: r.URL.Query().Get("search"), Form: form}
	query := url.Values{"search": {p.Search}}
	p.turning = turnTo(r, query)
	if err := a.call(r, http.MethodGet, "/api/v1/semantics?"+query.Encode(), nil, &p); err != nil {
		return err
	}
	p.turn(query, len(p.Items))
	return a.show(w, r, "semantics", frame{Title: "Semantics", Page: p, Problem: problem})
}

// semanticsNames are the names of all, to choose from.
func (a *Admin) semanticsNames(r *http.Request) ([]string, error) {
	all, err := everything[named](a, r, "/api/v1/semantics", url.Values{})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	return names, nil
}

// changeSemantics makes a semantics, or changes or deletes the one that the address names.
func (a *Admin) changeSemantics(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil {
		return err
	}
	if err := formOf(w, r); err != nil {
		return err
	}
	method, path := http.MethodPost, "/api/v1/semantics"
	if id := r.PathValue("semantics"); id != "" {
		method, path = http.MethodPatch, path+"/"+url.PathEscape(id)
	}
	var body any = map[string]string{"name": r.PostForm.Get("name"), "description": r.PostForm.Get("description"), "keyword": r.PostForm.Get("keyword")}
	if r.PostForm.Get("do") == "delete" {
		method, body = http.MethodDelete, nil
	}
	if err := a.call(r, method, path, body, nil); err != nil {
		problem, known := problemOf(err)
		if !known || problem.Code == rasterbase.NotFound {
			return err
		}
		return a.showSemantics(w, r, r.PostForm, problem)
	}
	goTo(w, r, "semantics")
	return nil
}
