package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// givenIDs stores things with the ids and times that they had elsewhere.
func givenIDs(t *testing.T, s store.Store) {
	ctx := t.Context()
	at := time.Date(2019, 12, 31, 23, 59, 59, 123_456_000, time.UTC)
	g := &rasterbase.Legend{ID: 40, Title: "Cover", Updated: at, Entries: []rasterbase.Entry{
		{Semantics: rasterbase.Semantics{ID: 70, Name: "water", Keyword: "k"}, Expression: "1"},
		{Semantics: rasterbase.Semantics{Name: "ice"}, Expression: "2"},
		{Semantics: rasterbase.Semantics{ID: 70, Name: "water", Description: "d"}, Expression: "3"},
	}}
	l := &rasterbase.Layer{ID: 500, Name: "Land cover", Legend: 40, Created: at, Updated: at.Add(time.Hour)}
	r := &rasterbase.Revision{ID: 600, Layer: 500, Created: at.Add(time.Minute), PublishedAt: at.Add(2 * time.Minute), State: rasterbase.Retired}
	p := &rasterbase.Parse{ID: 900, Layer: 500, Revision: 600, Status: rasterbase.Finished, Created: at, Started: at.Add(time.Second), Ended: at.Add(time.Minute)}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Legends().Create(ctx, g), tx.Layers().Create(ctx, l), tx.Revisions().Create(ctx, r), tx.Parses().Create(ctx, p))
	})
	update(t, s, func(tx store.Tx) error { _, err := tx.Revisions().Publish(ctx, 600); return err })

	gotLegend := legend(t, s, 40)
	wantDeepEqual(t, "the legend's time", gotLegend.Updated, at)
	wantDeepEqual(t, "the entries", gotLegend.Entries[2].Semantics, rasterbase.Semantics{ID: 70, Name: "water", Description: "d"})
	if ice := gotLegend.Entries[1].Semantics.ID; ice == 0 || ice == 70 {
		t.Errorf("the semantics without an id has %d", ice)
	}
	gotLayer := layer(t, s, 500)
	if gotLayer.Slug != "land-cover" || !gotLayer.Created.Equal(at) || !gotLayer.Updated.Equal(at.Add(time.Hour)) || gotLayer.Published != 600 || gotLayer.Legend != 40 {
		t.Errorf("the layer is %+v", gotLayer)
	}
	if got := revision(t, s, 600); got.State != rasterbase.Published || !got.Created.Equal(r.Created) || !got.PublishedAt.Equal(at.Add(2*time.Minute)) {
		t.Errorf("the revision is %s, of %v, published at %v", got.State, got.Created, got.PublishedAt)
	}
	gotParse := get(t, s, func(tx store.Tx) (*rasterbase.Parse, error) { return tx.Parses().Latest(ctx, 500) })
	wantDeepEqual(t, "the parse", gotParse, p)

	// What is made later has other ids.
	later, laterRevision := addLayer(t, s, "Land cover"), addRevision(t, s, 500)
	if later.ID <= 500 || laterRevision.ID <= 600 || later.Slug != "land-cover-2" {
		t.Errorf("later there are layer %d %q and revision %d", later.ID, later.Slug, laterRevision.ID)
	}
	laterLegend := addLegend(t, s, "later", rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "later"}})
	if laterLegend.ID <= 40 || laterLegend.Entries[0].Semantics.ID <= 70 {
		t.Errorf("later there is legend %+v", laterLegend)
	}
	laterParse := &rasterbase.Parse{Layer: later.ID}
	update(t, s, func(tx store.Tx) error { return tx.Parses().Create(ctx, laterParse) })
	if laterParse.ID <= 900 {
		t.Errorf("later there is parse %d", laterParse.ID)
	}
	// An id below the highest one can be given too, and changes nothing else.
	update(t, s, func(tx store.Tx) error { return tx.Layers().Create(ctx, &rasterbase.Layer{ID: 3, Name: "low"}) })
	if last := addLayer(t, s, "last"); last.ID <= later.ID {
		t.Errorf("layer %d follows layer %d", last.ID, later.ID)
	}
}

// idsTaken gives ids that are taken, or cannot be ids.
func idsTaken(t *testing.T, s store.Store) {
	ctx := t.Context()
	l := addLayer(t, s, "x")
	r, g := addRevision(t, s, l.ID), addLegend(t, s, "x", rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "x"}})
	p := &rasterbase.Parse{Layer: l.ID}
	update(t, s, func(tx store.Tx) error { return tx.Parses().Create(ctx, p) })
	for sign, want := range map[int64]rasterbase.Code{1: rasterbase.Conflict, -1: rasterbase.Invalid} {
		for name, fn := range map[string]func(store.Tx) error{
			"layer": func(tx store.Tx) error {
				return tx.Layers().Create(ctx, &rasterbase.Layer{ID: l.ID * rasterbase.LayerID(sign), Name: "y"})
			},
			"revision": func(tx store.Tx) error {
				return tx.Revisions().Create(ctx, &rasterbase.Revision{ID: r.ID * rasterbase.RevisionID(sign), Layer: l.ID})
			},
			"parse": func(tx store.Tx) error {
				return tx.Parses().Create(ctx, &rasterbase.Parse{ID: p.ID * rasterbase.ParseID(sign), Layer: l.ID})
			},
			"legend": func(tx store.Tx) error {
				return tx.Legends().Create(ctx, &rasterbase.Legend{ID: g.ID * rasterbase.LegendID(sign), Title: "y"})
			},
		} {
			t.Log(name)
			wantCode(t, s.Catalog().Update(ctx, fn), want)
		}
	}
	// The name of a semantics is another one's.
	wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Legends().Create(ctx, &rasterbase.Legend{Title: "y", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{ID: 99, Name: "x"}}}})
	}), rasterbase.Conflict)
	wantEqual(t, "the name of the layer", layer(t, s, l.ID).Name, "x")
	wantEqual(t, "the title of the legend", legend(t, s, g.ID).Title, "x")
}

