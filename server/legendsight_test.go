package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// hiddenLegend is legend 1, Palace, with semantics 1, Vault, of a private layer, as
// ingest makes it of a file; legend 2, Cover, of a public layer, and legend 3, Free,
// of none, have semantics 2, Forest. Legend 4, 1, is called as the id of the first.
func hiddenLegend(t *testing.T) store.Store {
	t.Helper()
	st := newStore(t)
	entry := func(name string) []rasterbase.Entry {
		return []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: name, Keyword: "word"}, Expression: "x >= 1", Color: rasterbase.Color{R: 0x12, G: 0x34, B: 0x56, A: 0xff}}}
	}
	legends := []*rasterbase.Legend{
		{Title: "Palace.png", Entries: append(entry("Vault"), entry("Forest")...)}, {Title: "Cover", Entries: entry("Forest")},
		{Title: "Free", Entries: entry("Forest")}, {Title: "1"},
	}
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		for _, l := range legends {
			l.ID = 0
			if err := tx.Legends().Create(ctx, l); err != nil {
				return err
			}
		}
		return nil
	})
	private := stripes("Hideout", legends[0])
	private.Layer.Visibility = rasterbase.Private
	add(t, st, private)
	add(t, st, stripes("Land cover", legends[1]))
	return st
}

// hiddenAddresses are all that tell of a hidden legend by name.
func hiddenAddresses() (out []string) {
	for _, ref := range []string{"palace.png", "PALACE.PNG"} {
		for _, form := range []string{"", ".json", ".png", ".svg", ".csv", ".clr", ".txt", ".qml"} {
			out = append(out, "/legend/"+ref+form)
		}
		out = append(out, "/legend/"+ref+"?layer=land-cover", "/api/v1/legends/"+ref, "/api/v1/legends/"+ref+"/check?layer=land-cover",
			"/legend.svg?layer=land-cover&legend="+ref, "/legend.png?layer=land-cover&legend="+ref)
	}
	return append(out, "/api/v1/semantics/1")
}

// A legend that private layers alone use is told to those who may read one of them,
// or who may edit; for others there is none.
func TestLegendsOfPrivateLayersDoNotExistForOthers(t *testing.T) {
	st := hiddenLegend(t)
	s := newAPI(t, st, nil, server.Config{})
	for _, target := range hiddenAddresses() {
		got := get(t, s, target)
		wantProblem(t, got, 404)
		if strings.Contains(got.Body.String(), "Vault") || strings.Contains(got.Body.String(), "#123456") {
			t.Errorf("%s tells of it: %s", target, got.Body)
		}
		for _, role := range []string{"viewer", "editor"} {
			w := call(t, s, role, "GET", target, "")
			if w.Code == 400 && strings.HasPrefix(target, "/legend/") {
				continue // the form cannot hold it
			}
			if wantStatus(t, w, 200); w.Header().Get("Cache-Control") != "private, no-store" || !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Authorization, Cookie") {
				t.Errorf("%s as %s: %v", target, role, w.Header())
			}
		}
	}
	// It is answered as what is not there.
	gone := strings.NewReplacer("palace", "absent", "PALACE", "ABSENT", "semantics/1", "semantics/7")
	same := strings.NewReplacer("palace", "absent", "PALACE", "ABSENT", "semantics 1\"", "semantics 7\"")
	for _, target := range hiddenAddresses() {
		other := gone.Replace(target)
		if got, want := same.Replace(answered(get(t, s, target))), answered(get(t, s, other)); got != want {
			t.Errorf("%s is answered\n%s\nand %s\n%s", target, got, other, want)
		}
	}
}

