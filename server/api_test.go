package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

func addParse(t testing.TB, st store.Store, id rasterbase.LayerID, status rasterbase.Status) *rasterbase.Parse {
	t.Helper()
	p := &rasterbase.Parse{Layer: id, Status: status}
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		p.ID = 0
		return tx.Parses().Create(ctx, p)
	})
	return p
}

func TestCreateALayer(t *testing.T) {
	st := newStore(t)
	addLegend(t, st, "Cover", forest)
	parser := &recordParser{}
	s := newAPI(t, st, parser, server.Config{})
	w := call(t, s, "editor", "POST", "/api/v1/layers", `{
		"name": "Land cover", "slug": "lc", "description": "All\nof it", "attribution": "ESA", "license": "CC BY 4.0",
		"visibility": "private", "legend": "COVER",
		"settings": {"datatype": "rank-ordered", "srid": 32632, "nodata": "nan", "max_zoom": 9, "next_lower": true, "no_pyramid": true,
			"resampling": "nearest", "tile_size": 512, "subdataset": "band_data"},
		"source": {"address": "https://example.org/lc.tif"}}`)
	d := read[document](t, w, 202)
	if got := w.Header().Get("Location"); got != fmt.Sprintf("http://example.com/api/v1/layers/%d", d.ID) {
		t.Errorf("Location %s", got)
	}
	want := map[string]any{"datatype": "rank ordered", "srid": 32632.0, "nodata": "nan", "max_zoom": 9.0, "next_lower": true,
		"no_pyramid": true, "resampling": "nearest", "tile_size": 512.0, "subdataset": "band_data"}
	if !reflect.DeepEqual(d.Settings, want) {
		t.Errorf("settings %v", d.Settings)
	}
	if d.Name != "Land cover" || d.Slug != "lc" || d.Description != "All\nof it" || d.Attribution != "ESA" || d.License != "CC BY 4.0" ||
		d.Visibility != "private" || d.Legend == nil || d.Legend.Title != "Cover" || d.Parse.Status != "queued" || d.Parse.ID == 0 {
		t.Errorf("%+v", d)
	}
	if parser.from != (rasterbase.SourceFrom{Address: "https://example.org/lc.tif"}) {
		t.Errorf("from %+v", parser.from)
	}
	// What was answered can be sent back.
	wantStatus(t, call(t, s, "viewer", "GET", "/api/v1/layers/lc", ""), 200)
	settings, err := json.Marshal(d.Settings)
	if err != nil {
		t.Fatal(err)
	}
	if d := read[document](t, call(t, s, "editor", "PATCH", "/api/v1/layers/lc", `{"legend":1,"settings":`+string(settings)+`}`), 202); !reflect.DeepEqual(d.Settings, want) {
		t.Errorf("settings %v", d.Settings)
	}
}

func TestVisibilityOfNewLayers(t *testing.T) {
	st := newStore(t)
	for _, c := range []struct {
		def  rasterbase.Visibility
		body string
		want string
	}{
		{"", "", "public"}, {"private", "", "private"}, {"private", `,"visibility":"public"`, "public"}, {"private", `,"visibility":null`, "private"},
	} {
		s := newAPI(t, st, &recordParser{}, server.Config{DefaultVisibility: c.def})
		d := read[document](t, call(t, s, "editor", "POST", "/api/v1/layers", `{"source":{"upload":"abc"}`+c.body+`}`), 202)
		if d.Visibility != c.want {
			t.Errorf("%+v: %s", c, d.Visibility)
		}
	}
}

