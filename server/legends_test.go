package server_test

import (
	"encoding/json"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/server"
)

// The JSON of a legend has the keys of django-raster and no others.
func TestLegendJSONIsThatOfDjangoRaster(t *testing.T) {
	st := newStore(t)
	addLegend(t, st, "Cover", forest)
	s := newServer(t, server.Config{Store: st})
	for _, target := range []string{"/legend/1", "/legend/1.json", "/legend/cover", "/legend/COVER.json"} {
		w := get(t, s, target)
		if got := strings.TrimSpace(w.Body.String()); got != `[{"name":"Forest","expression":"1","color":"#1B7837","code":""}]` {
			t.Errorf("%s: %s", target, got)
		}
		wantStatus(t, get(t, s, target, "If-None-Match", w.Header().Get("ETag")), 304)
	}
	wantProblem(t, get(t, s, "/legend/none.png"), 404)
	wantProblem(t, get(t, s, "/legend/1.gif"), 404)
}

func TestPicturesOfLegends(t *testing.T) {
	st := newStore(t)
	lg := addLegend(t, st, "Cover.png", forest, water, town)
	spec := stripes("Land cover", lg)
	spec.Value = func(_, x, _ int) (float64, bool) { return float64(x/256 + 1), true }
	add(t, st, spec)
	s := newServer(t, server.Config{Store: st})

	img := wantPNG(t, get(t, s, "/legend/1.png"))
	if at(img, 0, 0) != (color.NRGBA{255, 255, 255, 255}) {
		t.Errorf("the background is %v", at(img, 0, 0))
	}
	if at(wantPNG(t, get(t, s, "/legend/1.png?background=transparent")), 0, 0).A != 0 ||
		at(wantPNG(t, get(t, s, "/legend/1.png?transparent=true")), 0, 0).A != 0 ||
		at(wantPNG(t, get(t, s, "/legend/1.png?background=black")), 0, 0) != (color.NRGBA{0, 0, 0, 255}) {
		t.Error("the background is not what was asked for")
	}
	double := wantPNG(t, get(t, s, "/legend/1.png?scale=2"))
	if double.Bounds().Dx() != 2*img.Bounds().Dx() {
		t.Errorf("%v is not twice %v", double.Bounds(), img.Bounds())
	}
	w := get(t, s, "/legend/cover.png.svg?color=%23ff0000")
	if wantStatus(t, w, 200); w.Header().Get("Content-Type") != "image/svg+xml" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") ||
		!strings.Contains(w.Body.String(), "#ff0000") || !strings.Contains(w.Body.String(), ">Water</text>") {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	wantStatus(t, get(t, s, "/legend/1.svg?color=%23ff0000", "If-None-Match", w.Header().Get("ETag")), 304)
	for query, parameter := range map[string]string{
		"scale=0": "scale", "scale=4": "scale", "scale=nan": "scale", "scale=1&scale=2": "scale", "background=reddish": "background", "color=5": "color", "transparent=5": "transparent",
	} {
		if p := wantProblem(t, get(t, s, "/legend/1.png?"+query), 400); p.Parameter != parameter {
			t.Errorf("%s: %+v", query, p)
		}
	}
	// Of a layer, the entries that it has values for.
	svg := get(t, s, "/legend.svg?layer=land-cover").Body.String()
	if !strings.Contains(svg, ">Water<") || strings.Contains(svg, ">Town<") {
		t.Error(svg)
	}
	if svg = get(t, s, "/legend.svg?layer=land-cover&entries=Water").Body.String(); strings.Contains(svg, ">Forest<") {
		t.Error(svg)
	}
}

// The picture of a layer's legend shows the colours that its tiles are drawn in.
func TestPicturesOfLayersWithoutALegend(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("Hills"))
	add(t, st, stripes("Classes", nil))
	rgb := testlayer.Spec{
		Layer:    rasterbase.Layer{Name: "Photo", Source: rasterbase.Source{Name: "photo.tif"}, Visibility: rasterbase.Public},
		Datatype: rasterbase.Continuous,
		Bands:    []rasterbase.Band{{PixelType: rasterbase.Uint8}, {PixelType: rasterbase.Uint8}, {PixelType: rasterbase.Uint8, Description: "near infrared"}},
		MaxZoom:  6, X: 32 * 256, Y: 22 * 256, Width: 256, Height: 256,
		Value: func(b, x, _ int) (float64, bool) { return float64(x), true },
	}
	add(t, st, rgb)
	s := newServer(t, server.Config{Store: st})
	for query, wants := range map[string][]string{
		"layer=hills":               {">Hills<", "(m)", ">0</text>", ">255</text>", `stop-color="#000000"`, `stop-color="#ffffff"`},
		"layer=hills&rescale=50,60": {">50</text>", ">60</text>"},
		"layer=hills&colormap_name=viridis&rescale=0,1000":                  {">1000</text>", `#440154`},
		`layer=hills&colormap={"x<100":"%23010203","x>=100":"red"}`:         {">x&lt;100</text>", "#010203"},
		`layer=hills&colormap={"continuous":true,"from":"red","to":"blue"}`: {"#ff0000", "#0000ff", ">255</text>"},
		"layer=classes":                    {">Classes<", ">1</text>", ">2</text>", ">3</text>"},
		"layer=photo":                      {">Photo<", ">Red</text>", ">Blue: near infrared</text>"},
		"layer=photo&bidx=1":               {">Photo<", "linearGradient"},
		"layer=hills&algorithm=terrainrgb": {">Heights, as colours that programs read<"},
		"layer=hills&algorithm=slope":      {">Hills<", "linearGradient"},
	} {
		target := "/legend.svg?" + strings.NewReplacer(`"`, "%22", "{", "%7B", "}", "%7D", "<", "%3C", ">", "%3E", " ", "%20").Replace(query)
		w := get(t, s, target)
		wantStatus(t, w, 200)
		for _, want := range wants {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: no %s in %s", query, want, w.Body)
			}
		}
		wantPNG(t, get(t, s, strings.Replace(target, ".svg", ".png", 1)))
	}
	for query, parameter := range map[string]string{
		"": "layer", "layer=hills&legend=none": "legend", "layer=hills&colormap_name=none": "colormap_name", "layer=hills&rescale=5": "rescale", "layer=hills&colormap=5": "colormap",
	} {
		w := get(t, s, "/legend.png?"+query)
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 400 && w.Code != 404 || p.Parameter != parameter {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	wantProblem(t, get(t, s, "/legend.png?layer=none"), 404)
	if p := wantProblem(t, get(t, s, "/legend?layer=hills"), 404); !strings.Contains(p.Hint, "legend.png?layer=") {
		t.Errorf("%+v", p)
	}
}

func TestPicturesOfPrivateAndOfUnparsedLayers(t *testing.T) {
	st := newStore(t)
	lg := addLegend(t, st, "Cover", forest)
	hidden := stripes("Secret", lg)
	hidden.Layer.Visibility = rasterbase.Private
	add(t, st, hidden)
	create(t, st, rasterbase.Layer{Name: "Later", Legend: lg.ID, Visibility: rasterbase.Public})
	create(t, st, rasterbase.Layer{Name: "Never", Visibility: rasterbase.Public})
	s := newAPI(t, st, nil, server.Config{})
	for _, target := range []string{"/legend?layer=secret", "/legend.png?layer=secret", "/legend/1.qml?layer=secret", "/api/v1/legends/1/check?layer=secret"} {
		wantProblem(t, get(t, s, target), 404)
		w := call(t, s, "viewer", "GET", target, "")
		if wantStatus(t, w, 200); w.Header().Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: %v", target, w.Header())
		}
	}
	if text := get(t, s, "/api/v1/legends/1").Body.String() + get(t, s, "/api/v1/legends").Body.String(); strings.Contains(text, "secret") {
		t.Errorf("a private layer is told: %s", text)
	}
	if text := call(t, s, "viewer", "GET", "/api/v1/legends/1", "").Body.String(); !strings.Contains(text, "secret") {
		t.Errorf("%s", text)
	}
	wantPNG(t, get(t, s, "/legend.png?layer=later"))
	wantProblem(t, get(t, s, "/legend.png?layer=never"), 404)
}

