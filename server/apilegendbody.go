package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// legendBody is a legend to be stored: with entries or with a gradient.
type legendBody struct {
	Title    string        `json:"title" doc:"Unique in any case; one line"`
	Entries  []entryBody   `json:"entries,omitempty" doc:"In the order in which they are painted: of those that match a value the last one colours it"`
	Gradient *gradientBody `json:"gradient,omitempty"`

	// A gradient whose members stand in the legend itself, as in legend files.
	Stops         any `json:"stops,omitempty" doc:"As in gradient"`
	ColormapName  any `json:"colormap_name,omitempty" doc:"As in gradient"`
	Interpolation any `json:"interpolation,omitempty" doc:"As in gradient"`
	Range         any `json:"range,omitempty" doc:"As in gradient"`
	Relative      any `json:"relative,omitempty" doc:"As in gradient"`
	Continuous    any `json:"continuous,omitempty" doc:"As in gradient"`
	From          any `json:"from,omitempty" doc:"As in gradient"`
	Over          any `json:"over,omitempty" doc:"As in gradient"`
	To            any `json:"to,omitempty" doc:"As in gradient"`

	// Members of the answer that say nothing here, so that what was read can be
	// written back.
	ID      any `json:"id,omitempty" doc:"Not looked at"`
	Kind    any `json:"kind,omitempty" doc:"Not looked at"`
	Count   any `json:"count,omitempty" doc:"Not looked at"`
	Updated any `json:"updated,omitempty" doc:"Not looked at"`
	Layers  any `json:"layers,omitempty" doc:"Not looked at"`
	URLs    any `json:"urls,omitempty" doc:"Not looked at"`
}

// inline are the members of a gradient that stand in the legend itself.
func (b legendBody) inline() map[string]any {
	inline := map[string]any{}
	for name, v := range map[string]any{
		"stops": b.Stops, "colormap_name": b.ColormapName, "interpolation": b.Interpolation, "range": b.Range,
		"relative": b.Relative, "continuous": b.Continuous, "from": b.From, "over": b.Over, "to": b.To,
	} {
		if v != nil {
			inline[name] = v
		}
	}
	return inline
}

// gradient is the one that a body gives, in its member or inline; nil: none.
func (b legendBody) gradient() (*gradientBody, error) {
	inline := b.inline()
	if len(inline) == 0 {
		return b.Gradient, nil
	}
	if b.Gradient != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the legend has a gradient twice").
			WithHint("give its members within gradient").WithField("gradient")
	}
	text, err := json.Marshal(inline)
	g := gradientBody(text)
	return &g, err
}

// legendPatchBody is what can be changed of a legend. What it has in place of
// entries takes these away, and the other way around.
type legendPatchBody struct {
	Title    opt[string]       `json:"title,omitzero" doc:"Unique in any case; one line"`
	Entries  opt[[]entryBody]  `json:"entries,omitzero" doc:"All of them: those that are not named here are taken out"`
	Gradient opt[gradientBody] `json:"gradient,omitzero"`

	// As in legendBody.
	Stops         any `json:"stops,omitempty" doc:"As in gradient"`
	ColormapName  any `json:"colormap_name,omitempty" doc:"As in gradient"`
	Interpolation any `json:"interpolation,omitempty" doc:"As in gradient"`
	Range         any `json:"range,omitempty" doc:"As in gradient"`
	Relative      any `json:"relative,omitempty" doc:"As in gradient"`
	Continuous    any `json:"continuous,omitempty" doc:"As in gradient"`
	From          any `json:"from,omitempty" doc:"As in gradient"`
	Over          any `json:"over,omitempty" doc:"As in gradient"`
	To            any `json:"to,omitempty" doc:"As in gradient"`
	ID            any `json:"id,omitempty" doc:"Not looked at"`
	Kind          any `json:"kind,omitempty" doc:"Not looked at"`
	Count         any `json:"count,omitempty" doc:"Not looked at"`
	Updated       any `json:"updated,omitempty" doc:"Not looked at"`
	Layers        any `json:"layers,omitempty" doc:"Not looked at"`
	URLs          any `json:"urls,omitempty" doc:"Not looked at"`
}

// body is what the patch gives, but for the title.
func (p legendPatchBody) body() legendBody {
	b := legendBody{
		Entries: p.Entries.value, Stops: p.Stops, ColormapName: p.ColormapName, Interpolation: p.Interpolation,
		Range: p.Range, Relative: p.Relative, Continuous: p.Continuous, From: p.From, Over: p.Over, To: p.To,
	}
	if p.Gradient.given && !p.Gradient.null {
		b.Gradient = &p.Gradient.value
	}
	return b
}

