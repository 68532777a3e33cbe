package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func parsesRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	before := time.Now().Add(-time.Second)
	l, other := addLayer(t, s, "x"), addLayer(t, s, "y")
	latest := func() (*rasterbase.Parse, error) {
		return tryGet(t, s, func(tx store.Tx) (*rasterbase.Parse, error) { return tx.Parses().Latest(ctx, l.ID) })
	}
	_, err := latest()
	wantNotExist(t, err)
	first, p := &rasterbase.Parse{Layer: l.ID, Status: rasterbase.Queued}, &rasterbase.Parse{Layer: l.ID, Status: rasterbase.Queued}
	update(t, s, func(tx store.Tx) error {
		for _, p := range []*rasterbase.Parse{first, p, {Layer: other.ID}} {
			if err := tx.Parses().Create(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if p.ID <= first.ID || p.Created.Before(before) {
		t.Errorf("the new parse is %+v", p)
	}
	at := time.Date(2024, 2, 29, 23, 59, 59, 987_000_000, time.FixedZone("", 3600))
	p.Revision, p.Status, p.Error, p.Planned, p.Done, p.Started = 5, rasterbase.Failed, "größe", 1<<40, 7, at
	p.Fetch = "https://ada:geheim@example.com/größe.tif?sig=1&x"
	update(t, s, func(tx store.Tx) error { return tx.Parses().Update(ctx, p) })
	for _, read := range []func() (*rasterbase.Parse, error){latest, func() (*rasterbase.Parse, error) {
		return tryGet(t, s, func(tx store.Tx) (*rasterbase.Parse, error) { return tx.Parses().Get(ctx, p.ID) })
	}} {
		got, err := read()
		must(t, err)
		if got.ID != p.ID || got.Layer != l.ID || got.Revision != 5 || got.Status != rasterbase.Failed || got.Error != "größe" ||
			got.Planned != 1<<40 || got.Done != 7 || got.Fetch != p.Fetch || !got.Started.Equal(at) || got.Started.Location() != time.UTC || !got.Ended.IsZero() ||
			got.Created.UnixMilli() != p.Created.UnixMilli() {
			t.Errorf("the parse is %+v", got)
		}
	}
	p.Fetch = "" // it was fetched
	update(t, s, func(tx store.Tx) error { return tx.Parses().Update(ctx, p) })
	fetched, err := latest()
	must(t, err)
	wantEqual(t, "what is to be fetched", fetched.Fetch, "")
	begun := &rasterbase.Parse{Layer: other.ID, Fetch: "/data/x.tif"}
	update(t, s, func(tx store.Tx) error { return tx.Parses().Create(ctx, begun) })
	begun, err = tryGet(t, s, func(tx store.Tx) (*rasterbase.Parse, error) { return tx.Parses().Get(ctx, begun.ID) })
	must(t, err)
	wantEqual(t, "what is to be fetched", begun.Fetch, "/data/x.tif")
	wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Parses().Update(ctx, &rasterbase.Parse{ID: 999999}) }))
	_, err = tryGet(t, s, func(tx store.Tx) (*rasterbase.Parse, error) { return tx.Parses().Get(ctx, 999999) })
	wantNotExist(t, err)
}

func parseLog(t *testing.T, s store.Store) {
	ctx := t.Context()
	l := addLayer(t, s, "x")
	a, b := &rasterbase.Parse{Layer: l.ID}, &rasterbase.Parse{Layer: l.ID}
	before := time.Now().Add(-time.Second)
	update(t, s, func(tx store.Tx) error {
		if err := tx.Parses().Create(ctx, a); err != nil {
			return err
		}
		return tx.Parses().Create(ctx, b)
	})
	for i := range 5 {
		update(t, s, func(tx store.Tx) error {
			if err := tx.Parses().Log(ctx, a.ID, fmt.Sprintf("línea %d\n", i+1)); err != nil {
				return err
			}
			return tx.Parses().Log(ctx, b.ID, "other")
		})
	}
	for _, after := range []int64{0, 3, 5, 9} {
		lines := get(t, s, func(tx store.Tx) ([]rasterbase.LogLine, error) { return tx.Parses().Lines(ctx, a.ID, after) })
		wantEqual(t, "number of lines", len(lines), int(max(0, 5-after)))
		for i, line := range lines {
			seq := after + int64(i) + 1
			if line.Seq != seq || line.Text != fmt.Sprintf("línea %d\n", seq) || line.Time.Before(before) || line.Time.Location() != time.UTC {
				t.Errorf("line %d after %d is %+v", i, after, line)
			}
		}
	}
	wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Parses().Log(ctx, 999999, "x") }))
}

