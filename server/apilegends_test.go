package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

type entryDocument struct {
	ID                                            int64
	Name, Description, Keyword, Expression, Color string
	Code                                          string
	SemanticsID                                   int64 `json:"semantics_id"`
}

type legendDocument struct {
	ID       int64
	Title    string
	Kind     string
	Count    int
	Entries  []entryDocument
	Gradient map[string]any
	Layers   []struct{ Slug string }
	URLs     map[string]string
}

const editing = "editor"

func TestALegendOverItsLife(t *testing.T) {
	st := newStore(t)
	s := newAPI(t, st, nil, server.Config{})
	made := read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends",
		`{"title":" Cover ","entries":[{"name":"Forest","expression":1,"color":"forestgreen","keyword":"trees"},{"expression":"(1 < x) & (x <= 3)","color":"#0000FF88","code":2}]}`), 201)
	if made.Title != "Cover" || made.Kind != "entries" || len(made.Entries) != 2 || made.Entries[0].ID == 0 || made.Entries[0].SemanticsID == 0 ||
		made.Entries[0].Color != "#228B22" || made.Entries[1].Color != "#0000FF88" || made.Entries[1].Name != "(1 < x) & (x <= 3)" || made.Entries[1].Code != "2" {
		t.Errorf("%+v", made)
	}
	lg := &rasterbase.Legend{ID: rasterbase.LegendID(made.ID)}
	add(t, st, stripes("Land cover", lg))
	wants := func(x int, c string) {
		t.Helper()
		got := rasterbase.Color(at(wantPNG(t, get(t, s, "/tiles/land-cover/6/33/22.png")), x, 3)).String()
		if got != c {
			t.Errorf("the colour at %d is %s, want %s", x, got, c)
		}
	}
	wants(10, "#228B22")

	shown := get(t, s, "/api/v1/legends/cOVER")
	document := decode[legendDocument](t, shown)
	if len(document.Layers) != 1 || document.Layers[0].Slug != "land-cover" || !strings.HasSuffix(document.URLs["qml"], fmt.Sprintf("/legend/%d.qml", made.ID)) {
		t.Errorf("%+v", document)
	}
	tag := shown.Header().Get("ETag")
	wantStatus(t, get(t, s, "/api/v1/legends/cover", "If-None-Match", tag), 304)

	// The very next tile has the colours of an edit.
	one := made.Entries[0]
	body := fmt.Sprintf(`{"entries":[{"id":%d,"color":"red"},{"id":%d}]}`, one.ID, made.Entries[1].ID)
	changed := read[legendDocument](t, call(t, s, editing, "PATCH", "/api/v1/legends/Cover", body, "If-Match", tag), 200)
	if changed.Entries[0].ID != one.ID || changed.Entries[0].Keyword != "trees" || changed.Entries[0].Color != "#FF0000" {
		t.Errorf("%+v", changed)
	}
	wants(10, "#FF0000")
	p := wantProblem(t, call(t, s, editing, "PATCH", "/api/v1/legends/Cover", body, "If-Match", tag), 412)
	if p.Parameter != "If-Match" {
		t.Errorf("%+v", p)
	}
	wantProblem(t, call(t, s, editing, "PUT", "/api/v1/legends/Cover", `{"title":"Cover","entries":[]}`, "If-Match", tag), 412)
	wantProblem(t, call(t, s, editing, "DELETE", "/api/v1/legends/Cover", "", "If-Match", tag), 412)

	gradient := read[legendDocument](t, call(t, s, editing, "PUT", "/api/v1/legends/Cover", `{"title":"Cover","gradient":{"colormap_name":"viridis","range":[1,3]}}`), 200)
	if gradient.Kind != "gradient" || gradient.Gradient["colormap_name"] != "viridis" || len(gradient.Entries) != 0 {
		t.Errorf("%+v", gradient)
	}
	wants(10, "#440154")
	renamed := read[legendDocument](t, call(t, s, editing, "PATCH", "/api/v1/legends/Cover", `{"title":"Other"}`), 200)
	if renamed.Title != "Other" || renamed.Kind != "gradient" {
		t.Errorf("%+v", renamed)
	}
	list := decode[struct {
		Items []legendDocument
		Total int
	}](t, get(t, s, "/api/v1/legends?search=OTH"))
	if list.Total != 1 || list.Items[0].Title != "Other" || len(list.Items[0].Layers) != 1 {
		t.Errorf("%+v", list)
	}
	gone := read[legendDocument](t, call(t, s, editing, "DELETE", "/api/v1/legends/Other", ""), 200)
	if gone.Title != "Other" || len(gone.Layers) != 1 || gone.Layers[0].Slug != "land-cover" {
		t.Errorf("%+v", gone)
	}
	wantProblem(t, get(t, s, "/api/v1/legends/Other"), 404)
	wantStatus(t, get(t, s, "/tiles/land-cover/6/33/22.png"), 200)
}

