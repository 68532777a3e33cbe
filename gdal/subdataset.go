package gdal

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
)

// subdataset is one raster of a file that holds several, with the name by which
// GDAL opens it.
type subdataset struct {
	ingest.Subdataset
	full string
}

// prefixes are how GDAL's names of subdatasets begin, by driver. A name that
// begins otherwise was put into the file's metadata by somebody else.
var prefixes = map[string][]string{
	"netCDF": {"NETCDF:"},
	"HDF5":   {"HDF5:"},
	"HDF4":   {"HDF4_SDS:", "HDF4_EOS:", "HDF4_GR:"},
	"GPKG":   {"GPKG:"},
	"GTiff":  {"GTIFF_DIR:"},
}

// family lists the drivers that may open a file, or a raster of it, that the
// driver took: two drivers share the work for HDF.
func family(driver string) string {
	switch d := strings.TrimSuffix(driver, "Image"); d {
	case "HDF4", "HDF5":
		return d + "," + d + "Image"
	}
	return driver
}

// subdatasets reads the items of GDAL's SUBDATASETS domain:
// SUBDATASET_1_NAME=NETCDF:"/data/a.nc":t2m and SUBDATASET_1_DESC=[...].
func subdatasets(path, driver string, items []string) []subdataset {
	values := map[string]string{}
	for _, item := range items {
		if k, v, ok := strings.Cut(item, "="); ok {
			values[k] = v
		}
	}
	var out []subdataset
	for i := 1; ; i++ {
		key := "SUBDATASET_" + strconv.Itoa(i)
		full, ok := values[key+"_NAME"]
		if !ok {
			return out
		}
		if name, ok := shortName(path, driver, full); ok {
			out = append(out, subdataset{ingest.Subdataset{Name: name, Description: values[key+"_DESC"]}, full})
		}
	}
}

// shortName is what is left of GDAL's name of a subdataset without the driver
// and the path: the variable, the table, the number of the page.
func shortName(path, driver, full string) (string, bool) {
	for _, p := range prefixes[driver] {
		rest, ok := strings.CutPrefix(full, p)
		if !ok {
			continue
		}
		before, after, ok := strings.Cut(rest, path)
		if !ok {
			continue
		}
		before, after = strings.Trim(before, `":`), strings.TrimLeft(after, `":`)
		switch {
		case driver == "GTiff":
			return before, after == "" && before != ""
		case driver == "HDF5":
			after = strings.TrimLeft(after, "/")
		}
		return after, after != ""
	}
	return "", false
}

func unknownSubdataset(path, want string, subs []subdataset) error {
	e := rasterbase.Errorf(rasterbase.Invalid, "%s holds no raster named %q", filepath.Base(path), want).WithField("subdataset")
	if len(subs) == 0 {
		return e.WithHint("it holds one raster only; leave the name out")
	}
	names := make([]string, 0, len(subs))
	for _, s := range subs {
		names = append(names, s.Name)
	}
	return e.WithHint("it holds %s", strings.Join(names, ", "))
}
