package server_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

type openAPI struct {
	OpenAPI string
	Info    struct{ Title, Version string }
	Servers []struct{ URL string }
	Paths   map[string]map[string]struct {
		OperationID string
		Summary     string
		Tags        []string
		Parameters  []struct {
			Name, In, Description string
			Schema                map[string]any
		}
		RequestBody struct {
			Content map[string]struct {
				Schema  map[string]any
				Example any
			}
		}
		Responses map[string]struct {
			Description string
			Content     map[string]struct{ Schema map[string]any }
			Headers     map[string]any
		}
		Security []map[string][]string
	}
	Components struct {
		Schemas         map[string]map[string]any
		SecuritySchemes map[string]any
	}
}

func TestTheDocumentOfTheAPI(t *testing.T) {
	s := newAPI(t, newStore(t), nil, server.Config{Version: "1.2.3"})
	w := get(t, s, "/openapi.json")
	if name := os.Getenv("RASTERBASE_TEST_OPENAPI"); name != "" { // to look at it
		if err := os.WriteFile(name, w.Body.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	doc := decode[openAPI](t, w)
	if doc.OpenAPI != "3.1.0" || doc.Info.Version != "1.2.3" || len(doc.Servers) != 1 || doc.Servers[0].URL != "." {
		t.Errorf("%s %+v %+v", doc.OpenAPI, doc.Info, doc.Servers)
	}
	ids := map[string]bool{}
	for path, operations := range doc.Paths {
		for method, o := range operations {
			name := strings.ToUpper(method) + " " + path
			if o.OperationID == "" || ids[o.OperationID] || o.Summary == "" || len(o.Tags) != 1 || len(o.Security) == 0 {
				t.Errorf("%s: %+v", name, o)
			}
			ids[o.OperationID] = true
			if !slices.Contains(s.Patterns(), name) {
				t.Errorf("%s is no route", name)
			}
			nobody := slices.ContainsFunc(o.Security, func(m map[string][]string) bool { return len(m) == 0 })
			if want := whoMay[name].want[0] != 401; nobody != want {
				t.Errorf("%s: without credentials: %v, want %v", name, nobody, want)
			}
			good := false
			for status, r := range o.Responses {
				good = good || status[0] == '2'
				if status[0] >= '4' && r.Content["application/problem+json"].Schema["$ref"] != "#/components/schemas/Problem" || r.Description == "" {
					t.Errorf("%s %s: %+v", name, status, r)
				}
			}
			if !good || o.Responses["422"].Description != "" || o.Responses["default"].Description != "" {
				t.Errorf("%s: responses %v", name, o.Responses)
			}
			for _, in := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(path, -1) {
				if len(o.Parameters) == 0 || o.Parameters[0].Name != in[1] || o.Parameters[0].In != "path" {
					t.Errorf("%s: parameters %+v", name, o.Parameters)
				}
			}
		}
	}
	for _, pattern := range s.Patterns() {
		method, path, _ := strings.Cut(pattern, " ")
		if strings.HasPrefix(path, "/api/v1/") && !strings.Contains(path, "uploads") && doc.Paths[path][strings.ToLower(method)].Summary == "" {
			t.Errorf("%s is not in the document", pattern)
		}
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("there is no schema %s", ref[1])
		}
	}
	layer, ok := doc.Components.Schemas["Layer"]["properties"].(map[string]any)
	if !ok {
		t.Fatalf("no schema of a layer: %v", doc.Components.Schemas["Layer"])
	}
	for _, member := range []string{"id", "name", "status", "urls", "settings", "source", "parse", "revision", "legend"} {
		if layer[member] == nil {
			t.Errorf("the schema of a layer has no %s", member)
		}
	}
	yaml := get(t, s, "/openapi.yaml")
	if wantStatus(t, yaml, 200); !strings.Contains(yaml.Body.String(), "openapi: 3.1.0") {
		t.Errorf("%.100s", yaml.Body)
	}
	wantStatus(t, get(t, s, "/schemas/Layer.json"), 404)
}

// The examples of the document are answered as they should be.
func TestExamplesOfTheDocument(t *testing.T) {
	st := newStore(t)
	addLegend(t, st, "WorldCover", forest)
	for _, name := range []string{"Land cover", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K"} {
		add(t, st, stripes(name, nil))
	}
	addUsers(t, st)
	s := newAPI(t, st, &recordParser{}, server.Config{})
	doc := decode[openAPI](t, get(t, s, "/openapi.json"))
	n := 0
	for path, operations := range doc.Paths {
		for method, o := range operations {
			example := o.RequestBody.Content["application/json"].Example
			if example == nil {
				continue
			}
			n++
			body, err := json.Marshal(example)
			if err != nil {
				t.Fatal(err)
			}
			in := strings.NewReplacer("{layer}", "land-cover", "{legend}", "WorldCover", "{semantics}", "1", "{name}", "mine", "{user}", "1")
			w := call(t, s, "administrator", strings.ToUpper(method), in.Replace(path), string(body))
			if w.Code < 200 || w.Code > 299 || o.Responses[http3(w.Code)].Description == "" {
				t.Errorf("%s %s with %s: status %d: %s", method, path, body, w.Code, w.Body)
			}
		}
	}
	if n < 4 {
		t.Errorf("%d examples", n)
	}
}

func http3(status int) string {
	b, _ := json.Marshal(status)
	return string(b)
}
