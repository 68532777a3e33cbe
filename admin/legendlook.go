package admin

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// mostColormap is the longest colormap, in bytes of an address, that a map is drawn by
// while a legend is edited: proxies refuse much longer addresses.
const mostColormap = 6000

// look is what a legend makes of a layer, and what is wrong with the legend.
type look struct {
	Valid    bool
	Mistakes []string // that have no field in the form
	Bars     []coloredBar
	Notes    []string // on pixels without a colour, or with several
	Layer    *layerPage
	Tiles    string // the address of the layer's tiles by what was typed; empty: there is none
}

type coloredBar struct {
	bar
	Color string // empty: transparent
}

// checked is what the API finds out about a legend.
type checked struct {
	Valid    bool `json:"valid"`
	Mistakes []struct {
		Detail    string `json:"detail"`
		Parameter string `json:"parameter"`
	} `json:"mistakes"`
	Report *struct {
		Exact   bool   `json:"exact"`
		None    misfit `json:"none"`
		Several misfit `json:"several"`
	} `json:"report"`
	Colors []struct {
		Value rasterbase.Float `json:"value"`
		Count float64          `json:"count"`
		Color string           `json:"color"`
	} `json:"colors"`
}

type misfit struct {
	AtLeast int64 `json:"at_least"`
	AtMost  int64 `json:"at_most"`
	Ranges  []struct {
		From rasterbase.Float `json:"from"`
		To   rasterbase.Float `json:"to"`
	} `json:"ranges"`
	More int `json:"more"`
}

// look has a legend checked, marks its mistakes in the form, and looks at a layer by it
// unless none is named. Whoever may not edit looks at the legend that is stored.
func (a *Admin) look(r *http.Request, f *legendForm, layer string, may bool) (*look, error) {
	var found checked
	method, path, body := http.MethodPost, "/api/v1/legends/check", f.body()
	if layer != "" {
		body["layer"] = layer
	}
	var sent any = body
	if !may {
		method, path, sent = http.MethodGet, legendPath(strconv.FormatInt(f.ID, 10))+"/check?layer="+url.QueryEscape(layer), nil
	}
	if err := a.call(r, method, path, sent, &found); err != nil {
		return nil, err
	}
	l := &look{Valid: found.Valid}
	for _, m := range found.Mistakes {
		f.blame(m.Parameter, m.Detail)
		if !rowOfField.MatchString(m.Parameter) {
			l.Mistakes = append(l.Mistakes, m.Detail)
		}
	}
	if layer == "" {
		return l, nil
	}
	l.Layer = &layerPage{}
	if err := a.call(r, http.MethodGet, "/api/v1/layers/"+url.PathEscape(layer), nil, l.Layer); err != nil {
		return nil, err
	}
	if !found.Valid {
		return l, nil
	}
	l.Bars = found.bars()
	if found.Report != nil {
		l.note(found.Report.None, "match no entry and are transparent")
		l.note(found.Report.Several, "match more than one entry: the last of them colours these")
	}
	l.Tiles = f.tiles(l.Layer.URLs.Tiles)
	return l, nil
}

// tiles is the address of tiles that are coloured by what was typed, or, where that is
// too long for an address, by the legend as it is stored.
func (f *legendForm) tiles(address string) string {
	if address == "" {
		return ""
	}
	join := "?"
	if strings.Contains(address, "?") {
		join = "&"
	}
	body, err := json.Marshal(f.colormap())
	if text := url.QueryEscape(string(body)); err == nil && len(text) <= mostColormap && string(body) != "[]" {
		return address + join + "colormap=" + text
	}
	if f.ID == 0 {
		return ""
	}
	return address + join + "legend=" + strconv.FormatInt(f.ID, 10)
}

// bars is the histogram of the layer in the colours of the legend.
func (c *checked) bars() []coloredBar {
	most := 0.0
	for _, v := range c.Colors {
		most = max(most, v.Count)
	}
	if most == 0 {
		return nil
	}
	wide := histogramWidth / float64(len(c.Colors))
	out := make([]coloredBar, len(c.Colors))
	for i, v := range c.Colors {
		high := max(2, histogramHeight*v.Count/most)
		out[i] = coloredBar{
			bar{X: float64(i) * wide, Width: math.Max(wide-0.5, wide*0.8), Y: histogramHeight - high, Height: high, Label: number(float64(v.Value)) + ": " + count(v.Count)},
			v.Color,
		}
	}
	return out
}

// note says how many pixels there are that something is odd with, and which.
func (l *look) note(m misfit, what string) {
	if m.AtMost == 0 {
		return
	}
	text := count(m.AtMost)
	if m.AtLeast != m.AtMost {
		text = count(m.AtLeast) + " to " + text
	}
	var ranges []string
	for i, r := range m.Ranges {
		if i == 5 {
			m.More += len(m.Ranges) - i
			break
		}
		one := number(float64(r.From))
		if r.To != r.From {
			one += " to " + number(float64(r.To))
		}
		ranges = append(ranges, one)
	}
	text += " pixels " + what + " (" + strings.Join(ranges, ", ")
	if m.More > 0 {
		text += fmt.Sprintf(" and %d more", m.More)
	}
	l.Notes = append(l.Notes, text+").")
}
