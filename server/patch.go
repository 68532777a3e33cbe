package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rasterbase/rasterbase"
)

// opt is a member of a JSON merge patch (RFC 7396): not given, null, which takes
// a value back, or a value.
type opt[T any] struct {
	given, null bool
	value       T
}

// UnmarshalJSON is called for members that are given.
func (o *opt[T]) UnmarshalJSON(b []byte) error {
	*o = opt[T]{given: true}
	if bytes.Equal(b, []byte("null")) {
		o.null = true
		return nil
	}
	return json.Unmarshal(b, &o.value)
}

// IsZero reports whether the member is not given.
func (o opt[T]) IsZero() bool { return !o.given }

// MarshalJSON writes the value, for the examples of the document.
func (o opt[T]) MarshalJSON() ([]byte, error) {
	if o.null {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}

// Schema implements huma.SchemaProvider: that of the value, or null.
func (opt[T]) Schema(schemas huma.Registry) *huma.Schema {
	s := *schemas.Schema(reflect.TypeFor[T](), false, "")
	if len(s.AnyOf) == 0 {
		s.Nullable = true
		return &s
	}
	s.AnyOf = slices.Clone(s.AnyOf)
	for i, one := range s.AnyOf {
		copied := *one
		copied.Nullable = true
		if copied.Enum != nil {
			copied.Enum = append(slices.Clone(copied.Enum), nil)
		}
		s.AnyOf[i] = &copied
	}
	return &s
}

// to sets what a member is about: to zero when it is taken back.
func (o opt[T]) to(v *T) {
	if o.given {
		*v = o.value
	}
}

// toPtr is to for what may be absent.
func (o opt[T]) toPtr(v **T) {
	switch {
	case o.null:
		*v = nil
	case o.given:
		*v = &o.value
	}
}

// given makes a member with a value.
func given[T any](v T) opt[T] { return opt[T]{given: true, value: v} }

// layerPatchBody is what can be changed of a layer.
type layerPatchBody struct {
	Name        opt[string]          `json:"name,omitzero" doc:"Title; one line"`
	Slug        opt[string]          `json:"slug,omitzero" doc:"Unique name in addresses; null: made from the name"`
	Description opt[string]          `json:"description,omitzero"`
	Attribution opt[string]          `json:"attribution,omitzero" doc:"Shown on maps"`
	License     opt[string]          `json:"license,omitzero"`
	Visibility  opt[visibilityText]  `json:"visibility,omitzero" doc:"null: the server's default"`
	Legend      opt[legendReference] `json:"legend,omitzero" doc:"Id or title of a legend; null: none"`
	Settings    opt[settingsBody]    `json:"settings,omitzero" doc:"What differs from these makes the layer be parsed anew; null: all of them are taken back"`
	Source      opt[sourceBody]      `json:"source,omitzero" doc:"Replaces the file, and makes the layer be parsed anew"`
	Formula     opt[formulaBody]     `json:"formula,omitzero" doc:"Of a layer that is made of others"`
}

// newLayerBody is a layer to be made. Its members are those of layerPatchBody.
type newLayerBody struct {
	Name        opt[string]          `json:"name,omitzero" doc:"Title; one line. Without it that of the file is taken"`
	Slug        opt[string]          `json:"slug,omitzero" doc:"Unique name in addresses, with a number at its end when another layer has it. Without it it is made from the name"`
	Description opt[string]          `json:"description,omitzero"`
	Attribution opt[string]          `json:"attribution,omitzero" doc:"Shown on maps"`
	License     opt[string]          `json:"license,omitzero"`
	Visibility  opt[visibilityText]  `json:"visibility,omitzero" doc:"Without it the server's default is taken"`
	Legend      opt[legendReference] `json:"legend,omitzero" doc:"Id or title of a legend"`
	Settings    opt[settingsBody]    `json:"settings,omitzero"`
	Source      opt[sourceBody]      `json:"source,omitzero" doc:"What the layer is parsed from; needed unless a formula is given"`
	Formula     opt[formulaBody]     `json:"formula,omitzero" doc:"Makes the layer of other ones, in place of a source. Its datatype is told from the formula unless it is given; it takes no other settings"`
}

// settingsBody are the settings of a layer that are given.
type settingsBody struct {
	Datatype   opt[string]           `json:"datatype,omitzero" doc:"continuous, categorical, mask or rank ordered; null: detected"`
	SRID       opt[int]              `json:"srid,omitzero" doc:"Replaces the file's coordinate reference system; null: the file's"`
	Nodata     opt[rasterbase.Float] `json:"nodata,omitzero" doc:"Replaces the file's nodata value in every band"`
	MaxZoom    opt[int]              `json:"max_zoom,omitzero" doc:"Of the pyramid; null: by the resolution of the file"`
	NextLower  opt[bool]             `json:"next_lower,omitzero" doc:"The zoom below the resolution of the file instead of the one above it"`
	NoPyramid  opt[bool]             `json:"no_pyramid,omitzero" doc:"Base tiles only"`
	Resampling opt[string]           `json:"resampling,omitzero" doc:"nearest, bilinear or cubic; null: by datatype"`
	TileSize   opt[int]              `json:"tile_size,omitzero" doc:"Pixels a side; null: the server's setting"`
	Subdataset opt[string]           `json:"subdataset,omitzero" doc:"Which raster of a file or zip that holds several"`
}

// sourceBody says where a source comes from: one of the three.
type sourceBody struct {
	Upload  string `json:"upload,omitempty" doc:"Id of an upload that is complete"`
	Address string `json:"address,omitempty" doc:"http://, https:// or s3://bucket/key"`
	Path    string `json:"path,omitempty" doc:"Of a file under a folder that the operator allowed"`
}

func (b sourceBody) from() rasterbase.SourceFrom {
	return rasterbase.SourceFrom{Upload: b.Upload, Address: b.Address, Path: b.Path}
}

// visibilityText is a visibility in a body.
type visibilityText string

// Schema implements huma.SchemaProvider.
func (visibilityText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: []any{string(rasterbase.Public), string(rasterbase.Private), nil}}
}