// Entries and semantics are shared: what is changed of them shows everywhere.
func TestSharedEntriesAndSemantics(t *testing.T) {
	s := newAPI(t, newStore(t), nil, server.Config{})
	first := read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends", `{"title":"A","entries":[{"name":"Forest","expression":"1","color":"green"},{"name":"Water","expression":"2","color":"blue"}]}`), 201)
	forest := first.Entries[0]
	second := read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends",
		fmt.Sprintf(`{"title":"B","entries":[{"id":%d,"code":"7"},{"name":"Forest","expression":"x > 5","color":"lime"}]}`, forest.ID)), 201)
	if second.Entries[0].ID != forest.ID && second.Entries[1].ID != forest.ID {
		t.Fatalf("the entry is not shared: %+v", second)
	}
	third := read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends",
		fmt.Sprintf(`{"title":"C","entries":[{"semantics_id":%d,"expression":"3","color":"#123"}]}`, forest.SemanticsID)), 201)
	if third.Entries[0].Name != "Forest" || third.Entries[0].ID == forest.ID {
		t.Errorf("%+v", third)
	}
	// The entry's colour in one legend is its colour in the other.
	read[legendDocument](t, call(t, s, editing, "PATCH", "/api/v1/legends/A", fmt.Sprintf(`{"entries":[{"id":%d,"color":"#010203"}]}`, forest.ID)), 200)
	b := decode[legendDocument](t, get(t, s, "/api/v1/legends/B"))
	found := false
	for _, e := range b.Entries {
		found = found || e.ID == forest.ID && e.Color == "#010203" && e.Code == "7"
	}
	if !found {
		t.Errorf("%+v", b)
	}
	// A semantics that is renamed is so in every legend at once.
	use := decode[struct {
		Name    string
		Legends []struct{ Title string }
	}](t, get(t, s, fmt.Sprintf("/api/v1/semantics/%d", forest.SemanticsID)))
	if use.Name != "Forest" || len(use.Legends) != 3 || use.Legends[2].Title != "C" {
		t.Errorf("%+v", use)
	}
	read[any](t, call(t, s, editing, "PATCH", fmt.Sprintf("/api/v1/semantics/%d", forest.SemanticsID), `{"name":"Wood","description":"Trees\nabove 5 m"}`), 200)
	for _, title := range []string{"A", "B", "C"} {
		text := get(t, s, "/legend/"+title).Body.String()
		if !strings.Contains(text, `"Wood"`) || strings.Contains(text, "orest") {
			t.Errorf("legend %s: %s", title, text)
		}
		if svg := get(t, s, "/legend/"+title+".svg").Body.String(); !strings.Contains(svg, ">Wood<") {
			t.Errorf("picture of %s: %s", title, svg)
		}
	}
	p := wantProblem(t, call(t, s, editing, "DELETE", fmt.Sprintf("/api/v1/semantics/%d", forest.SemanticsID), ""), 409)
	if !strings.Contains(p.Detail+p.Hint, "A") {
		t.Errorf("%+v", p)
	}
	// A class that is renamed in one legend keeps its name in others.
	read[legendDocument](t, call(t, s, editing, "PATCH", "/api/v1/legends/C",
		fmt.Sprintf(`{"entries":[{"id":%d,"semantics_id":%d,"name":"Trees"}]}`, third.Entries[0].ID, forest.SemanticsID)), 200)
	for title, want := range map[string]string{"B": `"Wood"`, "C": `"Trees"`} {
		if text := get(t, s, "/legend/"+title).Body.String(); !strings.Contains(text, want) {
			t.Errorf("legend %s: %s", title, text)
		}
	}
}

