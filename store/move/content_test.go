package move_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// backend opens new and empty stores.
type backend struct {
	name string
	open func(t *testing.T) store.Store
	step int64 // between the writes at which moves are killed
}

// backends are those that stores are moved between, each to each.
var backends = []backend{
	{"sqlite", openSQLite, 1},
	{"postgis", openPostGIS, 4},
}

func TestMain(m *testing.M) { pgtest.Main(m) }

func openPostGIS(t *testing.T) store.Store {
	t.Helper()
	url := pgtest.Database(t)
	pool, err := pgxpool.New(t.Context(), url)
	must(t, err)
	err = postgis.Migrate(t.Context(), pool, postgis.Options{})
	pool.Close()
	must(t, err)
	db, err := postgis.Open(t.Context(), url, postgis.Options{})
	must(t, err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func openSQLite(t *testing.T) store.Store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func update(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	must(t, s.Catalog().Update(t.Context(), fn))
}

func view(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	must(t, s.Catalog().View(t.Context(), fn))
}

// classes has nine values and holes.
func classes(_, x, y int) (float64, bool) {
	return float64((x/7 + y/5) % 9), (x+y)%11 != 0
}

// waves has a value everywhere, another one in each band.
func waves(band, x, y int) (float64, bool) {
	return math.Round(100*math.Sin(float64(x)/9)*math.Cos(float64(y)/7)) / 8 * float64(band+1), true
}

// nowhere has no valid pixel.
func nowhere(int, int, int) (float64, bool) { return 0, false }

func bands(n int, p rasterbase.PixelType, nodata *rasterbase.Float) []rasterbase.Band {
	out := make([]rasterbase.Band, n)
	for i := range out {
		out[i] = rasterbase.Band{PixelType: p, Nodata: nodata, Description: fmt.Sprintf("band %d", i), Unit: "m"}
	}
	return out
}

// land is a small categorical layer.
func land(name string) testlayer.Spec {
	return testlayer.Spec{
		Layer:    rasterbase.Layer{Name: name, Visibility: rasterbase.Public},
		Datatype: rasterbase.Categorical, Bands: bands(1, rasterbase.Uint8, rasterbase.FloatPtr(255)),
		TileSize: 64, MaxZoom: 3, X: 100, Y: 90, Width: 150, Height: 140, Value: classes,
	}
}

// fill puts into a store whatever a store can hold.
func fill(t *testing.T, s store.Store) {
	t.Helper()
	addUsers(t, s)
	leg := addLegends(t, s)
	spec := land("Land cover")
	spec.Layer.Legend, spec.Layer.Description, spec.Layer.Attribution, spec.Layer.License = leg, "two\nlines", "© us", "CC-BY"
	spec.Layer.Source = addSource(t, s, "landcover.tif", "landcover.tif", "landcover.tif.aux.xml")
	nan, zoom := math.NaN(), 3
	spec.Layer.Settings = rasterbase.Settings{Datatype: rasterbase.Categorical, Nodata: &nan, MaxZoom: &zoom, TileSize: 64}
	first := add(t, s, spec)
	addParse(t, s, first.ID, rasterbase.Finished, first.Published, "read", "größe", "published")

	gone := add(t, s, land("to be deleted")) // its ids are not to be given again
	update(t, s, func(tx store.Tx) error { return tx.Layers().Delete(t.Context(), gone.ID) })
	must(t, s.Tiles().Drop(t.Context(), store.RevisionKey{Layer: gone.ID, Revision: gone.Published}))

	reparsed := add(t, s, land("Parsed twice"))
	spec = land("")
	spec.Value = testlayer.Constant(7)
	_, err := testlayer.Publish(t.Context(), s, reparsed.ID, spec) // the tiles of the first are there still
	must(t, err)
	addParse(t, s, reparsed.ID, rasterbase.Failed, 0)

	unparsed := rasterbase.Layer{Name: "Never parsed", Visibility: rasterbase.Private, Source: addSource(t, s, "x.zip", "x.zip")}
	update(t, s, func(tx store.Tx) error { return tx.Layers().Create(t.Context(), &unparsed) })
	addParse(t, s, unparsed.ID, rasterbase.Cancelled, 99, "begun", "cancelled")

	add(t, s, testlayer.Spec{Layer: rasterbase.Layer{Name: "Six bands"}, Datatype: rasterbase.Continuous,
		Bands: bands(6, rasterbase.Float32, rasterbase.FloatPtr(nan)), TileSize: 100, MaxZoom: 2, X: 30, Y: 40, Width: 130, Height: 120, Value: waves})
	add(t, s, testlayer.Spec{Layer: rasterbase.Layer{Name: "Validity"}, Datatype: rasterbase.Continuous,
		Bands: bands(2, rasterbase.Int16, nil), TileSize: 64, MaxZoom: 1, X: 1, Y: 2, Width: 90, Height: 70, Value: waves, NoPyramid: true})
	add(t, s, testlayer.Spec{Layer: rasterbase.Layer{Name: "Validity with holes"}, Datatype: rasterbase.Categorical,
		Bands: bands(3, rasterbase.Uint8, nil), TileSize: 64, MaxZoom: 1, X: 1, Y: 2, Width: 90, Height: 70, Value: classes})
	for _, p := range rasterbase.PixelTypes {
		add(t, s, testlayer.Spec{Layer: rasterbase.Layer{Name: "Type " + p.String()}, Datatype: rasterbase.Mask,
			Bands: bands(1, p, rasterbase.FloatPtr(0)), TileSize: 64, MaxZoom: 1, Width: 65, Height: 1,
			Value: func(_, x, _ int) (float64, bool) { return 1, x%3 > 0 }})
	}
	empty := land("Nothing valid")
	empty.Value = nowhere
	add(t, s, empty)
	addOwnCRS(t, s)
	addFormulas(t, s, first.ID, reparsed.ID)
}

// addFormulas adds formulas, of which one reads another that was made later, and
// an export.
func addFormulas(t *testing.T, s store.Store, a, b rasterbase.LayerID) {
	t.Helper()
	low := rasterbase.Layer{Name: "Twice", Settings: rasterbase.Settings{Datatype: rasterbase.Categorical},
		Formula: &rasterbase.LayerFormula{Text: "x*2", Inputs: []rasterbase.FormulaInput{{Name: "x", Layer: a}}}}
	high := rasterbase.Layer{Name: "Größer", Visibility: rasterbase.Private, Formula: &rasterbase.LayerFormula{Text: "b > a", Grid: "b",
		Inputs: []rasterbase.FormulaInput{{Name: "b", Layer: b}, {Name: "a", Layer: a}}}}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Layers().Create(t.Context(), &low), tx.Layers().Create(t.Context(), &high),
			tx.Exports().Create(t.Context(), &rasterbase.Export{Owner: "bob", Layers: []rasterbase.LayerID{a}}))
	})
	low.Formula.Inputs[0].Layer = high.ID
	update(t, s, func(tx store.Tx) error { return tx.Layers().Update(t.Context(), &low) })
}