// What is hidden takes no name from what is not.
func TestAHiddenLegendTakesNoName(t *testing.T) {
	st := hiddenLegend(t)
	addLegend(t, st, "Palace", forest)
	s := newAPI(t, st, nil, server.Config{})
	for target, wants := range map[string][2]string{
		"/api/v1/legends/1": {`"title":"1"`, `"title":"Palace.png"`},
		"/legend/1":         {"[]", "Vault"},
		"/legend/1.json":    {"[]", "Vault"},
		"/legend/palace":    {"Forest", "Forest"},
	} {
		for i, role := range []string{"", "viewer"} {
			if w := call(t, s, role, "GET", target, ""); w.Code != 200 || !strings.Contains(w.Body.String(), wants[i]) {
				t.Errorf("%s as %q: %d %s, want %s", target, role, w.Code, w.Body, wants[i])
			}
		}
	}
	if w := get(t, s, "/legend/palace.png"); w.Header().Get("Content-Type") != "image/png" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := call(t, s, "viewer", "GET", "/legend/palace.png", ""); w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestListsOfLegendsAndSemanticsAreThoseOfTheSender(t *testing.T) {
	st := hiddenLegend(t)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.Semantics().Create(ctx, &rasterbase.Semantics{Name: "Unused"})
	})
	s := newAPI(t, st, nil, server.Config{})
	type list struct {
		Items []struct {
			Title, Name string
			Legends     []struct{ Title string }
			Layers      []struct{ Slug string }
		}
		Total int
	}
	titles := func(l list) (out string) {
		for _, i := range l.Items {
			out += i.Title + i.Name + "("
			for _, u := range i.Legends {
				out += u.Title + " "
			}
			for _, u := range i.Layers {
				out += u.Slug + " "
			}
			out += ")"
		}
		return fmt.Sprint(l.Total, " ", out)
	}
	for role, wants := range map[string]map[string]string{
		"": {
			"legends": "3 1()Cover(land-cover )Free()", "legends?search=palace": "0 ", "legends?limit=1&offset=1": "3 Cover(land-cover )",
			"semantics": "1 Forest(Cover Free )", "semantics?search=word": "1 Forest(Cover Free )",
		},
		"viewer": {
			"legends":   "4 1()Cover(land-cover )Free()Palace.png(hideout )",
			"semantics": "2 Forest(Cover Free Palace.png )Vault(Palace.png )",
		},
		"editor": {
			"legends":   "4 1()Cover(land-cover )Free()Palace.png(hideout )",
			"semantics": "3 Forest(Cover Free Palace.png )Unused()Vault(Palace.png )",
		},
	} {
		for query, want := range wants {
			w := call(t, s, role, "GET", "/api/v1/"+query, "")
			if got := titles(decode[list](t, w)); got != want {
				t.Errorf("%s as %q: %s, want %s", query, role, got, want)
			}
			if private := w.Header().Get("Cache-Control") == "private, no-store"; private != (role != "") {
				t.Errorf("%s as %q: %v", query, role, w.Header())
			}
		}
	}
	forest := get(t, s, "/api/v1/semantics/2")
	if wantStatus(t, forest, 200); strings.Contains(forest.Body.String(), "Palace") {
		t.Errorf("%s", forest.Body)
	}
	// A public layer makes it public, and no layer does.
	for _, visibility := range []rasterbase.Visibility{rasterbase.Public, rasterbase.Private} {
		update(t, st, func(ctx context.Context, tx store.Tx) error {
			l, err := tx.Layers().Get(ctx, 1)
			if err != nil {
				return err
			}
			if l.Visibility = visibility; visibility == rasterbase.Private {
				l.Legend = 0
			}
			return tx.Layers().Update(ctx, l)
		})
		for _, target := range []string{"/legend/palace.png", "/api/v1/legends/palace.png", "/api/v1/semantics/1"} {
			w := get(t, s, target)
			if wantStatus(t, w, 200); w.Header().Get("Cache-Control") != "no-cache" || !strings.Contains(w.Body.String(), "Vault") {
				t.Errorf("%s with a %s layer: %v %s", target, visibility, w.Header(), w.Body)
			}
		}
	}
}

func TestAuthIsAskedOfLegendsOutsideTransactions(t *testing.T) {
	st := hiddenLegend(t)
	open := new(atomic.Int32)
	s := newServer(t, server.Config{Store: viewed{st, open}, Auth: asking{t: t, open: open}})
	failing := newServer(t, server.Config{Store: st, Auth: failingAuth{}})
	for _, target := range append(hiddenAddresses(), "/legend/2", "/legend/2.svg?layer=1", "/api/v1/legends", "/api/v1/legends/2", "/api/v1/semantics", "/api/v1/semantics/2") {
		for _, key := range []string{"", "key"} {
			get(t, s, target, "Authorization", key)
		}
		if w := get(t, failing, target); w.Code != 500 {
			t.Errorf("%s: %d although Auth cannot tell", target, w.Code)
		}
	}
}
