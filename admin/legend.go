package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rasterbase/rasterbase"
)

// legendDocument is a legend as the API tells it.
type legendDocument struct {
	ID       int64         `json:"id"`
	Title    string        `json:"title"`
	Entries  []legendEntry `json:"entries"`
	Gradient *gradient     `json:"gradient"`
	Layers   []named       `json:"layers"`
}

type legendEntry struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Expression string `json:"expression"`
	Color      string `json:"color"`
	Code       string `json:"code"`
}

type gradient struct {
	Colormap      string       `json:"colormap_name"`
	Stops         []stop       `json:"stops"`
	Interpolation string       `json:"interpolation"`
	Relative      bool         `json:"relative"`
	Range         *[2]*float64 `json:"range"`
}

type stop struct {
	At    rasterbase.Float `json:"at"`
	Color rasterbase.Color `json:"color"`
	Name  string           `json:"name"`
}

// legendDocument asks for a legend, and for the name of its state.
func (a *Admin) legendDocument(r *http.Request, ref string) (d legendDocument, state string, err error) {
	w, err := a.ask(r, http.MethodGet, legendPath(ref), http.NoBody, func(http.Header) {})
	if err != nil {
		return d, "", err
	}
	err = w.read(&d)
	return d, w.header.Get("ETag"), err
}

// legendPage is a legend in its editor, with what a layer looks like by it.
type legendPage struct {
	Form          *legendForm
	Layers        []named    // those that use it
	All           []layerRow // those that it can be looked at with
	Layer         string     // the one of these that is looked at; empty: none
	Look          *look
	Names         []string // of all semantics
	Colormaps     []string
	Interpolation []string
	Uses          bool // the layer uses it
}

// mostRows is how many entries can be edited in a form.
const mostRows = 1000

func (a *Admin) newLegend(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil {
		return err
	}
	f := newForm(r.URL.Query().Get("kind"))
	f.more(3)
	return a.showLegend(w, r, f, nil, nil)
}

func (a *Admin) legend(w http.ResponseWriter, r *http.Request) error {
	if err := a.mustSignIn(r); err != nil {
		return err
	}
	d, state, err := a.legendDocument(r, r.PathValue("legend"))
	if err != nil {
		return err
	}
	f := formOfLegend(d, state)
	if len(f.Rows) > mostRows {
		f.TooLong, f.Rows = len(f.Rows), nil
	}
	return a.showLegend(w, r, f, d.Layers, nil)
}

// saveLegend does what the editor's buttons ask for: save, look at the layer by what was
// typed, or give more rows.
func (a *Admin) saveLegend(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil {
		return err
	}
	if err := formOf(w, r); err != nil {
		return err
	}
	f, err := readLegendForm(r.PostForm)
	if err != nil {
		return err
	}
	var layers []named
	ref := r.PathValue("legend")
	if ref != "" {
		d, _, err := a.legendDocument(r, ref)
		if err != nil {
			return err
		}
		f.ID, layers = d.ID, d.Layers
	}
	switch r.PostForm.Get("do") {
	case "check":
		return a.showLegend(w, r, f, layers, nil)
	case "more":
		f.more(3)
		return a.showLegend(w, r, f, layers, nil)
	}
	id, err := a.keepLegend(r, f)
	if err != nil {
		problem, known := problemOf(err)
		if !known || problem.Code == rasterbase.NotFound {
			return err
		}
		f.blame(problem.Field, problem.Message)
		return a.showLegend(w, r, f, layers, problem)
	}
	to := "legends/" + strconv.FormatInt(id, 10)
	if layer := r.PostForm.Get("layer"); layer != "" {
		to += "?layer=" + url.QueryEscape(layer)
	}
	goTo(w, r, to)
	return nil
}

// keepLegend stores what was typed, unless somebody else has changed the legend meanwhile.
func (a *Admin) keepLegend(r *http.Request, f *legendForm) (int64, error) {
	body, err := json.Marshal(f.body())
	if err != nil {
		return 0, fmt.Errorf("admin: %w", err)
	}
	method, path := http.MethodPost, "/api/v1/legends"
	if f.ID != 0 {
		method, path = http.MethodPut, legendPath(strconv.FormatInt(f.ID, 10))
	}
	w, err := a.ask(r, method, path, bytes.NewReader(body), func(h http.Header) {
		h.Set("Content-Type", "application/json")
		if f.ID != 0 && f.State != "" {
			h.Set("If-Match", f.State)
		}
	})
	if err != nil {
		return 0, err
	}
	var kept named
	err = w.read(&kept)
	return kept.ID, err
}

func (a *Admin) showLegend(w http.ResponseWriter, r *http.Request, f *legendForm, layers []named, problem *rasterbase.Error) error {
	p := legendPage{Form: f, Layers: layers, Interpolation: []string{"linear", "discrete", "exact"}}
	var err error
	if p.All, err = a.shownLayers(r); err != nil {
		return err
	}
	p.choose(r)
	may := a.mayEdit(r) == nil
	if f.TooLong == 0 && (p.Layer != "" || r.Method == http.MethodPost) {
		if p.Look, err = a.look(r, f, p.Layer, may); err != nil {
			return err
		}
	}
	if f.Kind == "gradient" {
		if p.Colormaps, err = a.colormaps(r); err != nil {
			return err
		}
	} else if may {
		if p.Names, err = a.semanticsNames(r); err != nil {
			return err
		}
	}
	title := f.Title
	if title == "" {
		title = "A new legend"
	}
	return a.show(w, r, "legend", frame{Title: title, Page: &p, Problem: problem})
}

// choose finds the layer that is looked at: the one that is asked for, or else the first
// that uses the legend, or the first of all.
func (p *legendPage) choose(r *http.Request) {
	p.Layer = r.FormValue("layer")
	if r.Method == http.MethodGet && !r.URL.Query().Has("layer") {
		switch {
		case len(p.Layers) > 0:
			p.Layer = strconv.FormatInt(p.Layers[0].ID, 10)
		case len(p.All) > 0:
			p.Layer = strconv.FormatInt(p.All[0].ID, 10)
		}
	}
	known := false
	for _, l := range p.All {
		known = known || strconv.FormatInt(l.ID, 10) == p.Layer
	}
	if !known {
		p.Layer = ""
	}
	for _, l := range p.Layers {
		p.Uses = p.Uses || strconv.FormatInt(l.ID, 10) == p.Layer
	}
}