func add(t *testing.T, s store.Store, spec testlayer.Spec) *rasterbase.Layer {
	t.Helper()
	l, err := testlayer.Add(t.Context(), s, spec)
	must(t, err)
	return l
}

// addUsers adds users with tokens, of which some are deleted again.
func addUsers(t *testing.T, s store.Store) {
	t.Helper()
	at := time.Date(2030, 1, 2, 3, 4, 5, 678_901_000, time.FixedZone("", 3600))
	gone, ada, bob := rasterbase.User{Name: "gone"}, rasterbase.User{Name: "Ada Größe", Role: rasterbase.Administrator}, rasterbase.User{Name: "bob", Role: rasterbase.Viewer}
	update(t, s, func(tx store.Tx) error {
		if err := errors.Join(tx.Users().Create(t.Context(), &gone), tx.Users().Create(t.Context(), &ada), tx.Users().Create(t.Context(), &bob)); err != nil {
			return err
		}
		for i, k := range []rasterbase.Token{{User: gone.ID}, {User: ada.ID, Name: "QGIS", Scope: rasterbase.Viewer, Expires: at}, {User: bob.ID}, {User: ada.ID, Name: "old"}} {
			k.Hash = fmt.Sprintf("%064x", i)
			if err := tx.Tokens().Create(t.Context(), &k); err != nil {
				return err
			}
			if k.Name == "old" {
				k.Used = at.Add(time.Hour)
				if err := tx.Tokens().Update(t.Context(), &k); err != nil {
					return err
				}
			}
		}
		return tx.Users().Delete(t.Context(), gone.ID)
	})
}

