package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/geometry"
	"github.com/rasterbase/rasterbase/vector"
)

// zones are those of the file, the one geometry, or everything.
func (r *counting) zones(ctx context.Context) (zoneFile, error) {
	if r.cmd.Zones != "" {
		return r.openZones(ctx)
	}
	if r.cmd.Geom == "" {
		return &theOne{}, nil
	}
	text := r.cmd.Geom
	if info, err := os.Stat(text); err == nil {
		if info.Size() > maxGeometry {
			return nil, rasterbase.Errorf(rasterbase.TooLarge, "%s has %s: that is no file of one geometry", text, humanBytes(info.Size())).
				WithHint("--zones counts inside each of many").WithField("geom")
		}
		b, err := os.ReadFile(text)
		if err != nil {
			return nil, err
		}
		text = string(b)
	}
	g, srid, err := geometry.Read(text)
	if err != nil {
		return nil, usageError{err}
	}
	return &theOne{zone: countZone{geometry: g}, in: rasterbase.CRS{SRID: srid}}, nil
}

// geoZones are the features of a GeoJSON file, read one by one.
type geoZones struct {
	file   *os.File
	in     *geometry.Features
	name   string
	id     string
	first  *geometry.Feature // that was read to learn the CRS
	known  []vector.Field    // of the features that were read; without a type where all values are null
	place  map[string]int    // of a property in known
	srid   int               // that was told up to the first feature, in which zones are placed
	chosen bool              // by a flag
	read   int64
}

func (r *counting) openGeoJSON(path string) (zoneFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.NotFound, "the zones cannot be read: %w", err).WithField("zones")
	}
	z := &geoZones{file: f, in: geometry.NewFeatures(f), name: filepath.Base(path), place: map[string]int{}, id: r.cmd.ID, chosen: r.cmd.SRID != nil}
	if z.first, err = z.in.Next(); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("%s: %w", z.name, err), f.Close())
	}
	z.srid = cmp.Or(z.in.SRID(), 4326) // as RFC 7946 has it
	if z.first == nil {
		return z, nil
	}
	z.values(z.first)
	if _, ok := z.first.Properties[z.id]; z.id != "" && !ok {
		err := rasterbase.Errorf(rasterbase.Invalid, "the zones of %s have no property %.60q", z.name, z.id).
			WithHint("they have %s", fieldNames(z.known)).WithField("id")
		return nil, errors.Join(usageError{err}, f.Close())
	}
	return z, nil
}

func fieldNames(fields []vector.Field) string {
	var b bytes.Buffer
	for i, f := range fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f.Name)
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

func typeOfProperty(v any) vector.FieldType {
	switch v.(type) {
	case nil:
		return ""
	case float64:
		return vector.Real
	case bool:
		return vector.Boolean
	}
	return vector.Text
}

// values are the properties of a feature, those that no feature before it had last. A
// property that has values of several types is a text.
func (z *geoZones) values(f *geometry.Feature) []any {
	for _, name := range slices.Sorted(maps.Keys(f.Properties)) {
		if _, ok := z.place[name]; !ok {
			z.place[name] = len(z.known)
			z.known = append(z.known, vector.Field{Name: name})
		}
	}
	out := make([]any, len(z.known))
	for name, raw := range f.Properties {
		v, field := propertyOf(raw), &z.known[z.place[name]]
		out[z.place[name]] = v
		if t := typeOfProperty(v); t != "" && field.Type != t {
			if field.Type != "" {
				t = vector.Text
			}
			field.Type = t
		}
	}
	return out
}

// fields are the properties of all features that were read.
func (z *geoZones) fields() []vector.Field {
	out := slices.Clone(z.known)
	for i := range out {
		out[i].Type = cmp.Or(out[i].Type, vector.Text)
	}
	return out
}

// propertyOf is a property as a value of a field.
func propertyOf(raw json.RawMessage) any {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	switch v.(type) {
	case nil, string, float64, bool:
		return v
	}
	return string(raw)
}

func (z *geoZones) crs() rasterbase.CRS {
	return rasterbase.CRS{SRID: z.srid}
}

func (z *geoZones) count() int64 { return -1 }
func (z *geoZones) Close() error { return z.file.Close() }

func (z *geoZones) next(ctx context.Context, n int) (out []countZone, err error) {
	for len(out) < n {
		f := z.first
		if z.first = nil; f == nil {
			f, err = z.in.Next()
			if said := cmp.Or(z.in.SRID(), 4326); said != z.srid && !z.chosen {
				return nil, rasterbase.Errorf(rasterbase.Invalid, "%s says behind its first feature that it is in EPSG:%d", z.name, said).
					WithHint("--srid %d, or write crs before the features", said).WithField("srid")
			}
			if errors.Is(err, io.EOF) {
				return out, ctx.Err()
			}
		}
		if err != nil {
			return nil, fmt.Errorf("zone %d of %s: %w", z.read+1, z.name, err)
		}
		z.read++
		one := countZone{number: z.read, values: z.values(f), geometry: f.Geometry}
		switch {
		case z.id != "":
			one.id = propertyOf(f.Properties[z.id])
		case f.ID != nil:
			one.id = propertyOf(f.ID)
		}
		if geometry.Vertices(f.Geometry) > 0 {
			one.wkb = geometry.AppendWKB(nil, f.Geometry)
		}
		out = append(out, one)
	}
	return out, ctx.Err()
}