// What was read can be changed and written back.
func TestLegendsAreWrittenBack(t *testing.T) {
	s := newAPI(t, newStore(t), nil, server.Config{})
	for _, body := range []string{
		`{"title":"A","entries":[{"name":"Low","expression":"(x > 1) & (x <= 2)","color":"red","code":"1"}]}`,
		`{"title":"B","interpolation":"discrete","stops":[[1,"navy"],[10,"#FFF"]]}`,
		`{"title":"C","colormap_name":"terrain","range":[0,2800]}`,
		`{"title":"D","gradient":{"colormap_name":"viridis"}}`,
	} {
		address := call(t, s, editing, "POST", "/api/v1/legends", body)
		wantStatus(t, address, 201)
		made := get(t, s, address.Header().Get("Location"))
		again := call(t, s, editing, "PUT", address.Header().Get("Location"), made.Body.String())
		wantStatus(t, again, 200)
		var before, after map[string]any
		for to, text := range map[*map[string]any]string{&before: made.Body.String(), &after: again.Body.String()} {
			if err := json.Unmarshal([]byte(text), to); err != nil {
				t.Fatal(err)
			}
			delete(*to, "updated")
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%v became %v", before, after)
		}
		if text := made.Body.String(); strings.Contains(text, `\u003`) {
			t.Errorf("it is hard to read: %s", text)
		}
	}
	for body, parameter := range map[string]string{
		`{"title":"E","colormap_name":"viridis","gradient":{"colormap_name":"viridis"}}`:     "gradient",
		`{"title":"E","colormap_name":"viridis","entries":[{"expression":1,"color":"red"}]}`: "gradient",
		`{"title":"E","stops":[[1,"nave"]]}`:                                                 "gradient.stops[0]",
	} {
		if p := wantProblem(t, call(t, s, editing, "POST", "/api/v1/legends", body), 400); p.Parameter != parameter {
			t.Errorf("%s: %+v", body, p)
		}
	}
	if p := wantProblem(t, get(t, s, "/api/v1/legends/A/check"), 400); p.Detail != "layer is missing" {
		t.Errorf("%+v", p)
	}
}

func TestMistakesOfLegends(t *testing.T) {
	s := newAPI(t, newStore(t), nil, server.Config{})
	read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends", `{"title":"Cover","entries":[{"name":"Forest","expression":"1","color":"green"}]}`), 201)
	for _, test := range []struct {
		body, parameter string
		status, column  int
	}{
		{`{"title":"A","entries":[{"expression":"1","color":"red"},{"expression":"(x > 1","color":"red"}]}`, "entries[1].expression", 400, 7},
		{`{"title":"A","entries":[{"expression":"x ><1","color":"red"}]}`, "entries[0].expression", 400, 4},
		{`{"title":"A","entries":[{"expression":"y","color":"red"}]}`, "entries[0].expression", 400, 1},
		{`{"title":"A","entries":[{"color":"red"}]}`, "entries[0].expression", 400, 0},
		{`{"title":"A","entries":[{"expression":"1","color":"reddish"}]}`, "entries[0].color", 400, 0},
		{`{"title":"A","entries":[{"expression":"1"}]}`, "entries[0].color", 400, 0},
		{`{"title":"A","entries":[{"expression":"1","color":"red","name":"a\u202eb"}]}`, "entries[0].name", 400, 0},
		{`{"title":"A","entries":[{"expression":"1","color":"red","description":"a\u0000b"}]}`, "entries[0].description", 400, 0},
		{`{"title":"A","entries":[{"id":99}]}`, "entries[0].id", 400, 0},
		{`{"title":"A","entries":[{"id":1},{"id":1}]}`, "entries[1].id", 400, 0},
		{`{"title":"A","entries":[{"semantics_id":99,"expression":"1","color":"red"}]}`, "entries[0].semantics_id", 400, 0},
		{`{"title":"A","entries":[{"semantics_id":1,"description":"P","expression":"1","color":"red"},{"semantics_id":1,"description":"Q","expression":"2","color":"red"}]}`, "entries[1].semantics_id", 400, 0},
		{`{"title":"A","entries":[{"expression":"1","color":"red","colour":"x"}]}`, "entries[0].colour", 400, 0},
		{`{"title":"A","entries":[{"expression":true,"color":"red"}]}`, "entries[0].expression", 400, 0},
		{`{"title":"A"}`, "entries", 400, 0},
		{`{"title":"A","entries":[{"expression":"1","color":"red"}],"gradient":{"colormap_name":"viridis"}}`, "gradient", 400, 0},
		{`{"title":"A","gradient":{"colormap_name":"viridi"}}`, "gradient", 400, 0},
		{`{"title":"A","gradient":{"stops":[[5,"red"],[1,"blue"]]}}`, "gradient.stops[1]", 400, 0},
		{`{"title":"A","gradient":{}}`, "gradient", 400, 0},
		{`{"title":"A","gradient":{"1":"red"}}`, "gradient.1", 400, 0},
		{`{"title":"  ","entries":[]}`, "title", 400, 0},
		{`{"title":"a\nb","entries":[]}`, "title", 400, 0},
		{`{"title":"cOVER","entries":[]}`, "title", 409, 0},
	} {
		w := call(t, s, editing, "POST", "/api/v1/legends", test.body)
		p := wantProblem(t, w, test.status)
		var column struct{ Column int }
		if err := json.Unmarshal(w.Body.Bytes(), &column); err != nil || p.Parameter != test.parameter || column.Column != test.column {
			t.Errorf("%s: %s", test.body, w.Body)
		}
	}
	if n := len(decode[struct{ Items []any }](t, get(t, s, "/api/v1/legends")).Items); n != 1 {
		t.Errorf("%d legends", n)
	}
	for _, body := range []string{`{"title":null}`, `{"entries":null}`, `{"gradient":null}`} {
		wantProblem(t, call(t, s, editing, "PATCH", "/api/v1/legends/Cover", body), 400)
	}
	long := `{"title":"A","entries":[` + strings.Repeat(`{"expression":"1","color":"red"},`, 200_000) + `{}]}`
	wantProblem(t, call(t, s, editing, "POST", "/api/v1/legends", long), 413)
}

