package server_test

import (
	"context"
	"fmt"
	"image/color"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/browsertest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

func TestThePageDrawsLayers(t *testing.T) {
	st := newStore(t)
	cover := add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	hills := add(t, st, ramp("Elevation"))
	create(t, st, rasterbase.Layer{Name: "<script>alert(1)</script> خريطة 地图", Visibility: rasterbase.Public})
	// Mounted below a path, so that every address of the page must be relative.
	mux := http.NewServeMux()
	mux.Handle("/host/raster/", http.StripPrefix("/host/raster", newServer(t, server.Config{Store: st})))
	web := httptest.NewServer(mux)
	defer web.Close()

	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(1280, 800, "light")
	b.Open(web.URL + "/host/raster/")
	check := func(name string) {
		t.Helper()
		img := b.Shot(name)
		for i, want := range []color.NRGBA{forest, water, town} {
			p := b.Place(int64(cover.ID), 6, float64(33*256+64+128*i), 22*256+256)
			if got := at(img, p.X, p.Y); got != want {
				t.Errorf("%s: value %d is drawn %v at %v, want %v", name, i+1, got, p, want)
			}
		}
		p := b.Place(int64(hills.ID), 6, 32*256+128, 22*256+128)
		if got := at(img, p.X, p.Y); got.R != got.G || got.G != got.B || abs(int(got.R)-128) > 6 {
			t.Errorf("%s: height 128 is drawn %v", name, got)
		}
	}
	check("light")
	if name := browsertest.Evaluate[string](b, `document.querySelector('[data-layer="3"] h2').textContent`); name != "<script>alert(1)</script> خريطة 地图" {
		t.Errorf("the name is shown as %q", name)
	}
	if u := browsertest.Evaluate[string](b, `document.getElementById("url-1").value`); u != web.URL+"/host/raster/tiles/1/{z}/{x}/{y}.png" {
		t.Errorf("the tile address is %q", u)
	}

	// A layer that is switched off is gone from the map.
	before := b.Place(int64(cover.ID), 6, 33*256+64, 22*256+256)
	browsertest.Evaluate[bool](b, `document.getElementById("toggle-1").click(), true`)
	b.Settle()
	if got := at(b.Shot("switched-off"), before.X, before.Y); got == forest {
		t.Error("the layer is still drawn")
	}
	browsertest.Evaluate[bool](b, `document.getElementById("toggle-1").click(), true`)
	b.Settle()

	// The view is in the address, and a reload shows it again.
	browsertest.Evaluate[bool](b, `document.querySelector('[data-layer="1"] [data-zoom]').click(), true`)
	b.Settle()
	view := browsertest.Evaluate[string](b, `location.hash`)
	if !strings.HasPrefix(view, "#") || strings.Count(view, "/") != 2 {
		t.Errorf("the address has the view %q", view)
	}
	b.Open(web.URL + "/host/raster/?again" + view)
	if got := browsertest.Evaluate[string](b, `location.hash`); got != view {
		t.Errorf("after a reload the view is %q, before %q", got, view)
	}

	for _, d := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"dark", 1280, 800, "dark"}, {"phone", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"}} {
		b.Device(d.width, d.height, d.scheme)
		b.Open(web.URL + "/host/raster/?" + d.name)
		check(d.name)
		if wide := browsertest.Evaluate[int64](b, `document.documentElement.scrollWidth`); wide > d.width {
			t.Errorf("%s: the page is %d pixels wide", d.name, wide)
		}
	}
	if says := b.Complaints(); len(says) > 0 {
		t.Errorf("the browser complains: %q", says)
	}
}