// givenTimes are of no effect without an id, and are made where an id has none.
func givenTimes(t *testing.T, s store.Store) {
	ctx := t.Context()
	old, before := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), time.Now().Add(-time.Second)
	for _, id := range []int64{0, 1000} {
		times := old
		if id != 0 {
			times = time.Time{}
		}
		l := &rasterbase.Layer{ID: rasterbase.LayerID(id), Name: "x", Created: times, Updated: times}
		g := &rasterbase.Legend{ID: rasterbase.LegendID(id), Title: fmt.Sprint(id), Updated: times}
		r, p := &rasterbase.Revision{}, &rasterbase.Parse{}
		update(t, s, func(tx store.Tx) error {
			if err := errors.Join(tx.Layers().Create(ctx, l), tx.Legends().Create(ctx, g)); err != nil {
				return err
			}
			*r = rasterbase.Revision{ID: rasterbase.RevisionID(id), Layer: l.ID, Created: times, PublishedAt: times}
			*p = rasterbase.Parse{ID: rasterbase.ParseID(id), Layer: l.ID, Created: times}
			return errors.Join(tx.Revisions().Create(ctx, r), tx.Parses().Create(ctx, p))
		})
		for what, at := range map[string]time.Time{"layer": layer(t, s, l.ID).Created, "change of the layer": layer(t, s, l.ID).Updated,
			"legend": legend(t, s, g.ID).Updated, "revision": revision(t, s, r.ID).Created, "parse": p.Created} {
			if at.Before(before) {
				t.Errorf("with id %d the time of the %s is %v", id, what, at)
			}
		}
		if at := revision(t, s, r.ID).PublishedAt; !at.IsZero() {
			t.Errorf("with id %d a revision that is being built was published at %v", id, at)
		}
	}
}

// takenBack: what a transaction that was not kept set is as it was before.
func takenBack(t *testing.T, s store.Store) {
	ctx := t.Context()
	l, r, p := rasterbase.Layer{Name: "x"}, rasterbase.Revision{TileSize: 256}, rasterbase.Parse{Status: rasterbase.Queued}
	g := rasterbase.Legend{Title: "x", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "water"}}}}
	failed := errors.New("no")
	create := func(end error) error {
		return s.Catalog().Update(ctx, func(tx store.Tx) error {
			if err := errors.Join(tx.Layers().Create(ctx, &l), tx.Legends().Create(ctx, &g)); err != nil {
				return err
			}
			r.Layer, p.Layer = l.ID, l.ID
			return errors.Join(tx.Revisions().Create(ctx, &r), tx.Parses().Create(ctx, &p), end)
		})
	}
	wantIs(t, create(failed), failed)
	if l.ID != 0 || l.Slug != "" || !l.Created.IsZero() || r.ID != 0 || p.ID != 0 || g.ID != 0 || g.Entries[0].Semantics.ID != 0 {
		t.Errorf("after a failure there are %+v, %+v, %+v, %+v", l, r, p, g)
	}
	// Others take the ids meanwhile, and the second attempt has ids of its own.
	other, otherRevision := addLayer(t, s, "x"), addRevision(t, s, addLayer(t, s, "y").ID)
	otherLegend := addLegend(t, s, "y", rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "ice"}})
	must(t, create(nil))
	if l.ID == other.ID || r.ID == otherRevision.ID || g.ID == otherLegend.ID || g.Entries[0].Semantics.ID == otherLegend.Entries[0].Semantics.ID {
		t.Errorf("the second attempt has %d, %d and %d", l.ID, r.ID, g.ID)
	}
	wantEqual(t, "the slug", layer(t, s, l.ID).Slug, "x-2")
	wantEqual(t, "the semantics", legend(t, s, g.ID).Entries[0].Semantics.Name, "water")
}