// addLegends adds legends that share a semantics and an entry, a gradient, and
// what people keep, and gives one's id.
func addLegends(t *testing.T, s store.Store) rasterbase.LegendID {
	t.Helper()
	water := rasterbase.Semantics{Name: "Water", Description: "wet", Keyword: "h2o"}
	one := rasterbase.Legend{Title: "Größen", Entries: []rasterbase.Entry{
		{Semantics: rasterbase.Semantics{Name: "Earth"}, Expression: "1", Color: rasterbase.Color{R: 200, A: 255}, Code: "1.1"},
		{Semantics: water, Expression: "(2 < x) & (x <= 7)", Color: rasterbase.Color{B: 200, A: 17}},
	}}
	gone := rasterbase.Legend{Title: "gone", Entries: []rasterbase.Entry{{Expression: "0"}}} // its semantics stays
	two := rasterbase.Legend{Title: "Two", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "Water"}, Expression: "x"}}}
	low := -1.5
	gradient := rasterbase.Legend{Title: "Gradient", Gradient: &rasterbase.Gradient{Interpolation: rasterbase.Discrete, Relative: true, Min: &low,
		Stops: []rasterbase.Stop{{At: 1.0 / 3, Color: rasterbase.Color{G: 1, A: 2}, Name: "größe"}, {At: math.Inf(1)}}}}
	update(t, s, func(tx store.Tx) error {
		err := errors.Join(tx.Legends().Create(t.Context(), &gone), tx.Legends().Create(t.Context(), &one),
			tx.Legends().Create(t.Context(), &rasterbase.Legend{Title: "Empty"}), tx.Legends().Create(t.Context(), &two),
			tx.Legends().Delete(t.Context(), gone.ID), tx.Legends().Create(t.Context(), &gradient),
			tx.Semantics().Create(t.Context(), &rasterbase.Semantics{Name: "Unused", Keyword: "u"}),
			tx.Colormaps().Put(t.Context(), &rasterbase.UserColormap{Owner: "bob", Name: "Größe", JSON: []byte("{\"1\": \"#FF0000\"}\x00")}),
			tx.Colormaps().Put(t.Context(), &rasterbase.UserColormap{Owner: "a host's", Name: "x"}))
		shared := one.Entries[1]
		shared.Code = "other"
		two.Entries = []rasterbase.Entry{shared, two.Entries[0]}
		return errors.Join(err, tx.Legends().Update(t.Context(), &two))
	})
	return one.ID
}

func addSource(t *testing.T, s store.Store, main string, files ...string) rasterbase.Source {
	t.Helper()
	id, err := s.Sources().Create(t.Context())
	must(t, err)
	src := rasterbase.Source{ID: id, Name: main, Origin: "/data/" + main, Checksum: "sha256:00"}
	for _, f := range files {
		n, err := s.Sources().Put(t.Context(), id, f, strings.NewReader(strings.Repeat(f+"\x00", 5000)))
		must(t, err)
		if f == main {
			src.Size = n
		}
	}
	return src
}

func addParse(t *testing.T, s store.Store, layer rasterbase.LayerID, status rasterbase.Status, rev rasterbase.RevisionID, log ...string) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	p := rasterbase.Parse{Layer: layer, Revision: rev, Status: status, Error: "e", Planned: 9, Done: 4, Fetch: "https://example.com/x.tif?key=k", Started: now, Ended: now.Add(time.Second)}
	update(t, s, func(tx store.Tx) error {
		if err := tx.Parses().Create(t.Context(), &p); err != nil {
			return err
		}
		for _, line := range log {
			if err := tx.Parses().Log(t.Context(), p.ID, line); err != nil {
				return err
			}
		}
		return nil
	})
}

