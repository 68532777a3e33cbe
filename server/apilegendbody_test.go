package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

// What is done to a class of one legend leaves those of others as they are, also
// when its new name is one of theirs.
func TestRenamedClassesLeaveOtherLegends(t *testing.T) {
	for _, c := range []struct {
		name, description                string // as written; "as read" is what was there
		wantDescription, wantKeyword     string // of the class itself
		othersDescription, othersKeyword string // of Trees in the other legend
	}{
		{"Fresh", "as read", "wet", "w", "tall", ""},
		{"Trees", "as read", "tall", "", "tall", ""},
		{"Trees", "", "tall", "", "tall", ""},
		{"Trees", "high", "high", "", "high", ""}, // written on purpose
		{"Water", "damp", "damp", "w", "tall", ""},
		{"", "as read", "wet", "w", "tall", ""},
	} {
		for _, method := range []string{"PUT", "PATCH"} {
			t.Run(method+" "+c.name+" "+c.description, func(t *testing.T) {
				s := newAPI(t, newStore(t), nil, server.Config{})
				for _, body := range []string{
					`{"title":"A","entries":[{"name":"Water","description":"wet","keyword":"w","expression":1,"color":"red"}]}`,
					`{"title":"B","entries":[{"name":"Trees","description":"tall","expression":1,"color":"red"}]}`,
				} {
					wantStatus(t, call(t, s, editing, "POST", "/api/v1/legends", body), 201)
				}
				document := decode[map[string]any](t, get(t, s, "/api/v1/legends/A"))
				entry := document["entries"].([]any)[0].(map[string]any)
				entry["name"] = c.name
				if c.description != "as read" {
					entry["description"] = c.description
				}
				body, err := json.Marshal(document)
				if err != nil {
					t.Fatal(err)
				}
				a := read[legendDocument](t, call(t, s, editing, method, "/api/v1/legends/A", string(body)), 200).Entries[0]
				if want := c.name; want != "" && a.Name != want || a.Description != c.wantDescription || a.Keyword != c.wantKeyword {
					t.Errorf("%+v", a)
				}
				b := decode[legendDocument](t, get(t, s, "/api/v1/legends/B")).Entries[0]
				if b.Name != "Trees" || b.Description != c.othersDescription || b.Keyword != c.othersKeyword {
					t.Errorf("the other legend has %+v", b)
				}
			})
		}
	}
}

// A patch takes what was read, and a gradient in any of its places.
func TestPatchesOfWholeLegends(t *testing.T) {
	s := newAPI(t, newStore(t), nil, server.Config{})
	for i, body := range []string{
		`{"title":"A","entries":[{"name":"Low","expression":"x < 3","color":"red"}]}`,
		`{"title":"B","stops":[[1,"navy"],[10,"#FFF"]]}`,
	} {
		wantStatus(t, call(t, s, editing, "POST", "/api/v1/legends", body), 201)
		address := fmt.Sprintf("/api/v1/legends/%d", i+1)
		document := get(t, s, address).Body.String()
		before := decode[legendDocument](t, get(t, s, address))
		after := read[legendDocument](t, call(t, s, editing, "PATCH", address, document), 200)
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("%+v became %+v", before, after)
		}
	}
	for _, body := range []string{
		`{"gradient":{"colormap_name":"viridis","range":[0,9]}}`,
		`{"colormap_name":"viridis","range":[0,9]}`,
		`{"entries":null,"colormap_name":"viridis","range":[0,9]}`,
		`{"gradient":null,"colormap_name":"viridis","range":[0,9]}`,
	} {
		got := read[legendDocument](t, call(t, s, editing, "PATCH", "/api/v1/legends/A", body), 200)
		if got.Title != "A" || got.Kind != "gradient" || got.Gradient["colormap_name"] != "viridis" || fmt.Sprint(got.Gradient["range"]) != "[0 9]" {
			t.Errorf("%s: %+v", body, got)
		}
	}
	got := read[legendDocument](t, call(t, s, editing, "PATCH", "/api/v1/legends/A", `{"title":"Z","count":3}`), 200)
	if got.Title != "Z" || got.Kind != "gradient" {
		t.Errorf("%+v", got)
	}
}

func TestMistakesInGradientsNameTheirPlace(t *testing.T) {
	s := newAPI(t, newStore(t), nil, server.Config{})
	for gradient, parameter := range map[string]string{
		`{"stops":[[1,"red"],[2,"nave"]]}`:              "gradient.stops[1]",
		`{"stops":[[1,"red"],{"at":2,"colour":"red"}]}`: "gradient.stops[1]",
		`{"stops":[[2,"red"],[1,"red"]]}`:               "gradient.stops[1]",
		`{"colormap_name":"viridis","range":[0,"x"]}`:   "gradient.range",
		`{"continuous":true,"from":"nave"}`:             "gradient.from",
		`{"colormap_name":"nope"}`:                      "gradient",
	} {
		inline := `{"title":"A",` + gradient[1:]
		for _, body := range []string{inline, `{"title":"A","gradient":` + gradient + `}`} {
			p := wantProblem(t, call(t, s, editing, "POST", "/api/v1/legends", body), 400)
			within := strings.HasPrefix(p.Parameter, parameter+"[") || p.Parameter == parameter
			if !within || strings.HasPrefix(p.Detail, "colormap") {
				t.Errorf("%s: %+v", body, p)
			}
		}
	}
}

// All members that are not known are named, up to five.
func TestUnknownMembers(t *testing.T) {
	s := newAPI(t, newStore(t), nil, server.Config{})
	for body, want := range map[string]string{
		`{"title":"A","entries":[],"x":1}`:                                     `the body has a member "x", which is not known`,
		`{"title":"A","gradient":{"stopps":[]}}`:                               `the body has a member "gradient.stopps", which is not known`,
		`{"title":"A","x":1,"entries":[{"expression":1,"color":"red","y":2}]}`: `the body has members that are not known: "entries[0].y", "x"`,
		`{"title":"A","entries":[],"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1}`: `the body has members that are not known: "a", "b", "c", "d", "e" and 2 more`,
	} {
		p := wantProblem(t, call(t, s, editing, "POST", "/api/v1/legends", body), 400)
		if p.Detail != want || strings.Contains(p.Hint, "more are wrong") {
			t.Errorf("%s: %+v", body, p)
		}
	}
}
