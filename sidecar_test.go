package rasterbase_test

import (
	"testing"

	"github.com/rasterbase/rasterbase"
)

func TestSidecarsAreToldByTheirNames(t *testing.T) {
	for _, c := range []struct {
		name, raster   string
		beside, likely bool
	}{
		{"a.tfw", "a.tif", true, true},
		{"A.TFW", "a.tif", true, true},
		{"a.tif.aux.xml", "A.TIF", true, true},
		{"a.prj", "a.tif.zip", true, true},
		{"a.tif.vat.dbf", "a.tif", true, true},
		{"b.tfw", "a.tif", false, true},
		{"ab.tfw", "a.tif", false, true},
		{"a.tif", "a.tif", false, false},
		{"a.png", "a.tif", false, false},
		{"a.tif.ovr", "a.tif", false, false},
	} {
		if got := rasterbase.IsSidecar(c.name, c.raster); got != c.beside {
			t.Errorf("%s is a side-car of %s: %v", c.name, c.raster, got)
		}
		if got := rasterbase.LooksLikeSidecar(c.name); got != c.likely {
			t.Errorf("%s looks like a side-car: %v", c.name, got)
		}
	}
}