func addLegend(t *testing.T, s store.Store, title string, entries ...rasterbase.Entry) *rasterbase.Legend {
	t.Helper()
	l := &rasterbase.Legend{Title: title, Entries: entries}
	update(t, s, func(tx store.Tx) error { return tx.Legends().Create(t.Context(), l) })
	return l
}

func legend(t *testing.T, s store.Store, id rasterbase.LegendID) *rasterbase.Legend {
	t.Helper()
	return get(t, s, func(tx store.Tx) (*rasterbase.Legend, error) { return tx.Legends().Get(t.Context(), id) })
}

func legendRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	before := time.Now().Add(-time.Second)
	l := addLegend(t, s, "Bodenbedeckung", rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "水", Description: "d", Keyword: "k"},
		Expression: "(-3.0 < x) & (x <= 1)", Color: rasterbase.Color{R: 255, G: 1, B: 2, A: 128}, Code: "1.a"},
		rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "ice"}, Expression: "5", Color: rasterbase.Color{A: 255}},
		rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "水"}, Expression: "7"})
	if l.ID == 0 || l.Entries[0].Semantics.ID == 0 || l.Entries[0].Semantics.ID != l.Entries[2].Semantics.ID {
		t.Errorf("the new legend is %+v", l)
	}
	got := legend(t, s, l.ID)
	if got.Updated.Before(before) || got.Updated.Location() != time.UTC {
		t.Errorf("updated at %v", got.Updated)
	}
	wantDeepEqual(t, "the entries", got.Entries, l.Entries)
	wantEqual(t, "the title", got.Title, "Bodenbedeckung")
	l.Title, l.Entries = "Neu", []rasterbase.Entry{l.Entries[1], l.Entries[0]}
	update(t, s, func(tx store.Tx) error { return tx.Legends().Update(ctx, l) })
	got = legend(t, s, l.ID)
	wantEqual(t, "the new title", got.Title, "Neu")
	wantDeepEqual(t, "the new entries", got.Entries, l.Entries)
	wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Legends().Update(ctx, &rasterbase.Legend{ID: 999999, Title: "x"})
	}))
	_, err := tryGet(t, s, func(tx store.Tx) (*rasterbase.Legend, error) { return tx.Legends().Get(ctx, 999999) })
	wantNotExist(t, err)
}

func legendTitles(t *testing.T, s store.Store) {
	ctx := t.Context()
	b, a := addLegend(t, s, "Größe ΣΑΣ"), addLegend(t, s, "Area")
	for _, title := range []string{"größe σας", "GRößE σασ", "area", "AREA", "", "  "} {
		err := s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Legends().Create(ctx, &rasterbase.Legend{Title: title}) })
		want := rasterbase.Conflict
		if strings.TrimSpace(title) == "" {
			want = rasterbase.Invalid
		}
		wantCode(t, err, want)
		if want == rasterbase.Conflict {
			_, err := tryGet(t, s, func(tx store.Tx) (*rasterbase.Legend, error) { return tx.Legends().FindTitle(ctx, title) })
			must(t, err)
		}
	}
	err := s.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Legends().Update(ctx, &rasterbase.Legend{ID: a.ID, Title: "größe σας"})
	})
	wantCode(t, err, rasterbase.Conflict)
	update(t, s, func(tx store.Tx) error { return tx.Legends().Update(ctx, &rasterbase.Legend{ID: a.ID, Title: "AREA"}) })
	list := get(t, s, func(tx store.Tx) ([]*rasterbase.Legend, error) { return tx.Legends().List(ctx) })
	if len(list) != 2 || list[0].ID != a.ID || list[0].Title != "AREA" || list[1].ID != b.ID {
		t.Errorf("the legends are %+v", list)
	}
	_, err = tryGet(t, s, func(tx store.Tx) (*rasterbase.Legend, error) { return tx.Legends().FindTitle(ctx, "Are") })
	wantNotExist(t, err)
}

