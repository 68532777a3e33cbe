package vector

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// Opener opens files of features.
type Opener interface {
	// OpenVector opens a layer of the file at a path. The error has code not found
	// when there is no such file, invalid when it cannot be read or has no such layer
	// or field, and too large when a limit is passed. When the file has several layers
	// and none was named it is a *SeveralLayers.
	OpenVector(ctx context.Context, path string, o Options) (Source, error)
}

// Options say what of a file is read.
type Options struct {
	// Layer names one of several layers; empty: the only one.
	Layer string `json:"layer,omitempty"`
	// Fields names the fields to be read, in this order. Nil: all of them.
	Fields []string `json:"fields"`
	Limits Limits   `json:"limits"`
}

// Limits bound what is read. A zero field stands for its default.
type Limits struct {
	Layers        int   `json:"layers,omitempty"`         // of a file: 10000
	Fields        int   `json:"fields,omitempty"`         // of a layer: 2000
	GeometryBytes int64 `json:"geometry_bytes,omitempty"` // of one geometry, at 16 bytes a vertex: 64 MiB
	TextBytes     int64 `json:"text_bytes,omitempty"`     // of one value: 1 MiB
	BatchBytes    int64 `json:"batch_bytes,omitempty"`    // of one answer of Next, after which no feature is added: 4 MiB
}

// WithDefaults puts the defaults where nothing is said.
func (l Limits) WithDefaults() Limits {
	if l.Layers == 0 {
		l.Layers = 10_000
	}
	if l.Fields == 0 {
		l.Fields = 2000
	}
	if l.GeometryBytes == 0 {
		l.GeometryBytes = 64 << 20
	}
	if l.TextBytes == 0 {
		l.TextBytes = 1 << 20
	}
	if l.BatchBytes == 0 {
		l.BatchBytes = 4 << 20
	}
	return l
}

// Source is an open layer, which is read once from its beginning to its end.
type Source interface {
	Info() Info
	// Next reads the features that follow, in the file's order: up to n of them,
	// fewer where they are large, none at the end. After an error, which that of a
	// done context is too, nothing more can be read. It must not be called by two
	// goroutines at once.
	Next(ctx context.Context, n int) ([]Feature, error)
	Close() error
}

// Info is what a file says of itself.
type Info struct {
	Driver string  `json:"driver"` // GDAL's short name: GPKG
	Layer  string  `json:"layer"`  // the one that is open
	Layers []Layer `json:"layers"` // all of the file
	// CRS is the zero one when the file says none that is a place on Earth. SRID is
	// 0 when there is no EPSG code for it; the WKT is kept then.
	CRS rasterbase.CRS `json:"crs"`
	// Fields are those that are read, in the order of Feature.Values.
	Fields   []Field  `json:"fields"`
	Count    int64    `json:"count"` // features of the layer; -1: not known without reading them
	Warnings []string `json:"warnings,omitempty"`
}

// Layer is one layer of a file.
type Layer struct {
	Name     string `json:"name"`
	Geometry string `json:"geometry"` // as GDAL names its type: Multi Polygon
}

// Field is a column of a layer.
type Field struct {
	Name string    `json:"name"`
	Type FieldType `json:"type"`
}

// FieldType says what the values of a field are.
type FieldType string

// Types of fields, with the Go type of their values.
const (
	Text    FieldType = "text"    // string; dates and lists too, in words
	Integer FieldType = "integer" // int64
	Real    FieldType = "real"    // float64
	Boolean FieldType = "boolean" // bool
)

// Feature is a geometry with its values.
type Feature struct {
	FID int64 // as the file numbers it; -1: it does not
	// Values has one of nil, string, int64, float64 and bool for each field.
	Values []any
	// WKB is the geometry: well-known binary, of two dimensions, without curves. Nil:
	// there is none, or an empty one.
	WKB []byte
}

// SeveralLayers is the error of opening a file with several layers when none was
// named.
type SeveralLayers struct {
	Path   string
	Layers []Layer
}

// listed is how many names a message lists.
const listed = 50

// Error lists the layers.
func (e *SeveralLayers) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s holds several layers; name one of them:", filepath.Base(e.Path))
	for i, l := range e.Layers {
		if i == listed {
			fmt.Fprintf(&s, "\n  and %d more", len(e.Layers)-i)
			break
		}
		s.WriteString("\n  " + l.Name)
		if l.Geometry != "" {
			s.WriteString("  " + l.Geometry)
		}
	}
	return s.String()
}

// Unwrap gives the error as one with code invalid.
func (e *SeveralLayers) Unwrap() error {
	return rasterbase.Errorf(rasterbase.Invalid, "the file holds several layers").WithField("layer")
}

// ChooseLayer finds the layer that is asked for: its index.
func (o Options) ChooseLayer(path string, layers []Layer) (int, error) {
	names := make([]string, len(layers))
	for i, l := range layers {
		if names[i] = l.Name; o.Layer != "" && l.Name == o.Layer {
			return i, nil
		}
	}
	switch {
	case len(layers) == 0:
		return 0, rasterbase.Errorf(rasterbase.Invalid, "%s holds no layer of features", filepath.Base(path))
	case o.Layer != "":
		return 0, rasterbase.Errorf(rasterbase.Invalid, "%s holds no layer named %q", filepath.Base(path), o.Layer).
			WithField("layer").WithHint("it holds %s", list(names))
	case len(layers) > 1:
		return 0, &SeveralLayers{Path: path, Layers: layers}
	}
	return 0, nil
}

// ChooseFields finds the fields that are asked for among all of the layer: their
// indices. A name in another case is taken where there is none in the right one.
func (o Options) ChooseFields(path string, fields []Field) ([]int, error) {
	if o.Fields == nil {
		all := make([]int, len(fields))
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	out := make([]int, 0, len(o.Fields))
	for _, want := range o.Fields {
		at := -1
		for i, f := range fields {
			if f.Name == want {
				at = i
				break
			}
			if at < 0 && strings.EqualFold(f.Name, want) {
				at = i
			}
		}
		if at < 0 {
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.Name
			}
			e := rasterbase.Errorf(rasterbase.Invalid, "%s has no field %q", filepath.Base(path), want).WithField("fields")
			if len(names) == 0 {
				return nil, e.WithHint("it has no fields")
			}
			return nil, e.WithHint("its fields are %s", list(names))
		}
		out = append(out, at)
	}
	return out, nil
}

func list(names []string) string {
	if n := len(names); n > listed {
		return strings.Join(names[:listed], ", ") + fmt.Sprintf(" and %d more", n-listed)
	}
	return strings.Join(names, ", ")
}
