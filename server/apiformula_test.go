package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// hidingAuth is roleAuth, but for layers that nobody but administrators may read.
type hidingAuth struct {
	roleAuth
	hidden *map[rasterbase.LayerID]bool
}

func (a hidingAuth) May(ctx context.Context, who rasterbase.Principal, what rasterbase.Action, l *rasterbase.Layer) error {
	if l != nil && (*a.hidden)[l.ID] && who.Role != rasterbase.Administrator {
		return rasterbase.Errorf(rasterbase.Forbidden, "hidden")
	}
	return a.roleAuth.May(ctx, who, what, l)
}

// formulaAPI is a server that makes layers of formulas, over two layers: dem and
// cover, which are beside each other at zoom 6.
func formulaAPI(t *testing.T) (s *server.Server, st store.Store, hidden map[rasterbase.LayerID]bool) {
	t.Helper()
	st, hidden = newStore(t), map[rasterbase.LayerID]bool{}
	add(t, st, ramp("dem"))
	add(t, st, stripes("cover", nil))
	s = newServer(t, server.Config{
		Store: st, Parser: ingest.New(ingest.Config{Store: st}), Auth: hidingAuth{roleAuth{auth.New(st.Catalog(), auth.Options{})}, &hidden},
	})
	t.Cleanup(s.Close)
	return s, st, hidden
}

// formulaDoc is what is told of a layer with a formula.
type formulaDoc struct {
	ID       rasterbase.LayerID
	Name     string
	Slug     string
	Status   string
	Settings map[string]any
	Formula  json.RawMessage
	Parse    struct{ Status, Error string }
}

func post(t *testing.T, s http.Handler, role, body string) *httptest.ResponseRecorder {
	t.Helper()
	return call(t, s, role, "POST", "/api/v1/layers", body)
}

func patch(t *testing.T, s http.Handler, ref any, body string) *httptest.ResponseRecorder {
	t.Helper()
	return call(t, s, "editor", "PATCH", fmt.Sprintf("/api/v1/layers/%v", ref), body)
}

// wantFormula compares a formula as it is told.
func wantFormula(t *testing.T, d formulaDoc, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(d.Formula, &a); err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("the formula is %s, not %s", d.Formula, want)
	}
}

// A layer is made of a formula, is there at once, is changed and deleted.
func TestFormulaLayersOverTheAPI(t *testing.T) {
	s, _, _ := formulaAPI(t)
	w := post(t, s, "editor", `{"name":"High","visibility":"private","formula":{"text":"a > 100","layers":"a=dem"}}`)
	d := read[formulaDoc](t, w, 201)
	if w.Header().Get("Location") != fmt.Sprintf("http://example.com/api/v1/layers/%d", d.ID) || d.Slug != "high" || d.Status != "finished" ||
		d.Parse.Status != "finished" || d.Settings["datatype"] != "mask" {
		t.Errorf("%+v", d)
	}
	wantFormula(t, d, `{"text":"a > 100","layers":[{"name":"a","layer":1,"slug":"dem","band":0}]}`)
	wantStatus(t, call(t, s, "", "GET", "/api/v1/layers/high", ""), 404)
	wantFormula(t, read[formulaDoc](t, call(t, s, "viewer", "GET", "/api/v1/layers/high", ""), 200), string(d.Formula))

	// What was answered can be sent back; a list is read as well as a text.
	tag := w.Header().Get("ETag")
	d = read[formulaDoc](t, patch(t, s, "high", `{"formula":`+string(d.Formula)+`}`), 200)
	wantFormula(t, d, `{"text":"a > 100","layers":[{"name":"a","layer":1,"slug":"dem","band":0}]}`)
	wantProblem(t, patch(t, s, "high", `{"formula":{"text":"b*2"},"name":"Twice"}`), 400) // b is no layer
	d = read[formulaDoc](t, patch(t, s, "high", `{"formula":{"text":"b*2","layers":[{"name":"b","layer":"cover"}]},"name":"Twice"}`), 200)
	if d.Name != "Twice" || d.Settings["datatype"] != "categorical" {
		t.Errorf("%+v", d)
	}
	wantStatus(t, call(t, s, "editor", "PATCH", "/api/v1/layers/high", `{"name":"x"}`, "If-Match", tag), 412)

	// A datatype that was given stays, and can be taken back.
	d = read[formulaDoc](t, patch(t, s, "high", `{"settings":{"datatype":"continuous"}}`), 200)
	d2 := read[formulaDoc](t, patch(t, s, "high", `{"formula":{"text":"b*3"}}`), 200)
	if d.Settings["datatype"] != "continuous" || d2.Settings["datatype"] != "continuous" {
		t.Errorf("%+v, then %+v", d, d2)
	}
	d = read[formulaDoc](t, patch(t, s, "high", `{"settings":{"datatype":null}}`), 200)
	if d.Settings["datatype"] != "categorical" {
		t.Errorf("%+v", d)
	}
	d = read[formulaDoc](t, patch(t, s, "high", `{"formula":{"text":"where(a == NULL, b, a)","layers":"a=dem,b=cover","grid":"a"}}`), 200)
	wantFormula(t, d, `{"text":"where(a == NULL, b, a)","grid":"a","layers":[{"name":"a","layer":1,"slug":"dem","band":0},{"name":"b","layer":2,"slug":"cover","band":0}]}`)
	d = read[formulaDoc](t, patch(t, s, "high", `{"formula":{"grid":null}}`), 200)
	if strings.Contains(string(d.Formula), "grid") {
		t.Errorf("%s", d.Formula)
	}

	// Formulas stand on formulas; what is read cannot be deleted.
	d = read[formulaDoc](t, post(t, s, "editor", `{"formula":{"text":"a+1","layers":"a=high"}}`), 201)
	if d.Name != "a+1" {
		t.Errorf("without a name it is %q", d.Name)
	}
	p := wantProblem(t, call(t, s, "editor", "DELETE", "/api/v1/layers/high", ""), 409)
	if !strings.Contains(p.Detail, "4 (a+1)") {
		t.Errorf("%+v", p)
	}
	wantProblem(t, call(t, s, "editor", "DELETE", "/api/v1/layers/dem", ""), 409)
	wantProblem(t, call(t, s, "editor", "POST", "/api/v1/layers/high/reparse", ""), 400)
	wantStatus(t, call(t, s, "editor", "POST", "/api/v1/layers/high/cancel", ""), 200)
	wantStatus(t, call(t, s, "editor", "DELETE", fmt.Sprintf("/api/v1/layers/%d", d.ID), ""), 204)
	wantStatus(t, call(t, s, "editor", "DELETE", "/api/v1/layers/high", ""), 204)
}

