package admin

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// previewPage is what a file is and what would be made of it, with the form that makes
// a layer of it.
type previewPage struct {
	Upload, Address, Path string // where it is; one of them
	Name                  string // of the file
	Size                  int64  // 0: not known
	Sidecars              []string
	Plan                  *plan // nil: it cannot be parsed as the form says
	Choices               []rasterbase.Choice
	Legends               []named
	Form                  url.Values
	Field                 string // that the problem is about
}

// plan is what the API says that a parse would make.
type plan struct {
	rasterbase.Plan
	Bounds  [4]float64 `json:"bounds"`
	MaxZoom *int       `json:"max_zoom"`
}

// Setting is what was typed into a field.
func (p *previewPage) Setting(name string) string { return p.Form.Get(name) }

// EPSG is the code of its CRS; 0: it has none.
func (p *previewPage) EPSG() int {
	if p.Plan.CRS.SRID >= rasterbase.FirstCustomSRID {
		return 0
	}
	return p.Plan.CRS.SRID
}

// HasLegend tells whether a legend was chosen.
func (p *previewPage) HasLegend(l named) bool { return l.chosen(p.Form) }

// Wrong tells whether the problem is about a field.
func (p *previewPage) Wrong(name string) bool { return p.Field == "settings."+name || p.Field == name }

// Found is what is taken where a setting is not given, as far as it is known.
func (p *previewPage) Found(name string) string {
	if p.Plan == nil || p.Setting(name) != "" {
		return ""
	}
	f := found{
		srid: p.Plan.CRS.SRID, datatype: string(p.Plan.Datatype), resampling: string(p.Plan.Resampling), tileSize: p.Plan.TileSize,
	}
	if len(p.Plan.Bands) > 0 {
		f.nodata = p.Plan.Bands[0].Nodata
	}
	if p.Plan.MaxZoom != nil && p.Setting("next_lower") == "" {
		f.maxZoom = strconv.Itoa(*p.Plan.MaxZoom)
	}
	return f.text(name)
}

// found is what settings are that were left to the file.
type found struct {
	srid, tileSize                int
	datatype, resampling, maxZoom string
	nodata                        *rasterbase.Float
}

func (f found) text(name string) string {
	switch name {
	case "datatype":
		return f.datatype
	case "resampling":
		return f.resampling
	case "max_zoom":
		return f.maxZoom
	case "srid":
		if f.srid > 0 && f.srid < rasterbase.FirstCustomSRID {
			return "EPSG:" + strconv.Itoa(f.srid)
		}
	case "tile_size":
		if f.tileSize > 0 {
			return strconv.Itoa(f.tileSize)
		}
	case "nodata":
		if f.nodata != nil {
			return float(*f.nodata)
		}
		return "none"
	}
	return ""
}

// preview shows what the form's file is, before a layer is made of it.
func (a *Admin) preview(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil { // before a file is taken
		return err
	}
	if err := a.bigFormOf(w, r); err != nil {
		return err
	}
	defer dropFiles(r)
	return a.previewOf(w, r)
}

// previewOf shows the file of a form that was read.
func (a *Admin) previewOf(w http.ResponseWriter, r *http.Request) error {
	source, err := a.sourceOf(r)
	if err != nil {
		problem, known := problemOf(err)
		if !known {
			return err
		}
		return a.showLayers(w, r, r.PostForm, problem)
	}
	return a.showPreview(w, r, r.PostForm, source, nil)
}

// previewUpload shows an upload that a script has made. A page that is asked for by its
// address alone downloads nothing, so that a link elsewhere cannot have it done.
func (a *Admin) previewUpload(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil {
		return err
	}
	form := r.URL.Query()
	if form.Get("upload") == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "no upload is named").WithHint("begin with the list of layers")
	}
	return a.showPreview(w, r, form, map[string]any{"upload": form.Get("upload")}, nil)
}

// showPreview shows what a source is. A problem is one of making a layer of it.
func (a *Admin) showPreview(w http.ResponseWriter, r *http.Request, form url.Values, source map[string]any, problem *rasterbase.Error) error {
	p := previewPage{Form: form}
	p.Upload, _ = source["upload"].(string)
	p.Address, _ = source["address"].(string)
	p.Path, _ = source["path"].(string)
	p.Name = p.Address + p.Path
	if p.Upload != "" {
		var u struct {
			Name     string   `json:"name"`
			Size     int64    `json:"size"`
			Sidecars []string `json:"sidecars"`
		}
		if err := a.call(r, http.MethodGet, "/api/v1/uploads/"+url.PathEscape(p.Upload), nil, &u); err != nil {
			return err
		}
		p.Name, p.Size, p.Sidecars = u.Name, u.Size, u.Sidecars
	}
	settings, err := settingsOf(form)
	if err == nil {
		var made plan
		if err = a.call(r, http.MethodPost, "/api/v1/preview", map[string]any{"source": source, "settings": settings}, &made); err == nil {
			p.Plan = &made
		}
	}
	if err != nil {
		e, known := problemOf(err)
		if !known {
			return err
		}
		problem = inForm(e)
	}
	if problem != nil {
		p.Field, p.Choices = problem.Field, problem.Choices
	}
	if p.Legends, err = everything[named](a, r, "/api/v1/legends", url.Values{}); err != nil {
		return err
	}
	return a.show(w, r, "preview", frame{Title: "Add " + p.Name, Page: &p, Problem: problem})
}

// inForm is a problem with the way out that the form has: hints of the API may name
// options of the command line.
func inForm(e *rasterbase.Error) *rasterbase.Error {
	told := *e
	switch strings.TrimPrefix(e.Field, "settings.") {
	case "srid":
		told.Hint = "type the EPSG code of its coordinates below: 4326 for longitude and latitude in degrees, 32632 for UTM zone 32 north"
	case "subdataset":
		told.Hint = "choose one of them below"
	}
	return &told
}