func TestWrongBodiesNameTheMember(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Public", nil))
	s := newAPI(t, st, &recordParser{}, server.Config{})
	post, patch := "POST /api/v1/layers", "PATCH /api/v1/layers/public"
	for _, c := range []struct {
		route, body, parameter string
	}{
		{post, `{}`, "source"},
		{post, `{"source":null}`, "source"},
		{post, `{"source":{"url":"http://a"}}`, "source.url"},
		{post, `{"source":"a.tif"}`, "source"},
		{post, `{"title":"x","source":{"path":"/a"}}`, "title"},
		{post, `{"name":5,"source":{"path":"/a"}}`, "name"},
		{post, `{"visibility":"open","source":{"path":"/a"}}`, "visibility"},
		{post, `{"legend":"none","source":{"path":"/a"}}`, "legend"},
		{post, `{"legend":[1],"source":{"path":"/a"}}`, "legend"},
		{patch, `{"settings":{"srid":"x"}}`, "settings.srid"},
		{patch, `{"settings":{"srid":1.5}}`, "settings.srid"},
		{patch, `{"settings":{"tilesize":256}}`, "settings.tilesize"},
		{patch, `{"settings":{"datatype":"odd"}}`, "settings.datatype"},
		{patch, `{"settings":{"resampling":"lanczos"}}`, "settings.resampling"},
		{patch, `{"settings":{"nodata":"none"}}`, "settings.nodata"},
		{patch, `{"source":null}`, "source"},
		{patch, `{"id":7}`, "id"},
		{patch, `[]`, ""},
		{patch, `{"name":`, ""},
		{patch, ``, ""},
		{"POST /api/v1/layers/reparse", `{}`, "layers"},
		{"POST /api/v1/layers/reparse", `{"layers":["public"],"outdated":true}`, "layers"},
		{"POST /api/v1/preview", `{"settings":{}}`, "source"},
		{"GET /api/v1/layers?limit=0", "", "limit"},
		{"GET /api/v1/layers?limit=x", "", "limit"},
		{"GET /api/v1/layers?offset=-1", "", "offset"},
		{"GET /api/v1/layers?datatype=odd", "", "datatype"},
		{"GET /api/v1/layers?status=odd", "", "status"},
		{"GET /api/v1/layers/public/log?after=x", "", "after"},
		{"GET /api/v1/layers/public/events?after=-1", "", "after"},
		{"GET /api/v1/jobs?state=odd", "", "state"},
		{"GET /api/v1/jobs/x", "", "id"},
	} {
		method, path, _ := strings.Cut(c.route, " ")
		if p := wantProblem(t, call(t, s, "administrator", method, path, c.body), 400); p.Parameter != c.parameter {
			t.Errorf("%s %s: parameter %q, want %q: %s (%s)", c.route, c.body, p.Parameter, c.parameter, p.Detail, p.Hint)
		}
	}
	body := `{"name":"` + strings.Repeat("x", 1<<20) + `"}`
	wantProblem(t, call(t, s, "editor", "PATCH", "/api/v1/layers/public", body), 413)
	for _, ct := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/xml", "nonsense"} {
		wantProblem(t, call(t, s, "editor", "PATCH", "/api/v1/layers/public", `{"name":"a"}`, "Content-Type", ct), 415)
	}
	for _, ct := range []string{"application/json; charset=utf-8", "application/merge-patch+json"} {
		wantStatus(t, call(t, s, "editor", "PATCH", "/api/v1/layers/public", `{"name":"a"}`, "Content-Type", ct), 200)
	}
	secretText := "hunter2"
	if w := call(t, s, "editor", "POST", "/api/v1/layers", `{"source":{"address":{"a":"`+secretText+`"}}}`); strings.Contains(w.Body.String(), secretText) {
		t.Error("a value is told back")
	}
}

func TestErrorsOfTheParserAreAboutTheBody(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Public", nil))
	parser := &recordParser{}
	s := newAPI(t, st, parser, server.Config{})
	for _, c := range []struct {
		err       error
		status    int
		parameter string
	}{
		{rasterbase.Errorf(rasterbase.Invalid, "tiles cannot be 3 pixels").WithField("tilesize"), 400, "settings.tile_size"},
		{rasterbase.Errorf(rasterbase.Invalid, "max zoom 99").WithField("max-zoom"), 400, "settings.max_zoom"},
		{rasterbase.Errorf(rasterbase.Invalid, "no name").WithField("name"), 400, "name"},
		{rasterbase.Errorf(rasterbase.Forbidden, "not under a folder").WithField("source"), 403, "source"},
		{rasterbase.Errorf(rasterbase.Conflict, "not complete").WithField("source"), 409, "source"},
		{rasterbase.Errorf(rasterbase.NotFound, "no such file").WithField("source"), 400, "source"},
		{store.NotFound("there is no upload"), 400, "source"},
		{rasterbase.Errorf(rasterbase.TooLarge, "too long").WithField("source"), 413, "source"},
		{errors.New("the disk burns"), 500, ""},
	} {
		parser.err = c.err
		for _, route := range []string{"POST /api/v1/layers", "PATCH /api/v1/layers/public", "POST /api/v1/preview"} {
			method, path, _ := strings.Cut(route, " ")
			if p := wantProblem(t, call(t, s, "editor", method, path, `{"source":{"path":"/a"}}`), c.status); p.Parameter != c.parameter {
				t.Errorf("%s, %v: parameter %q, want %q", route, c.err, p.Parameter, c.parameter)
			}
		}
	}
}

