package admin_test

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/gdal"
)

// The names of the layers and the polygons of the tests.
const (
	plants  = "<script>alert(1)</script> خريطة"
	aPark   = "POLYGON((-113.27 46.05,-113.25 46.05,-113.25 46.07,-113.27 46.05))"
	twoHalf = `{"type":"FeatureCollection","features":[
{"type":"Feature","properties":{"Name":"<b>west</b>"},"geometry":{"type":"Polygon","coordinates":[[[-113.27,46.05],[-113.26,46.05],[-113.26,46.07],[-113.27,46.07],[-113.27,46.05]]]}},
{"type":"Feature","properties":{"Name":"شرق"},"geometry":{"type":"Polygon","coordinates":[[[-113.26,46.05],[-113.25,46.05],[-113.25,46.07],[-113.26,46.07],[-113.26,46.05]]]}}]}`
)

// newAskSite has a viewer, anna, and three layers: plants with a legend, heights, and
// plants as they are later, when one kind has become another.
func newAskSite(t *testing.T) (*site, *visitor) {
	t.Helper()
	if !gdal.Available {
		t.Skip("this build has no GDAL")
	}
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	s.addUser("anna", rasterbase.Viewer)
	v := s.visit("ed")
	all := demo.Rasters()
	colors, err := all[1].Legend()
	if err != nil {
		t.Fatal(err)
	}
	v.api("POST", "api/v1/legends", `{"title":"Kinds of plants","entries":`+string(colors)+`}`, 201)
	for i, name := range []string{plants, "Heights"} {
		content, err := all[1-i].Contents()
		if err != nil {
			t.Fatal(err)
		}
		v.send("layers", all[1-i].File, content, url.Values{"name": {name}, "datatype": {string(all[1-i].Datatype)}, "visibility": {"private"}})
		v.parsed("layers/" + strconv.Itoa(i+1))
	}
	v.api("PATCH", "api/v1/layers/1", `{"legend":"Kinds of plants"}`, 200)
	v.api("POST", "api/v1/layers", `{"name":"Later plants","visibility":"private","legend":"Kinds of plants","settings":{"datatype":"categorical"},
		"formula":{"text":"where(a == 7050, 7055, a)","layers":"a=1"}}`, 201)
	v.api("PATCH", "api/v1/layers/3", `{"legend":"Kinds of plants"}`, 200)
	return s, s.visit("anna")
}

// api asks the API as the visitor.
func (v *visitor) api(method, path, body string, status int) page {
	v.s.t.Helper()
	p := v.do(v.request(method, "../"+path, strings.NewReader(body), "application/json"))
	if p.status != status {
		v.s.t.Fatalf("%s %s: %d, not %d: %s", method, path, p.status, status, p.html)
	}
	return p
}

// aCount is a row of counts, in a page or told by the command line.
type aCount struct {
	Name  string
	Count float64
	Area  float64
}

var (
	countedRows  = regexp.MustCompile(`(?s)<tr[^>]*><th scope="row">(.*?)</th>\s*<td class="chart">.*?</tr>`)
	countedName  = regexp.MustCompile(`<bdi>([^<]*)</bdi>`)
	countedCells = regexp.MustCompile(`<data value="([^"]*)">`)
)

// counted are the rows of counts on a page, as exact as they are told there.
func (p page) counted(t *testing.T) (out []aCount) {
	t.Helper()
	for _, row := range countedRows.FindAllStringSubmatch(p.html, -1) {
		cells := countedCells.FindAllStringSubmatch(row[0], -1)
		if len(cells) != 2 {
			t.Fatalf("a row has %d numbers: %s", len(cells), row[0])
		}
		var v [2]float64
		for i := range v {
			var err error
			if v[i], err = strconv.ParseFloat(cells[i][1], 64); err != nil {
				t.Fatal(err)
			}
		}
		name := ""
		if m := countedName.FindStringSubmatch(row[1]); m != nil {
			name = m[1]
		}
		out = append(out, aCount{name, v[0], v[1]})
	}
	return out
}

// sorted are the counts by their numbers, without names: those of a table with names and
// of one with values are compared.
func sorted(all []aCount) []aCount {
	out := slices.Clone(all)
	for i := range out {
		out[i].Name = ""
	}
	slices.SortFunc(out, func(a, b aCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.Area, a.Area))
	})
	return out
}

