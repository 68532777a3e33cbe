package admin

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
)

// layerRow is what the list shows of a layer.
type layerRow struct {
	ID         int64      `json:"id"`
	Slug       string     `json:"slug"`
	Name       string     `json:"name"`
	FileName   string     `json:"file_name"`
	Datatype   string     `json:"datatype"`
	Visibility string     `json:"visibility"`
	Status     string     `json:"status"`
	Percent    float64    `json:"percent"`
	Error      string     `json:"error"`
	MaxZoom    int        `json:"max_zoom"`
	Size       int64      `json:"size"` // bytes of the source
	Parsed     *time.Time `json:"parsed"`
	Outdated   bool       `json:"outdated"`
}

// Working tells whether the layer is being parsed.
func (l *layerRow) Working() bool { return working(l.Status) }

func working(status string) bool {
	switch rasterbase.Status(status) {
	case rasterbase.Finished, rasterbase.Failed, rasterbase.Cancelled, rasterbase.Unparsed, "":
		return false
	}
	return true
}

// layerList is the page of layers.
type layerList struct {
	turning
	Items                    []layerRow `json:"items"`
	Search, Datatype, Status string     `json:"-"`
	Sort                     string     `json:"-"`
	Outdated                 bool       `json:"-"` // only these are listed
	Headings                 []heading  `json:"-"`
	Datatypes, Statuses      []string   `json:"-"`
	Sidecars                 string     `json:"-"` // endings of side-cars, with spaces between
	Form                     url.Values `json:"-"` // what was sent to add a layer
}

func (a *Admin) layers(w http.ResponseWriter, r *http.Request) error {
	return a.showLayers(w, r, url.Values{}, nil)
}

func (a *Admin) showLayers(w http.ResponseWriter, r *http.Request, form url.Values, problem *rasterbase.Error) error {
	asked := r.URL.Query()
	p := layerList{
		Search: asked.Get("search"), Datatype: asked.Get("datatype"), Status: asked.Get("status"), Form: form,
		Sort: asked.Get("sort"), Outdated: asked.Get("outdated") != "",
		Sidecars:  strings.Join(rasterbase.SidecarEndings, " "),
		Datatypes: []string{"continuous", "categorical", "mask", "rank ordered"},
		Statuses:  []string{"finished", "failed", "queued", "downloading", "inspecting", "creating tiles", "building pyramid", "publishing", "cancelled", "unparsed"},
	}
	query := url.Values{}
	p.turning = turnTo(r, query)
	for name, v := range map[string]string{"search": p.Search, "datatype": p.Datatype, "status": p.Status, "sort": p.Sort} {
		if v != "" {
			query.Set(name, v)
		}
	}
	if p.Outdated {
		query.Set("outdated", "true")
	}
	p.Headings = headings(query)
	if err := a.mustSignIn(r); err != nil {
		return err
	}
	if err := a.call(r, http.MethodGet, "/api/v1/layers?"+query.Encode(), nil, &p); err != nil {
		return err
	}
	p.turn(query, len(p.Items))
	f := frame{Title: "Layers", Page: p, Problem: problem}
	for i := range p.Items {
		if p.Items[i].Working() {
			f.Refresh = 5
		}
	}
	return a.show(w, r, "layers", f)
}

// mustSignIn is an error for those who are not signed in: everybody may read public
// layers, but on the map, not here.
func (a *Admin) mustSignIn(r *http.Request) error {
	who, err := a.c.Auth.Principal(r)
	if err == nil && who.Name == "" {
		err = rasterbase.Errorf(rasterbase.Unauthorized, "sign in to see this page")
	}
	return err
}

// addLayer makes a layer of what the form names, and goes on to its page.
func (a *Admin) addLayer(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil { // before a file is taken
		return err
	}
	if err := a.bigFormOf(w, r); err != nil {
		return err
	}
	defer dropFiles(r)
	if r.PostForm.Get("look") != "" {
		return a.previewOf(w, r)
	}
	var made layerRow
	source, err := a.sourceOf(r)
	if err == nil {
		err = a.makeLayer(r, source, &made)
	}
	if err != nil {
		problem, known := problemOf(err)
		switch {
		case !known:
			return err
		case r.PostForm.Get("looked") != "", source["upload"] != nil && !r.PostForm.Has("upload"): // what was sent is not to be sent again
			return a.showPreview(w, r, r.PostForm, source, problem)
		}
		return a.showLayers(w, r, r.PostForm, problem)
	}
	goTo(w, r, "layers/"+strconv.FormatInt(made.ID, 10))
	return nil
}

// makeLayer makes a layer of a source with what a form says of it.
func (a *Admin) makeLayer(r *http.Request, source map[string]any, made *layerRow) error {
	settings, err := settingsOf(r.PostForm)
	if err != nil {
		return err
	}
	body := map[string]any{"source": source, "settings": settings}
	for _, name := range []string{"name", "visibility", "legend", "description", "attribution", "license"} {
		if v := r.PostForm.Get(name); v != "" {
			body[name] = v
		}
	}
	return a.call(r, http.MethodPost, "/api/v1/layers", body, made)
}

// mayEdit is an error for those who may not change layers, and for requests that another
// site had sent.
func (a *Admin) mayEdit(r *http.Request) error {
	who, err := a.c.Auth.Principal(r)
	if err != nil {
		return err
	}
	return a.c.Auth.May(r.Context(), who, rasterbase.Edit, nil)
}

// changeSelection does something with several layers.
func (a *Admin) changeSelection(w http.ResponseWriter, r *http.Request) error {
	if err := formOf(w, r); err != nil {
		return err
	}
	if err := a.mayEdit(r); err != nil {
		return err
	}
	ids := r.PostForm["layer"]
	if r.PostForm.Get("outdated") != "" {
		if err := a.call(r, http.MethodPost, "/api/v1/layers/reparse", map[string]any{"outdated": true}, nil); err != nil {
			return err
		}
		goTo(w, r, "layers")
		return nil
	}
	if len(ids) == 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "no layer is selected").WithHint("go back, and tick some in the list").WithField("layer")
	}
	act := r.PostForm.Get("action")
	if act == "delete" && r.PostForm.Get("sure") == "" {
		p, err := a.loss(r, ids)
		if err != nil {
			return err
		}
		return a.show(w, r, "delete", frame{Title: "Delete layers", Page: p})
	}
	for _, id := range ids {
		method, path := http.MethodPost, "/api/v1/layers/"+url.PathEscape(id)+"/"+act
		switch act {
		case "reparse", "cancel":
		case "delete":
			method, path = http.MethodDelete, "/api/v1/layers/"+url.PathEscape(id)
		default:
			return rasterbase.Errorf(rasterbase.Invalid, "%.40q is nothing that can be done with layers", act).WithField("action")
		}
		if err := a.call(r, method, path, nil, nil); err != nil {
			return err
		}
	}
	goTo(w, r, "layers")
	return nil
}