// addOwnCRS adds a layer with a CRS that has no EPSG code and not the first
// srid of those, and with whatever bits a float can have.
func addOwnCRS(t *testing.T, s store.Store) {
	t.Helper()
	l := rasterbase.Layer{Name: "Own CRS"}
	rev := rasterbase.Revision{
		CRS:  rasterbase.CRS{Name: "local", WKT: `LOCAL_CS["local",UNIT["metre",1]]`},
		Grid: rasterbase.Grid{Width: 8, Height: 8, OriginX: 0.1, OriginY: 1e6 / 3, ScaleX: 1.0 / 3, ScaleY: -2, SkewX: 0.25, SkewY: 1e-9},

		Datatype: rasterbase.Continuous, TileSize: 64, Driver: "GTiff", SourceChecksum: "sha256:11", BaseTiles: 1,
		Bounds: rasterbase.Bounds{West: 179, East: -179, North: math.NaN()},
		Bands:  []rasterbase.Band{{PixelType: rasterbase.Float64, Scale: 0.1, Offset: -3, Max: math.Inf(1), Histogram: rasterbase.Histogram{Bins: []int64{1, 0, 2}}}},
	}
	update(t, s, func(tx store.Tx) (err error) {
		if err := tx.Layers().Create(t.Context(), &l); err != nil {
			return err
		}
		other := rasterbase.CRS{Name: "other", WKT: `LOCAL_CS["other",UNIT["metre",1]]`}
		if _, err = tx.Revisions().CustomSRID(t.Context(), other); err != nil {
			return err
		}
		rev.Layer = l.ID
		if rev.CRS.SRID, err = tx.Revisions().CustomSRID(t.Context(), rev.CRS); err != nil {
			return err
		}
		return tx.Revisions().Create(t.Context(), &rev)
	})
	r := raster.New(rev.Grid, rev.CRS.SRID, rasterbase.Float64)
	for i, v := range []float64{math.NaN(), math.Float64frombits(0x7ff0dead0000beef), math.Copysign(0, -1), math.Inf(-1), math.SmallestNonzeroFloat64} {
		r.Bands[0].Pixels.Set(i, v)
	}
	key := store.RevisionKey{Layer: l.ID, Revision: rev.ID}
	must(t, s.Tiles().Create(t.Context(), &rev))
	must(t, s.Tiles().Put(t.Context(), []store.Tile{{TileKey: store.TileKey{RevisionKey: key}, Raster: r}}))
	must(t, s.Tiles().Seal(t.Context(), key))
	page := store.SummaryPage{Cells: []store.SummaryCell{{Summary: rasterbase.Summary{Bands: []rasterbase.BandSummary{raster.Summarize(r, 0, false)}}}}}
	update(t, s, func(tx store.Tx) error {
		if err := tx.Revisions().PutSummaries(t.Context(), rev.ID, []store.SummaryPage{page}); err != nil {
			return err
		}
		_, err := tx.Revisions().Publish(t.Context(), rev.ID)
		return err
	})
}

// dump writes down what a store holds, but for its unpublished revisions and
// the ids of sources. It knows nothing of how stores are moved.
func dump(t *testing.T, s store.Store) string {
	t.Helper()
	var out strings.Builder
	line := func(what string, v any) { fmt.Fprintf(&out, "%s: %s\n", what, printed(v)) }
	view(t, s, func(tx store.Tx) error {
		out.Reset()
		users, err := tx.Users().List(t.Context())
		must(t, err)
		for _, u := range users {
			line("user", *u)
		}
		tokens, err := tx.Tokens().List(t.Context(), 0)
		must(t, err)
		for _, k := range tokens {
			line("token", *k)
		}
		legends, err := tx.Legends().List(t.Context())
		must(t, err)
		for _, l := range legends {
			line("legend", *l)
		}
		semantics, err := tx.Semantics().List(t.Context())
		must(t, err)
		for _, m := range semantics {
			line("semantics", m.Semantics)
		}
		colormaps, err := tx.Colormaps().List(t.Context(), "")
		must(t, err)
		for _, m := range colormaps {
			line("colormap", *m)
		}
		layers, _, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
		must(t, err)
		for _, l := range layers {
			dumpFiles(t, s, l.Source.ID, line)
			l.Source.ID = ""
			if l.Formula != nil {
				line("formula", *l.Formula)
				l.Formula = nil
			}
			line("layer", *l)
			if l.Published != 0 {
				dumpRevision(t, s, tx, l.Published, line)
			}
		}
		for id := range rasterbase.ParseID(30) {
			p, err := tx.Parses().Get(t.Context(), id)
			if errors.Is(err, store.ErrNotExist) {
				continue
			}
			must(t, err)
			line("parse", *p)
			log, err := tx.Parses().Lines(t.Context(), id, 0)
			must(t, err)
			line("log", log)
		}
		return nil
	})
	return out.String()
}