// byCommand are the counts of `rasterbase count` of a site's data.
func (s *site) byCommand(arguments ...string) (out []aCount) {
	s.t.Helper()
	program := filepath.Join(s.t.TempDir(), "rasterbase")
	if said, err := exec.Command("go", "build", "-o", program, "../cmd/rasterbase").CombinedOutput(); err != nil {
		s.t.Fatalf("build the command line: %v: %s", err, said)
	}
	run := exec.Command(program, append([]string{"count", "--json"}, arguments...)...)
	run.Env = append(os.Environ(), "RASTER_DATA="+s.data)
	var said, complained bytes.Buffer
	run.Stdout, run.Stderr = &said, &complained
	if err := run.Run(); err != nil {
		s.t.Fatalf("rasterbase count: %v: %s", err, complained.String())
	}
	var doc struct {
		Counts []aCount `json:"counts"`
	}
	if err := json.Unmarshal(said.Bytes(), &doc); err != nil || len(doc.Counts) == 0 {
		s.t.Fatalf("rasterbase count: %v: %s", err, said.String())
	}
	return slices.DeleteFunc(doc.Counts, func(c aCount) bool { return c.Count == 0 })
}

// A plain form counts what `rasterbase count` counts, and links to the same as a file.
func TestAPlainFormAsks(t *testing.T) {
	s, v := newAskSite(t)
	p := v.get("ask?layer=1")
	p.want(t, 200, "What is there", plants, "Heights", "Kinds of plants")
	if strings.Contains(p.html, "<script>alert") || !strings.Contains(p.html, `<option value="1" selected`) {
		t.Errorf("the name is a script, or the layer is not chosen: %s", p.html)
	}
	v.get("layers/1").want(t, 200, "Count in a polygon")

	form := url.Values{"ask": {"count"}, "layer": {"1"}, "geom": {aPark}}
	p = v.post("ask", form)
	p.want(t, 200, "Answer", "Rocky Mountain", "those whose centre is inside", "Download CSV", plants+" (revision 1)")
	if !strings.Contains(p.html, aPark+"</textarea>") || strings.Contains(p.html, "<script>alert") || !strings.Contains(p.html, `fill="#`) {
		t.Errorf("the polygon is gone, the name is a script, or there are no colours: %s", p.html)
	}
	want := s.byCommand("1", "--geom", aPark, "--group", "legend", "--area", "ha")
	if got := sorted(p.counted(t)); !slices.Equal(got, sorted(want)) || len(got) < 3 {
		t.Errorf("the page counts %v, the command line %v", got, sorted(want))
	}

	// The same as an address, and by value.
	form.Set("run", "yes")
	form.Set("group", "value")
	p = v.get("ask?" + form.Encode())
	byValue := s.byCommand("1", "--geom", aPark, "--area", "ha")
	if got := sorted(p.counted(t)); !slices.Equal(got, sorted(byValue)) {
		t.Errorf("by value the page counts %v, the command line %v", got, sorted(byValue))
	}
	form.Set("coverage", "fraction")
	p = v.post("ask", form)
	parts := s.byCommand("1", "--geom", aPark, "--area", "ha", "--coverage", "fraction")
	if got := sorted(p.counted(t)); !slices.Equal(got, sorted(parts)) || slices.Equal(got, sorted(byValue)) {
		t.Errorf("by parts of pixels the page counts %v, the command line %v", got, sorted(parts))
	}
	wantFile(t, v, p, parts)
}

// wantFile complains unless the file that an answer leads to has the same counts.
func wantFile(t *testing.T, v *visitor, p page, want []aCount) {
	t.Helper()
	doc := p.html[strings.Index(p.html, `<form class="actions"`):]
	doc = doc[:strings.Index(doc, "</form>")]
	action := regexp.MustCompile(`action="\.(?:/\.)*\./([^"]*)"`).FindStringSubmatch(doc)
	if action == nil {
		t.Fatalf("there is no file: %s", doc)
	}
	sent := url.Values{}
	for _, m := range regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(doc, -1) {
		sent.Set(m[1], m[2])
	}
	file := v.post("../"+strings.TrimPrefix(action[1], "../"), sent)
	rows, err := csv.NewReader(strings.NewReader(file.html)).ReadAll()
	if err != nil || file.status != 200 || len(rows) != len(want)+1 {
		t.Fatalf("the file is %d: %v: %s", file.status, err, file.html)
	}
	at := slices.Index(rows[0], "count")
	for _, row := range rows[1:] {
		n, err := strconv.ParseFloat(row[at], 64)
		if err != nil || !slices.ContainsFunc(want, func(c aCount) bool { return c.Count == n }) {
			t.Errorf("the file has a count of %s", row[at])
		}
	}
}

