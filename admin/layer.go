package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rasterbase/rasterbase"
)

// layerPage is a layer with all that its page shows.
type layerPage struct {
	layerRow
	Description string         `json:"description"`
	Attribution string         `json:"attribution"`
	License     string         `json:"license"`
	Bounds      []float64      `json:"bounds"`
	MinZoom     int            `json:"min_zoom"`
	TileSize    int            `json:"tile_size"`
	Created     time.Time      `json:"created"`
	Settings    map[string]any `json:"settings"`
	Legend      *named         `json:"legend"`
	Source      *struct {
		Name     string `json:"name"`
		Size     int64  `json:"size"`
		Checksum string `json:"checksum"`
	} `json:"source"`
	Formula *struct {
		Text string `json:"text"`
	} `json:"formula"`
	Parse *struct {
		TilesPlanned int64      `json:"tiles_planned"`
		TilesDone    int64      `json:"tiles_done"`
		SecondsLeft  int        `json:"seconds_left"`
		Started      *time.Time `json:"started"`
		Ended        *time.Time `json:"ended"`
		Error        string     `json:"error"`
	} `json:"parse"`
	Revision *struct {
		ID     int64  `json:"id"`
		Driver string `json:"driver"`
		CRS    struct {
			SRID int    `json:"srid"`
			Name string `json:"name"`
		} `json:"crs"`
		Grid struct {
			Width  int     `json:"width"`
			Height int     `json:"height"`
			ScaleX float64 `json:"scale_x"`
			ScaleY float64 `json:"scale_y"`
		} `json:"grid"`
		DatatypeReason string       `json:"datatype_reason"`
		Resampling     string       `json:"resampling"`
		HasPyramid     bool         `json:"has_pyramid"`
		BaseTiles      int64        `json:"base_tiles"`
		PyramidTiles   int64        `json:"pyramid_tiles"`
		Bands          []bandOfPage `json:"bands"`
	} `json:"revision"`
	URLs struct {
		TileJSON string `json:"tilejson"`
		Tiles    string `json:"tiles"`
	} `json:"urls"`
	Log      []logLine           `json:"-"`
	Legends  []named             `json:"-"`
	Form     url.Values          `json:"-"` // what was sent, where it was refused
	Field    string              `json:"-"` // that the problem is about
	Choices  []rasterbase.Choice `json:"-"`
	Levels   *levels             `json:"-"` // nil: it has no tiles
	Snippets []snippet           `json:"-"`
}

// bandOfPage is a band with what its file and its pixels say.
type bandOfPage struct {
	PixelType   string            `json:"pixel_type"`
	Nodata      *rasterbase.Float `json:"nodata"`
	Description string            `json:"description"`
	Count       float64           `json:"count"`
	Min         float64           `json:"min"`
	Max         float64           `json:"max"`
	Mean        float64           `json:"mean"`
	Std         float64           `json:"std"`
	Histogram   *struct {
		Values []struct {
			Value, Count float64
		} `json:"values"`
		Bins []float64 `json:"bins"`
		Min  float64   `json:"min"`
		Max  float64   `json:"max"`
	} `json:"histogram"`
}

type logLine struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// Setting is a setting as its field of the form shows it.
func (p *layerPage) Setting(name string) string {
	if p.Form != nil {
		return p.Form.Get(name)
	}
	switch v := p.Settings[name].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64) // as it is: the form is sent back
	case bool:
		if v {
			return "on"
		}
	}
	return ""
}

// Found is what was taken for a setting that is not given.
func (p *layerPage) Found(name string) string {
	if p.Revision == nil || p.Setting(name) != "" {
		return ""
	}
	f := found{srid: p.Revision.CRS.SRID, datatype: p.Datatype, resampling: p.Revision.Resampling, tileSize: p.TileSize}
	if len(p.Revision.Bands) > 0 {
		f.nodata = p.Revision.Bands[0].Nodata
	}
	if p.Revision.HasPyramid && p.Setting("next_lower") == "" {
		f.maxZoom = strconv.Itoa(p.MaxZoom)
	}
	return f.text(name)
}

