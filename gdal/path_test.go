package gdal

import "testing"

// TestWithoutFolder checks that messages name a file without where it is.
func TestWithoutFolder(t *testing.T) {
	for _, c := range []struct{ path, said, want string }{
		{"/srv/up/a.tif", "/srv/up/a.tif: Cannot open TIFF file due to missing codec JXL.", "Cannot open TIFF file due to missing codec JXL"},
		{"/srv/up/a.txt", "`/srv/up/a.txt' not recognized as a supported file format.", "`a.txt' not recognized as a supported file format"},
		{"/srv/up/a.tif", "Cannot read /srv/up/a.tif.aux.xml and /srv/up/a.tfw", "Cannot read a.tif.aux.xml and a.tfw"},
		{"/srv/up/a.nc", `NETCDF:"/srv/up/a.nc":t2m: no variable`, `NETCDF:"a.nc":t2m: no variable`},
		{"/srv/up/a.tif", "nothing in /srv/up", "nothing in "},
		{"/a.tif", "/a.tif: 3 m/s and /b", "3 m/s and /b"},
		{"/srv/up/a.tif", "./gcore/gdalrasterblock.cpp, 1108: cannot allocate 96000000 bytes", "cannot allocate 96000000 bytes"},
	} {
		if got := shorten(c.said, c.path); got != c.want {
			t.Errorf("%q of %s became %q, want %q", c.said, c.path, got, c.want)
		}
	}
}

// TestHandles checks how many handles work at a time on blocks of some size.
func TestHandles(t *testing.T) {
	l := Limits{DecodeBytes: 224}
	for _, c := range []struct {
		block  int64
		wanted int
		want   int
	}{{0, 4, 4}, {1, 4, 4}, {112, 4, 2}, {113, 4, 1}, {300, 4, 1}, {10, 0, 1}, {10, 1, 1}} {
		if got := l.handles(c.block, c.wanted); got != c.want {
			t.Errorf("blocks of %d, %d wanted: %d", c.block, c.wanted, got)
		}
	}
}