// A hectare is 10,000 square metres, and a square kilometre 100 hectares.
func TestUnitsOfAreas(t *testing.T) {
	_, v := newAskSite(t)
	areas := map[string]float64{}
	for _, unit := range []string{"m2", "ha", "km2", "acres", "made-up"} {
		p := v.post("ask", url.Values{"ask": {"count"}, "layer": {"1"}, "geom": {aPark}, "area": {unit}, "group": {"value"}})
		all := p.counted(t)
		if len(all) == 0 {
			t.Fatalf("%s: %s", unit, p.text())
		}
		areas[unit] = all[0].Area
	}
	for unit, size := range map[string]float64{"ha": 1e4, "km2": 1e6, "acres": 4046.8564224, "made-up": 1e4} {
		if got, want := areas[unit], areas["m2"]/size; math.Abs(got-want) > 1e-9*want || want == 0 {
			t.Errorf("%s: %v, and %v m² are %v", unit, got, areas["m2"], want)
		}
	}
}

// Each feature of a file is counted by itself, under its own name.
func TestPolygonsOfAFile(t *testing.T) {
	_, v := newAskSite(t)
	p := v.send("ask", "halves.geojson", []byte("\ufeff"+twoHalf), url.Values{"ask": {"count"}, "layer": {"1"}, "geom": {"POINT(0 0)"}})
	p.want(t, 200, "All polygons", "<b>west</b>", "شرق", "Areas in ha")
	if strings.Contains(p.html, "<b>west") || strings.Count(p.html, `<details class="zone"`) != 2 {
		t.Errorf("the names are markup, or there are not two zones: %s", p.html)
	}
	p = v.send("ask", "halves.geojson", []byte(twoHalf), url.Values{"ask": {"count"}, "layer": {"2"}})
	p.want(t, 200, "Statistics", "Least", "Greatest", "Mean", "Median", "Standard deviation", "شرق")
	v.send("ask", "halves.geojson", []byte(twoHalf), url.Values{"ask": {"count"}, "layer": {"1"}, "id": {"colour"}}).
		want(t, 400, `zone 1: it has no property "colour"`, "id= is a property that all zones have")
	p = v.post("ask", url.Values{"ask": {"count"}, "layer": {"2"}, "group": {"none"}})
	p.want(t, 200, "Answer", "Least", "statistics alone")
}

// Two layers are compared by what their values are called.
func TestWhatChanged(t *testing.T) {
	s, v := newAskSite(t)
	form := url.Values{"ask": {"change"}, "layer": {"1"}, "layer2": {"3"}, "geom": {aPark}}
	p := v.post("ask", form)
	p.want(t, 200, "changed", "From what to what", "as before", "−100.00 %")
	before := map[string]float64{}
	for _, c := range s.byCommand("1", "--geom", aPark, "--group", "legend", "--area", "ha") {
		before[c.Name] = c.Count
	}
	const from, to = "Rocky Mountain Lodgepole Pine Forest", "Rocky Mountain Subalpine Dry-Mesic Spruce-Fir Forest and Woodland"
	row := regexp.MustCompile(`(?s)<bdi>` + from + `</bdi></td><td>[^\n]*<bdi>` + to + `</bdi>.*?<data value="([^"]*)">`).FindStringSubmatch(p.html)
	if row == nil || row[1] != strconv.FormatFloat(before[from], 'g', -1, 64) || before[from] == 0 {
		t.Errorf("%v pixels are another class; the page says %v: %s", before[from], row, p.text())
	}
	later := v.post("ask", url.Values{"layer": {"later-plants"}, "geom": {aPark}})
	if later.want(t, 200, to); strings.Contains(later.text(), from) {
		t.Errorf("the layer that is a formula still has %s", from)
	}
	form.Set("layer2", "")
	v.post("ask", form).want(t, 400, "no layer is chosen")
	form.Set("layer2", "2")
	v.post("ask", form).want(t, 400, "continuous")
}