// The examples of RFC 7396 that concern members, on a layer.
func TestMergePatch(t *testing.T) {
	nodata, zoom := 7.0, 9
	for _, c := range []struct {
		name, patch string
		status      int
		check       func(l *rasterbase.Layer) bool
	}{
		{"nothing", `{}`, 200, func(l *rasterbase.Layer) bool { return l.Name == "Before" && l.Settings.SRID == 4326 && l.Legend == 1 }},
		{"a text", `{"name":"After"}`, 200, func(l *rasterbase.Layer) bool { return l.Name == "After" && l.Description == "Long" }},
		{"a text is taken back", `{"description":null}`, 200, func(l *rasterbase.Layer) bool { return l.Description == "" }},
		{"the slug is made again", `{"name":"After all","slug":null}`, 200, func(l *rasterbase.Layer) bool { return l.Slug == "after-all" }},
		{"no legend", `{"legend":null}`, 200, func(l *rasterbase.Layer) bool { return l.Legend == 0 }},
		{"a legend by title", `{"legend":"second"}`, 200, func(l *rasterbase.Layer) bool { return l.Legend == 2 }},
		{"a legend by id", `{"legend":2}`, 200, func(l *rasterbase.Layer) bool { return l.Legend == 2 }},
		{"the visibility is taken back", `{"visibility":null}`, 200, func(l *rasterbase.Layer) bool { return l.Visibility == rasterbase.Public }},
		{"hidden", `{"visibility":"private"}`, 200, func(l *rasterbase.Layer) bool { return l.Visibility == rasterbase.Private }},
		{"a setting", `{"settings":{"tile_size":512}}`, 202, func(l *rasterbase.Layer) bool { return l.Settings.TileSize == 512 && l.Settings.SRID == 4326 }},
		{"the same setting", `{"settings":{"srid":4326}}`, 200, func(l *rasterbase.Layer) bool { return l.Settings.SRID == 4326 }},
		{"a setting is taken back", `{"settings":{"nodata":null}}`, 202, func(l *rasterbase.Layer) bool { return l.Settings.Nodata == nil && l.Settings.MaxZoom != nil }},
		{"zero is no null", `{"settings":{"nodata":0,"max_zoom":0}}`, 202, func(l *rasterbase.Layer) bool { return *l.Settings.Nodata == 0 && *l.Settings.MaxZoom == 0 }},
		{"all settings are taken back", `{"settings":null}`, 202, func(l *rasterbase.Layer) bool { return l.Settings == rasterbase.Settings{} }},
		{"no settings", `{"settings":{}}`, 200, func(l *rasterbase.Layer) bool { return l.Settings.SRID == 4326 }},
		{"a new file", `{"source":{"upload":"abc"}}`, 202, func(l *rasterbase.Layer) bool { return l.Name == "Before" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStore(t)
			addLegend(t, st, "First", forest)
			addLegend(t, st, "Second", forest)
			l := create(t, st, rasterbase.Layer{Name: "Before", Slug: "before", Description: "Long", Visibility: rasterbase.Private, Legend: 1,
				Settings: rasterbase.Settings{SRID: 4326, Nodata: &nodata, MaxZoom: &zoom, Datatype: rasterbase.Mask}})
			s := newAPI(t, st, &recordParser{}, server.Config{})
			wantStatus(t, call(t, s, "editor", "PATCH", "/api/v1/layers/before", c.patch), c.status)
			if got := stored(t, st, l.ID); !c.check(got) {
				t.Errorf("%s makes %+v", c.patch, got)
			}
		})
	}
}

