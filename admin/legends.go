package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// mostColors is how many colours the list shows of a legend.
const mostColors = 24

// named is something with an id that has a page of its own.
type named struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Title string `json:"title"`
}

// chosen tells whether it is the legend of a form.
func (n named) chosen(form url.Values) bool {
	return form.Get("legend") == strconv.FormatInt(n.ID, 10)
}

// legendRow is what the list shows of a legend.
type legendRow struct {
	ID     int64    `json:"id"`
	Title  string   `json:"title"`
	Kind   string   `json:"kind"`
	Count  int      `json:"count"`
	Layers []named  `json:"layers"`
	Colors []string `json:"-"`
}

// Smooth tells whether the colours go over into each other.
func (l *legendRow) Smooth() bool { return l.Kind == "gradient" }

// legendList is the page of legends.
type legendList struct {
	turning
	Items     []legendRow `json:"items"`
	Search    string      `json:"-"`
	Form      url.Values  `json:"-"` // what was sent to make one
	Layers    []layerRow  `json:"-"`
	Colormaps []string    `json:"-"`
	Methods   []string    `json:"-"`
}

func (a *Admin) legends(w http.ResponseWriter, r *http.Request) error {
	if err := a.mustSignIn(r); err != nil {
		return err
	}
	return a.showLegends(w, r, url.Values{"layer": r.URL.Query()["from"]}, nil)
}

func (a *Admin) showLegends(w http.ResponseWriter, r *http.Request, form url.Values, problem *rasterbase.Error) error {
	p := legendList{
		Search: r.URL.Query().Get("search"), Form: form,
		Methods: []string{"distinct", "quantile", "equal-interval", "natural-breaks", "standard-deviation"},
	}
	query := url.Values{"search": {p.Search}}
	p.turning = turnTo(r, query)
	if err := a.call(r, http.MethodGet, "/api/v1/legends?"+query.Encode(), nil, &p); err != nil {
		return err
	}
	for i := range p.Items {
		if err := a.colorsOf(r, &p.Items[i]); err != nil {
			return err
		}
	}
	p.turn(query, len(p.Items))
	var err error
	if p.Layers, err = a.shownLayers(r); err != nil {
		return err
	}
	if p.Colormaps, err = a.colormaps(r); err != nil {
		return err
	}
	return a.show(w, r, "legends", frame{Title: "Legends", Page: p, Problem: problem})
}

// colorsOf finds some of a legend's colours.
func (a *Admin) colorsOf(r *http.Request, l *legendRow) error {
	d, _, err := a.legendDocument(r, strconv.FormatInt(l.ID, 10))
	if rasterbase.CodeOf(err) == rasterbase.NotFound {
		return nil // it was deleted meanwhile
	}
	if err != nil {
		return err
	}
	switch g := d.Gradient; {
	case g == nil:
		for _, e := range d.Entries {
			l.Colors = append(l.Colors, e.Color)
		}
	case g.Colormap != "":
		colors, err := legend.Colors(g.Colormap)
		if err != nil {
			return err
		}
		for _, c := range colors {
			l.Colors = append(l.Colors, c.String())
		}
	default:
		for _, s := range g.Stops {
			l.Colors = append(l.Colors, s.Color.String())
		}
	}
	if n := len(l.Colors); n > mostColors {
		some := make([]string, mostColors)
		for i := range some {
			some[i] = l.Colors[i*(n-1)/(mostColors-1)]
		}
		l.Colors = some
	}
	return nil
}

// shownLayers are the layers that can be drawn.
func (a *Admin) shownLayers(r *http.Request) ([]layerRow, error) {
	return everything[layerRow](a, r, "/api/v1/layers", url.Values{"status": {string(rasterbase.Finished)}})
}

// colormaps are the names of all.
func (a *Admin) colormaps(r *http.Request) ([]string, error) {
	var all struct {
		Items []named `json:"items"`
	}
	if err := a.call(r, http.MethodGet, "/colormaps", nil, &all); err != nil {
		return nil, err
	}
	names := make([]string, len(all.Items))
	for i, c := range all.Items {
		names[i] = c.Name
	}
	return names, nil
}

