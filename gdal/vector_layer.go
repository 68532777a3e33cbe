package gdal

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/vector"
)

// VectorLayer is the layer of a GeoPackage that [CreateGeoPackage] makes.
type VectorLayer struct {
	Name string
	CRS  rasterbase.CRS // the zero one: none is written
	// Fields are the columns. Where two names differ in case alone, as they do not in
	// a GeoPackage, the later one gets a number.
	Fields []vector.Field
}

// names are the names of the columns as they are written, and those of the columns of
// numbers and of geometries.
func (l VectorLayer) names() (fields []string, fid, geom string) {
	taken := map[string]bool{}
	free := func(name string) string {
		for n := 2; ; n++ {
			if key := strings.ToLower(name); !taken[key] {
				taken[key] = true
				return name
			}
			name = strings.TrimSuffix(name, "_"+strconv.Itoa(n-1)) + "_" + strconv.Itoa(n)
		}
	}
	fields = make([]string, len(l.Fields))
	for i, f := range l.Fields {
		name := f.Name
		if name == "" {
			name = "field"
		}
		fields[i] = free(name)
	}
	return fields, free("fid"), free("geom")
}

// options are GDAL's creation options of the layer.
func (l VectorLayer) options() string {
	_, fid, geom := l.names()
	return strings.Join([]string{"FID=" + fid, "GEOMETRY_NAME=" + geom}, "\n")
}

// checkValues makes sure that a feature has a value for each field.
func (l VectorLayer) checkValues(f vector.Feature) error {
	if len(f.Values) != len(l.Fields) {
		return rasterbase.Errorf(rasterbase.Internal, "a feature has %d values for %d fields", len(f.Values), len(l.Fields))
	}
	ok := func(v any) bool {
		switch v.(type) {
		case nil, string, int64, float64, bool:
			return true
		}
		return false
	}
	if i := slices.IndexFunc(f.Values, func(v any) bool { return !ok(v) }); i >= 0 {
		return rasterbase.Errorf(rasterbase.Internal, "the field %s has a value of type %T", l.Fields[i].Name, f.Values[i])
	}
	return nil
}
