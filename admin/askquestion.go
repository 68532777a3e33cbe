package admin

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// question is what the API is asked: the form that is posted to it, by this program or,
// for a file, by the browser.
type question struct {
	kind   string
	path   string // of the API, as seen from its root
	params url.Values
	unit   string // of areas
	group  string // as asked for
}

// askedStatistics are those that are told of continuous values.
const askedStatistics = "min,max,mean,std,median"

// questionOf makes the API's parameters of the form.
func questionOf(p *askPage, by askLabels) (*question, error) {
	q := &question{kind: p.Kind, params: url.Values{}, unit: "ha"}
	if slices.Contains([]string{"m2", "km2", "acres"}, p.Form.Get("area")) {
		q.unit = p.Form.Get("area")
	}
	q.params.Set("area", q.unit)
	for _, name := range []string{"coverage", "zoom"} {
		if v := strings.TrimSpace(p.Form.Get(name)); v != "" {
			q.params.Set(name, v)
		}
	}
	if p.layer(p.Form.Get("layer")) == nil {
		return nil, noLayer(p.Form.Get("layer"), "layer")
	}
	q.setPolygons(p.Form.Get("geom"), strings.TrimSpace(p.Form.Get("id")))
	switch p.Kind {
	case askChange:
		return q, q.change(p)
	case askFormula:
		return q, q.formula(p)
	}
	return q, q.count(p, by)
}

// noLayer is the error of a layer that is not there, or that one may not read.
func noLayer(ref, field string) error {
	e := rasterbase.Errorf(rasterbase.Invalid, "no layer is chosen")
	if ref != "" {
		e = rasterbase.Errorf(rasterbase.NotFound, "there is no layer %.80q", ref)
	}
	return e.WithHint("choose one of the list").WithField(field)
}

// count asks for the counts of one layer.
func (q *question) count(p *askPage, by askLabels) error {
	l := p.layer(p.Form.Get("layer"))
	q.path = "layers/" + strconv.FormatInt(l.ID, 10) + "/valuecount"
	q.group = p.Form.Get("group")
	legend := p.Form.Get("legend")
	if q.group == "" || q.group == "auto" {
		switch {
		case legend != "" || l.discrete() && by[0].named():
			q.group = "legend"
		default:
			q.group = "auto"
		}
	}
	q.params.Set("group", q.group)
	if legend != "" && (q.group == "legend" || q.group == "semantics") {
		q.params.Set("legend", legend)
	}
	if band := strings.TrimSpace(p.Form.Get("band")); band != "" {
		q.params.Set("bidx", band)
	} else {
		q.params.Set("bidx", "1")
	}
	if bins := strings.TrimSpace(p.Form.Get("bins")); bins != "" && (q.group == "histogram" || q.group == "auto" && !l.discrete()) {
		q.params.Set("bins", bins)
	}
	if q.group == "histogram" || q.group == "none" || !l.discrete() {
		q.params.Set("stats", askedStatistics)
	}
	return nil
}

// change asks for the pairs of values of two layers.
func (q *question) change(p *askPage) error {
	q.path = "crosstab"
	before, err := p.input("before", "layer", "band")
	if err != nil {
		return err
	}
	after, err := p.input("after", "layer2", "band2")
	if err != nil {
		return err
	}
	q.params.Set("layers", before+","+after)
	q.grid(p, map[string]string{"a": "before", "b": "after"})
	return nil
}

var words = regexp.MustCompile(`[\p{L}\p{N}_.]+`)

// formula asks for the counts of a formula's values. The API wants those layers that the
// formula names and no others.
func (q *question) formula(p *askPage) error {
	q.path = "valuecount"
	text := strings.TrimSpace(p.Form.Get("formula"))
	if text == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "there is no formula").
			WithHint("write one over a, b and c, such as (a - b) / (a + b)").WithField("formula")
	}
	named := words.FindAllString(text, -1)
	var inputs []string
	for _, one := range p.Pickers {
		if !slices.Contains(named, one.Letter) {
			continue
		}
		in, err := p.input(one.Letter, one.Field, one.Band)
		if err != nil {
			return err
		}
		inputs = append(inputs, in)
	}
	if len(inputs) == 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "the formula names no layer").
			WithHint("the layers are called a, b and c in it").WithField("formula")
	}
	q.params.Set("layers", strings.Join(inputs, ","))
	q.params.Set("formula", text)
	if bins := strings.TrimSpace(p.Form.Get("bins")); bins != "" {
		q.params.Set("bins", bins)
	}
	q.params.Set("stats", askedStatistics)
	q.grid(p, map[string]string{"a": "a", "b": "b", "c": "c"})
	return nil
}

// grid says whose pixels are counted, where those of several layers do not fit.
func (q *question) grid(p *askPage, names map[string]string) {
	if name := names[p.Form.Get("grid")]; name != "" {
		q.params.Set("grid", name)
	}
}

// input names a band of a layer of the form, from 1 there and from 0 here.
func (p *askPage) input(name, field, band string) (string, error) {
	l := p.layer(p.Form.Get(field))
	if l == nil {
		return "", noLayer(p.Form.Get(field), field)
	}
	n := 1
	if text := strings.TrimSpace(p.Form.Get(band)); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			return "", rasterbase.Errorf(rasterbase.Invalid, "%.40q is no band", text).WithHint("bands count from 1").WithField(band)
		}
	}
	return name + ":" + strconv.Itoa(n-1) + "=" + strconv.FormatInt(l.ID, 10), nil
}

// setPolygons makes zones of the features of a collection, each of which is counted by
// itself, and one geometry of all else.
func (q *question) setPolygons(text, id string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	var doc featureNames
	if text[0] != '{' || json.Unmarshal([]byte(text), &doc) != nil || doc.Type != "FeatureCollection" {
		q.params.Set("geom", text)
		return
	}
	q.params.Set("zones", text)
	if id == "" {
		id = doc.naming()
	}
	if id != "" {
		q.params.Set("id", id)
	}
}

// featureNames are the properties of features, which may name them.
type featureNames struct {
	Type     string `json:"type"`
	Features []struct {
		Properties map[string]any `json:"properties"`
	} `json:"features"`
}

// naming is a property that all features have and that is usually their name; empty:
// there is none.
func (d *featureNames) naming() string {
	if len(d.Features) == 0 {
		return ""
	}
	for _, usual := range []string{"name", "title", "label", "id", "code"} {
		for property := range d.Features[0].Properties {
			if strings.EqualFold(property, usual) && d.names(property) {
				return property
			}
		}
	}
	return ""
}

// names tells whether a property is a text or a number of every feature.
func (d *featureNames) names(property string) bool {
	for _, f := range d.Features {
		switch v := f.Properties[property].(type) {
		case string:
			if v == "" {
				return false
			}
		case float64:
		default:
			return false
		}
	}
	return true
}
