package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// Tiles tests the contract of store.Tiles.
func Tiles(t *testing.T, open func(t *testing.T) store.Store) {
	suite(t, open, map[string]func(*testing.T, store.Store){
		"RoundTrip": tilesRoundTrip, "NotStoredAndGone": tilesGone, "PutAgain": tilesPutAgain,
		"NotKept": tilesNotKept, "GetMany": tilesGetMany, "ListOrder": tilesList, "Prefixes": tilesPrefixes,
		"Sealed": tilesSealed, "Concurrent": tilesConcurrent, "Cancelled": tilesCancelled,
		"OtherProcess": tilesOtherProcess, "BadTiles": tilesBad, "Levels": tilesLevels,
	})
}

// newRevision makes the place for the tiles of a new revision.
func newRevision(t *testing.T, s store.Store) (*rasterbase.Revision, store.RevisionKey) {
	t.Helper()
	r := addRevision(t, s, addLayer(t, s, "tiles").ID)
	must(t, s.Tiles().Create(t.Context(), r))
	return r, store.RevisionKey{Layer: r.Layer, Revision: r.ID}
}

// plain is a small raster whose pixels have the value v.
func plain(v uint8) *raster.Raster {
	r := raster.New(rasterbase.Grid{Width: 4, Height: 4, ScaleX: 1, ScaleY: -1}, 3857, rasterbase.Uint8)
	for i := range 16 {
		r.Bands[0].Pixels.Set(i, float64(v))
	}
	return r
}

// noisy is a raster of any bytes.
func noisy(g rasterbase.Grid, srid int, types ...rasterbase.PixelType) *raster.Raster {
	rnd := rand.New(rand.NewPCG(uint64(g.Width), uint64(len(types))))
	r := raster.New(g, srid, types...)
	for _, b := range r.Bands {
		lo, hi := b.Type.Range()
		if b.Type.IsFloat() {
			lo, hi = -1000, 1000
		}
		for i := range b.Pixels.Len() {
			b.Pixels.Set(i, lo+rnd.Float64()*(hi-lo+1))
		}
	}
	return r
}

