package ingest_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// Settings parse a layer anew, texts do not.
func TestWhatParsesAnew(t *testing.T) {
	nodata, nan := 7.0, math.NaN()
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64})
	legend := &rasterbase.Legend{Title: "one"}
	update(t, st, func(tx store.Tx) error { return tx.Legends().Create(t.Context(), legend) })
	initial := rasterbase.Settings{Nodata: &nan, MaxZoom: intPtr(3)}
	for _, c := range []struct {
		name  string
		fn    func(*rasterbase.Layer)
		parse bool
	}{
		{"nothing", func(*rasterbase.Layer) {}, false},
		{"name", func(l *rasterbase.Layer) { l.Name = "another" }, false},
		{"slug", func(l *rasterbase.Layer) { l.Slug = "another" }, false},
		{"description", func(l *rasterbase.Layer) { l.Description = "a\nb" }, false},
		{"attribution", func(l *rasterbase.Layer) { l.Attribution = "USGS" }, false},
		{"licence", func(l *rasterbase.Layer) { l.License = "CC0" }, false},
		{"legend", func(l *rasterbase.Layer) { l.Legend = legend.ID }, false},
		{"visibility", func(l *rasterbase.Layer) { l.Visibility = rasterbase.Private }, false},
		{"equal settings", func(l *rasterbase.Layer) { l.Settings.MaxZoom, l.Settings.Nodata = intPtr(3), &nan }, false},
		{"what is not the caller's", func(l *rasterbase.Layer) { l.Source, l.Published, l.Created = rasterbase.Source{}, 77, time.Time{} }, false},
		{"datatype", func(l *rasterbase.Layer) { l.Settings.Datatype = rasterbase.Continuous }, true},
		{"srid", func(l *rasterbase.Layer) { l.Settings.SRID = 32633 }, true},
		{"nodata", func(l *rasterbase.Layer) { l.Settings.Nodata = &nodata }, true},
		{"no nodata", func(l *rasterbase.Layer) { l.Settings.Nodata = nil }, true},
		{"max zoom", func(l *rasterbase.Layer) { l.Settings.MaxZoom = intPtr(4) }, true},
		{"max zoom, in place", func(l *rasterbase.Layer) { *l.Settings.MaxZoom = 4 }, true},
		{"next lower", func(l *rasterbase.Layer) { l.Settings.NextLower = true }, true},
		{"no pyramid", func(l *rasterbase.Layer) { l.Settings.NoPyramid = true }, true},
		{"resampling", func(l *rasterbase.Layer) { l.Settings.Resampling = rasterbase.Cubic }, true},
		{"tile size", func(l *rasterbase.Layer) { l.Settings.TileSize = 128 }, true},
		{"subdataset", func(l *rasterbase.Layer) { l.Settings.Subdataset = "x" }, true},
		{"both", func(l *rasterbase.Layer) { l.Name, l.Settings.TileSize = "another", 128 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ticket, err := p.Create(t.Context(), &rasterbase.Layer{Name: "Mine", Settings: initial},
				rasterbase.SourceFrom{Upload: upload(t, st, "raster.syn", "x", 1)})
			if err != nil {
				t.Fatal(err)
			}
			before := layerOf(t, st, ticket.Layer)
			want := *before
			want.Settings.MaxZoom = intPtr(*before.Settings.MaxZoom)
			if !strings.HasPrefix(c.name, "what") {
				c.fn(&want)
			}
			got, after, err := p.Change(t.Context(), ticket.Layer, nil, func(l *rasterbase.Layer) error { c.fn(l); return nil })
			if err != nil {
				t.Fatal(err)
			}
			if after.Layer != ticket.Layer || (after.Parse != 0) != c.parse || after.Parse == ticket.Parse {
				t.Errorf("the ticket is %+v", after)
			}
			if first := parseOf(t, st, ticket.Parse); (first.Status == rasterbase.Cancelled) != c.parse {
				t.Errorf("the parse before is %s", first.Status)
			}
			stored := layerOf(t, st, ticket.Layer)
			for _, l := range []*rasterbase.Layer{&want, got, stored} {
				l.Updated = time.Time{}
				if n := l.Settings.Nodata; n != nil && math.IsNaN(*n) { // is not equal to itself
					l.Settings.Nodata = nil
				}
			}
			if !reflect.DeepEqual(*got, want) || !reflect.DeepEqual(*stored, want) {
				t.Errorf("changed to %+v, stored as %+v, want %+v", got, stored, want)
			}
			if err := p.Delete(t.Context(), ticket.Layer); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestChangeRefuses(t *testing.T) {
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64})
	ticket, err := p.Create(t.Context(), &rasterbase.Layer{Name: "Mine"}, rasterbase.SourceFrom{Upload: upload(t, st, "raster.syn", "x", 1)})
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.Create(t.Context(), &rasterbase.Layer{Name: "Other"}, rasterbase.SourceFrom{Upload: upload(t, st, "raster.syn", "x", 1)})
	if err != nil {
		t.Fatal(err)
	}
	bare := &rasterbase.Layer{Name: "odd\x1bname", Visibility: rasterbase.Public} // of a time without rules
	update(t, st, func(tx store.Tx) error { return tx.Layers().Create(t.Context(), bare) })
	before := layerOf(t, st, ticket.Layer)
	own := errors.New("the caller's own")
	half := upload(t, st, "half.tif", "0123456789", 5)
	for _, c := range []struct {
		name string
		id   rasterbase.LayerID
		from *rasterbase.SourceFrom
		fn   func(*rasterbase.Layer) error
		want func(error) bool
	}{
		{"unknown layer", 4711, nil, nil, func(err error) bool { return errors.Is(err, store.ErrNotExist) }},
		{"the caller's reason", ticket.Layer, nil, func(*rasterbase.Layer) error { return own }, func(err error) bool { return errors.Is(err, own) }},
		{"a bad name", ticket.Layer, nil, func(l *rasterbase.Layer) error { l.Name = "a\nb"; return nil }, code(rasterbase.Invalid)},
		{"no name", ticket.Layer, nil, func(l *rasterbase.Layer) error { l.Name = ""; return nil }, code(rasterbase.Invalid)},
		{"a taken slug", ticket.Layer, nil, func(l *rasterbase.Layer) error { l.Slug = "other"; return nil }, code(rasterbase.Conflict)},
		{"a bad setting", ticket.Layer, nil, func(l *rasterbase.Layer) error { l.Settings.TileSize = 1; return nil }, code(rasterbase.Invalid)},
		{"half an upload", ticket.Layer, &rasterbase.SourceFrom{Upload: half}, nil, code(rasterbase.Conflict)},
		{"settings of what has no source", bare.ID, nil, func(l *rasterbase.Layer) error { l.Settings.TileSize = 128; return nil }, code(rasterbase.Conflict)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if l, ticket, err := p.Change(t.Context(), c.id, c.from, c.fn); !c.want(err) || l != nil || ticket != (rasterbase.Ticket{}) {
				t.Errorf("%+v, %+v, %v", l, ticket, err)
			}
		})
	}
	if after := layerOf(t, st, ticket.Layer); !reflect.DeepEqual(before, after) {
		t.Errorf("it has changed to %+v", after)
	}
	for _, id := range []rasterbase.ParseID{ticket.Parse, other.Parse} {
		if s := parseOf(t, st, id).Status; s != rasterbase.Queued {
			t.Errorf("a parse is %s", s)
		}
	}
	_, _, err = p.Change(t.Context(), bare.ID, nil, func(l *rasterbase.Layer) error { l.Description = "still odd"; return nil })
	if err != nil {
		t.Errorf("an old name keeps the description from being changed: %v", err)
	}
}