// A formula over two layers is counted, and its mistakes are shown at its field.
func TestAFormulaIsCounted(t *testing.T) {
	_, v := newAskSite(t)
	form := url.Values{"ask": {"formula"}, "layer": {"1"}, "layer2": {"3"}, "geom": {aPark}, "formula": {"a != b"}}
	v.post("ask", form).want(t, 200, "Answer", "a != b", "Mean")
	form.Set("formula", "a +* b")
	if p := v.post("ask", form); !strings.Contains(p.html, `value="a &#43;* b"`) || !strings.Contains(p.html, `aria-describedby="trouble"`) {
		t.Errorf("the formula is gone, or its field is not marked: %s", p.html)
	} else {
		p.want(t, 400)
	}
	form.Set("formula", "")
	v.post("ask", form).want(t, 400, "there is no formula")
	form.Set("formula", "1 + 1")
	v.post("ask", form).want(t, 400, "the formula names no layer")
}

// What is wrong is said at its place, and what was typed stays.
func TestQuestionsThatAreRefused(t *testing.T) {
	s, v := newAskSite(t)
	for _, c := range []struct {
		form   url.Values
		status int
		says   string
	}{
		{url.Values{"layer": {"1"}, "geom": {"POLYGON((1 2, 3"}}, 400, "cannot be read"},
		{url.Values{"layer": {"1"}, "geom": {`{"type":"FeatureCollection","features":[]}`}}, 400, "there is no zone"},
		{url.Values{"layer": {"1"}, "geom": {aPark}, "zoom": {"many"}}, 400, "zoom"},
		{url.Values{"layer": {"1"}, "geom": {aPark}, "band": {"7"}}, 400, "band"},
		{url.Values{"layer": {"99"}}, 404, `there is no layer "99"`},
		{url.Values{"layer": {""}}, 400, "no layer is chosen"},
		{url.Values{"layer": {"2"}, "group": {"legend"}}, 400, "legend"},
	} {
		p := v.post("ask", c.form)
		if p.want(t, c.status, c.says); !strings.Contains(p.html, `role="alert"`) || strings.Count(p.html, `id="trouble"`) != 1 {
			t.Errorf("%v: the problem is not shown once: %s", c.form, p.text())
		}
	}
	if p := v.post("ask", url.Values{"layer": {"1"}, "geom": {"POLYGON((1 2, 3"}}); !strings.Contains(p.html, "POLYGON((1 2, 3</textarea>") {
		t.Error("what was typed is gone")
	}
	// Of private layers a stranger learns nothing.
	stranger := s.visit("")
	stranger.get("ask?layer=1").want(t, 200, "Sign in")
	if p := stranger.post("ask", url.Values{"layer": {"1"}}); p.status != 401 || strings.Contains(p.text(), "خريطة") {
		t.Errorf("a stranger is answered %d: %s", p.status, p.text())
	}
	// Another site's page asks for nothing in somebody's name.
	r := v.request("POST", "ask", strings.NewReader("layer=1&background=yes"), "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	v.do(r).want(t, 403)
	// It may link to an answer, which starts nothing.
	r = v.request("GET", "ask?run=yes&background=yes&layer=1&geom="+url.QueryEscape(aPark), nil, "")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	v.do(r).want(t, 200, "Answer", "Rocky Mountain")
	v.get("ask?export=1").want(t, 404)
	v.do(v.request("HEAD", "ask?run=yes&layer=1", nil, "")).want(t, 200)
}

// What is too much is counted in the background, and has its file there.
func TestACountInTheBackground(t *testing.T) {
	_, v := newAskSite(t)
	many := `{"type":"FeatureCollection","features":[` + strings.Repeat(`{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[-113.26,46.06]}},`, 1001)
	form := url.Values{"ask": {"count"}, "layer": {"1"}, "geom": {strings.TrimSuffix(many, ",") + "]}"}}
	v.post("ask", form).want(t, 413, "1001 zones are too many", "Count it in the background")
	form.Set("background", "yes")
	p := v.post("ask", form)
	p.want(t, 200, "A count in the background")
	if !strings.Contains(p.at, "ask?export=") {
		t.Errorf("the count is at %s", p.at)
	}
	at := strings.TrimPrefix(p.at, v.s.root)
	for deadline := time.Now().Add(time.Minute); !strings.Contains(p.html, "Download"); p = v.get(at) {
		if time.Now().After(deadline) {
			t.Fatalf("the count does not end: %s", p.text())
		}
	}
	if file := v.get("../api/v1/exports/1/file"); file.status != 200 || strings.Count(file.html, "\n") != 1002 {
		t.Errorf("the file is answered %d with %d lines", file.status, strings.Count(file.html, "\n"))
	}
	v.get("ask?export=999").want(t, 404)
}