func tilesRoundTrip(t *testing.T, s store.Store) {
	_, k := newRevision(t, s)
	north := rasterbase.Grid{Width: 256, Height: 256, OriginX: 500000.5, OriginY: -1e6 / 3, ScaleX: 10, ScaleY: -10}
	cropped := rasterbase.Grid{Width: 37, Height: 5, OriginX: -179.9, OriginY: 90, ScaleX: 0.1, ScaleY: 0.1, SkewX: 0.25, SkewY: -1e-9}
	cases := map[string]*raster.Raster{
		"one pixel": noisy(rasterbase.Grid{Width: 1, Height: 1}, 0, rasterbase.Uint8),
		"rgba":      noisy(north, 3857, rasterbase.Uint8, rasterbase.Uint8, rasterbase.Uint8, rasterbase.Uint8),
		"mixed":     noisy(cropped, 910000, rasterbase.Float64, rasterbase.Bit1, rasterbase.Int16),
		"constant":  raster.New(north, 4326, rasterbase.Float32),
		"1024":      noisy(rasterbase.Grid{Width: 1024, Height: 1024}, 3857, rasterbase.Uint16),
	}
	for _, p := range rasterbase.PixelTypes {
		r := noisy(cropped, 4326, p)
		cases[p.String()] = r
		lo, hi := p.Range()
		limits := noisy(cropped, 4326, p)
		limits.Bands[0].HasNodata, limits.Bands[0].Nodata = true, hi
		limits.Bands[0].Pixels.Set(0, lo)
		limits.Bands[0].Pixels.Set(1, hi)
		if p.IsFloat() {
			limits.Bands[0].Nodata = math.NaN()
			for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.SmallestNonzeroFloat32} {
				limits.Bands[0].Pixels.Set(2+i, v)
			}
		}
		cases[p.String()+" limits"] = limits
		valid := noisy(cropped, 4326, p, p)
		valid.Validity = make([]uint8, 37*5)
		for i := range valid.Validity {
			valid.Validity[i] = uint8(255 * (i % 2))
		}
		cases[p.String()+" validity"] = valid
	}
	keys := map[string]store.TileKey{}
	for name, r := range cases {
		key := store.TileKey{RevisionKey: k, Kind: rasterbase.Pyramid, Z: 10, X: len(keys), Y: 7}
		keys[name] = key
		must(t, s.Tiles().Put(t.Context(), []store.Tile{{TileKey: key, Raster: r}}))
	}
	for name, r := range cases {
		got, err := s.Tiles().Get(t.Context(), keys[name])
		must(t, err)
		if err := sameRaster(got, r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// tileErrors calls every operation on a revision and gives the errors.
func tileErrors(ctx context.Context, s store.Store, k store.RevisionKey) map[string]error {
	key := store.TileKey{RevisionKey: k}
	errs := map[string]error{}
	_, errs["Get"] = s.Tiles().Get(ctx, key)
	_, errs["GetMany"] = s.Tiles().GetMany(ctx, []store.TileKey{key})
	errs["Put"] = s.Tiles().Put(ctx, []store.Tile{{TileKey: key, Raster: plain(1)}})
	errs["Sync"] = s.Tiles().Sync(ctx, k)
	errs["Seal"] = s.Tiles().Seal(ctx, k)
	_, errs["Bytes"] = s.Tiles().Bytes(ctx, k)
	_, errs["Levels"] = s.Tiles().Levels(ctx, k)
	errs["List"] = nil
	for _, err := range s.Tiles().List(ctx, store.ListParams{RevisionKey: k}) {
		errs["List"] = err
	}
	return errs
}

func tilesGone(t *testing.T, s store.Store) {
	r, k := newRevision(t, s)
	key := store.TileKey{RevisionKey: k, Kind: rasterbase.Base, X: 3}
	_, err := s.Tiles().Get(t.Context(), key)
	wantNotExist(t, err)
	if errors.Is(err, store.ErrRevisionGone) {
		t.Error("a tile that was not stored is taken for a revision that is gone")
	}
	for op, err := range tileErrors(t.Context(), s, store.RevisionKey{Layer: k.Layer, Revision: k.Revision + 1000}) {
		if !errors.Is(err, store.ErrRevisionGone) {
			t.Errorf("%s of a revision that was not created: %v", op, err)
		}
	}
	must(t, s.Tiles().Put(t.Context(), []store.Tile{{TileKey: key, Raster: plain(1)}}))
	must(t, s.Tiles().Create(t.Context(), r)) // again
	_, err = s.Tiles().Get(t.Context(), key)
	must(t, err)
	revs, err := s.Tiles().Revisions(t.Context())
	must(t, err)
	if len(revs) != 1 || revs[0] != k {
		t.Errorf("revisions %v", revs)
	}
	for range 2 { // dropping may be repeated
		must(t, s.Tiles().Drop(t.Context(), k))
		for op, err := range tileErrors(t.Context(), s, k) {
			if !errors.Is(err, store.ErrRevisionGone) {
				t.Errorf("%s of a revision that was dropped: %v", op, err)
			}
		}
	}
	wantIs(t, s.Tiles().Create(t.Context(), r), store.ErrRevisionGone) // for good
	revs, err = s.Tiles().Revisions(t.Context())
	must(t, err)
	wantEqual(t, "number of revisions", len(revs), 0)
	must(t, s.Tiles().Drop(t.Context(), store.RevisionKey{Layer: 9, Revision: 999})) // was never there
}

func tilesPutAgain(t *testing.T, s store.Store) {
	_, k := newRevision(t, s)
	batch := []store.Tile{{TileKey: store.TileKey{RevisionKey: k}, Raster: plain(1)},
		{TileKey: store.TileKey{RevisionKey: k, X: 1}, Raster: plain(2)}}
	must(t, s.Tiles().Put(t.Context(), nil))
	must(t, s.Tiles().Put(t.Context(), batch))
	more := append(batch, store.Tile{TileKey: store.TileKey{RevisionKey: k, X: 2}, Raster: plain(3)})
	must(t, s.Tiles().Put(t.Context(), more))
	n := 0
	for tile, err := range s.Tiles().List(t.Context(), store.ListParams{RevisionKey: k}) {
		must(t, err)
		if err := sameRaster(tile.Raster, more[n].Raster); err != nil {
			t.Error(err)
		}
		n++
	}
	wantEqual(t, "number of tiles", n, 3)
}

func tilesNotKept(t *testing.T, s store.Store) {
	_, k := newRevision(t, s)
	r := plain(7)
	r.Validity = make([]uint8, 16)
	r.Validity[0] = 255
	want := plain(7)
	want.Validity = append([]uint8(nil), r.Validity...)
	key := store.TileKey{RevisionKey: k}
	must(t, s.Tiles().Put(t.Context(), []store.Tile{{TileKey: key, Raster: r}}))
	r.Bands[0].Pixels.Set(3, 99)
	r.Bands[0].HasNodata, r.SRID, r.Validity[0] = true, 1, 0
	got, err := s.Tiles().Get(t.Context(), key)
	must(t, err)
	if err := sameRaster(got, want); err != nil {
		t.Errorf("the store kept the caller's raster: %v", err)
	}
}

func tilesGetMany(t *testing.T, s store.Store) {
	_, k := newRevision(t, s)
	var batch []store.Tile
	for i := range 20 {
		batch = append(batch, store.Tile{TileKey: store.TileKey{RevisionKey: k, Kind: rasterbase.Pyramid, Z: 5, X: i % 5, Y: i / 5}, Raster: plain(uint8(i))})
	}
	must(t, s.Tiles().Put(t.Context(), batch))
	var keys []store.TileKey
	for _, i := range []int{19, 3, 3, -1, 0, 12} {
		key := store.TileKey{RevisionKey: k, Kind: rasterbase.Pyramid, Z: 5, X: 77}
		if i >= 0 {
			key = batch[i].TileKey
		}
		keys = append(keys, key)
	}
	got, err := s.Tiles().GetMany(t.Context(), keys)
	must(t, err)
	wantEqual(t, "number of rasters", len(got), len(keys))
	for n, i := range []int{19, 3, 3, -1, 0, 12} {
		var want *raster.Raster
		if i >= 0 {
			want = batch[i].Raster
		}
		if err := sameRaster(got[n], want); err != nil {
			t.Errorf("raster %d: %v", n, err)
		}
	}
	got, err = s.Tiles().GetMany(t.Context(), nil)
	must(t, err)
	wantEqual(t, "number of rasters of no keys", len(got), 0)
}

func tilesList(t *testing.T, s store.Store) {
	_, k := newRevision(t, s)
	var want []store.TileKey
	for y := range 9 {
		for x := range 12 {
			for set := range 3 {
				want = append(want, store.TileKey{RevisionKey: k, Kind: rasterbase.Pyramid, Z: 12, X: x*100 + 1, Y: y * 7, BandSet: set})
			}
		}
	}
	var batch []store.Tile
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(want)) {
		batch = append(batch, store.Tile{TileKey: want[i], Raster: plain(uint8(want[i].X))})
	}
	// Neighbours that must not be listed.
	for _, other := range []store.TileKey{{Kind: rasterbase.Base, Z: 12}, {Kind: rasterbase.Pyramid, Z: 1}, {Kind: rasterbase.Pyramid, Z: 13}} {
		other.RevisionKey = k
		batch = append(batch, store.Tile{TileKey: other, Raster: plain(0)})
	}
	must(t, s.Tiles().Put(t.Context(), batch))
	p := store.ListParams{RevisionKey: k, Kind: rasterbase.Pyramid, Z: 12}
	n := 0
	for tile, err := range s.Tiles().List(t.Context(), p) {
		must(t, err)
		if n >= len(want) || tile.TileKey != want[n] {
			t.Fatalf("tile %d is %+v", n, tile.TileKey)
		}
		if err := sameRaster(tile.Raster, plain(uint8(tile.X))); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Tiles().Get(t.Context(), tile.TileKey); err != nil { // while listing
			t.Fatal(err)
		}
		n++
	}
	wantEqual(t, "number of tiles", n, len(want))
	for range s.Tiles().List(t.Context(), p) {
		break // a listing can be left
	}
	for tile, err := range s.Tiles().List(t.Context(), store.ListParams{RevisionKey: k, Kind: rasterbase.Pyramid, Z: 2}) {
		t.Errorf("an empty zoom lists %v, %v", tile.TileKey, err)
	}
}

// tilesPrefixes tests that ids which begin alike are told apart.
func tilesPrefixes(t *testing.T, s store.Store) {
	ctx := t.Context()
	var all []store.RevisionKey
	for _, k := range []store.RevisionKey{{Layer: 1, Revision: 1}, {Layer: 1, Revision: 11}, {Layer: 11, Revision: 1},
		{Layer: 10, Revision: 1}, {Layer: 1, Revision: 10}, {Layer: 111, Revision: 11}} {
		must(t, s.Tiles().Create(ctx, &rasterbase.Revision{ID: k.Revision, Layer: k.Layer, TileSize: 4,
			Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}}))
		must(t, s.Tiles().Put(ctx, []store.Tile{{TileKey: store.TileKey{RevisionKey: k}, Raster: plain(uint8(len(all)))},
			{TileKey: store.TileKey{RevisionKey: k, X: 1, Y: 11}, Raster: plain(1)},
			{TileKey: store.TileKey{RevisionKey: k, X: 11, Y: 1}, Raster: plain(2)}}))
		all = append(all, k)
	}
	must(t, s.Tiles().Drop(ctx, all[0]))
	for i, k := range all[1:] {
		got, err := s.Tiles().Get(ctx, store.TileKey{RevisionKey: k})
		must(t, err)
		if err := sameRaster(got, plain(uint8(i+1))); err != nil {
			t.Errorf("%v: %v", k, err)
		}
		n := 0
		for _, err := range s.Tiles().List(ctx, store.ListParams{RevisionKey: k}) {
			must(t, err)
			n++
		}
		wantEqual(t, fmt.Sprintf("number of tiles of %v", k), n, 3)
	}
	revs, err := s.Tiles().Revisions(ctx)
	must(t, err)
	wantEqual(t, "number of revisions", len(revs), len(all)-1)
}