// A large legend is stored, told and drawn.
func TestALegendOfManyEntries(t *testing.T) {
	s := newAPI(t, newStore(t), nil, server.Config{})
	var entries []string
	for i := range 5000 {
		entries = append(entries, fmt.Sprintf(`{"name":"Class %d","expression":%d,"color":"#%06x"}`, i, i, i))
	}
	made := read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends", `{"title":"Many","entries":[`+strings.Join(entries, ",")+`]}`), 201)
	if len(made.Entries) != 5000 || made.Entries[4999].Name != "Class 4999" {
		t.Errorf("%d entries", len(made.Entries))
	}
	if svg := get(t, s, "/legend/many.svg").Body.String(); !strings.Contains(svg, "and 4,904 more") {
		t.Errorf("%.300s", svg)
	}
}

func TestCheckingALegendWhileItIsWritten(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newAPI(t, st, nil, server.Config{})
	type checked struct {
		Valid    bool
		Mistakes []struct {
			Detail, Parameter, Hint string
			Column                  int
		}
		Report *struct {
			Pixels        int64
			Exact         bool
			None, Several struct {
				AtLeast int64 `json:"at_least"`
				Ranges  []struct{ From, To float64 }
			}
		}
		Colors []struct {
			Value float64
			Count int64
			Color string
			Entry *int
		}
	}
	c := read[checked](t, call(t, s, editing, "POST", "/api/v1/legends/check",
		`{"layer":"land-cover","entries":[{"expression":"1","color":"red"},{"expression":"x <","color":"blu"},{"expression":"x & (","color":"blue"}]}`), 200)
	if c.Valid || len(c.Mistakes) != 2 || c.Mistakes[0].Parameter != "entries[1].color" || c.Mistakes[1].Parameter != "entries[2].expression" || c.Mistakes[1].Column != 6 || c.Report != nil {
		t.Errorf("%+v", c)
	}
	c = read[checked](t, call(t, s, editing, "POST", "/api/v1/legends/check",
		`{"layer":"land-cover","entries":[{"expression":"1","color":"red"},{"expression":"x < 3","color":"blue"}]}`), 200)
	third := int64(128 * 512)
	if !c.Valid || c.Report.Pixels != 3*third || !c.Report.Exact || c.Report.None.AtLeast != third || c.Report.None.Ranges[0].From != 3 ||
		c.Report.Several.AtLeast != third || len(c.Colors) != 3 || c.Colors[0].Color != "#0000FF" || *c.Colors[0].Entry != 1 || c.Colors[2].Color != "" || c.Colors[2].Entry != nil {
		t.Errorf("%+v", c)
	}
	read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends", `{"title":"Cover","entries":[{"expression":"x >= 1","color":"red"}]}`), 201)
	c = decode[checked](t, get(t, s, "/api/v1/legends/cover/check?layer=land-cover"))
	if c.Report == nil || c.Report.None.AtLeast != 0 || len(c.Colors) != 3 {
		t.Errorf("%+v", c)
	}
	if p := wantProblem(t, get(t, s, "/api/v1/legends/cover/check"), 400); p.Parameter != "layer" {
		t.Errorf("%+v", p)
	}
	if p := wantProblem(t, get(t, s, "/api/v1/legends/cover/check?layer=land-cover&band=2"), 400); p.Parameter != "band" {
		t.Errorf("%+v", p)
	}
	wantProblem(t, get(t, s, "/api/v1/legends/cover/check?layer=none"), 404)
}

