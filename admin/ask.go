package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// maxPolygons is the most bytes of a form that asks: the API takes about as much.
const maxPolygons = 33 << 20

// What can be asked.
const (
	askCount   = "count"
	askChange  = "change"
	askFormula = "formula"
)

// askPage is the form that asks, and what was answered.
type askPage struct {
	Form    url.Values
	Kind    string // count, change or formula
	Layers  []askLayer
	Pickers []layerPicker
	Legends []named
	Problem *rasterbase.Error
	Answer  *askAnswer
	Waiting *askExport
}

// askLayer is a layer that can be counted.
type askLayer struct {
	ID       int64     `json:"id"`
	Slug     string    `json:"slug"`
	Name     string    `json:"name"`
	Datatype string    `json:"datatype"`
	Bounds   []float64 `json:"bounds"`
	MaxZoom  int       `json:"max_zoom"`
	URLs     struct {
		Tiles  string `json:"tiles"`
		Legend string `json:"legend"`
	} `json:"urls"`
}

// Area is the layer's box as the map's script reads it.
func (l askLayer) Area() string {
	parts := make([]string, len(l.Bounds))
	for i, v := range l.Bounds {
		parts[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strings.Join(parts, ",")
}

// discrete tells whether the layer's values are classes.
func (l askLayer) discrete() bool { return l.Datatype != string(rasterbase.Continuous) }

// layerPicker chooses a layer and a band of it.
type layerPicker struct {
	Letter      string // its name in formulas
	Field, Band string // of the form
	Text        string
	Role        string // what it is when two layers are compared
	For         string // the kinds of questions that it belongs to
	Chosen      int64
	BandText    string
	Optional    bool
}

// askExport is a count in the background.
type askExport struct {
	ID       int64   `json:"id"`
	Status   string  `json:"status"`
	Percent  float64 `json:"percent"`
	Error    string  `json:"error"`
	FileName string  `json:"file_name"`
	Size     int64   `json:"size"`
}

// Working tells whether it is still being counted.
func (e askExport) Working() bool { return working(e.Status) }

// In tells whether the form's problem is that of some fields.
func (p *askPage) In(fields ...string) bool {
	return p.Problem != nil && slices.Contains(fields, p.Problem.Field)
}

// Elsewhere tells whether the problem is shown at none of the fields.
func (p *askPage) Elsewhere() bool {
	return p.Problem != nil && !p.In(polygonFields...) && !p.In("formula")
}

// AtPolygons tells whether the problem is that of the polygons.
func (p *askPage) AtPolygons() bool { return p.In(polygonFields...) }

// polygonFields are the parameters of the API that the polygons become.
var polygonFields = []string{"geom", "zones", "srid", "id", "file"}

// TooLarge tells whether the question may be answered in the background.
func (p *askPage) TooLarge() bool {
	return p.Problem != nil && p.Problem.Code == rasterbase.TooLarge && p.Problem.Field != "file"
}

func (a *Admin) askPage(w http.ResponseWriter, r *http.Request) error {
	if err := a.mustSignIn(r); err != nil {
		return err
	}
	form := r.URL.Query()
	if id := form.Get("export"); id != "" {
		return a.showExport(w, r, id)
	}
	return a.answer(w, r, form, form.Get("run") != "")
}

// askForm answers the form.
func (a *Admin) askForm(w http.ResponseWriter, r *http.Request) error {
	if err := a.mustSignIn(r); err != nil {
		return err
	}
	form, err := polygonFormOf(w, r)
	if err != nil {
		problem, known := problemOf(err)
		if !known {
			return err
		}
		return a.showAsk(w, r, &askPage{Form: form, Problem: problem})
	}
	return a.answer(w, r, form, true)
}

// answer asks the API what a form asks, if it is to, and shows both.
func (a *Admin) answer(w http.ResponseWriter, r *http.Request, form url.Values, ask bool) error {
	p := &askPage{Form: form}
	if err := a.fillAsk(r, p); err != nil {
		return err
	}
	if !ask {
		return a.showAsk(w, r, p)
	}
	waiting, err := a.put(r, p)
	if err != nil {
		problem, known := problemOf(err)
		if !known || problem.Code == rasterbase.Unauthorized {
			return err
		}
		p.Problem = problem
	}
	if waiting != nil {
		goTo(w, r, "ask?export="+strconv.FormatInt(waiting.ID, 10))
		return nil
	}
	return a.showAsk(w, r, p)
}

// put puts the question of a form to the API. What is made in the background is told
// instead of an answer.
func (a *Admin) put(r *http.Request, p *askPage) (*askExport, error) {
	by, err := a.labelsOf(r, p)
	if err != nil {
		return nil, err
	}
	q, err := questionOf(p, by)
	if err != nil {
		return nil, err
	}
	// An address only reads: links from other sites lead to answers too, and start nothing.
	method, path, later := http.MethodGet, "/"+q.path+"?"+q.params.Encode(), false
	var body io.Reader = http.NoBody
	if r.Method == http.MethodPost {
		if later = p.Form.Get("background") != ""; later {
			q.params.Set("f", "csv")
		}
		method, path, body = r.Method, "/"+q.path, strings.NewReader(q.params.Encode())
	}
	got, err := a.ask(r, method, path, body, func(h http.Header) {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		if later {
			h.Set("Prefer", "respond-async")
		}
	})
	if err != nil {
		return nil, err
	}
	if got.status == http.StatusAccepted {
		var e askExport
		if err := json.Unmarshal(got.body.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("admin: the count in the background: %w", err)
		}
		return &e, nil
	}
	p.Answer, err = answerOf(q, got.body.Bytes(), by)
	return nil, err
}

// showExport shows how far a count in the background is.
func (a *Admin) showExport(w http.ResponseWriter, r *http.Request, id string) error {
	var e askExport
	if err := a.call(r, http.MethodGet, "/api/v1/exports/"+url.PathEscape(id), nil, &e); err != nil {
		return err
	}
	return a.showAsk(w, r, &askPage{Form: url.Values{}, Waiting: &e})
}

// showAsk answers the page.
func (a *Admin) showAsk(w http.ResponseWriter, r *http.Request, p *askPage) error {
	if p.Layers == nil {
		if err := a.fillAsk(r, p); err != nil {
			return err
		}
	}
	f := frame{Title: "Ask", Page: p, Problem: p.Problem}
	if p.Waiting != nil && p.Waiting.Working() {
		f.Refresh = 3
	}
	return a.show(w, r, "ask", f)
}

// fillAsk reads what the form can choose from, and what it chooses.
func (a *Admin) fillAsk(r *http.Request, p *askPage) error {
	if p.Form == nil {
		p.Form = url.Values{}
	}
	p.Kind = askCount
	if kind := p.Form.Get("ask"); kind == askChange || kind == askFormula {
		p.Kind = kind
	}
	if err := a.listLayers(r, p); err != nil {
		return err
	}
	var err error
	if p.Legends, err = everything[named](a, r, "/api/v1/legends", url.Values{}); err != nil {
		return err
	}
	p.Pickers = []layerPicker{
		{Letter: "a", Field: "layer", Band: "band", Text: "Layer", Role: "before", For: "count change formula"},
		{Letter: "b", Field: "layer2", Band: "band2", Text: "Second layer", Role: "after", For: "change formula", Optional: true},
		{Letter: "c", Field: "layer3", Band: "band3", Text: "Third layer", For: "formula", Optional: true},
	}
	for i := range p.Pickers {
		one := &p.Pickers[i]
		one.BandText = p.Form.Get(one.Band)
		if l := p.layer(p.Form.Get(one.Field)); l != nil {
			one.Chosen = l.ID
		}
	}
	return nil
}

// listLayers reads the layers that can be counted.
func (a *Admin) listLayers(r *http.Request, p *askPage) error {
	all, err := everything[askLayer](a, r, "/api/v1/layers", url.Values{})
	p.Layers = []askLayer{}
	for _, l := range all {
		if l.Datatype != "" { // it has been parsed
			p.Layers = append(p.Layers, l)
		}
	}
	return err
}

// layer finds a layer of the list by its id or slug; nil: it is none of them.
func (p *askPage) layer(ref string) *askLayer {
	for i := range p.Layers {
		if l := &p.Layers[i]; ref != "" && (ref == l.Slug || ref == strconv.FormatInt(l.ID, 10)) {
			return l
		}
	}
	return nil
}

// polygonFormOf reads a form, and puts the text of a file that came with it where the
// polygons are typed.
func polygonFormOf(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxPolygons)
	var err error
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		err = r.ParseMultipartForm(maxPolygons)
	} else {
		err = r.ParseForm()
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return url.Values{}, rasterbase.Errorf(rasterbase.TooLarge, "the polygons are more than %d MiB", maxPolygons>>20).
			WithHint("`rasterbase count` counts files of any size").WithField("file")
	}
	if err != nil {
		return url.Values{}, rasterbase.Errorf(rasterbase.Invalid, "the form cannot be read: %w", err)
	}
	form := r.PostForm
	if r.MultipartForm == nil {
		return form, nil
	}
	defer dropFiles(r)
	for _, sent := range r.MultipartForm.File["file"] {
		f, err := sent.Open()
		if err != nil {
			return form, fmt.Errorf("admin: open the file of the form: %w", err)
		}
		text, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			return form, fmt.Errorf("admin: read the file of the form: %w", err)
		}
		if text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))); len(text) > 0 {
			form.Set("geom", string(text))
		}
	}
	return form, nil
}
