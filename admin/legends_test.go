package admin_test

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// addLegend makes a legend of three entries.
func (s *site) addLegend(title string) *rasterbase.Legend {
	s.t.Helper()
	l := &rasterbase.Legend{Title: title}
	for i, name := range []string{"Water", "Forest", "Town"} {
		l.Entries = append(l.Entries, rasterbase.Entry{
			Semantics: rasterbase.Semantics{Name: name}, Expression: fmt.Sprint(i + 1), Color: rasterbase.Color{R: uint8(40 * (i + 1)), A: 255},
		})
	}
	if err := s.st.Catalog().Update(s.t.Context(), func(tx store.Tx) error { return tx.Legends().Create(s.t.Context(), l) }); err != nil {
		s.t.Fatal(err)
	}
	return l
}

// legend is the stored one with a title.
func (s *site) legend(title string) (l *rasterbase.Legend) {
	s.t.Helper()
	err := s.st.Catalog().View(s.t.Context(), func(tx store.Tx) (err error) {
		l, err = tx.Legends().FindTitle(s.t.Context(), title)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// shape is a legend in few words.
func shape(l *rasterbase.Legend) string {
	var out []string
	for _, e := range l.Entries {
		out = append(out, fmt.Sprintf("%s %s %s %s", e.Expression, e.Color, e.Semantics.Name, e.Code))
	}
	return strings.Join(out, "; ")
}

// rows is what a form sends of rows, each as key, id, place, color, expression, name, code.
func rows(form url.Values, all ...[7]string) url.Values {
	for _, r := range all {
		for i, name := range []string{"key", "id", "place", "color", "expression", "name", "code"} {
			form.Add(name, r[i])
		}
	}
	return form
}

var stateField = regexp.MustCompile(`name="state" value="([^"]*)"`)

// stateOf is the state of the legend that an editor shows.
func stateOf(t *testing.T, p page) string {
	t.Helper()
	found := stateField.FindStringSubmatch(p.html)
	if found == nil {
		t.Fatalf("%s has no state: %s", p.at, p.text())
	}
	return strings.ReplaceAll(found[1], "&#34;", `"`)
}

// A legend is made, put right where it is wrong, changed and deleted by plain forms.
func TestLegendsByForms(t *testing.T) {
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	v.get("legends").want(t, 200, "There are no legends yet")
	v.get("legends/new").want(t, 200, "A new legend", "Expression")

	wrong := rows(url.Values{"title": {"Land <b>"}, "kind": {"entries"}, "do": {"save"}},
		[7]string{"0", "", "10", "blue", "1", "Water", ""}, [7]string{"1", "", "20", "bleu", "2", "Forest", ""},
		[7]string{"2", "", "30", "red", "x >> 3", "Town", ""}, [7]string{"3", "", "40", "", "", "", ""})
	p := v.post("legends/new", wrong)
	p.want(t, 400, "bleu")
	wrong.Set("do", "check") // tells all that is wrong, each at its place
	p = v.post("legends/new", wrong)
	p.want(t, 200)
	if found := regexp.MustCompile(`role="alert">[^<]+<`).FindAllString(p.html, -1); len(found) != 2 ||
		!strings.Contains(found[0], "bleu") || !strings.Contains(found[1], "x &gt;&gt; 3") {
		t.Errorf("the form says %q", found)
	}
	if strings.Contains(p.html, "Land <b>") {
		t.Error("a title is not escaped")
	}

	right := rows(url.Values{"title": {"Land <b>"}, "kind": {"entries"}, "do": {"save"}, "drop": {"7"}},
		[7]string{"0", "", "30", "blue", "1", "Water", ""}, [7]string{"7", "", "20", "red", "9", "Gone", ""}, [7]string{"2", "", "10", "#FF000080", "x > 3", "Town", ""})
	p = v.post("legends/new", right)
	p.want(t, 200, "Land <b>", "No layer uses it")
	if got := shape(s.legend("Land <b>")); got != "x > 3 #FF000080 Town ; 1 #0000FF Water " {
		t.Errorf("stored is %s", got)
	}
	v.get("legends").want(t, 200, "Land <b>", "2 entries")

	// Somebody else changes it while it is being edited: nothing is lost silently.
	state, id := stateOf(t, p), s.legend("Land <b>").Entries[0].ID
	change := func(title string) page {
		return v.post("legends/1", rows(url.Values{"title": {title}, "kind": {"entries"}, "do": {"save"}, "state": {state}},
			[7]string{"0", fmt.Sprint(id), "10", "green", "x > 4", "Town", ""}))
	}
	change("Land").want(t, 200, "Land")
	change("Late").want(t, 409, "somebody has changed it")
	if got := s.legend("Land"); got.Entries[0].ID != id || shape(got) != "x > 4 #008000 Town " {
		t.Errorf("stored is %s", shape(got))
	}
	v.post("legends/1", url.Values{"key": {"1"}}).want(t, 400, "fields")
	v.get("legends/1/delete").want(t, 200, "Delete Land", "No layer uses it")
	v.post("legends/1/delete", nil).want(t, 200, "There are no legends yet")
	v.get("legends/1").want(t, 404)
}

func TestColourRampsByForms(t *testing.T) {
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	v.get("legends/new?kind=gradient").want(t, 200, "A new colour ramp", "magma_r")
	v.post("legends/new", url.Values{"title": {"Heights"}, "kind": {"gradient"}, "colormap": {"terrain_r"}, "min": {"0"}, "max": {"900"}, "do": {"save"}}).want(t, 200, "Heights")
	if g := s.legend("Heights").Gradient; g == nil || g.Colormap != "terrain_r" || *g.Min != 0 || *g.Max != 900 {
		t.Errorf("stored is %+v", g)
	}
	stops := func(more url.Values, first string) url.Values {
		more.Set("title", "Stops")
		more.Set("kind", "gradient")
		more.Set("interpolation", "discrete")
		for i, at := range []string{first, "10"} {
			for name, text := range map[string]string{"key": fmt.Sprint(i), "place": fmt.Sprint(i), "color": "blue", "expression": at, "name": "deep"} {
				more.Add(name, text)
			}
		}
		return more
	}
	v.post("legends/new", stops(url.Values{"do": {"save"}}, "low")).want(t, 400, "stop 1")
	v.post("legends/new", stops(url.Values{"do": {"save"}}, "-2.5")).want(t, 200, "Stops")
	g := s.legend("Stops").Gradient
	if g == nil || len(g.Stops) != 2 || g.Stops[0].At != -2.5 || g.Stops[1].Name != "deep" || g.Interpolation != rasterbase.Discrete {
		t.Errorf("stored is %+v", g)
	}
	v.get("legends").want(t, 200, "Heights colour ramp", "Stops colour ramp")
	v.get("legends/2").want(t, 200, "Stops")
}

// A legend of a layer's values, one of a file, and what the layer is by them.
func TestLegendsOfLayersAndFiles(t *testing.T) {
	content := vegetation(t)
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	s.addUser("anna", rasterbase.Viewer)
	v := s.visit("ed")
	v.send("layers", "storm.tif", content, url.Values{"name": {"Storm Lake"}})
	v.parsed("layers/1")
	v.post("legends", url.Values{"layer": {"1"}, "method": {"quantile"}, "classes": {"many"}}).want(t, 400, "many")
	p := v.post("legends", url.Values{"layer": {"1"}, "method": {"quantile"}, "classes": {"4"}, "colormap_name": {"magma"}, "title": {"Cover"}})
	p.want(t, 200, "Cover", "Each pixel has a colour", "Used by")
	if n := len(s.legend("Cover").Entries); n != 4 {
		t.Errorf("it has %d entries", n)
	}
	if n := strings.Count(p.html, "<rect x="); n < 4 || !strings.Contains(p.html, "colormap=") {
		t.Errorf("the page has %d bars", n)
	}

	// What is typed is looked at without being stored.
	p = v.post("legends/1", rows(url.Values{"title": {"Cover"}, "kind": {"entries"}, "do": {"check"}, "layer": {"1"}},
		[7]string{"0", "", "10", "blue", "x > 1e9", "Nothing", ""}))
	p.want(t, 200, "pixels match no entry and are transparent")
	if n := len(s.legend("Cover").Entries); n != 4 {
		t.Errorf("it has %d entries", n)
	}
	v.post("legends/1/use", url.Values{"layer": {"1"}}).want(t, 200, "Used by Storm Lake")

	v.send("legends", "cover.clr", []byte("1 33 102 172 255 Water\n2 27 120 55 255 Forest\n"), url.Values{"title": {"From a file"}}).want(t, 200, "From a file")
	if got := shape(s.legend("From a file")); got != "1 #2166AC Water ; 2 #1B7837 Forest " {
		t.Errorf("stored is %s", got)
	}
	v.send("legends", "cover.doc", []byte("x"), nil).want(t, 400, "cover.doc")
	v.post("legends", nil).want(t, 400, "no file is chosen")

	// Who may not edit looks at it.
	p = s.visit("anna").get("legends/1?layer=1")
	p.want(t, 200, "Cover", "Each pixel has a colour")
	if strings.Contains(p.html, `value="save"`) || !strings.Contains(p.html, "<fieldset disabled>") {
		t.Errorf("a viewer can save: %s", p.html)
	}
}

func TestSemanticsByForms(t *testing.T) {
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	s.addLegend("Cover")
	v.get("semantics").want(t, 200, "Forest In Cover", "Town In Cover")
	v.post("semantics", url.Values{"name": {"Bog"}, "keyword": {"wetland"}, "description": {"Wet <ground>"}}).want(t, 200, "Bog wetland", "Wet <ground>", "In no legend")
	v.post("semantics", url.Values{"name": {"Bog"}}).want(t, 409, "Bog")
	v.get("semantics?search=WETL").want(t, 200, "1–1 of 1")
	id := s.legend("Cover").Entries[1].Semantics.ID
	v.post(fmt.Sprintf("semantics/%d", id), url.Values{"name": {"Trees"}, "do": {"save"}}).want(t, 200, "Trees In Cover")
	if got := s.legend("Cover").Entries[1].Semantics.Name; got != "Trees" {
		t.Errorf("the legend has %s", got)
	}
	v.post(fmt.Sprintf("semantics/%d", id), url.Values{"do": {"delete"}}).want(t, 409)
	v.post("semantics/4", url.Values{"do": {"delete"}}).want(t, 200, "1–3 of 3")
}

// The lists of legends and semantics have pages, which links lead to.
func TestPagesOfLegends(t *testing.T) {
	s := newSite(t)
	s.addUser("anna", rasterbase.Viewer)
	for i := range 60 {
		s.addLegend(fmt.Sprintf("Cover %02d & more", i))
	}
	v := s.visit("anna")
	p := v.get("legends?search=cover")
	p.want(t, 200, "1–25 of 60", "Cover 00 & more")
	for _, want := range []string{"26–50 of 60", "51–60 of 60"} {
		found := regexp.MustCompile(`href="\./(legends\?[^"]+)">After<`).FindStringSubmatch(p.html)
		if found == nil {
			t.Fatalf("no page follows: %s", p.html)
		}
		p = v.get(html.UnescapeString(found[1]))
		p.want(t, 200, want)
	}
	if strings.Contains(p.html, ">After<") || !strings.Contains(p.html, ">Before<") {
		t.Errorf("the last page: %s", p.text())
	}
	v.get("semantics?offset=-3").want(t, 200, "1–3 of 3")
}

// A layer's legend is the one chosen in its form, however many there are: saving the form
// does not take it away.
func TestOneOfManyLegends(t *testing.T) {
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	for i := range 130 {
		s.addLegend(fmt.Sprintf("Cover %03d", i))
	}
	last := s.addLegend("5") // which is another one's id
	s.addLayer(rasterbase.Layer{Name: "Hills", Visibility: rasterbase.Public, Legend: last.ID})
	v := s.visit("ed")
	if p := v.get("layers/1"); !strings.Contains(p.html, fmt.Sprintf(`<option value="%d" selected>`, last.ID)) {
		t.Errorf("the form has not the layer's legend: %.3000s", p.html)
	}
	v.post(fmt.Sprintf("legends/%d/use", last.ID), url.Values{"layer": {"1"}}).want(t, 200, "Used by Hills")
}