func TestALegendFromALayer(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("Hills"))
	s := newAPI(t, st, nil, server.Config{})
	proposal := read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends/from-layer", `{"layer":"hills","method":"equal-interval","classes":4,"colormap_name":"magma_r"}`), 200)
	if proposal.ID != 0 || proposal.Title != "Hills" || len(proposal.Entries) != 4 || proposal.Entries[0].ID != 0 {
		t.Errorf("%+v", proposal)
	}
	if n := len(decode[struct{ Items []any }](t, get(t, s, "/api/v1/legends")).Items); n != 0 {
		t.Errorf("a proposal was stored")
	}
	saved := read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends/from-layer", `{"layer":"hills","method":"quantile","title":"Heights","save":true}`), 201)
	if saved.ID == 0 || saved.Title != "Heights" || len(saved.Entries) != 5 {
		t.Errorf("%+v", saved)
	}
	for body, parameter := range map[string]string{
		`{"layer":"hills","method":"best"}`:                            "method",
		`{"layer":"hills","method":"quantile","classes":0}`:            "classes",
		`{"layer":"hills","method":"quantile","classes":300}`:          "classes",
		`{"layer":"hills","method":"quantile","colormap_name":"none"}`: "colormap_name",
		`{"layer":"hills","method":"quantile","band":7}`:               "band",
		`{"layer":"hills","method":"quantile","title":"\u202e"}`:       "title",
		`{"method":"quantile"}`:                                        "layer",
	} {
		if p := wantProblem(t, call(t, s, editing, "POST", "/api/v1/legends/from-layer", body), 400); p.Parameter != parameter {
			t.Errorf("%s: %+v", body, p)
		}
	}
	wantProblem(t, call(t, s, editing, "POST", "/api/v1/legends/from-layer", `{"layer":"hills","method":"quantile","title":"heights","save":true}`), 409)
	wantProblem(t, call(t, s, editing, "POST", "/api/v1/legends/from-layer", `{"layer":"none","method":"quantile"}`), 404)
}

// What is written as a file is read as the same legend.
func TestFilesOfLegends(t *testing.T) {
	st := newStore(t)
	addLegend(t, st, "Ländliches/2", forest, water, town)
	s := newAPI(t, st, nil, server.Config{})
	for _, form := range []string{"json", "csv", "clr", "txt", "qml"} {
		w := get(t, s, "/legend/"+url.PathEscape("ländliches/2.")+form)
		wantStatus(t, w, 200)
		if got := w.Header().Get("Content-Disposition"); form != "json" && !strings.Contains(got, "filename*=UTF-8''L%C3%A4ndliches%2F2."+form) {
			t.Errorf("%s: %s", form, got)
		}
		tag := w.Header().Get("ETag")
		wantStatus(t, get(t, s, "/legend/1."+form, "If-None-Match", tag), 304)
		file := w.Body.String()
		made := read[legendDocument](t, call(t, s, editing, "POST", "/api/v1/legends/import?title=as-"+form+"&name=my."+form, file, "Content-Type", "application/octet-stream"), 201)
		if made.Title != "as-"+form || len(made.Entries) != 3 || made.Entries[1].Name != "Water" || made.Entries[1].Color != "#2166AC" {
			t.Errorf("%s: %+v", form, made)
		}
	}
	for _, test := range []struct {
		name, body, media, parameter string
		status                       int
	}{
		{"a.clr", "1 2 3", "application/octet-stream", "body", 400},
		{"a.exe", "1 2 3", "application/octet-stream", "body", 400},
		{"", "1 2 3 4", "application/octet-stream", "name", 400},
		{"a.clr", "1 2 3 4", "text/plain", "", 415},
		{"a.clr", "1 2 3 4", "application/x-www-form-urlencoded", "", 415},
		{"a.csv", "value,color,name\n1,red,a\u202eb\n", "application/octet-stream", "body", 400},
		{"Ländliches.json", `{"title":"x","entries":[]}`, "application/octet-stream", "body", 400},
		{"a.clr", strings.Repeat("#", 5<<20), "application/octet-stream", "", 413},
	} {
		p := wantProblem(t, call(t, s, editing, "POST", "/api/v1/legends/import?name="+test.name, test.body, "Content-Type", test.media), test.status)
		if p.Parameter != test.parameter {
			t.Errorf("%s: %+v", test.name, p)
		}
	}
	if p := wantProblem(t, call(t, s, editing, "POST", "/api/v1/legends/import?title=x", "1 2 3 4", "Content-Type", "application/octet-stream"), 400); p.Parameter != "name" {
		t.Errorf("%+v", p)
	}
}