// legendReference is the id or the title of a legend.
type legendReference string

// Schema implements huma.SchemaProvider.
func (legendReference) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeInteger}, {Type: huma.TypeString}}}
}

// UnmarshalJSON reads a number or a string.
func (l *legendReference) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '"' {
		var id rasterbase.LegendID
		if err := json.Unmarshal(b, &id); err != nil {
			return fmt.Errorf("read the id of a legend: %w", err)
		}
		*l = legendReference(fmt.Sprint(id))
		return nil
	}
	return json.Unmarshal(b, (*string)(l))
}

// apply changes a layer as the patch says, but for its legend, its source and
// its formula.
func (p layerPatchBody) apply(l *rasterbase.Layer) error {
	p.Name.to(&l.Name)
	p.Slug.to(&l.Slug)
	p.Description.to(&l.Description)
	p.Attribution.to(&l.Attribution)
	p.License.to(&l.License)
	if p.Visibility.given {
		l.Visibility = rasterbase.Visibility(p.Visibility.value)
	}
	if p.Settings.null {
		l.Settings = rasterbase.Settings{}
	}
	return p.Settings.value.apply(&l.Settings)
}

// apply changes settings. The error names the member.
func (b settingsBody) apply(s *rasterbase.Settings) (err error) {
	if b.Datatype.given {
		s.Datatype = ""
		if !b.Datatype.null {
			if s.Datatype, err = rasterbase.ParseDatatype(b.Datatype.value); err != nil {
				return inSettings(err)
			}
		}
	}
	if b.Resampling.given {
		s.Resampling = ""
		if !b.Resampling.null {
			if s.Resampling, err = rasterbase.ParseResampling(b.Resampling.value); err != nil {
				return inSettings(err)
			}
		}
	}
	b.SRID.to(&s.SRID)
	nodata := (*rasterbase.Float)(s.Nodata)
	b.Nodata.toPtr(&nodata)
	s.Nodata = (*float64)(nodata)
	b.MaxZoom.toPtr(&s.MaxZoom)
	b.NextLower.to(&s.NextLower)
	b.NoPyramid.to(&s.NoPyramid)
	b.TileSize.to(&s.TileSize)
	b.Subdataset.to(&s.Subdataset)
	return nil
}

// inSettings names the member of a body that an error about a setting blames,
// which names it as the command line does.
func inSettings(err error) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	name := strings.ReplaceAll(e.Field, "-", "_")
	switch name {
	case "type":
		name = "datatype"
	case "tilesize":
		name = "tile_size"
	}
	switch name {
	case "datatype", "srid", "nodata", "max_zoom", "next_lower", "no_pyramid", "resampling", "tile_size", "subdataset":
		return blame(err, "settings."+name)
	}
	return err
}