// givenSRIDs keeps the srids that CRSs without a code have elsewhere.
func givenSRIDs(t *testing.T, s store.Store) {
	first := rasterbase.FirstCustomSRID
	for _, c := range []struct {
		wkt        string
		srid, want int
	}{
		{"a", first + 7, first + 7},
		{"a", first + 9, first + 7},   // known already
		{"b", first + 7, first + 8},   // taken
		{"c", 4326, first + 9},        // not one of ours
		{"d", first, first},           // below the others
		{"e", 1 << 40, first + 10},    // too large for others to keep
		{"f", first + 10, first + 11}, // taken by one that was made here
		{"b", 0, first + 8},
	} {
		var got int
		update(t, s, func(tx store.Tx) (err error) {
			got, err = tx.Revisions().CustomSRID(t.Context(), rasterbase.CRS{SRID: c.srid, WKT: fmt.Sprintf("LOCAL_CS[%q]", c.wkt), Name: c.wkt})
			return err
		})
		wantEqual(t, fmt.Sprintf("the srid of %q given %d", c.wkt, c.srid), got, c.want)
	}
}

// givenLines stores lines of a log with the times that they had elsewhere.
func givenLines(t *testing.T, s store.Store) {
	ctx := t.Context()
	p := &rasterbase.Parse{Layer: addLayer(t, s, "x").ID}
	at := time.Date(2019, 12, 31, 23, 59, 59, 123_456_000, time.FixedZone("", 7200))
	before := time.Now().Add(-time.Second)
	update(t, s, func(tx store.Tx) error {
		if err := tx.Parses().Create(ctx, p); err != nil {
			return err
		}
		return errors.Join(
			tx.Parses().AddLines(ctx, p.ID, []rasterbase.LogLine{{Seq: 1, Time: at, Text: "one"}, {Seq: 9, Time: at.Add(time.Second), Text: "two"}}),
			tx.Parses().AddLines(ctx, p.ID, nil),
			tx.Parses().AddLines(ctx, p.ID, []rasterbase.LogLine{{Text: "three"}}),
			tx.Parses().Log(ctx, p.ID, "four"))
	})
	lines := get(t, s, func(tx store.Tx) ([]rasterbase.LogLine, error) { return tx.Parses().Lines(ctx, p.ID, 0) })
	var texts []string
	for i, l := range lines {
		texts = append(texts, l.Text)
		wantEqual(t, "Seq of "+l.Text, l.Seq, int64(i+1))
	}
	wantEqual(t, "the log", strings.Join(texts, " "), "one two three four")
	if !lines[0].Time.Equal(at) || !lines[1].Time.Equal(at.Add(time.Second)) || lines[2].Time.Before(before) {
		t.Errorf("the lines are %v", lines)
	}
	for _, none := range [][]rasterbase.LogLine{nil, {{Text: "x"}}} {
		wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Parses().AddLines(ctx, 999999, none) }))
	}
}

// strangeTexts stores what some databases cannot hold.
func strangeTexts(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, strange := range []string{"a\nb\x00c", "\xff\xfe", "\x00", `\u0000 \\u0000`, "größe \xc3"} {
		valid := string([]rune(strange))
		held := strings.ReplaceAll(valid, "\x00", "\uFFFD")
		check := func(what, got string) {
			t.Helper()
			if got != strange && got != held {
				t.Errorf("%s is %q, neither %q nor %q", what, got, strange, held)
			}
		}
		l := &rasterbase.Layer{Name: "x", Description: strange, Source: rasterbase.Source{Name: "f" + strange},
			Settings: rasterbase.Settings{Subdataset: strange}}
		g := &rasterbase.Legend{Title: "x" + strange}
		p := &rasterbase.Parse{}
		update(t, s, func(tx store.Tx) error {
			if err := errors.Join(tx.Layers().Create(ctx, l), tx.Legends().Create(ctx, g)); err != nil {
				return err
			}
			p.Layer = l.ID
			r := &rasterbase.Revision{Layer: l.ID, Bands: []rasterbase.Band{{Description: strange}}}
			if err := errors.Join(tx.Parses().Create(ctx, p), tx.Revisions().Create(ctx, r)); err != nil {
				return err
			}
			p.Revision, p.Error = r.ID, strange
			return errors.Join(tx.Parses().Update(ctx, p), tx.Parses().Log(ctx, p.ID, strange))
		})
		view(t, s, func(tx store.Tx) error {
			found, n, err := tx.Layers().Find(ctx, store.LayerFilter{FileName: "f" + strange})
			must(t, err)
			if n != 1 || found[0].ID != l.ID {
				t.Errorf("%d layers have the file name", n)
			}
			check("the description", found[0].Description)
			check("the file name", strings.TrimPrefix(found[0].Source.Name, "f"))
			title, err := tx.Legends().FindTitle(ctx, "X"+strange)
			must(t, err)
			check("the title", strings.TrimPrefix(title.Title, "x"))
			got, err := tx.Parses().Get(ctx, p.ID)
			must(t, err)
			check("the error", got.Error)
			r, err := tx.Revisions().Get(ctx, p.Revision)
			must(t, err)
			// JSON is UTF-8 in any case.
			if d := r.Bands[0].Description; d != held && d != valid {
				t.Errorf("the band's description is %q", d)
			}
			lines, err := tx.Parses().Lines(ctx, p.ID, 0)
			must(t, err)
			check("the line", lines[0].Text)
			return nil
		})
	}
}