// makeLegend makes a legend of a layer's values, or of a file, and goes on to its page.
func (a *Admin) makeLegend(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, 8<<20)
	if err := a.bigFormOf(w, r); err != nil {
		return err
	}
	defer dropFiles(r)
	make := a.legendOfFile
	if r.PostForm.Get("layer") != "" {
		make = a.legendOfLayer
	}
	made, err := make(r)
	if err != nil {
		problem, known := problemOf(err)
		if !known {
			return err
		}
		return a.showLegends(w, r, r.PostForm, problem)
	}
	to := "legends/" + strconv.FormatInt(made.ID, 10)
	if layer := r.PostForm.Get("layer"); layer != "" {
		to += "?layer=" + url.QueryEscape(layer)
	}
	goTo(w, r, to)
	return nil
}

func (a *Admin) legendOfLayer(r *http.Request) (made named, err error) {
	form := r.PostForm
	body := map[string]any{"layer": form.Get("layer"), "method": form.Get("method"), "save": true}
	if n := form.Get("classes"); n != "" {
		if body["classes"], err = strconv.Atoi(n); err != nil {
			return made, rasterbase.Errorf(rasterbase.Invalid, "%.40q is no whole number", n).WithField("classes")
		}
	}
	for _, name := range []string{"colormap_name", "title"} {
		if v := form.Get(name); v != "" {
			body[name] = v
		}
	}
	err = a.call(r, http.MethodPost, "/api/v1/legends/from-layer", body, &made)
	return made, err
}

func (a *Admin) legendOfFile(r *http.Request) (made named, err error) {
	if r.MultipartForm == nil || len(r.MultipartForm.File["file"]) == 0 {
		return made, rasterbase.Errorf(rasterbase.Invalid, "no file is chosen").
			WithHint("a legend as .qml of QGIS, .clr, .csv, .json or .txt").WithField("file")
	}
	sent := r.MultipartForm.File["file"][0]
	f, err := sent.Open()
	if err != nil {
		return made, fmt.Errorf("admin: open the file of the form: %w", err)
	}
	defer f.Close()
	query := url.Values{"name": {sent.Filename}, "title": {r.PostForm.Get("title")}}
	told, err := a.ask(r, http.MethodPost, "/api/v1/legends/import?"+query.Encode(), f, func(h http.Header) {
		h.Set("Content-Type", "application/octet-stream")
	})
	if err != nil {
		return made, err
	}
	err = told.read(&made)
	return made, err
}

// useLegend gives a layer the legend.
func (a *Admin) useLegend(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil {
		return err
	}
	if err := formOf(w, r); err != nil {
		return err
	}
	ref, layer := r.PathValue("legend"), r.PostForm.Get("layer")
	d, _, err := a.legendDocument(r, ref)
	if err != nil {
		return err
	}
	path := "/api/v1/layers/" + url.PathEscape(layer)
	if err := a.call(r, http.MethodPatch, path, map[string]any{"legend": d.ID}, nil); err != nil {
		return err
	}
	goTo(w, r, "legends/"+url.PathEscape(ref)+"?layer="+url.QueryEscape(layer))
	return nil
}

// deleteLegendPage asks whether a legend is to be deleted, and tells who loses it.
func (a *Admin) deleteLegendPage(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil {
		return err
	}
	d, _, err := a.legendDocument(r, r.PathValue("legend"))
	if err != nil {
		return err
	}
	return a.show(w, r, "deletelegend", frame{Title: "Delete " + d.Title, Page: d})
}

func (a *Admin) deleteLegend(w http.ResponseWriter, r *http.Request) error {
	if err := a.call(r, http.MethodDelete, legendPath(r.PathValue("legend")), nil, nil); err != nil {
		return err
	}
	goTo(w, r, "legends")
	return nil
}

// legendPath is the path of a legend in the API.
func legendPath(ref string) string { return "/api/v1/legends/" + url.PathEscape(ref) }
