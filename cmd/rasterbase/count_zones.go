package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
	"github.com/rasterbase/rasterbase/geometry"
	"github.com/rasterbase/rasterbase/vector"
)

// countZone is a zone, or the one geometry that is asked for.
type countZone struct {
	number   int64        // in the file, from 1
	id       any          // of the field that names it; nil: it has none
	values   []any        // of the file's fields; fewer where some came later
	geometry orb.Geometry // never nil; one without places where the file has none
	wkb      []byte       // nil: there is none
}

// String names a zone in messages.
func (z *countZone) String() string {
	if z.id == nil {
		return fmt.Sprintf("zone %d", z.number)
	}
	return fmt.Sprintf("zone %d (%.80v)", z.number, z.id)
}

// zoneFile gives the zones of a file, in its order.
type zoneFile interface {
	// next gives up to n zones; none at the end.
	next(ctx context.Context, n int) ([]countZone, error)
	crs() rasterbase.CRS // the zero one: the file says none
	count() int64        // of zones; -1: not known yet
	// fields are those of the zones; all are known when all zones were read.
	fields() []vector.Field
	Close() error
}

// openZones opens the file of zones. GeoJSON is read by ourselves, other formats by
// GDAL in a child process: the file may be a stranger's.
func (r *counting) openZones(ctx context.Context) (zoneFile, error) {
	path := r.cmd.Zones
	switch strings.ToLower(filepath.Ext(path)) {
	case ".geojson", ".json", ".geojsonl", ".geojsons", ".ndjson":
		return r.openGeoJSON(path)
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's own file: %w", err)
	}
	o := vector.Zips{TempDir: r.conf.WorkDir, Bytes: r.conf.MaxSourceBytes, Opener: gdalchild.Opener{
		Binary: binary, TempDir: r.conf.WorkDir, MemoryLimit: childMemory(r.conf.ParseMemory), Logger: r.app.commandLogger(r.conf),
	}}
	options := vector.Options{Layer: r.cmd.ZonesLayer}
	if r.cmd.format() != ".gpkg" { // the fields are not told
		options.Fields = []string{}
		if r.cmd.ID != "" {
			options.Fields = []string{r.cmd.ID}
		}
	}
	s, err := o.OpenVector(ctx, path, options)
	if err != nil {
		return nil, zonesError(err)
	}
	z := &vectorZones{source: s, name: filepath.Base(path), id: -1}
	if r.cmd.ID != "" {
		at, err := vector.Options{Fields: []string{r.cmd.ID}}.ChooseFields(path, s.Info().Fields)
		if err != nil {
			return nil, errors.Join(zonesError(err), s.Close())
		}
		z.id = at[0]
	}
	return z, nil
}

// zonesError says by which flags a layer and a field are named.
func zonesError(err error) error {
	several, ok := errors.AsType[*vector.SeveralLayers](err)
	if ok {
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "%s", strings.Replace(several.Error(), "name one of them:", "name one of them with --zones-layer:", 1)).
			WithHint("--zones-layer NAME").WithField("zones-layer")}
	}
	e, ok := errors.AsType[*rasterbase.Error](err)
	if !ok {
		return err
	}
	named := *e
	switch {
	case e.Field == "layer":
		named.Field = "zones-layer"
	case e.Field == "fields":
		named.Field = "id"
	case e.Code == rasterbase.Unsupported:
		named.Field, named.Hint = "zones", "GeoJSON is read without it: ogr2ogr zones.geojson FILE"
	case e.Field == "":
		named.Field = "zones"
	}
	return &named
}

// vectorZones are the features of a file that GDAL reads.
type vectorZones struct {
	source vector.Source
	name   string
	id     int // the field that names zones; -1: none
	read   int64
}

func (z *vectorZones) crs() rasterbase.CRS    { return z.source.Info().CRS }
func (z *vectorZones) count() int64           { return z.source.Info().Count }
func (z *vectorZones) fields() []vector.Field { return z.source.Info().Fields }
func (z *vectorZones) Close() error           { return z.source.Close() }

func (z *vectorZones) next(ctx context.Context, n int) ([]countZone, error) {
	features, err := z.source.Next(ctx, n)
	if err != nil {
		return nil, err
	}
	out := make([]countZone, len(features))
	for i, f := range features {
		z.read++
		out[i] = countZone{number: z.read, values: f.Values, wkb: f.WKB, geometry: orb.MultiPolygon{}}
		switch {
		case z.id >= 0:
			out[i].id = f.Values[z.id]
		case f.FID >= 0:
			out[i].id = f.FID
		}
		if f.WKB == nil {
			continue
		}
		if out[i].geometry, err = geometry.ReadWKB(f.WKB); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", &out[i], z.name, err)
		}
	}
	return out, nil
}