func code(c rasterbase.Code) func(error) bool {
	return func(err error) bool { return rasterbase.CodeOf(err) == c }
}

// Settings that change while a layer is parsed stop that parse; only the new one
// publishes.
func TestChangeDuringAParse(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		st := at(t, place)
		o := opener(wavy(rasterbase.Uint8, 1, 500, 400, nil, 5))
		reading, first := make(chan struct{}), true
		o.BeforeRead = func(ctx context.Context, _ int64, _ ingest.Window) error {
			if first {
				first = false
				close(reading)
				<-ctx.Done()
			}
			return ctx.Err()
		}
		p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, Workers: 1})
		ticket, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Upload: upload(t, st, "raster.syn", "x", 1)})
		if err != nil {
			t.Fatal(err)
		}
		r := jobs.NewRunner(st, nil)
		p.Register(r)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan error)
		go func() { done <- r.Run(ctx, 2) }()
		<-reading
		_, second, err := p.Change(t.Context(), ticket.Layer, nil, func(l *rasterbase.Layer) error {
			l.Settings.TileSize = 128
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for !ended(t, st, second.Parse, time.Second) {
			continue
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if parse := parseOf(t, st, ticket.Parse); parse.Status != rasterbase.Cancelled {
			t.Errorf("the first parse is %s: %s", parse.Status, parse.Error)
		}
		drain(t, st, p)
		revs := revisions(t, st, ticket.Layer)
		if len(revs) != 1 || revs[0].TileSize != 128 || revs[0].State != rasterbase.Published {
			t.Errorf("%d revisions: %+v", len(revs), revs[0])
		}
	})
}

// Settings that change before the source is there leave it to be fetched.
func TestChangeBeforeTheFetch(t *testing.T) {
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, Fetcher: always("raster.syn", "x")})
	first, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Address: secretAddress})
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := p.Change(t.Context(), first.Layer, nil, func(l *rasterbase.Layer) error { l.Settings.TileSize = 128; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if a, b := parseOf(t, st, first.Parse), parseOf(t, st, second.Parse); a.Fetch != "" || b.Fetch != secretAddress {
		t.Errorf("%+v, %+v", a, b)
	}
	if l, err := p.Run(t.Context(), second, nil); err != nil || l.Source.Name != "raster.syn" {
		t.Errorf("%+v, %v", l, err)
	}
}