func dumpFiles(t *testing.T, s store.Store, id string, line func(string, any)) {
	t.Helper()
	if id == "" {
		return
	}
	names, err := s.Sources().Files(t.Context(), id)
	must(t, err)
	for _, name := range names {
		f, err := s.Sources().Open(t.Context(), id, name)
		must(t, err)
		b, err := io.ReadAll(f)
		must(t, errors.Join(err, f.Close()))
		line("file "+name, sha256.Sum256(b))
	}
}

func dumpRevision(t *testing.T, s store.Store, tx store.Tx, id rasterbase.RevisionID, line func(string, any)) {
	t.Helper()
	r, err := tx.Revisions().Get(t.Context(), id)
	must(t, err)
	line("revision", *r)
	for z := range 5 {
		for _, kind := range []rasterbase.Kind{rasterbase.Base, rasterbase.Pyramid} {
			for tile, err := range s.Tiles().List(t.Context(), store.ListParams{RevisionKey: store.RevisionKey{Layer: r.Layer, Revision: id}, Kind: kind, Z: z}) {
				must(t, err)
				line("tile", tile.TileKey)
				mask := tile.Raster.Validity
				if !slices.Contains(mask, 0) { // as good as none, and some stores keep none
					mask = nil
				}
				line("header", []any{tile.Raster.Grid, tile.Raster.SRID, mask})
				for _, b := range tile.Raster.Bands {
					line("band", []any{b.Type, b.HasNodata, b.Nodata, sha256.Sum256(b.Pixels.Bytes())})
				}
			}
			for depth := range 3 {
				for p, err := range tx.Revisions().Summaries(t.Context(), store.SummaryQuery{Revision: id, Kind: kind, Z: z, Depth: depth}) {
					must(t, err)
					line("summaries", p)
				}
			}
		}
	}
}

// printed is the form of a value with types, where pointers are followed and
// times are in UTC.
func printed(v any) string {
	switch v := v.(type) {
	case rasterbase.Layer:
		nodata, zoom := v.Settings.Nodata, v.Settings.MaxZoom
		v.Settings.Nodata, v.Settings.MaxZoom = nil, nil
		return fmt.Sprintf("%+v", v) + pointed(nodata) + pointed(zoom)
	case rasterbase.Legend:
		out := pointed(v.Gradient)
		if g := v.Gradient; g != nil {
			n := *g
			n.Min, n.Max = nil, nil
			out = fmt.Sprintf(" %+v", n) + pointed(g.Min) + pointed(g.Max)
		}
		v.Gradient = nil
		return fmt.Sprintf("%d %s %+v", v.ID, v.Title, v.Entries) + out + fmt.Sprintf(" Updated:%v", v.Updated)
	case rasterbase.Revision:
		out := pointed(v.Settings.Nodata) + pointed(v.Settings.MaxZoom)
		v.Settings.Nodata, v.Settings.MaxZoom = nil, nil
		list := v.Bands
		v.Bands = nil
		for _, b := range list {
			out += pointed(b.Nodata)
			b.Nodata = nil
			out += fmt.Sprintf(" %+v", b)
		}
		return fmt.Sprintf("%+v", v) + out
	}
	return fmt.Sprintf("%+v", v)
}

func pointed[T any](p *T) string {
	if p == nil {
		return " none"
	}
	return fmt.Sprintf(" %v", *p)
}

// sameDump tells the first line in which two stores differ.
func sameDump(t *testing.T, what, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("%s: line %d of %d is\n%s\nnot, of %d,\n%s", what, i+1, len(g), a, len(w), b)
		}
	}
}
