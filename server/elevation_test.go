package server_test

import (
	"fmt"
	"image"
	"math"
	"net/url"
	"testing"

	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/xyz"
)

// heights is a continuous layer of 2x2 tiles at zoom 6, or of a part of more that
// begins so many pixels further east.
func heights(name string, row, shift int, value func(x, y int) float64) testlayer.Spec {
	s := ramp(name)
	s.X, s.Y, s.Width, s.Height = 32*256+shift, row*256, 512, 512
	s.Value = func(_, x, y int) (float64, bool) { return value(x, y), true }
	return s
}

// rugged are heights that no two places share.
func rugged(x, y int) float64 {
	return 5000*math.Sin(float64(x)/3) + 4000*math.Cos(float64(y)/5+float64(x)/7)
}

// What lies at the seam of two tiles looks as it does inside of one: a layer that
// is the same but for its place shows it.
func TestElevationHasNoSeams(t *testing.T) {
	st := newStore(t)
	add(t, st, heights("Here", 22, 0, rugged))
	add(t, st, heights("There", 22, 128, rugged))
	s := newServer(t, server.Config{Store: st})
	for _, query := range []string{
		"algorithm=hillshade", "algorithm=slope", "algorithm=terrainrgb", "algorithm=terrarium",
		"algorithm=hillshade&tilesize=128", "algorithm=slope&colormap_name=viridis",
	} {
		decoded := map[string]image.Image{}
		tile := func(layer string, x, y int) image.Image {
			path := fmt.Sprintf("/tiles/%s/6/%d/%d.png?%s", layer, x, y, query)
			if decoded[path] == nil {
				decoded[path] = wantPNG(t, get(t, s, path))
			}
			return decoded[path]
		}
		side := tile("here", 32, 22).Bounds().Dx()
		half := side / 2
		for y := range 2 * side {
			if y == 0 || y == 2*side-1 {
				continue // the layer ends there
			}
			for k := -3; k < 3; k++ { // columns around the seam of the first
				here := at(tile("here", 32+(side+k)/side, 22+y/side), (side+k)%side, y%side)
				there := at(tile("there", 33, 22+y/side), half+k, y%side)
				if here != there {
					t.Fatalf("%s: column %d of the seam, row %d: %v, and %v inside of a tile", query, k, y, here, there)
				}
			}
		}
	}
}

// The ground that a pixel covers shrinks towards the poles, and the slope with it.
func TestSlopeIsThatOfTheGround(t *testing.T) {
	st := newStore(t)
	const rise = 1000 // metres a pixel
	for _, row := range []int{12, 22, 31, 50} {
		add(t, st, heights(fmt.Sprint("Row ", row), row, 0, func(x, _ int) float64 { return rise * float64(x) }))
	}
	s := newServer(t, server.Config{Store: st})
	for _, row := range []int{12, 22, 31, 50} {
		for _, y := range []int{row, row + 1} {
			img := wantPNG(t, get(t, s, fmt.Sprintf("/tiles/row-%d/6/33/%d.png?algorithm=slope&rescale=0,90", row, y)))
			for _, line := range []int{10, 128, 240} {
				_, lat := xyz.ToLonLat(0, xyz.HalfWorld-(float64(y*256+line)+0.5)*xyz.Resolution(6, 256))
				ground := xyz.Resolution(6, 256) * math.Cos(lat*math.Pi/180)
				want := 255 * math.Atan(rise/ground) * 180 / math.Pi / 90
				if got := at(img, 100, line); math.Abs(float64(got.R)-want) > 2 || !isGrey(got) {
					t.Errorf("row %d of tile %d, at %.1f degrees: %v, want %.1f", line, y, lat, got, want)
				}
			}
		}
	}
}

func TestLightComesFromWhereItIsAsked(t *testing.T) {
	st := newStore(t)
	add(t, st, heights("West slope", 22, 0, func(x, _ int) float64 { return 1000 * float64(x) })) // rises to the east, and faces west
	s := newServer(t, server.Config{Store: st})
	shade := func(params string) int {
		query := "algorithm=hillshade"
		if params != "" {
			query += "&algorithm_params=" + url.QueryEscape(params)
		}
		img := wantPNG(t, get(t, s, "/tiles/west-slope/6/32/22.png?"+query))
		first := at(img, 5, 128)
		for x := 1; x < 255; x++ {
			if got := at(img, x, 128); !near(got, first) || !isGrey(got) {
				t.Fatalf("%s: the light is %v at %d and %v at 5", query, got, x, first)
			}
		}
		return int(first.R)
	}
	west, east, flat := shade(`{"azimuth": 270}`), shade(`{"azimuth": 90}`), shade(`{"azimuth": 90, "z_exaggeration": 1e-6}`)
	if !(west > flat && flat > east) {
		t.Errorf("lit from the west %d, from the east %d, flat %d", west, east, flat)
	}
	if high := shade(`{"azimuth": 90, "angle_altitude": 90}`); high <= east {
		t.Errorf("lit from above %d, from the east %d", high, east)
	}
	if shade("") != shade(`{"azimuth": 315, "angle_altitude": 45}`) {
		t.Error("the light does not come from the north-west by default")
	}
}

func TestHeightsInColours(t *testing.T) {
	st := newStore(t)
	height := func(x, y int) float64 { return -500 + float64(x)*3.7 + float64(y)*11.1 }
	add(t, st, heights("Heights", 22, 0, height))
	s := newServer(t, server.Config{Store: st})
	mapbox := wantPNG(t, get(t, s, "/tiles/1/6/32/22.png?algorithm=terrainRGB"))
	mapzen := wantPNG(t, get(t, s, "/tiles/1/6/32/22.png?algorithm=terrarium"))
	for _, p := range [][2]int{{0, 0}, {100, 3}, {255, 255}} {
		c := at(mapbox, p[0], p[1])
		if got := -10000 + float64(int(c.R)<<16|int(c.G)<<8|int(c.B))/10; math.Abs(got-height(p[0], p[1])) > 0.051 {
			t.Errorf("terrain-RGB at %v is %v m, want %v", p, got, height(p[0], p[1]))
		}
		c = at(mapzen, p[0], p[1])
		if got := float64(c.R)*256 + float64(c.G) + float64(c.B)/256 - 32768; math.Abs(got-height(p[0], p[1])) > 1.0/256 {
			t.Errorf("terrarium at %v is %v m, want %v", p, got, height(p[0], p[1]))
		}
	}
}