// entryBody is an entry. What is left out of one with an id stays as it is.
type entryBody struct {
	ID          rasterbase.EntryID     `json:"id,omitempty" minimum:"1" doc:"Of an entry that is there: it can stand in other legends too, where it changes with this one. Without it a new one is made"`
	Name        *string                `json:"name,omitempty" doc:"Of its semantics, which is found by it or made. Another name than that of semantics_id is another semantics: PATCH of the semantics renames it. Left out, it is the expression"`
	Description *string                `json:"description,omitempty" doc:"Of the semantics that the entry has now, in all legends. Beside another name than before, one that is as before is not given to a semantics that has that name already"`
	Keyword     *string                `json:"keyword,omitempty" doc:"As description"`
	SemanticsID rasterbase.SemanticsID `json:"semantics_id,omitempty" minimum:"1" doc:"Of a semantics that is there; counts where name is left out or the same"`
	Expression  *textOrNumber          `json:"expression,omitempty" doc:"A number, or a condition on x: (-3.0 < x) & (x <= 1)"`
	Color       *string                `json:"color,omitempty" doc:"#RGB, #RRGGBB, #RRGGBBAA or a CSS name"`
	Code        *textOrNumber          `json:"code,omitempty" doc:"Its place: where all entries have one, they are painted in the order of their codes"`
}

// textOrNumber is a text that may be written as a number.
type textOrNumber string

// Schema implements huma.SchemaProvider.
func (textOrNumber) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}}}
}

// UnmarshalJSON reads a string or a number.
func (t *textOrNumber) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '"' {
		*t = textOrNumber(b)
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}

// gradientBody is a gradient in the forms that the parameter colormap takes.
type gradientBody json.RawMessage

// Schema implements huma.SchemaProvider.
func (gradientBody) Schema(huma.Registry) *huma.Schema {
	color := &huma.Schema{Description: "#RRGGBB, #RRGGBBAA, a CSS name, or [red, green, blue, alpha]"}
	return &huma.Schema{
		Type:        huma.TypeObject,
		Description: "Stops of its own, a named colormap, or from, over and to",
		Properties: map[string]*huma.Schema{
			"stops":         {Type: huma.TypeArray, Items: &huma.Schema{}, Description: `Each as {"at": 10, "color": "#0000FF", "name": "deep"} or [10, "#0000FF"], rising`},
			"colormap_name": {Type: huma.TypeString, Description: "Such as viridis, or viridis_r for the reverse: /colormaps lists them"},
			"interpolation": {Type: huma.TypeString, Enum: []any{"linear", "discrete", "exact"}},
			"range":         {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeNumber, Nullable: true}, Description: "[min, max] that shares and colormaps are spread over; left out or null, it is the layer's own"},
			"relative":      {Type: huma.TypeBoolean, Description: "Stops are at shares of the range, 0 to 1"},
			"continuous":    {Description: "As django-raster has it, with from, over and to"},
			"from":          color, "over": color, "to": color,
		},
		AdditionalProperties: false,
		Examples:             []any{map[string]any{"colormap_name": "viridis", "range": []int{0, 100}}},
	}
}

// UnmarshalJSON keeps the text.
func (g *gradientBody) UnmarshalJSON(b []byte) error {
	*g = bytes.Clone(b)
	return nil
}

// MarshalJSON writes the text.
func (g gradientBody) MarshalJSON() ([]byte, error) { return json.RawMessage(g).MarshalJSON() }

// gradient reads it.
func (g gradientBody) gradient() (*rasterbase.Gradient, error) {
	lg, err := legend.ParseColormap(g)
	switch {
	case err != nil:
		return nil, inGradient(err)
	case lg.Gradient == nil:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the gradient has neither stops nor a colormap").
			WithHint(`write {"colormap_name": "viridis"}, or {"stops": [[0, "white"], [10, "blue"]]}`).WithField("gradient")
	}
	for i, s := range lg.Gradient.Stops {
		if err := rasterbase.CheckLine("the name", s.Name); err != nil {
			return nil, blame(err, fmt.Sprintf("gradient.stops[%d].name", i))
		}
	}
	return lg.Gradient, nil
}

// gradientPlace is how messages of [legend.ParseColormap] begin that tell a place.
var gradientPlace = regexp.MustCompile(`^(?:key "([a-z_]+)": )?(?:stop (\d+)(?:: |, ))?`)