func stored(t testing.TB, st store.Store, id rasterbase.LayerID) (l *rasterbase.Layer) {
	t.Helper()
	err := st.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
		l, err = tx.Layers().Get(t.Context(), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLostUpdates(t *testing.T) {
	st := newStore(t)
	l := add(t, st, stripes("Public", nil))
	s := newAPI(t, st, &recordParser{}, server.Config{})
	w := call(t, s, "editor", "GET", "/api/v1/layers/public", "")
	tag := w.Header().Get("ETag")
	if wantStatus(t, call(t, s, "editor", "GET", "/api/v1/layers/public", "", "If-None-Match", tag), 304); tag == "" {
		t.Fatal("no ETag")
	}
	// A parse that goes on is no change of the layer, and yet another document.
	addParse(t, st, l.ID, rasterbase.Tiling)
	wantStatus(t, call(t, s, "editor", "GET", "/api/v1/layers/public", "", "If-None-Match", tag), 200)
	w = call(t, s, "editor", "PATCH", "/api/v1/layers/public", `{"name":"One"}`, "If-Match", tag)
	wantStatus(t, w, 200)
	if p := wantProblem(t, call(t, s, "editor", "PATCH", "/api/v1/layers/public", `{"name":"Two"}`, "If-Match", tag), 412); p.Parameter != "If-Match" {
		t.Errorf("%+v", p)
	}
	if got := stored(t, st, l.ID).Name; got != "One" {
		t.Errorf("the name is %s", got)
	}
	wantStatus(t, call(t, s, "editor", "PATCH", "/api/v1/layers/public", `{"name":"Two"}`, "If-Match", `"none", `+w.Header().Get("ETag")), 200)
	wantStatus(t, call(t, s, "editor", "PATCH", "/api/v1/layers/public", `{"name":"Three"}`, "If-Match", "*"), 200)
}

// A file that takes the place of another makes another layer, also when it came
// from where that came from; the first one that a new layer gets does not.
func TestLostUpdatesOfFiles(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "Public", Visibility: rasterbase.Public, Source: rasterbase.Source{Name: "a.tif", Origin: "a.tif"}})
	s := newAPI(t, st, &recordParser{}, server.Config{})
	tag := func() string { return call(t, s, "editor", "GET", "/api/v1/layers/public", "").Header().Get("ETag") }
	keep := func(id string) {
		update(t, st, func(ctx context.Context, tx store.Tx) error {
			now, err := tx.Layers().Get(ctx, l.ID)
			if err != nil {
				return err
			}
			now.Source.ID = id
			return tx.Layers().Update(ctx, now)
		})
	}
	change := func(tag string, want int) {
		t.Helper()
		wantStatus(t, call(t, s, "editor", "PATCH", "/api/v1/layers/public", `{"name":"Public"}`, "If-Match", tag), want)
	}
	bare := tag()
	keep("one")
	change(bare, 200)
	first := tag()
	change(first, 200)
	keep("two")
	change(first, 412)
	change(tag(), 200)
}

func TestListOfTheAPI(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	add(t, st, ramp("Elevation"))
	l := create(t, st, rasterbase.Layer{Name: "Waiting", Visibility: rasterbase.Public})
	addParse(t, st, l.ID, rasterbase.Queued)
	secret(t, st)
	s := newAPI(t, st, nil, server.Config{})
	for query, want := range map[string]string{
		"": "Land cover,Elevation,Waiting 3", "search=ELEV": "Elevation 1", "datatype=categorical": "Land cover 1", "status=queued": "Waiting 1",
		"limit=1&offset=1": "Elevation 3", "status=unparsed&limit=1": "Land cover 2", "offset=9": " 3",
	} {
		got := read[list](t, call(t, s, "", "GET", "/api/v1/layers?"+query, ""), 200)
		var names []string
		for _, item := range got.Items {
			names = append(names, item.Name)
		}
		if text := fmt.Sprintf("%s %d", strings.Join(names, ","), got.Total); text != want {
			t.Errorf("%s: %s, want %s", query, text, want)
		}
	}
	if got := read[list](t, call(t, s, "viewer", "GET", "/api/v1/layers", ""), 200); got.Total != 4 {
		t.Errorf("a viewer sees %d", got.Total)
	}
}

func TestOriginsAreToldToEditors(t *testing.T) {
	st := newStore(t)
	spec := stripes("Public", nil)
	spec.Layer.Source.Origin = "/srv/data/landcover.tif"
	add(t, st, spec)
	s := newAPI(t, st, nil, server.Config{})
	for role, want := range map[string]string{"": "", "viewer": "", "editor": "/srv/data/landcover.tif"} {
		w := call(t, s, role, "GET", "/api/v1/layers/public", "")
		if got := read[document](t, w, 200).Source.Origin; got != want {
			t.Errorf("%q is told %q", role, got)
		}
		if kept := !strings.Contains(w.Header().Get("Cache-Control"), "no-store"); kept != (role == "") {
			t.Errorf("%q: Cache-Control %q", role, w.Header().Get("Cache-Control"))
		}
	}
}