func TestThePageWithTilesOfOtherSizes(t *testing.T) {
	for _, size := range []int{64, 100, 512} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			st := newStore(t)
			s := stripes("Land cover", addLegend(t, st, "Cover", forest, water, town))
			s.TileSize = size
			s.X, s.Y = 33*size, 22*size
			s.Width, s.Height = 2*size, 2*size
			s.Value = func(_, x, _ int) (float64, bool) { return float64(4*x/s.Width + 1), 4*x/s.Width < 3 }
			l := add(t, st, s)
			web := httptest.NewServer(newServer(t, server.Config{Store: st}))
			defer web.Close()
			b := browsertest.New(t, filepath.Join("web", "dist"))
			b.Device(1000, 700, "light")
			b.Open(web.URL)
			img := b.Shot(fmt.Sprintf("tilesize-%d", size))
			for i, want := range []color.NRGBA{forest, water, town} {
				p := b.Place(int64(l.ID), 6, float64(33*256+64+128*i), 22*256+256)
				if got := at(img, p.X, p.Y); got != want {
					t.Errorf("value %d is drawn %v at %v, want %v", i+1, got, p, want)
				}
			}
		})
	}
}

// The map opens on the newest layer and on those that lie near to it, so that a
// small one among others far away is not a dot.
func TestTheMapOpensOnTheNewestLayer(t *testing.T) {
	small := func(name string, x, y int) testlayer.Spec {
		s := stripes(name, nil)
		s.MaxZoom, s.X, s.Y, s.Width, s.Height = 12, x, y, 512, 512
		return s
	}
	world := stripes("World", nil)
	world.MaxZoom, world.X, world.Y, world.Width, world.Height = 1, 0, 0, 512, 512
	field, neighbour, far := small("Field", 2150*256, 1400*256), small("Neighbour", 2153*256, 1401*256), small("Far", 300*256, 2600*256)
	for name, c := range map[string]struct {
		layers []testlayer.Spec
		seen   []bool // of each, whether it is inside the map
	}{
		"among far ones": {[]testlayer.Spec{world, far, neighbour, field}, []bool{false, false, true, true}},
		"of two":         {[]testlayer.Spec{far, field}, []bool{false, true}},
		"the world last": {[]testlayer.Spec{field, far, world}, []bool{true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			for _, spec := range c.layers {
				add(t, st, spec)
			}
			web := httptest.NewServer(newServer(t, server.Config{Store: st}))
			defer web.Close()
			b := browsertest.New(t, filepath.Join("web", "dist"))
			b.Device(1280, 800, "light")
			b.Open(web.URL)
			b.Shot("newest-" + strings.ReplaceAll(name, " ", "-"))
			v := browsertest.Evaluate[view](b, `(() => {
				const map = document.getElementById("map").getBoundingClientRect();
				const img = document.querySelector("#map .raster img.leaflet-tile");
				const [, z, x, y] = new URL(img.src).pathname.match(/(\d+)\/(\d+)\/(\d+)\.png$/).map(Number);
				const r = img.getBoundingClientRect();
				return { World: r.width * 2 ** z, Left: r.left - map.left - x * r.width, Top: r.top - map.top - y * r.width, Width: map.width, Height: map.height };
			})()`)
			for i, spec := range c.layers {
				first, last := v.place(spec, 0), v.place(spec, 1)
				inside := first[0] > 0 && first[1] > 0 && last[0] < v.Width && last[1] < v.Height
				if inside != c.seen[i] {
					t.Errorf("%s is seen: %v, from %v to %v of %+v", spec.Layer.Name, inside, first, last, v)
				}
				if newest := i == len(c.layers)-1; newest && last[0]-first[0] < 40 {
					t.Errorf("the newest is %v pixels wide", last[0]-first[0])
				}
			}
		})
	}
}

// view is where the world lies on the map, in pixels of the screen.
type view struct{ World, Left, Top, Width, Height float64 }

// place is the upper left (0) or lower right (1) corner of a layer.
func (v view) place(s testlayer.Spec, corner int) [2]float64 {
	pixel := v.World / (256 * math.Exp2(float64(s.MaxZoom)))
	return [2]float64{v.Left + pixel*float64(s.X+corner*s.Width), v.Top + pixel*float64(s.Y+corner*s.Height)}
}