func legendSemantics(t *testing.T, s store.Store) {
	ctx := t.Context()
	earth := rasterbase.Semantics{Name: "Earth", Description: "soil", Keyword: "k"}
	a := addLegend(t, s, "a", rasterbase.Entry{Semantics: earth, Expression: "1"})
	b := addLegend(t, s, "b", rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "Earth"}, Expression: "2"},
		rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "earth"}, Expression: "3"})
	shared := func(l *rasterbase.Legend) rasterbase.Semantics { return legend(t, s, l.ID).Entries[0].Semantics }
	earth.ID = a.Entries[0].Semantics.ID
	wantEqual(t, "what the second legend found by name", b.Entries[0].Semantics, earth)
	wantEqual(t, "what the first legend has", shared(a), earth)
	if b.Entries[1].Semantics.ID == earth.ID {
		t.Error("semantics that differ in case are taken for one")
	}
	// One with an id is stored as given, and shows in both.
	earth.Name, earth.Description, earth.Keyword = "Ground", "", "g"
	b.Entries[0].Semantics = earth
	update(t, s, func(tx store.Tx) error { return tx.Legends().Update(ctx, b) })
	wantEqual(t, "the first legend's semantics", shared(a), earth)
	wantEqual(t, "the second legend's semantics", shared(b), earth)
	// One without an id changes what it says and leaves the rest.
	a.Entries[0].Semantics = rasterbase.Semantics{Name: "Ground", Description: "new"}
	update(t, s, func(tx store.Tx) error { return tx.Legends().Update(ctx, a) })
	earth.Description = "new"
	wantEqual(t, "the second legend's semantics", shared(b), earth)

	b.Entries[0].Semantics.Name = "earth"
	wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Legends().Update(ctx, b) }), rasterbase.Conflict)
	b.Entries[0].Semantics = rasterbase.Semantics{ID: 999999, Name: "new"}
	wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Legends().Update(ctx, b) }))
	wantEqual(t, "the second legend's semantics after failures", shared(b), earth)
}

func legendDelete(t *testing.T, s store.Store) {
	ctx := t.Context()
	a, b := addLegend(t, s, "a", rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "x"}}),
		addLegend(t, s, "b", rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "x"}})
	la, lb := &rasterbase.Layer{Name: "a", Legend: a.ID}, &rasterbase.Layer{Name: "b", Legend: b.ID}
	update(t, s, func(tx store.Tx) error {
		if err := tx.Layers().Create(ctx, la); err != nil {
			return err
		}
		return tx.Layers().Create(ctx, lb)
	})
	update(t, s, func(tx store.Tx) error { return tx.Legends().Delete(ctx, a.ID) })
	wantEqual(t, "the legend of the layer that used it", layer(t, s, la.ID).Legend, 0)
	wantEqual(t, "the legend of the other layer", layer(t, s, lb.ID).Legend, b.ID)
	wantEqual(t, "number of the other legend's entries", len(legend(t, s, b.ID).Entries), 1)
	wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Legends().Delete(ctx, a.ID) }))
	update(t, s, func(tx store.Tx) error { return tx.Legends().Delete(ctx, b.ID) })
	if again := addLegend(t, s, "a"); again.ID <= b.ID {
		t.Errorf("the id %d is given again", again.ID)
	}
}

func findLegend(t *testing.T, s store.Store) {
	a := addLegend(t, s, "Land Cover")
	year := addLegend(t, s, "2018")
	for ref, want := range map[string]rasterbase.LegendID{fmt.Sprint(a.ID): a.ID, "land cover": a.ID, "LAND COVER": a.ID, "2018": year.ID} {
		l := get(t, s, func(tx store.Tx) (*rasterbase.Legend, error) { return store.FindLegend(t.Context(), tx, ref) })
		wantEqual(t, "the legend for "+ref, l.ID, want)
	}
	for _, ref := range []string{"", "none", "999", "99999999999999999999999"} {
		_, err := tryGet(t, s, func(tx store.Tx) (*rasterbase.Legend, error) { return store.FindLegend(t.Context(), tx, ref) })
		wantNotExist(t, err)
	}
}