func tilesSealed(t *testing.T, s store.Store) {
	_, k := newRevision(t, s)
	key := store.TileKey{RevisionKey: k}
	must(t, s.Tiles().Put(t.Context(), []store.Tile{{TileKey: key, Raster: noisy(rasterbase.Grid{Width: 256, Height: 256}, 0, rasterbase.Int32)}}))
	for range 2 {
		must(t, s.Tiles().Sync(t.Context(), k))
		must(t, s.Tiles().Seal(t.Context(), k))
		got, err := s.Tiles().Get(t.Context(), key)
		must(t, err)
		if err := sameRaster(got, noisy(rasterbase.Grid{Width: 256, Height: 256}, 0, rasterbase.Int32)); err != nil {
			t.Error(err)
		}
	}
	n, err := s.Tiles().Bytes(t.Context(), k)
	must(t, err)
	if n < 1000 {
		t.Errorf("a revision with a noisy tile takes %d bytes", n)
	}
	must(t, s.Tiles().Drop(t.Context(), k))
	_, err = s.Tiles().Get(t.Context(), key)
	wantIs(t, err, store.ErrRevisionGone)
}

// tilesConcurrent writes, reads, seals and drops at once: a read gives the
// right raster or says that the revision is gone.
func tilesConcurrent(t *testing.T, s store.Store) {
	const revisions, writers, each = 3, 4, 30
	var wg sync.WaitGroup
	for range revisions {
		_, k := newRevision(t, s)
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for i := range each {
					key := store.TileKey{RevisionKey: k, X: i, Y: w}
					err := s.Tiles().Put(t.Context(), []store.Tile{{TileKey: key, Raster: plain(uint8(i))}})
					if err != nil {
						t.Errorf("put: %v", err)
					}
					got, err := s.Tiles().Get(t.Context(), key)
					if err == nil {
						err = sameRaster(got, plain(uint8(i)))
					}
					if err != nil {
						t.Errorf("get of what was put: %v", err)
					}
				}
			})
		}
		readersDone := make(chan struct{})
		for r := range 3 {
			wg.Go(func() {
				for i := 0; ; i++ {
					x := (i*7 + r) % each
					got, err := s.Tiles().Get(t.Context(), store.TileKey{RevisionKey: k, X: x, Y: i % writers})
					switch {
					case errors.Is(err, store.ErrRevisionGone):
						return
					case errors.Is(err, store.ErrNotExist):
					case err != nil:
						t.Errorf("get: %v", err)
						return
					default:
						if err := sameRaster(got, plain(uint8(x))); err != nil {
							t.Error(err)
						}
					}
					if i == 50 && r == 0 {
						close(readersDone)
					}
				}
			})
		}
		wg.Go(func() {
			writing.Wait()
			<-readersDone
			if err := s.Tiles().Seal(t.Context(), k); err != nil {
				t.Errorf("seal: %v", err)
			}
			if err := s.Tiles().Drop(t.Context(), k); err != nil {
				t.Errorf("drop: %v", err)
			}
		})
	}
	wg.Wait()
}