// Whoever looks at the map can draw a layer by another legend or by a colormap, and
// sees what its colours mean.
func TestThePageDrawsLayersInOtherColors(t *testing.T) {
	st := newStore(t)
	addLegend(t, st, "Other <colours>", color.NRGBA{0x12, 0x34, 0x56, 0xff}, town, forest)
	cover := add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.Legends().Create(ctx, &rasterbase.Legend{Title: "Far away", Entries: []rasterbase.Entry{{
			Semantics: rasterbase.Semantics{Name: "Far"}, Expression: "x > 100", Color: rasterbase.Color{R: 1, A: 255},
		}}})
	})
	web := httptest.NewServer(newServer(t, server.Config{Store: st}))
	defer web.Close()
	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(1280, 800, "light")
	b.Open(web.URL)
	until := func(condition string) {
		t.Helper()
		for range 400 {
			if browsertest.Evaluate[bool](b, condition) {
				return
			}
			time.Sleep(25 * time.Millisecond)
		}
		t.Fatalf("never: %s", condition)
	}
	choose := func(value string) {
		t.Helper()
		until(`document.querySelector("[data-colors] optgroup") !== null`) // without anybody coming near
		browsertest.Evaluate[bool](b, fmt.Sprintf(`(() => {
			const select = document.querySelector("[data-colors]");
			select.value = %q;
			select.dispatchEvent(new Event("change"));
			return true;
		})()`, value))
		until(`(() => { const p = document.querySelector("[data-picture]"); return p.hidden || p.complete && p.naturalWidth > 0; })()`)
		b.Settle()
	}
	for _, c := range []struct {
		value, address  string
		want            color.NRGBA
		shown           bool
		legend, picture string // addresses of what explains the colours; empty: none
	}{
		{"legend=1", "?legend=1", color.NRGBA{0x12, 0x34, 0x56, 0xff}, true, "legend/1?layer=1", "legend.png?layer=1&legend=1"},
		{"colormap_name=viridis", "?colormap_name=viridis", color.NRGBA{0x44, 0x01, 0x54, 0xff}, true, "", "legend.png?layer=1&colormap_name=viridis"},
		{"", "", forest, false, "legend/2", "legend.png?layer=1"},
	} {
		choose(c.value)
		p := b.Place(int64(cover.ID), 6, 33*256+64, 22*256+256)
		if got := at(b.Shot("colors-"+strings.ReplaceAll(c.value, "=", "-")), p.X, p.Y); got != c.want {
			t.Errorf("%q: value 1 is drawn %v, want %v", c.value, got, c.want)
		}
		if shown := browsertest.Evaluate[bool](b, `(() => { const p = document.querySelector("[data-picture]"); return !p.hidden && p.naturalWidth > 50 && p.alt.startsWith("Legend: "); })()`); shown != c.shown {
			t.Errorf("%q: the picture is shown: %v", c.value, shown)
		}
		if own := browsertest.Evaluate[bool](b, `document.querySelector("[data-own-colors]").hidden`); own != c.shown {
			t.Errorf("%q: the layer's own legend is hidden: %v", c.value, own)
		}
		if u := browsertest.Evaluate[string](b, `document.getElementById("url-1").value`); !strings.HasSuffix(u, "/{z}/{x}/{y}.png"+c.address) {
			t.Errorf("%q: the tile address is %q", c.value, u)
		}
		for name, want := range map[string]string{"tilejson": "layers/1/tilejson.json" + c.address, "legend": c.legend, "legend-picture": c.picture} {
			link := browsertest.Evaluate[string](b, fmt.Sprintf(`(() => { const a = document.querySelector("[data-%s]"); return a.hidden ? "" : a.getAttribute("href"); })()`, name))
			if link != want {
				t.Errorf("%q: the link %s is %q, want %q", c.value, name, link, want)
			}
			if link == "" {
				continue
			}
			answer, err := http.Get(web.URL + "/" + link)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("%q: %s is answered with %d", c.value, link, answer.StatusCode)
			}
		}
	}
	// A legend that has no colour for any value is told to have none, for as long as
	// it is chosen.
	const colorless = `document.querySelector("[data-colorless]").hidden`
	if !browsertest.Evaluate[bool](b, colorless) {
		t.Error("the layer's own legend is told to have no colours")
	}
	choose("legend=3")
	until("!" + colorless)
	b.Shot("colors-none")
	choose("legend=1")
	until(colorless)
	if says := b.Complaints(); len(says) > 0 {
		t.Errorf("the browser complains: %q", says)
	}
}