// Wrong tells whether the problem of the form is about a field.
func (p *layerPage) Wrong(name string) bool { return p.Field == "settings."+name }

// HasLegend tells whether a legend is the layer's.
func (p *layerPage) HasLegend(l named) bool {
	if p.Form != nil {
		return l.chosen(p.Form)
	}
	return p.Legend != nil && p.Legend.ID == l.ID
}

func (a *Admin) layer(w http.ResponseWriter, r *http.Request) error {
	if err := a.mustSignIn(r); err != nil {
		return err
	}
	return a.showLayer(w, r, nil, nil)
}

func (a *Admin) showLayer(w http.ResponseWriter, r *http.Request, form url.Values, problem *rasterbase.Error) error {
	p := layerPage{Form: form}
	if err := a.call(r, http.MethodGet, layerPath(r, ""), nil, &p); err != nil {
		return err
	}
	p.Snippets = snippetsOf(&p)
	var err error
	if p.Log, err = a.log(r); err != nil {
		return err
	}
	if p.Levels, err = a.levels(r, r.PathValue("layer")); err != nil {
		return err
	}
	if p.Legends, err = everything[named](a, r, "/api/v1/legends", url.Values{}); err != nil {
		return err
	}
	if problem != nil {
		p.Field, p.Choices = problem.Field, problem.Choices
	}
	f := frame{Title: p.Name, Page: &p, Problem: problem}
	if p.Working() {
		f.Refresh = 5
	}
	return a.show(w, r, "layer", f)
}

// log is that of the layer's parses, for those who may change it.
func (a *Admin) log(r *http.Request) (out []logLine, err error) {
	w, err := a.ask(r, http.MethodGet, layerPath(r, "/log"), http.NoBody, func(http.Header) {})
	switch rasterbase.CodeOf(err) {
	case rasterbase.Forbidden, rasterbase.Unauthorized, rasterbase.NotFound:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines := json.NewDecoder(&w.body)
	for {
		var l logLine
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("admin: the log of a layer: %w", err)
		}
		out = append(out, l)
	}
}

// changeLayer keeps the form of a layer; the API parses it anew where that is needed.
func (a *Admin) changeLayer(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil {
		return err
	}
	if err := formOf(w, r); err != nil {
		return err
	}
	form := r.PostForm
	err := func() error {
		settings, err := settingsOf(form)
		if err != nil {
			return err
		}
		body := map[string]any{"legend": given(form.Get("legend")), "visibility": given(form.Get("visibility"))}
		for _, name := range []string{"name", "description", "attribution", "license"} {
			body[name] = form.Get(name)
		}
		if form.Get("formula") == "" {
			body["settings"] = settings
		}
		return a.call(r, http.MethodPatch, layerPath(r, ""), body, nil)
	}()
	if err != nil {
		problem, known := problemOf(err)
		if !known || problem.Code == rasterbase.NotFound {
			return err
		}
		return a.showLayer(w, r, form, problem)
	}
	goTo(w, r, "layers/"+url.PathEscape(r.PathValue("layer")))
	return nil
}

// actOnLayer does what needs nothing but a click.
func (a *Admin) actOnLayer(act string) page {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := a.call(r, http.MethodPost, layerPath(r, "/"+act), nil, nil); err != nil {
			return err
		}
		goTo(w, r, "layers/"+url.PathEscape(r.PathValue("layer")))
		return nil
	}
}

// deletePage asks whether a layer is to be deleted, as is asked of a selection.
func (a *Admin) deletePage(w http.ResponseWriter, r *http.Request) error {
	if err := a.mayEdit(r); err != nil {
		return err
	}
	p, err := a.loss(r, []string{r.PathValue("layer")})
	if err != nil {
		return err
	}
	return a.show(w, r, "delete", frame{Title: "Delete " + p.Layers[0].Name, Page: p})
}
