package admin

import (
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// snippet is something ready to copy into another program.
type snippet struct{ Name, Text string }

// snippetsOf are those of a layer that can be drawn.
func snippetsOf(p *layerPage) []snippet {
	if p.URLs.Tiles == "" {
		return nil
	}
	tiles, zoom := p.URLs.Tiles, strconv.Itoa(p.MaxZoom)
	return []snippet{
		{"Tile address", tiles},
		{"TileJSON", p.URLs.TileJSON},
		{"Leaflet", "L.tileLayer(" + strconv.Quote(tiles) + ", {maxNativeZoom: " + zoom + "}).addTo(map)"},
		{"OpenLayers", "new TileLayer({source: new XYZ({url: " + strconv.Quote(tiles) + ", maxZoom: " + zoom + "})})"},
		{"MapLibre", "map.addSource(" + strconv.Quote(p.Slug) + ", {type: \"raster\", url: " + strconv.Quote(p.URLs.TileJSON) + "})\n" +
			"map.addLayer({id: " + strconv.Quote(p.Slug) + ", type: \"raster\", source: " + strconv.Quote(p.Slug) + "})"},
		{"QGIS", "type=xyz&zmin=0&zmax=" + zoom + "&url=" + tiles},
		{"curl", curlOf(p)},
		{"Command line", "rasterbase count " + p.Slug},
		{"Go", "cov, err := coverage.Open(ctx, st, " + strconv.FormatInt(p.ID, 10) + ")"},
	}
}

// curlOf fetches a layer's whole map as a tile; a private one needs a token.
func curlOf(p *layerPage) string {
	address := strings.NewReplacer("{z}", "0", "{x}", "0", "{y}", "0").Replace(p.URLs.Tiles)
	if p.Visibility == string(rasterbase.Private) {
		return `curl -H "Authorization: Bearer $TOKEN" -o tile.png ` + strconv.Quote(address)
	}
	return "curl -o tile.png " + strconv.Quote(address)
}