func TestSemantics(t *testing.T) {
	s := newAPI(t, newStore(t), nil, server.Config{})
	w := call(t, s, editing, "POST", "/api/v1/semantics", `{"name":"Bog","keyword":"wet"}`)
	made := read[struct{ ID int64 }](t, w, 201)
	place := fmt.Sprintf("/api/v1/semantics/%d", made.ID)
	if !strings.HasSuffix(w.Header().Get("Location"), place) {
		t.Error(w.Header())
	}
	tag := w.Header().Get("ETag")
	wantProblem(t, call(t, s, editing, "POST", "/api/v1/semantics", `{"name":"Bog"}`), 409)
	wantProblem(t, call(t, s, editing, "POST", "/api/v1/semantics", `{"name":" "}`), 400)
	read[any](t, call(t, s, editing, "PATCH", place, `{"name":"Mire","keyword":null}`, "If-Match", tag), 200)
	wantProblem(t, call(t, s, editing, "PATCH", place, `{"name":"Fen"}`, "If-Match", tag), 412)
	list := read[struct {
		Items []struct{ Name, Keyword string }
		Total int
	}](t, call(t, s, editing, "GET", "/api/v1/semantics?search=mir", ""), 200)
	if list.Total != 1 || list.Items[0].Name != "Mire" || list.Items[0].Keyword != "" {
		t.Errorf("%+v", list)
	}
	wantStatus(t, call(t, s, editing, "DELETE", place, ""), 204)
	wantProblem(t, call(t, s, editing, "DELETE", place, ""), 404)
	wantProblem(t, get(t, s, place), 404)
	wantProblem(t, get(t, s, "/api/v1/semantics/none"), 400)
}