// What is wrong is named, with its place.
func TestWrongFormulaLayers(t *testing.T) {
	s, st, _ := formulaAPI(t)
	create(t, st, rasterbase.Layer{Name: "unparsed", Visibility: rasterbase.Public})
	f := read[formulaDoc](t, post(t, s, "editor", `{"name":"f","formula":{"text":"a*2","layers":"a=dem"}}`), 201)
	g := read[formulaDoc](t, post(t, s, "editor", `{"name":"g","formula":{"text":"a*2","layers":"a=f"}}`), 201)
	for _, c := range []struct {
		ref       any // 0: a new layer
		body      string
		status    int
		parameter string
		column    int
	}{
		{0, `{"formula":{"text":"a+*2","layers":"a=dem"}}`, 400, "formula", 3},
		{0, `{"formula":{"text":"a+b","layers":"a=dem"}}`, 400, "formula", 3},
		{0, `{"formula":{"text":"a","layers":"a=dem,b=cover"}}`, 400, "formula.layers", 0},
		{0, `{"formula":{"text":"1","layers":"a=dem"}}`, 400, "formula", 0},
		{0, `{"formula":{"text":"","layers":"a=dem"}}`, 400, "formula", 0},
		{0, `{"formula":{"layers":"a=dem"}}`, 400, "formula", 0},
		{0, `{"formula":{"text":"a"}}`, 400, "formula.layers", 0},
		{0, `{"formula":{"text":"a","layers":"dem"}}`, 400, "formula.layers", 0},
		{0, `{"formula":{"text":"a","layers":[]}}`, 400, "formula.layers", 0},
		{0, `{"formula":{"text":"a","layers":[{"name":"1a","layer":1}]}}`, 400, "formula.layers", 0},
		{0, `{"formula":{"text":"a","layers":[{"name":"a","layer":1},{"name":"a","layer":2}]}}`, 400, "formula.layers", 0},
		{0, `{"formula":{"text":"a","layers":[{"name":"a","layer":1,"band":-1}]}}`, 400, "", 0},
		{0, `{"formula":{"text":"a","layers":[{"name":"a","layer":1,"other":1}]}}`, 400, "", 0},
		{0, `{"formula":{"text":"a","layers":7}}`, 400, "", 0},
		{0, `{"formula":{"text":"a","layers":"a:1=dem"}}`, 400, "formula.layers", 0},
		{0, `{"formula":{"text":"a","layers":"a=none"}}`, 404, "formula.layers", 0},
		{0, `{"formula":{"text":"a","layers":"a=unparsed"}}`, 409, "formula.layers", 0},
		{0, `{"formula":{"text":"a","layers":"a=dem","grid":"b"}}`, 400, "formula.grid", 0},
		{0, `{"formula":{"text":"a","layers":"a=dem"},"source":{"path":"/a"}}`, 400, "source", 0},
		{0, `{"formula":{"text":"a","layers":"a=dem"},"settings":{"nodata":1}}`, 400, "settings.nodata", 0},
		{0, `{"formula":{"text":"a","layers":"a=dem"},"legend":"none"}`, 400, "legend", 0},
		{0, `{"formula":null}`, 400, "", 0},
		{"f", `{"formula":null}`, 400, "formula", 0},
		{"f", `{"formula":{"text":"a","layers":"a=f"}}`, 400, "formula", 0},
		{"f", `{"formula":{"text":"a","layers":"a=g"}}`, 400, "formula", 0},
		{"f", `{"source":{"path":"/a"}}`, 400, "source", 0},
		{"f", `{"settings":{"tile_size":512}}`, 400, "settings.tile_size", 0},
		{"dem", `{"formula":{"text":"a","layers":"a=cover"}}`, 400, "formula", 0},
	} {
		w := post(t, s, "editor", c.body)
		if c.ref != 0 {
			w = patch(t, s, c.ref, c.body)
		}
		p := wantProblem(t, w, c.status)
		var place struct{ Column int }
		if err := json.Unmarshal(w.Body.Bytes(), &place); err != nil {
			t.Fatal(err)
		}
		if c.parameter != "" && p.Parameter != c.parameter || place.Column != c.column {
			t.Errorf("%v %s: %+v, column %d", c.ref, c.body, p, place.Column)
		}
	}
	wantFormula(t, f, `{"text":"a*2","layers":[{"name":"a","layer":1,"slug":"dem","band":0}]}`)
	top := g.Slug
	for i := 3; i <= store.MaxFormulaDepth; i++ {
		top = read[formulaDoc](t, post(t, s, "editor", fmt.Sprintf(`{"formula":{"text":"a*%d","layers":"a=%s"}}`, i, top)), 201).Slug
	}
	wantProblem(t, post(t, s, "editor", fmt.Sprintf(`{"formula":{"text":"a","layers":"a=%s"}}`, top)), 400)
	wantStatus(t, post(t, s, "viewer", `{"formula":{"text":"a","layers":"a=dem"}}`), 403)
	wantStatus(t, post(t, s, "", `{"formula":{"text":"a","layers":"a=dem"}}`), 401)
}

