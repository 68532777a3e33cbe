package gdal

import (
	"slices"
	"testing"
)

// TestSubdatasets reads GDAL's names of the rasters in a file, and leaves out
// those that somebody else has put there.
func TestSubdatasets(t *testing.T) {
	for _, c := range []struct {
		driver, full, want string
	}{
		{"netCDF", `NETCDF:"/d/a.nc":t2m`, "t2m"},
		{"netCDF", `NETCDF:"/d/a.nc":/group/t2m`, "/group/t2m"},
		{"GPKG", `GPKG:/d/a.nc:dem`, "dem"},
		{"HDF5", `HDF5:"/d/a.nc"://HDFEOS/GRIDS/ndvi`, "HDFEOS/GRIDS/ndvi"},
		{"HDF4", `HDF4_SDS:UNKNOWN:"/d/a.nc":3`, "3"},
		{"HDF4", `HDF4_EOS:EOS_GRID:"/d/a.nc":grid:ndvi`, "grid:ndvi"},
		{"GTiff", `GTIFF_DIR:2:/d/a.nc`, "2"},
		{"GTiff", `GTIFF_DIR:2:/d/a.nc.vrt`, ""},
		{"GTiff", `/etc/passwd`, ""},
		{"GTiff", `NETCDF:"/d/a.nc":t2m`, ""},
		{"netCDF", `NETCDF:"/d/other.nc":t2m`, ""},
		{"PNG", `NETCDF:"/d/a.nc":t2m`, ""},
	} {
		subs := subdatasets("/d/a.nc", c.driver, []string{"SUBDATASET_1_NAME=" + c.full, "SUBDATASET_1_DESC=of 2020"})
		var got []string
		for _, s := range subs {
			got = append(got, s.Name)
		}
		want := []string{c.want}
		if c.want == "" {
			want = nil
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s, %s: names %q, want %q", c.driver, c.full, got, want)
		}
	}
}

// TestDrivers makes sure that nothing leads to other files or to a network.
func TestDrivers(t *testing.T) {
	for _, d := range []string{"VRT", "DERIVED", "WMS", "WCS", "WMTS", "HTTP", "PostGISRaster", "STACIT", "STACTA", "OGCAPI", "EEDAI", "PLMOSAIC", "MEM", "RASTERLITE", "ERS", "PDF"} {
		if slices.Contains(Drivers(), d) {
			t.Errorf("%s is among the drivers", d)
		}
	}
}
