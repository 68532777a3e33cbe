package server

import (
	"context"
	"errors"
	"math/big"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func TestParseTileAgreesWithArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.IntRange(0, 90).Draw(t, "z")
		n := func(name string) *big.Int {
			v := new(big.Int).Lsh(big.NewInt(1), uint(rapid.IntRange(0, z+2).Draw(t, name+" bits")))
			return v.Add(v, big.NewInt(int64(rapid.IntRange(-1, 1).Draw(t, name+" offset"))))
		}
		x, y := n("x"), n("y")
		got, err := parseTile(strconv.Itoa(z), x.String(), y.String())
		side := new(big.Int).Lsh(big.NewInt(1), uint(z))
		inside := x.Cmp(side) < 0 && y.Cmp(side) < 0
		switch {
		case inside && err != nil:
			t.Fatal(err)
		case !inside && rasterbase.CodeOf(err) != rasterbase.NotFound:
			t.Fatalf("outside, and the error is %v", err)
		case inside && z <= maxDrawnZoom && (int64(got.x) != x.Int64() || int64(got.y) != y.Int64()):
			t.Fatalf("%+v", got)
		}
	})
}

func FuzzParseTile(f *testing.F) {
	f.Add("6", "33", "22.png")
	f.Add("100", "0", "0.jpg")
	f.Add("-1", "+5", "1e9.webp")
	f.Fuzz(func(t *testing.T, z, x, file string) {
		got, err := parseTilePath(z, x, file)
		if err != nil {
			if code := rasterbase.CodeOf(err); code != rasterbase.Invalid && code != rasterbase.NotFound {
				t.Fatalf("code %q: %v", code, err)
			}
			return
		}
		if got.z < 0 || got.x < 0 || got.y < 0 || got.z <= maxDrawnZoom && (got.x>>got.z != 0 || got.y>>got.z != 0) {
			t.Fatalf("%q/%q/%q is %+v", z, x, file, got)
		}
	})
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct{ uri, path, want string }{
		{"/layers", "/layers", ""},
		{"/raster/layers?x=/layers", "/layers", "/raster"},
		{"/a%20b/layers/x%2Fy", "/layers/x%2Fy", "/a%20b"},
		{"http://host/raster/layers", "/layers", "/raster"},
		{"/raster/other", "/layers", ""}, // rewritten by a host: nothing can be told
		{"", "/layers", ""},
	} {
		r := httptest.NewRequest("GET", "http://example.com"+c.path, nil)
		r.RequestURI = c.uri
		if got := prefix(r); got != c.want {
			t.Errorf("%s seen as %s: %q, want %q", c.uri, c.path, got, c.want)
		}
	}
}

func TestMatches(t *testing.T) {
	for header, want := range map[string]bool{"": false, `"a"`: true, `W/"a"`: true, `"b", W/"a"`: true, "*": true, `"b"`: false, "a": false, ",": false} {
		if got := matches(header, `"a"`); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestLRUKeepsWhatWasUsedLastWithinItsCost(t *testing.T) {
	c := newLRU[int](80, func(_ int, v string) int64 { return int64(len(v)) })
	ten := strings.Repeat("x", 10)
	for i := range 8 {
		c.put(i, ten)
	}
	c.get(0)
	c.put(8, ten) // 1 was used longest ago
	if _, ok := c.get(1); ok {
		t.Error("1 is kept")
	}
	if _, ok := c.get(0); !ok {
		t.Error("0 is not kept")
	}
	c.put(9, strings.Repeat("x", 70))
	if _, ok := c.get(9); ok {
		t.Error("one value fills the cache")
	}
	if c.drop(8); c.used != 70 || len(c.items) != 7 || c.order.Len() != 7 {
		t.Errorf("used %d with %d items", c.used, len(c.items))
	}
	off := newLRU[int, int](-1, nil)
	off.put(1, 1)
	if _, ok := off.get(1); ok {
		t.Error("a cache that is off keeps something")
	}
}

func TestLRUNeverExceedsItsCost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newLRU[int](100, func(_ int, v int) int64 { return int64(v) })
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			c.put(rapid.IntRange(0, 9).Draw(t, "key"), rapid.IntRange(1, 20).Draw(t, "cost"))
			sum := int64(0)
			for _, e := range c.items {
				sum += e.Value.(*cached[int, int]).cost
			}
			if sum != c.used || sum > 100 || c.order.Len() != len(c.items) {
				t.Fatalf("used %d, sum %d, %d in order, %d items", c.used, sum, c.order.Len(), len(c.items))
			}
		}
	})
}