func tilesCancelled(t *testing.T, s store.Store) {
	_, k := newRevision(t, s)
	for op, err := range tileErrors(cancelledContext(t), s, k) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a context that is done: %v", op, err)
		}
	}
}

func tilesOtherProcess(t *testing.T, s store.Store) {
	other := again(t, s)
	r, k := newRevision(t, s)
	key := store.TileKey{RevisionKey: k}
	check := func(s store.Store) {
		t.Helper()
		got, err := s.Tiles().Get(t.Context(), key)
		must(t, err)
		if err := sameRaster(got, plain(5)); err != nil {
			t.Error(err)
		}
	}
	must(t, s.Tiles().Sync(t.Context(), k)) // nothing was put yet
	must(t, other.Tiles().Put(t.Context(), []store.Tile{{TileKey: key, Raster: plain(5)}}))
	check(s)
	must(t, s.Tiles().Sync(t.Context(), k)) // what the other one has put
	must(t, s.Tiles().Seal(t.Context(), k)) // while the other one has it open
	check(s)
	check(other)
	must(t, other.Tiles().Drop(t.Context(), k))
	for _, one := range []store.Store{s, other} {
		for op, err := range tileErrors(t.Context(), one, k) {
			if !errors.Is(err, store.ErrRevisionGone) {
				t.Errorf("%s of a revision that another process dropped: %v", op, err)
			}
		}
		wantIs(t, one.Tiles().Create(t.Context(), r), store.ErrRevisionGone)
	}
}