// inGradient names the member of a gradient that an error is about.
func inGradient(err error) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	text := e.Message
	if text == "" && e.Err != nil {
		text = e.Err.Error()
	}
	place, text := "gradient", strings.TrimPrefix(text, "colormap: ")
	found := gradientPlace.FindStringSubmatch(text)
	switch n, _ := strconv.Atoi(found[2]); {
	case n > 0:
		place += fmt.Sprintf(".stops[%d]", n-1)
	case found[1] != "":
		place += "." + found[1]
	}
	named := *e
	named.Message, named.Field = text, place
	return &named
}

// checkTitle refuses a title that no legend can have.
func checkTitle(title string) (string, error) {
	title = strings.TrimSpace(title)
	if title == "" {
		return "", rasterbase.Errorf(rasterbase.Invalid, "the legend has no title").WithField("title")
	}
	return title, blame(rasterbase.CheckLine("the title", title), "title")
}

// stored finds what entries of a body refer to.
type stored struct {
	ctx     context.Context
	tx      store.Tx
	entries map[rasterbase.EntryID]rasterbase.Entry         // nil: not read yet
	known   map[rasterbase.SemanticsID]rasterbase.Semantics // likewise
	byName  map[string]rasterbase.Semantics                 // those that are known
}

// entry is an entry of some legend.
func (s *stored) entry(id rasterbase.EntryID) (rasterbase.Entry, error) {
	if s.entries == nil {
		all, err := s.tx.Legends().List(s.ctx)
		if err != nil {
			return rasterbase.Entry{}, err
		}
		s.entries = map[rasterbase.EntryID]rasterbase.Entry{}
		for _, l := range all {
			for _, e := range l.Entries {
				s.entries[e.ID] = e
			}
		}
	}
	e, ok := s.entries[id]
	if !ok {
		return e, rasterbase.Errorf(rasterbase.Invalid, "there is no entry %d", id).WithHint("leave out the id of a new one").WithField("id")
	}
	e.Code = "" // that is of its place
	return e, nil
}

// learn reads all semantics, once: a body can name thousands.
func (s *stored) learn() error {
	if s.known != nil {
		return nil
	}
	all, err := s.tx.Semantics().List(s.ctx)
	if err != nil {
		return err
	}
	s.known = make(map[rasterbase.SemanticsID]rasterbase.Semantics, len(all))
	s.byName = make(map[string]rasterbase.Semantics, len(all))
	for _, u := range all {
		s.known[u.ID], s.byName[u.Name] = u.Semantics, u.Semantics
	}
	return nil
}

// semantics is a semantics that is there.
func (s *stored) semantics(id rasterbase.SemanticsID) (rasterbase.Semantics, error) {
	if err := s.learn(); err != nil {
		return rasterbase.Semantics{}, err
	}
	m, ok := s.known[id]
	if !ok {
		return m, rasterbase.Errorf(rasterbase.Invalid, "there is no semantics %d", id).
			WithHint("leave it out to find the semantics by its name, or to make a new one").WithField("semantics_id")
	}
	return m, nil
}

// read gives the entry that a body describes. The error names the member.
func (b entryBody) read(s *stored) (e rasterbase.Entry, err error) {
	if b.ID != 0 {
		if e, err = s.entry(b.ID); err != nil {
			return e, err
		}
	}
	if b.Expression != nil {
		e.Expression = strings.TrimSpace(string(*b.Expression))
	}
	if b.Code != nil {
		e.Code = strings.TrimSpace(string(*b.Code))
	}
	if b.Color != nil {
		if e.Color, err = legend.ParseColor(*b.Color); err != nil {
			return e, blame(err, "color")
		}
	}
	switch {
	case e.Expression == "":
		return e, rasterbase.Errorf(rasterbase.Invalid, "the expression is missing").WithHint("a number, or a condition on x").WithField("expression")
	case b.Color == nil && b.ID == 0:
		return e, rasterbase.Errorf(rasterbase.Invalid, "the colour is missing").WithHint("write #RRGGBB").WithField("color")
	}
	if err := b.meaning(&e, s); err != nil {
		return e, err
	}
	return e, b.checkTexts()
}

