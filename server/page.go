package server

import (
	"bytes"
	"embed"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
)

// The page's own files, and the bundle that `make assets` builds from the lock
// file. On a fresh clone the bundle's folder holds a placeholder only.
//
//go:embed web/page.html web/page.css web/docs.html web/docs.css web/icon.svg web/dist
var web embed.FS

// shownAtStart is how many layers are drawn when the page opens; the others
// are a click away.
const shownAtStart = 8

// contentSecurity lets the page load from this server alone, and pictures from the base
// map's.
func (s *Server) contentSecurity() string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src " + strings.TrimSpace("'self' data: "+s.c.Basemap.Origin()) +
		"; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}

// page is the map page's template and files.
type page struct {
	template *template.Template
	docs     *template.Template
	files    map[string]answer
	version  string // of the files
	built    bool   // the bundle is there
}

var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

func newPage() (*page, error) {
	t, err := template.ParseFS(web, "web/page.html")
	if err != nil {
		return nil, err
	}
	docs, err := template.ParseFS(web, "web/docs.html")
	if err != nil {
		return nil, err
	}
	p := &page{template: t, docs: docs, files: map[string]answer{}}
	sum := fnv.New64a()
	err = fs.WalkDir(web, "web", func(name string, d fs.DirEntry, err error) error {
		kind := contentTypes[path.Ext(name)]
		if err != nil || d.IsDir() || kind == "" {
			return err
		}
		body, err := web.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d ", name, len(body))
		sum.Write(body)
		p.files[path.Base(name)] = answer{contentType: kind, body: body}
		return nil
	})
	p.version = hex.EncodeToString(sum.Sum(nil))
	_, p.built = p.files["map.js"]
	return p, err
}

// favicon answers browsers that ask for an icon without having read the page.
func (s *Server) favicon(w http.ResponseWriter, r *http.Request) error {
	return s.page.files["icon.svg"].write(w, r)
}

// asset answers one of the page's files.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) error {
	a, ok := s.page.files[r.PathValue("file")]
	if !ok {
		return rasterbase.Errorf(rasterbase.NotFound, "there is no asset %.80q", r.PathValue("file")).
			WithHint("make assets builds what the map page needs")
	}
	if r.URL.RawQuery == s.page.version {
		a.cache = "public, max-age=31536000, immutable"
	}
	return a.write(w, r)
}

// pageView is what the template shows.
type pageView struct {
	Built        bool
	AssetVersion string
	Version      string
	Layers       []layerView
	Total, More  int
	Data         pageData
}

// pageData is what the script reads.
type pageData struct {
	World   string       `json:"world"`             // address of the outline
	Basemap *basemapData `json:"basemap,omitempty"` // in its place
	Layers  []layerData  `json:"layers"`
}

type basemapData struct {
	URL         string `json:"url"`
	Attribution string `json:"attribution"`
}

type layerData struct {
	ID          rasterbase.LayerID `json:"id"`
	Name        string             `json:"name"`
	Bands       []bandData         `json:"bands"`
	Tiles       string             `json:"tiles"`
	Bounds      [4]float64         `json:"bounds"`
	MaxZoom     int                `json:"maxZoom"`
	TileSize    int                `json:"tileSize"`
	Attribution string             `json:"attribution"`
	Visible     bool               `json:"visible"`
}

// bandData is what the formula panel shows of a band.
type bandData struct {
	Name string  `json:"name"`           // empty: it has none
	Mean float64 `json:"mean,omitempty"` // of its valid pixels
}

// mapPage answers the page with the map and the list of layers, the newest
// first.
func (s *Server) mapPage(w http.ResponseWriter, r *http.Request) error {
	found, err := s.readable(r, choice{limit: defaultLimit, newest: true})
	if err != nil {
		return err
	}
	v := pageView{
		Built: s.page.built, AssetVersion: s.page.version, Version: s.c.Version,
		Total: found.total, More: found.total - len(found.layers),
		Data: pageData{World: "assets/world.json?" + s.page.version, Layers: []layerData{}},
	}
	if b := s.c.Basemap; b.URL != "" {
		v.Data.Basemap = &basemapData{b.URL, b.Attribution}
	}
	root := s.root(r)
	for _, k := range found.layers {
		data, drawn, err := s.layerData(r, k)
		view := k.view(root, drawn)
		switch {
		case err != nil:
			s.c.Log.WarnContext(r.Context(), "a layer is left off the map", "layer", k.layer.ID, "error", err)
			view.Status, view.StatusClass = "cannot be drawn", "failed"
		case data != nil:
			data.Visible = len(v.Data.Layers) < shownAtStart
			v.Data.Layers = append(v.Data.Layers, *data)
		}
		v.Layers = append(v.Layers, view)
	}
	var body bytes.Buffer
	if err := s.page.template.Execute(&body, v); err != nil {
		return fmt.Errorf("write the map page: %w", err)
	}
	w.Header().Set("Content-Security-Policy", s.contentSecurity())
	return answer{contentType: "text/html; charset=utf-8", body: body.Bytes(), private: found.private}.write(w, r)
}

// drawnLayer is how a layer with map tiles is drawn, and what.
type drawnLayer struct {
	style *style
	coverage.Description
}

// layerData is what the script needs of a layer and how it is drawn; both are
// nil for a layer without map tiles.
func (s *Server) layerData(r *http.Request, k known) (*layerData, *drawnLayer, error) {
	if !k.drawable() {
		return nil, nil, nil
	}
	sub, err := s.openedFor(r, k.layer)
	if err != nil {
		return nil, nil, err
	}
	st, err := s.styleOf(r, sub, k.legend, s.plain, false)
	if err != nil {
		return nil, nil, err
	}
	d := sub.cov.Describe()
	b := clip(d.Bounds)
	name := k.layer.Name
	if name == "" {
		name = k.layer.Slug
	}
	return &layerData{
		ID:          k.layer.ID,
		Name:        name,
		Bands:       bandsOf(d.Bands),
		Tiles:       tilePath(k.layer.ID, "png", url.Values{"v": {st.version}}),
		Bounds:      [4]float64{b.West, b.South, b.East, b.North},
		MaxZoom:     d.MaxZoom,
		TileSize:    d.TileSize,
		Attribution: strings.TrimSpace(k.layer.Attribution),
	}, &drawnLayer{st, d}, nil
}

// bandsOf are a layer's bands as the formula panel shows them.
func bandsOf(bands []rasterbase.Band) []bandData {
	out := make([]bandData, len(bands))
	for i, b := range bands {
		out[i].Name = strings.TrimSpace(b.Description)
		if !math.IsNaN(b.Mean) && !math.IsInf(b.Mean, 0) {
			out[i].Mean = b.Mean
		}
	}
	return out
}

// drawable reports whether there are map tiles.
func (k known) drawable() bool { return k.about != nil && k.about.HasPyramid }