func TestParseInRequest(t *testing.T) {
	st := newStore(t)
	parser := &recordParser{}
	s := newAPI(t, st, parser, server.Config{ParseInRequest: true})
	body := `{"name":"One","source":{"path":"/a.tif"}}`
	w := call(t, s, "editor", "POST", "/api/v1/layers", body)
	if d := read[document](t, w, 201); d.Parse.Status != "finished" || w.Header().Get("Location") == "" {
		t.Errorf("%+v", d)
	}
	if d := read[document](t, call(t, s, "editor", "POST", "/api/v1/layers/one/reparse", ""), 200); d.Parse.Status != "finished" {
		t.Errorf("%+v", d)
	}
	wantStatus(t, call(t, s, "editor", "PATCH", "/api/v1/layers/one", `{"settings":{"srid":4326}}`), 200)

	parser.finish = func(ctx context.Context, tk rasterbase.Ticket) error {
		return parser.end(ctx, tk.Layer, rasterbase.Failed, "the file is broken")
	}
	if d := read[document](t, call(t, s, "editor", "POST", "/api/v1/layers", body), 201); d.Parse.Status != "failed" || d.Parse.Error != "the file is broken" {
		t.Errorf("%+v", d)
	}
	many := read[struct {
		Items []struct {
			Layer int
			Parse struct{ Status string }
		}
	}](t, call(t, s, "editor", "POST", "/api/v1/layers/reparse", `{"layers":["1","2","one"]}`), 200)
	if len(many.Items) != 2 || many.Items[1].Parse.Status != "failed" {
		t.Errorf("%+v", many)
	}
}

// The client's going away does not end the parse; closing the server does.
func TestParseInRequestGoesOnWithoutTheClient(t *testing.T) {
	st := newStore(t)
	begun, gone := make(chan struct{}), make(chan struct{})
	parser := &recordParser{}
	parser.finish = func(ctx context.Context, tk rasterbase.Ticket) error {
		close(begun)
		<-gone
		return errors.Join(ctx.Err(), parser.end(ctx, tk.Layer, rasterbase.Finished, ""))
	}
	s := newAPI(t, st, parser, server.Config{ParseInRequest: true})
	ctx, cancel := context.WithCancel(t.Context())
	post := func(ctx context.Context) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(ctx, "POST", "/api/v1/layers", strings.NewReader(`{"source":{"path":"/a.tif"}}`))
		r.Header.Set("Authorization", "Bearer editor")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	done := make(chan *httptest.ResponseRecorder)
	go func() { done <- post(ctx) }()
	<-begun
	cancel()
	close(gone)
	<-done
	if d := read[document](t, call(t, s, "", "GET", "/api/v1/layers/1", ""), 200); d.Parse.Status != "finished" {
		t.Errorf("%+v", d.Parse)
	}

	begun = make(chan struct{})
	parser.finish = func(ctx context.Context, _ rasterbase.Ticket) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}
	go func() { done <- post(t.Context()) }()
	<-begun
	s.Close()
	wantProblem(t, <-done, 503)
}

func TestReparseMany(t *testing.T) {
	st := newStore(t)
	for _, name := range []string{"One", "Two", "Three"} {
		spec := stripes(name, nil)
		spec.Layer.Source.ID = "source-" + name
		add(t, st, spec)
	}
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, 2)
		if err != nil {
			return err
		}
		l.Settings.SRID = 4326
		return tx.Layers().Update(ctx, l)
	})
	s := newAPI(t, st, &recordParser{}, server.Config{})
	type many struct {
		Items []struct {
			Layer int
			Parse struct{ ID, Status any }
		}
	}
	if got := read[many](t, call(t, s, "editor", "POST", "/api/v1/layers/reparse", `{"outdated":true}`), 202); len(got.Items) != 1 || got.Items[0].Layer != 2 || got.Items[0].Parse.Status != "queued" {
		t.Errorf("outdated: %+v", got)
	}
	if got := read[many](t, call(t, s, "editor", "POST", "/api/v1/layers/reparse", `{"layers":["three","1"]}`), 202); len(got.Items) != 2 || got.Items[0].Layer != 3 {
		t.Errorf("by name: %+v", got)
	}
	if p := wantProblem(t, call(t, s, "editor", "POST", "/api/v1/layers/reparse", `{"layers":["three","none"]}`), 404); p.Parameter != "layers" {
		t.Errorf("%+v", p)
	}
}

func TestPreview(t *testing.T) {
	parser := &recordParser{}
	s := newAPI(t, newStore(t), parser, server.Config{})
	plan := read[struct {
		Driver  string
		CRS     rasterbase.CRS
		Bounds  [4]float64
		MaxZoom int `json:"max_zoom"`
	}](t, call(t, s, "editor", "POST", "/api/v1/preview", `{"source":{"upload":"abc"},"settings":{"srid":32632}}`), 200)
	if plan.Driver != "GTiff" || plan.CRS.SRID != 32632 || plan.Bounds != [4]float64{1, 2, 3, 4} || plan.MaxZoom != 7 || parser.from.Upload != "abc" {
		t.Errorf("%+v", plan)
	}
}
