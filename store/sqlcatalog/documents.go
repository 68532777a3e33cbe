package sqlcatalog

import (
	"encoding/json"
	"fmt"

	"github.com/rasterbase/rasterbase"
)

// settingsDocument is the stored form of settings: JSON has no NaN, and nodata
// can be one.
type settingsDocument struct {
	rasterbase.Settings
	Nodata *rasterbase.Float `json:"nodata,omitempty"`
}

func toDocument(s rasterbase.Settings) settingsDocument {
	return settingsDocument{s, (*rasterbase.Float)(s.Nodata)}
}

func (d settingsDocument) settings() rasterbase.Settings {
	d.Settings.Nodata = (*float64)(d.Nodata)
	return d.Settings
}

func decodeSettings(b []byte) (rasterbase.Settings, error) {
	var d settingsDocument
	if err := json.Unmarshal(b, &d); err != nil {
		return rasterbase.Settings{}, fmt.Errorf("decoding settings: %w", err)
	}
	return d.settings(), nil
}

// revisionDocument is the stored form of what a revision holds beside its own
// columns. Numbers that may not be finite are wrapped, since JSON has none
// such.
type revisionDocument struct {
	DatatypeReason  string                `json:"datatype_reason,omitempty"`
	CRS             rasterbase.CRS        `json:"crs"`
	Grid            rasterbase.Grid       `json:"grid"`
	TileSize        int                   `json:"tile_size"`
	HasPyramid      bool                  `json:"has_pyramid"`
	NoBase          bool                  `json:"no_base,omitempty"`
	MaxZoom         int                   `json:"max_zoom"`
	Resampling      rasterbase.Resampling `json:"resampling,omitempty"`
	Bands           []bandDocument        `json:"bands"`
	BaseValidity    bool                  `json:"base_validity"`
	PyramidValidity bool                  `json:"pyramid_validity"`
	Bounds          [4]rasterbase.Float   `json:"bounds"` // west, south, east, north
	Settings        settingsDocument      `json:"settings"`
	SourceChecksum  string                `json:"source_checksum,omitempty"`
	Driver          string                `json:"driver,omitempty"`
	BaseTiles       int64                 `json:"base_tiles"`
	PyramidTiles    int64                 `json:"pyramid_tiles"`
}

// bandDocument shadows the band's numbers: the outer fields win over the
// embedded ones of the same name.
type bandDocument struct {
	rasterbase.Band
	Scale  rasterbase.Float `json:"scale"`
	Offset rasterbase.Float `json:"offset"`
	Min    rasterbase.Float `json:"min"`
	Max    rasterbase.Float `json:"max"`
	Mean   rasterbase.Float `json:"mean"`
	Std    rasterbase.Float `json:"std"`
}

func documentOf(r *rasterbase.Revision) revisionDocument {
	d := revisionDocument{
		DatatypeReason: r.DatatypeReason, CRS: r.CRS, Grid: r.Grid, TileSize: r.TileSize,
		HasPyramid: r.HasPyramid, NoBase: r.NoBase, MaxZoom: r.MaxZoom, Resampling: r.Resampling,
		BaseValidity: r.BaseValidity, PyramidValidity: r.PyramidValidity,
		Bounds: [4]rasterbase.Float{rasterbase.Float(r.Bounds.West), rasterbase.Float(r.Bounds.South),
			rasterbase.Float(r.Bounds.East), rasterbase.Float(r.Bounds.North)},
		Settings: toDocument(r.Settings), SourceChecksum: r.SourceChecksum, Driver: r.Driver,
		BaseTiles: r.BaseTiles, PyramidTiles: r.PyramidTiles,
	}
	for _, b := range r.Bands {
		d.Bands = append(d.Bands, bandDocument{b, rasterbase.Float(b.Scale), rasterbase.Float(b.Offset),
			rasterbase.Float(b.Min), rasterbase.Float(b.Max), rasterbase.Float(b.Mean), rasterbase.Float(b.Std)})
	}
	return d
}

// decodeRevision sets what the document holds and leaves the other fields.
func decodeRevision(b []byte, r *rasterbase.Revision) error {
	var d revisionDocument
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("decoding revision %d: %w", r.ID, err)
	}
	r.DatatypeReason, r.CRS, r.Grid, r.TileSize = d.DatatypeReason, d.CRS, d.Grid, d.TileSize
	r.HasPyramid, r.NoBase, r.MaxZoom, r.Resampling = d.HasPyramid, d.NoBase, d.MaxZoom, d.Resampling
	r.BaseValidity, r.PyramidValidity = d.BaseValidity, d.PyramidValidity
	r.Bounds = rasterbase.Bounds{West: float64(d.Bounds[0]), South: float64(d.Bounds[1]),
		East: float64(d.Bounds[2]), North: float64(d.Bounds[3])}
	r.Settings, r.SourceChecksum, r.Driver = d.Settings.settings(), d.SourceChecksum, d.Driver
	r.BaseTiles, r.PyramidTiles = d.BaseTiles, d.PyramidTiles
	for _, b := range d.Bands {
		b.Band.Scale, b.Band.Offset = float64(b.Scale), float64(b.Offset)
		b.Band.Min, b.Band.Max = float64(b.Min), float64(b.Max)
		b.Band.Mean, b.Band.Std = float64(b.Mean), float64(b.Std)
		r.Bands = append(r.Bands, b.Band)
	}
	return nil
}

// gradientDocument is the stored form of a gradient. A stop can be at infinity.
type gradientDocument struct {
	Colormap      string                   `json:"colormap,omitempty"`
	Stops         []stopDocument           `json:"stops,omitempty"`
	Interpolation rasterbase.Interpolation `json:"interpolation,omitempty"`
	Relative      bool                     `json:"relative,omitempty"`
	Min           *rasterbase.Float        `json:"min,omitempty"`
	Max           *rasterbase.Float        `json:"max,omitempty"`
}

type stopDocument struct {
	At    rasterbase.Float `json:"at"`
	Color rasterbase.Color `json:"color"`
	Name  string           `json:"name,omitempty"`
}

func gradientDocumentOf(g *rasterbase.Gradient) gradientDocument {
	d := gradientDocument{Colormap: g.Colormap, Interpolation: g.Interpolation, Relative: g.Relative,
		Min: (*rasterbase.Float)(g.Min), Max: (*rasterbase.Float)(g.Max)}
	for _, s := range g.Stops {
		d.Stops = append(d.Stops, stopDocument{rasterbase.Float(s.At), s.Color, s.Name})
	}
	return d
}

func decodeGradient(b []byte) (*rasterbase.Gradient, error) {
	var d gradientDocument
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("decoding a gradient: %w", err)
	}
	g := &rasterbase.Gradient{Colormap: d.Colormap, Interpolation: d.Interpolation, Relative: d.Relative,
		Min: (*float64)(d.Min), Max: (*float64)(d.Max)}
	for _, s := range d.Stops {
		g.Stops = append(g.Stops, rasterbase.Stop{At: float64(s.At), Color: s.Color, Name: s.Name})
	}
	return g, nil
}