func TestAFlightIsCancelledWhenNobodyWaits(t *testing.T) {
	var f flights[int]
	ctx, cancel := context.WithCancel(t.Context())
	started, ended := make(chan struct{}), make(chan error)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			_, err := f.do(ctx, "k", func(ctx context.Context) (int, error) {
				close(started)
				<-ctx.Done()
				ended <- ctx.Err()
				return 0, ctx.Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
	}
	<-started
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	all.Wait()
	v, err := f.do(t.Context(), "k", func(context.Context) (int, error) { return 7, nil })
	if v != 7 || err != nil {
		t.Errorf("%d, %v after a cancelled flight", v, err)
	}
}

func TestAFlightThatPanicsIsAnError(t *testing.T) {
	var f flights[int]
	_, err := f.do(t.Context(), "k", func(context.Context) (int, error) { panic("boom") })
	if err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("%v", err)
	}
}

func TestPlace(t *testing.T) {
	for name, c := range map[string]struct {
		in     rasterbase.Bounds
		bounds [4]float64
		lon    float64
		zoom   float64
	}{
		"world":        {rasterbase.Bounds{West: -180, South: -90, East: 180, North: 90}, [4]float64{-180, -85.0511287798066, 180, 85.0511287798066}, 0, 1},
		"antimeridian": {rasterbase.Bounds{West: 177, South: -20, East: -178, North: -15}, [4]float64{-180, -20, 180, -15}, 179.5, 7},
		"point":        {rasterbase.Bounds{West: 5, South: 5, East: 5, North: 5}, [4]float64{5, 5, 5, 5}, 5, 12},
	} {
		bounds, center := place(&rasterbase.Revision{Bounds: c.in, MaxZoom: 12})
		if bounds != c.bounds || center[0] != c.lon || center[2] != c.zoom {
			t.Errorf("%s: %v, %v", name, bounds, center)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 12.906: "12.91", 2847.13: "2847", 0.25: "0.25", -3.5: "-3.5", 1e-7: "1e-07", 3e12: "3e+12", 123456: "123456", 99999.7: "100000"} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
	if got := thousands(1234567); got != "1\u202f234\u202f567" {
		t.Error(got)
	}
}

func TestProblemsHideCausesOfOurs(t *testing.T) {
	secret := errors.New("secret")
	for _, c := range []struct {
		err    error
		status int
		detail string
	}{
		{secret, 500, ""},
		{internal(rasterbase.Errorf(rasterbase.NotFound, "secret tile")), 500, ""},
		{store.NotFound("there is no layer %d", 5), 404, "there is no layer 5"},
		{&rasterbase.Error{Code: rasterbase.Busy, Message: "full", Err: secret}, 503, "full"},
		{rasterbase.Errorf(rasterbase.Invalid, "read it: %w", errors.New("odd")), 400, "read it: odd"},
		{rasterbase.Errorf("new code", "hm"), 500, "hm"},
	} {
		p := problemOf(c.err)
		if p.Status != c.status || c.detail != "" && p.Detail != c.detail || strings.Contains(p.Detail, "secret") {
			t.Errorf("%v: %+v", c.err, p)
		}
	}
}

func TestThePageWithoutTheBundleListsLayersAndSaysWhatToRun(t *testing.T) {
	p, err := newPage()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	err = p.template.Execute(&b, pageView{Total: 1, Layers: []layerView{{ID: 1, Name: "Land cover", Shown: true, TileURL: "http://host/tiles/1/{z}/{x}/{y}.png", Path: "layers/1"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"make assets", "Land cover", "http://host/tiles/1/{z}/{x}/{y}.png", "layers/1/tilejson.json"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page does not hold %s", want)
		}
	}
	if strings.Contains(b.String(), "<script") || strings.Contains(b.String(), "map.css") {
		t.Error("the page asks for files that are not there")
	}
}
