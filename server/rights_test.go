package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// An export has the names of a legend's classes in it, and tells them to those alone
// who may see the legend.
func TestExportsNameNoHiddenLegend(t *testing.T) {
	s := newAPI(t, hiddenLegend(t), nil, server.Config{WorkDir: t.TempDir()})
	for _, form := range []string{"zip", "tif", "mbtiles&maxzoom=1", "pmtiles&maxzoom=1"} {
		target := "/export?layers=a=land-cover&legend=palace.png&format=" + form
		got := get(t, s, target)
		wantProblem(t, got, 404)
		gone := get(t, s, strings.Replace(target, "palace", "absent", 1))
		if want := strings.ReplaceAll(answered(gone), "absent", "palace"); answered(got) != want {
			t.Errorf("%s is answered\n%s\nand of a legend that is not there\n%s", form, answered(got), want)
		}
		wantProblem(t, get(t, s, target+"&store=database"), 404)
		for _, role := range []string{"viewer", "editor"} {
			w := call(t, s, role, "GET", target, "")
			if wantStatus(t, w, 200); w.Header().Get("Cache-Control") != "private, no-store" {
				t.Errorf("%s as %s: %v", form, role, w.Header())
			}
		}
		open := strings.Replace(target, "palace.png", "Cover", 1)
		if w := get(t, s, open); w.Code != 200 || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", open, w.Code, w.Header())
		}
	}
}

// turning is an Auth that does something once when it is asked about a layer, after
// it has allowed it.
type turning struct {
	keyAuth
	at   rasterbase.LayerID
	turn func()
}

func (a *turning) May(ctx context.Context, p rasterbase.Principal, what rasterbase.Action, l *rasterbase.Layer) error {
	err := a.keyAuth.May(ctx, p, what, l)
	if l != nil && l.ID == a.at && err == nil && a.turn != nil {
		turn := a.turn
		a.turn = nil
		turn()
	}
	return err
}

// A formula that comes to read a private layer between the asking and the opening
// shows nothing of it.
func TestFormulasThatTurnPrivateInBetweenShowNothing(t *testing.T) {
	for _, target := range []string{
		"/tiles/low/6/33/22.png", "/tiles/low/6/33/22.tif", "/tiles/low/6/33/22.png?formula=x*2", "/layers/low/tilejson.json",
		"/algebra/6/33/22.png?layers=a=low&formula=a", "/algebra/6/33/22.png?layers=r=low,g=low,b=low&scale=1,9",
		"/pixel/5/48?srid=4326&layers=a=low", "/export?layers=a=low&format=tif&zoom=2",
	} {
		t.Run(target, func(t *testing.T) {
			st := newStore(t)
			c := newChanging(t, st)
			hidden := secret(t, st)
			a := &turning{at: c.below.ID}
			a.turn = func() {
				c.edit(c.low, func(l *rasterbase.Layer) { l.Formula.Inputs[0].Layer = hidden.ID })
			}
			s := newServer(t, server.Config{Store: st, Auth: a, WorkDir: t.TempDir()})
			w := get(t, s, target)
			if a.turn != nil {
				t.Fatal("the formula was not changed in between")
			}
			wantProblem(t, w, 404)
		})
	}
}

// Who deletes a layer that formulas read is told the names of those alone that they
// may read.
func TestDeletingNamesNoHiddenFormula(t *testing.T) {
	st := newStore(t)
	c := newChanging(t, st)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, c.high.ID)
		if err != nil {
			return err
		}
		l.Visibility = rasterbase.Private
		return tx.Layers().Update(ctx, l)
	})
	s := newServer(t, server.Config{Store: st, Auth: publicEditor{}, Parser: &recordParser{st: st}})
	p := wantProblem(t, call(t, s, "guest", "DELETE", fmt.Sprintf("/api/v1/layers/%d", c.below.ID), ""), 409)
	if strings.Contains(p.Detail, "High") || !strings.Contains(p.Detail, "(Low), 1 more") {
		t.Errorf("%s", p.Detail)
	}
}

// publicEditor lets everybody change public layers, and nobody read others.
type publicEditor struct{}

func (publicEditor) May(_ context.Context, _ rasterbase.Principal, _ rasterbase.Action, l *rasterbase.Layer) error {
	if l == nil || l.Visibility == rasterbase.Public {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Forbidden, "layer %d is private", l.ID)
}

func (publicEditor) Principal(*http.Request) (rasterbase.Principal, error) {
	return rasterbase.Principal{Name: "guest"}, nil
}