// An input that the sender may not read is not there for them, wherever it stands.
func TestFormulaLayersOverHiddenInputs(t *testing.T) {
	s, _, hidden := formulaAPI(t)
	read[formulaDoc](t, post(t, s, "editor", `{"name":"f","formula":{"text":"a*2","layers":"a=dem"}}`), 201)
	hidden[1] = true
	missing := strings.ReplaceAll(wantProblem(t, post(t, s, "editor", `{"formula":{"text":"a","layers":"a=none"}}`), 404).Detail, "none", "?")
	for ref, body := range map[string]string{
		"dem": `{"formula":{"text":"a","layers":"a=dem"}}`,
		"1":   `{"formula":{"text":"a","layers":[{"name":"a","layer":1}]}}`,
	} {
		if p := wantProblem(t, post(t, s, "editor", body), 404); p.Parameter != "formula.layers" || strings.ReplaceAll(p.Detail, ref, "?") != missing {
			t.Errorf("%s: %+v", ref, p)
		}
	}
	if p := wantProblem(t, post(t, s, "editor", `{"formula":{"text":"a","layers":"a=f"}}`), 404); p.Parameter != "formula.layers" {
		t.Errorf("by way of a formula: %+v", p)
	}
	wantStatus(t, post(t, s, "administrator", `{"name":"g","formula":{"text":"a+b","layers":"a=dem,b=f"}}`), 201)
}

// A formula whose input lost its tiles says so, and is there again with them.
func TestFormulaLayersOfUnparsedInputs(t *testing.T) {
	s, st, _ := formulaAPI(t)
	read[formulaDoc](t, post(t, s, "editor", `{"name":"f","formula":{"text":"a*2","layers":"a=dem"}}`), 201)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, 1)
		if err != nil {
			return err
		}
		return tx.Revisions().Retire(ctx, l.Published)
	})
	d := read[formulaDoc](t, call(t, s, "editor", "GET", "/api/v1/layers/f", ""), 200)
	if d.Status != "unparsed" || !strings.Contains(d.Parse.Error, "1 (dem)") {
		t.Errorf("%+v", d)
	}
	if d := read[formulaDoc](t, call(t, s, "viewer", "GET", "/api/v1/layers/f", ""), 200); d.Status != "unparsed" || d.Parse.Error != "" {
		t.Errorf("%+v", d)
	}
}
