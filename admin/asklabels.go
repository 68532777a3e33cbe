package admin

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// labels are the names and colours that a legend gives to values. One without a legend
// gives numbers.
type labels struct {
	entries []rasterbase.Entry
	of      *legend.Classifier
}

// label is what a value is called.
type label struct{ Name, Color string }

// askLabels are those of the first and the second layer of a form.
type askLabels [2]labels

// named tells whether there is a legend with entries.
func (l labels) named() bool { return len(l.entries) > 0 }

// call gives the name and colour of a value.
func (l labels) call(v float64) label {
	if l.of != nil {
		if i := l.of.Entry(v); i >= 0 {
			e := l.entries[i]
			out := label{e.Semantics.Name, e.Color.String()}
			if out.Name == "" {
				out.Name = number(v)
			}
			return out
		}
	}
	return label{Name: number(v)}
}

// labelsOf reads the legends that name the values of the form's layers: the one that is
// chosen, or their own.
func (a *Admin) labelsOf(r *http.Request, p *askPage) (out askLabels, err error) {
	if p.Kind == askFormula {
		return out, nil
	}
	for i, field := range []string{"layer", "layer2"} {
		l := p.layer(p.Form.Get(field))
		chosen := p.Form.Get("legend")
		if l == nil || !l.discrete() || chosen == "" && l.URLs.Legend == "" || i == 1 && p.Kind != askChange {
			continue
		}
		if out[i], err = a.readLabels(r, l.ID, chosen); err != nil {
			return out, err
		}
	}
	return out, nil
}

// readLabels reads a legend as the API tells it for a layer; empty: the layer's own.
func (a *Admin) readLabels(r *http.Request, layer int64, ref string) (labels, error) {
	path := "/legend"
	if ref != "" {
		path += "/" + url.PathEscape(ref)
	}
	w, err := a.ask(r, http.MethodGet, path+"?layer="+strconv.FormatInt(layer, 10), http.NoBody, func(http.Header) {})
	if err != nil {
		return labels{}, err
	}
	l, err := legend.ParseJSON("legend", w.body.Bytes())
	if err != nil {
		return labels{}, err
	}
	if len(l.Entries) == 0 { // a gradient colours values without naming them
		return labels{}, nil
	}
	of, err := legend.Classify(l, rasterbase.Float64)
	if err != nil {
		return labels{}, err
	}
	return labels{l.Entries, of}, nil
}