func tilesBad(t *testing.T, s store.Store) {
	_, k := newRevision(t, s)
	short := plain(1)
	short.Bands[0].Pixels = short.Bands[0].Pixels.Range(0, 3)
	if err := s.Tiles().Put(t.Context(), []store.Tile{{TileKey: store.TileKey{RevisionKey: k}, Raster: short}}); err == nil {
		t.Error("a tile without all its pixels was stored")
	}
}

// tilesLevels counts the tiles of each kind and zoom, those of all band sets.
func tilesLevels(t *testing.T, s store.Store) {
	_, k := newRevision(t, s)
	none, err := s.Tiles().Levels(t.Context(), k)
	must(t, err)
	wantEqual(t, "number of levels without tiles", len(none), 0)
	var batch []store.Tile
	for _, key := range []store.TileKey{
		{Kind: rasterbase.Pyramid, Z: 11, X: 3}, {Kind: rasterbase.Pyramid, Z: 2, BandSet: 1}, {Kind: rasterbase.Pyramid, Z: 2},
		{Kind: rasterbase.Base, X: 1}, {Kind: rasterbase.Base, Y: 2}, {Kind: rasterbase.Base, Y: 3},
	} {
		key.RevisionKey = k
		batch = append(batch, store.Tile{TileKey: key, Raster: plain(1)})
	}
	must(t, s.Tiles().Put(t.Context(), batch))
	for range 2 {
		levels, err := s.Tiles().Levels(t.Context(), k)
		must(t, err)
		for i := range levels {
			if levels[i].Bytes < 0 {
				t.Errorf("%+v", levels[i])
			}
			levels[i].Bytes = 0
		}
		want := []store.Level{{Kind: rasterbase.Base, Tiles: 3}, {Kind: rasterbase.Pyramid, Z: 2, Tiles: 2}, {Kind: rasterbase.Pyramid, Z: 11, Tiles: 1}}
		if !slices.Equal(levels, want) {
			t.Errorf("the levels are %+v, want %+v", levels, want)
		}
		must(t, s.Tiles().Seal(t.Context(), k))
	}
}
