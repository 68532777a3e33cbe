package admin

import (
	"cmp"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// legendForm is a legend as the editor has it: texts that may be wrong.
type legendForm struct {
	ID                      int64
	State                   string // of the legend that the change is made to
	Title                   string
	Kind                    string // entries or gradient
	Rows                    []*legendFormRow
	Colormap                string // of a gradient; empty: the stops in Rows
	Interpolation, Min, Max string
	Relative                bool
	Wrong                   map[string]string // by the field's name
	TooLong                 int               // so many entries that they are not in the form
}

// legendFormRow is an entry, or a stop of a gradient.
type legendFormRow struct {
	Key                           int // names the row while the page is open
	ID                            string
	Color, Expression, Name, Code string
	Wrong                         map[string]string
}

// Place is what the rows are ordered by where no script does.
func (r *legendFormRow) Place() int { return 10 * (r.Key + 1) }

// Plain is the colour as a browser's picker takes it.
func (r *legendFormRow) Plain() string {
	c, err := legend.ParseColor(r.Color)
	if err != nil {
		return "#888888"
	}
	c.A = 255
	return c.String()
}

func (r *legendFormRow) empty() bool { return r.Expression == "" && r.Name == "" && r.Code == "" }

// rowInTemplate is a row with what its fields are called by.
type rowInTemplate struct {
	Kind   string
	Number int // from 1
	Row    *legendFormRow
}

func rowOfTemplate(kind string, i int, row *legendFormRow) rowInTemplate {
	return rowInTemplate{kind, i + 1, row}
}

// newForm is that of a legend that is to be made.
func newForm(kind string) *legendForm {
	f := &legendForm{Kind: "entries"}
	if kind == "gradient" {
		f.Kind, f.Colormap, f.Interpolation = kind, "viridis", "linear"
	}
	return f
}

// more adds rows to be filled in.
func (f *legendForm) more(n int) {
	for range n {
		f.Rows = append(f.Rows, &legendFormRow{Key: len(f.Rows)})
	}
}

// formOfLegend is the form of a legend that is there.
func formOfLegend(d legendDocument, state string) *legendForm {
	f := &legendForm{ID: d.ID, State: state, Title: d.Title, Kind: "entries"}
	for i, e := range d.Entries {
		f.Rows = append(f.Rows, &legendFormRow{Key: i, ID: strconv.FormatInt(e.ID, 10), Color: e.Color, Expression: e.Expression, Name: e.Name, Code: e.Code})
	}
	g := d.Gradient
	if g == nil {
		return f
	}
	f.Kind, f.Colormap, f.Interpolation, f.Relative = "gradient", g.Colormap, g.Interpolation, g.Relative
	for i, s := range g.Stops {
		at := strconv.FormatFloat(float64(s.At), 'g', -1, 64)
		f.Rows = append(f.Rows, &legendFormRow{Key: i, Color: s.Color.String(), Expression: at, Name: s.Name})
	}
	if g.Range != nil {
		f.Min, f.Max = optional(g.Range[0]), optional(g.Range[1])
	}
	return f
}

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

// readLegendForm reads what the editor sends. Rows without a text are left out, as are
// those that are ticked to go.
func readLegendForm(form url.Values) (*legendForm, error) {
	f := &legendForm{
		State: form.Get("state"), Title: strings.TrimSpace(form.Get("title")), Kind: newForm(form.Get("kind")).Kind,
		Colormap: form.Get("colormap"), Interpolation: form.Get("interpolation"), Relative: form.Get("relative") != "",
		Min: strings.TrimSpace(form.Get("min")), Max: strings.TrimSpace(form.Get("max")),
	}
	keys := form["key"]
	column := func(name string) []string {
		if f.Kind == "gradient" && (name == "id" || name == "code") {
			return make([]string, len(keys)) // stops have none
		}
		return form[name]
	}
	columns := map[string][]string{}
	for _, name := range []string{"id", "place", "color", "expression", "name", "code"} {
		if columns[name] = column(name); len(columns[name]) != len(keys) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the form has %d rows, and %d fields %s", len(keys), len(columns[name]), name)
		}
	}
	places := map[*legendFormRow]float64{}
	for i, key := range keys {
		at := func(name string) string { return strings.TrimSpace(columns[name][i]) }
		n, err := strconv.Atoi(key)
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the form has a row %.40q", key)
		}
		row := &legendFormRow{Key: n, ID: at("id"), Color: at("color"), Expression: at("expression"), Name: at("name"), Code: at("code")}
		if row.empty() || slices.Contains(form["drop"], key) {
			continue
		}
		if places[row], err = strconv.ParseFloat(at("place"), 64); err != nil {
			places[row] = float64(10 * (i + 1))
		}
		f.Rows = append(f.Rows, row)
	}
	slices.SortStableFunc(f.Rows, func(a, b *legendFormRow) int { return cmp.Compare(places[a], places[b]) })
	return f, nil
}

// body is the legend as the API takes it. What is no number there is sent as the text
// that it is, so that the API tells what is wrong with it.
func (f *legendForm) body() map[string]any {
	out := map[string]any{"title": f.Title}
	if f.Kind == "gradient" {
		out["gradient"] = f.gradient()
		return out
	}
	entries := make([]map[string]any, len(f.Rows))
	for i, row := range f.Rows {
		entries[i] = map[string]any{"expression": row.Expression, "color": row.Color, "name": row.Name, "code": row.Code}
		if id, err := strconv.ParseInt(row.ID, 10, 64); err == nil && id > 0 {
			entries[i]["id"] = id
		}
	}
	out["entries"] = entries
	return out
}

func (f *legendForm) gradient() map[string]any {
	g := map[string]any{}
	if f.Min != "" || f.Max != "" {
		g["range"] = [2]any{numberOrText(f.Min), numberOrText(f.Max)}
	}
	if f.Colormap != "" {
		g["colormap_name"] = f.Colormap
		return g
	}
	if f.Interpolation != "" {
		g["interpolation"] = f.Interpolation
	}
	if f.Relative {
		g["relative"] = true
	}
	stops := make([]map[string]any, len(f.Rows))
	for i, row := range f.Rows {
		stops[i] = map[string]any{"at": numberOrText(row.Expression), "color": row.Color, "name": row.Name}
	}
	g["stops"] = stops
	return g
}

// numberOrText is a number, null for nothing, or else the text.
func numberOrText(text string) any {
	if text == "" {
		return nil
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil && v-v == 0 {
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return text
}

// colormap is the legend in the form of the parameter of tiles.
func (f *legendForm) colormap() any {
	if f.Kind == "gradient" {
		return f.gradient()
	}
	return f.body()["entries"]
}

// rowOfField finds the row and the member that the API blames.
var rowOfField = regexp.MustCompile(`^(?:entries|gradient\.stops)\[(\d+)\](?:\.([a-z_]+))?$`)

// blame notes what is wrong at its place.
func (f *legendForm) blame(field, text string) {
	found := rowOfField.FindStringSubmatch(field)
	if found == nil {
		if f.Wrong == nil {
			f.Wrong = map[string]string{}
		}
		f.Wrong[field] = text
		return
	}
	i, err := strconv.Atoi(found[1])
	if err != nil || i >= len(f.Rows) {
		return
	}
	member := found[2]
	switch member {
	case "color", "name", "code":
	case "semantics_id", "description", "keyword":
		member = "name"
	default:
		member = "expression"
	}
	row := f.Rows[i]
	if row.Wrong == nil {
		row.Wrong = map[string]string{}
	}
	row.Wrong[member] = text
}
