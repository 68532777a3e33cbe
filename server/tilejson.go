package server

import (
	"math"
	"net/http"
	"net/url"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/render"
)

// tileJSONDocument is TileJSON 3.0.0 for raster tiles.
type tileJSONDocument struct {
	TileJSON    string     `json:"tilejson"`
	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	Attribution string     `json:"attribution,omitempty"`
	Version     string     `json:"version"`
	Scheme      string     `json:"scheme"`
	Tiles       []string   `json:"tiles"`
	MinZoom     int        `json:"minzoom"`
	MaxZoom     int        `json:"maxzoom"`
	Bounds      [4]float64 `json:"bounds"`
	Center      [3]float64 `json:"center"`
	Legend      string     `json:"legend,omitempty"`
	TileSize    int        `json:"tileSize"`
}

// tileJSON answers what a map library needs to show a layer. Its addresses hold
// the version, so that browsers may keep the tiles, and all that was asked for.
func (s *Server) tileJSON(w http.ResponseWriter, r *http.Request) error {
	return s.writeTileJSON(w, r, tileRoute, r.PathValue("layer"))
}

// algebraTileJSON answers the same of a formula.
func (s *Server) algebraTileJSON(w http.ResponseWriter, r *http.Request) error {
	return s.writeTileJSON(w, r, algebraRoute, "")
}

// writeTileJSON answers what tiles of a route are; ref names a layer.
func (s *Server) writeTileJSON(w http.ResponseWriter, r *http.Request, to route, ref string) error {
	d, err := s.parametersOf(r, to)
	if err != nil {
		return err
	}
	if to == algebraRoute && d.formula == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "there is no formula").
			WithHint("three bands without one have no common description: their address is /algebra/{z}/{x}/{y}.png?layers=...").WithField("formula")
	}
	format := render.PNG
	if f := r.URL.Query().Get("format"); f != "" {
		if format, err = render.ParseFormat(f); err != nil {
			return unknownFormat(f)
		}
	}
	if err := d.checkFormat(format); err != nil {
		return err
	}
	l, err := s.resolve(r, asked{layer: ref, drawing: d, values: format == render.TIFF})
	if err != nil {
		return err
	}
	rev := l.rev
	if err := l.drawable(); err != nil {
		return err
	}
	params := d.query()
	params.Set("v", l.style.version)
	root := s.root(r)
	doc := tileJSONDocument{
		TileJSON: "3.0.0", Name: l.layer.Name, Description: l.layer.Description, Attribution: l.layer.Attribution,
		Version: "1.0.0", Scheme: "xyz", Tiles: []string{root + "/" + d.tilePath(l.layer.ID, string(format), params)},
		MaxZoom: zoomOfSize(rev.MaxZoom, rev.TileSize, d.size(rev.TileSize, false)), TileSize: d.size(rev.TileSize, false),
	}
	doc.Bounds, doc.Center = place(rev)
	if l.legend != nil && l.style.legend != nil && !d.personal && d.colormap == nil {
		doc.Legend = root + "/" + legendPath(l.legend.ID)
	}
	return writeJSON(w, r, doc, l.hidden)
}

// tilePath is the address of the tiles of a layer, or of a formula over several.
func (d *drawing) tilePath(id rasterbase.LayerID, ext string, params url.Values) string {
	if len(d.inputs) == 0 {
		return tilePath(id, ext, params)
	}
	return "algebra/{z}/{x}/{y}." + ext + "?" + params.Encode()
}

// zoomOfSize is the zoom at which tiles of a size have the pixels that those of
// the layer's own size have at its max zoom, or more: a tile covers the same
// ground whatever its size.
func zoomOfSize(maxZoom, own, size int) int {
	return max(0, maxZoom+int(math.Ceil(math.Log2(float64(own)/float64(size)))))
}