// Colormaps are of one user: others neither see nor replace them.
func TestOwnColormaps(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newAPI(t, st, nil, server.Config{})
	w := call(t, s, "viewer", "PUT", "/api/v1/me/colormaps/My%20reds", `{"2": [200, 0, 0, 255], "1": "#010203", "2": "red"}`)
	wantStatus(t, w, 201)
	if !strings.HasSuffix(w.Header().Get("Location"), "/api/v1/me/colormaps/My%20reds") || w.Header().Get("Cache-Control") != "private, no-store" {
		t.Error(w.Header())
	}
	wantStatus(t, call(t, s, "viewer", "PUT", "/api/v1/me/colormaps/my%20REDS", `{"2":"red","1":"#010204"}`), 200)
	list := read[struct {
		Items []struct {
			Name     string
			Colormap map[string]any
		}
		Most int
	}](t, call(t, s, "viewer", "GET", "/api/v1/me/colormaps", ""), 200)
	if len(list.Items) != 1 || list.Items[0].Colormap["1"] != "#010204" || list.Most != 200 {
		t.Errorf("%+v", list)
	}
	wantProblem(t, call(t, s, "editor", "GET", "/api/v1/me/colormaps/My%20reds", ""), 404)
	wantProblem(t, call(t, s, "", "GET", "/api/v1/me/colormaps/My%20reds", ""), 401)
	img := wantPNG(t, call(t, s, "viewer", "GET", "/tiles/land-cover/6/33/22.png?store=session&legend=my%20reds", ""))
	if c := rasterbase.Color(at(img, 5, 5)).String(); c != "#010204" {
		t.Errorf("%s", c)
	}
	shown := call(t, s, "viewer", "GET", "/legend.svg?layer=land-cover&store=session&legend=my%20reds", "")
	if wantStatus(t, shown, 200); !strings.Contains(shown.Body.String(), "#010204") || shown.Header().Get("Cache-Control") != "private, no-store" {
		t.Errorf("%v %s", shown.Header(), shown.Body)
	}
	for _, test := range []struct {
		name, body, parameter string
		status                int
	}{
		{"a", `{"1": "reddish"}`, "colormap", 400}, {"a", `5`, "", 400}, {"a", `{"x >": "red"}`, "colormap", 400},
		{"a%2Fb", `{"1":"red"}`, "name", 400}, {"%20a", `{"1":"red"}`, "name", 400}, {strings.Repeat("a", 101), `{"1":"red"}`, "name", 400},
		{"%E2%80%AE", `{"1":"red"}`, "name", 400}, {"a", `{"1":"` + strings.Repeat(" ", 70<<10) + `red"}`, "", 413},
	} {
		w := call(t, s, "viewer", "PUT", "/api/v1/me/colormaps/"+test.name, test.body)
		if p := wantProblem(t, w, test.status); p.Parameter != test.parameter {
			t.Errorf("%s %.100s: %s", test.name, test.body, w.Body)
		}
	}
	for i := range 199 {
		wantStatus(t, call(t, s, "viewer", "PUT", fmt.Sprintf("/api/v1/me/colormaps/%d", i), `{"1":"red"}`), 201)
	}
	wantProblem(t, call(t, s, "viewer", "PUT", "/api/v1/me/colormaps/more", `{"1":"red"}`), 409)
	wantStatus(t, call(t, s, "viewer", "PUT", "/api/v1/me/colormaps/7", `{"1":"blue"}`), 200)
	wantStatus(t, call(t, s, "viewer", "DELETE", "/api/v1/me/colormaps/7", ""), 204)
	wantStatus(t, call(t, s, "viewer", "PUT", "/api/v1/me/colormaps/more", `{"1":"red"}`), 201)
}

// Whatever is sent, the answer is no failure of the server.
func FuzzLegendBodies(f *testing.F) {
	for _, body := range []string{
		`{"title":"A","entries":[{"id":1,"semantics_id":1,"name":"B","expression":1e400,"color":"#FFF","code":null}]}`,
		`{"title":"A","gradient":{"stops":[[0,"red"],[1e308,[1,2,3]]],"range":[null,5],"interpolation":"exact"}}`,
		`{"title":"A","entries":[{"expression":"x < 1 & (x > 2 | !x)","color":"transparent"}]}`,
		`{"1":"red","x>2":[1,2,3,4]}`, `[[[0,1],"red"],[[1,null],[1,2,3]]]`, `{"continuous":true,"over":"red"}`, `[]`, `null`, `"`, "{\"title\":\"\xff\"}",
	} {
		f.Add(body, "csv")
	}
	st := newStore(f)
	ctx := context.Background()
	err := st.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Legends().Create(ctx, &rasterbase.Legend{Title: "First", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "One"}, Expression: "1"}}})
	})
	if err != nil {
		f.Fatal(err)
	}
	add(f, st, stripes("Land cover", nil))
	s, err := server.New(server.Config{Store: st, Auth: everybody{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body, form string) {
		for _, to := range [][2]string{
			{"POST", "/api/v1/legends/check"}, {"POST", "/api/v1/legends"}, {"PATCH", "/api/v1/legends/1"}, {"PUT", "/api/v1/me/colormaps/a"},
			{"POST", "/api/v1/legends/import?name=a." + url.QueryEscape(form)},
		} {
			r := httptest.NewRequest(to[0], to[1], strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			if strings.Contains(to[1], "import") {
				r.Header.Set("Content-Type", "application/octet-stream")
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code >= 500 {
				t.Errorf("%s %s with %q: %d %s", to[0], to[1], body, w.Code, w.Body)
			}
		}
		wantStatus(t, get(t, s, "/legend/1"), 200)
		wantStatus(t, get(t, s, "/legend/1.png"), 200)
	})
}

// everybody lets everybody do everything.
type everybody struct{}

func (everybody) Principal(*http.Request) (rasterbase.Principal, error) {
	return rasterbase.Principal{Name: "anna"}, nil
}

func (everybody) May(context.Context, rasterbase.Principal, rasterbase.Action, *rasterbase.Layer) error {
	return nil
}