// meaning sets the semantics. The name decides: whoever reads a legend, renames a
// class and writes it back means this class, not that of the same name elsewhere.
func (b entryBody) meaning(e *rasterbase.Entry, s *stored) (err error) {
	name := ""
	if b.Name != nil {
		name = strings.TrimSpace(*b.Name)
	}
	if b.SemanticsID != 0 {
		if e.Semantics, err = s.semantics(b.SemanticsID); err != nil {
			return err
		}
	}
	was := e.Semantics
	switch {
	case name != "" && name != was.Name:
		e.Semantics = rasterbase.Semantics{Name: name}
	case was == rasterbase.Semantics{}:
		e.Semantics.Name = e.Expression
	}
	// Texts that did not change came along with the name before: a semantics that
	// others have under the new one keeps its own.
	kept := false
	if was.ID != 0 && e.Semantics.ID == 0 {
		if err := s.learn(); err != nil {
			return err
		}
		_, kept = s.byName[name]
	}
	if b.Description != nil && !(kept && *b.Description == was.Description) {
		e.Semantics.Description = *b.Description
	}
	if b.Keyword != nil && !(kept && *b.Keyword == was.Keyword) {
		e.Semantics.Keyword = *b.Keyword
	}
	return nil
}

// checkTexts refuses texts that cannot be shown.
func (b entryBody) checkTexts() error {
	for _, t := range []struct {
		field string
		text  *string
		check func(what, s string) error
	}{
		{"name", b.Name, rasterbase.CheckLine}, {"description", b.Description, rasterbase.CheckText},
		{"keyword", b.Keyword, rasterbase.CheckLine}, {"code", (*string)(b.Code), rasterbase.CheckLine},
		{"expression", (*string)(b.Expression), rasterbase.CheckText},
	} {
		if t.text == nil {
			continue
		}
		if err := t.check("the "+t.field, *t.text); err != nil {
			return blame(err, t.field)
		}
	}
	return nil
}

// inEntry names the member of an entry that an error is about.
func inEntry(i int, err error) error {
	if e, ok := asError(err); ok && e.Field != "" {
		return blame(err, fmt.Sprintf("entries[%d].%s", i, e.Field))
	}
	return err
}

// readEntries gives the entries that bodies describe, and what is wrong with them,
// which it looks for until there is enough of it.
func readEntries(s *stored, bodies []entryBody, enough int) (entries []rasterbase.Entry, wrong []error, err error) {
	if len(bodies) > legend.MaxEntries {
		return nil, nil, rasterbase.Errorf(rasterbase.TooLarge, "the legend has %d entries", len(bodies)).
			WithHint("at most %d are allowed", legend.MaxEntries).WithField("entries")
	}
	seen := map[rasterbase.EntryID]int{}
	meant := meanings{}
	for i, b := range bodies {
		e, err := b.read(s)
		if first, ok := seen[b.ID]; ok && b.ID != 0 {
			err = rasterbase.Errorf(rasterbase.Invalid, "entry %d stands twice: it is entries[%d] too", b.ID, first).
				WithHint("leave out the id of one of them, to make a new one").WithField("id")
		}
		if err == nil {
			err = meant.add(b, e.Semantics)
		}
		if err == nil {
			err = expressionError(e.Expression)
		}
		seen[b.ID] = i
		if err != nil {
			if code := rasterbase.CodeOf(err); code != rasterbase.Invalid && code != rasterbase.TooLarge {
				return nil, nil, err
			}
			if wrong = append(wrong, inEntry(i, err)); len(wrong) == enough {
				return nil, wrong, nil
			}
		}
		entries = append(entries, e)
	}
	for i := range entries {
		meant.apply(&entries[i].Semantics)
	}
	return entries, wrong, nil
}

// meanings are the semantics whose texts a body gives.
type meanings map[rasterbase.SemanticsID]rasterbase.Semantics

// add notes the texts of an entry's semantics. Other texts for the same one are
// refused, because only one of them can be stored.
func (m meanings) add(b entryBody, s rasterbase.Semantics) error {
	if s.ID == 0 || b.Name == nil && b.Description == nil && b.Keyword == nil {
		return nil
	}
	if other, ok := m[s.ID]; ok && other != s {
		return rasterbase.Errorf(rasterbase.Invalid, "two entries give semantics %d other texts", s.ID).
			WithHint("leave out name, description and keyword of one of them").WithField("semantics_id")
	}
	m[s.ID] = s
	return nil
}

func (m meanings) apply(s *rasterbase.Semantics) {
	if given, ok := m[s.ID]; ok && s.ID != 0 {
		*s = given
	}
}

// expressionError tells what is wrong with an expression, and where.
func expressionError(expression string) error {
	err := legend.Validate(&rasterbase.Legend{Entries: []rasterbase.Entry{{Expression: expression}}})
	if err == nil {
		return nil
	}
	if mistake, ok := errors.AsType[*algebra.SyntaxError](err); ok {
		return rasterbase.Errorf(rasterbase.Invalid, "the expression %.60q: %w", expression, mistake).WithField("expression")
	}
	return blame(err, "expression")
}