// Files that hold no shares of a range take it from a layer.
func TestFilesOfRelativeGradients(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("Hills"))
	s := newAPI(t, st, nil, server.Config{})
	wantStatus(t, call(t, s, "editor", "POST", "/api/v1/legends", `{"title":"Terrain","gradient":{"colormap_name":"terrain"}}`), 201)
	if p := wantProblem(t, get(t, s, "/legend/terrain.qml"), 400); p.Parameter != "legend" || !strings.Contains(p.Hint, "?layer=") {
		t.Errorf("%+v", p)
	}
	if w := get(t, s, "/legend/terrain.qml?layer=hills"); w.Code != 200 || !strings.Contains(w.Body.String(), "255") {
		t.Errorf("%d %.300s", w.Code, w.Body)
	}
	for target, want := range map[string]string{"/legend/terrain.svg": ">max</text>", "/legend/terrain.svg?layer=hills": ">255</text>", "/legend/terrain": `"colormap_name":"terrain"`} {
		if w := get(t, s, target); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s", target, w.Body)
		}
	}
}

func TestNamedColormaps(t *testing.T) {
	s := newServer(t, server.Config{Store: newStore(t)})
	list := decode[struct {
		Items []struct {
			Name, Group, URL, Picture, Reversed string
			Count                               int
		}
	}](t, get(t, s, "/colormaps"))
	found := false
	for _, c := range list.Items {
		found = found || c.Name == "viridis" && c.Count == 256 && c.Reversed == "viridis_r" && strings.HasSuffix(c.Picture, "/colormaps/viridis.svg")
	}
	if !found || len(list.Items) < 50 {
		t.Errorf("%d colormaps", len(list.Items))
	}
	c := decode[struct {
		Name   string
		Colors []string
	}](t, get(t, s, "/colormaps/Viridis_R"))
	if c.Name != "viridis_r" || len(c.Colors) != 256 || c.Colors[255] != "#440154" {
		t.Errorf("%s %d", c.Name, len(c.Colors))
	}
	img := wantPNG(t, get(t, s, "/colormaps/viridis.png?scale=2"))
	if img.Bounds().Dx() != 512 || rasterbase.Color(at(img, 0, 0)).String() != "#440154" {
		t.Errorf("%v %v", img.Bounds(), at(img, 0, 0))
	}
	if w := get(t, s, "/colormaps/viridis.svg"); w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("%v", w.Header())
	}
	if p := wantProblem(t, get(t, s, "/colormaps/viridi.png"), 404); !strings.Contains(p.Hint, "viridis") {
		t.Errorf("%+v", p)
	}
	if _, err := png.DecodeConfig(get(t, s, "/colormaps/accent.png").Body); err != nil {
		t.Error(err)
	}
}
