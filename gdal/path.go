package gdal

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// refused are formats that lead to other places, by how their files begin.
var refused = []struct{ mark, format, why string }{
	{"<VRTDataset", "VRT", "it only refers to other files; give those, or convert it with gdal_translate"},
	{"<GDAL_WMS", "WMS", "it only refers to a web service"},
	{"<WMS_", "WMS", "it only refers to a web service"},
	{"<WCS_GDAL", "WCS", "it only refers to a web service"},
	{"<Capabilities", "WMTS", "it only refers to a web service"},
	{"<GDAL_WMTS", "WMTS", "it only refers to a web service"},
	{"PK\x03\x04", "zip", "unpack it first"},
	{"\x1f\x8b", "gzip", "unpack it first"},
}

// checkPath refuses what is not a plain file that exists: GDAL's own file
// systems, URLs, connection strings, folders and devices.
func checkPath(path string) error {
	if strings.HasPrefix(filepath.ToSlash(path), "/vsi") {
		return rasterbase.Errorf(rasterbase.Invalid, "%s: paths of GDAL's virtual file systems are not read", path)
	}
	st, err := os.Stat(path)
	name := filepath.Base(path)
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err // without the path
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return rasterbase.Errorf(rasterbase.NotFound, "there is no file %s", name)
	case err != nil:
		return rasterbase.Errorf(rasterbase.Invalid, "look at %s: %w", name, err)
	case !st.Mode().IsRegular():
		return rasterbase.Errorf(rasterbase.Invalid, "%s is not a plain file", name)
	}
	return nil
}

// plainPath makes a path that GDAL cannot take for anything but a file name.
func plainPath(path string) (string, error) {
	if err := checkPath(path); err != nil {
		return "", err
	}
	p, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return p, checkPath(p)
}

// notARaster is the error for a file that no driver took, naming the format if
// it is one that is refused on purpose.
func notARaster(path, said string) error {
	name := filepath.Base(path)
	head, _ := readHead(path, 4096)
	for _, r := range refused {
		if bytes.HasPrefix(head, []byte(r.mark)) || r.mark[0] == '<' && bytes.Contains(head, []byte(r.mark)) {
			return rasterbase.Errorf(rasterbase.Invalid, "%s is a %s file, which is not read: %s", name, r.format, r.why)
		}
	}
	return rasterbase.Errorf(rasterbase.Invalid, "%s cannot be read as a raster: %s", name, shorten(said, path))
}

// place matches where in GDAL's own source a message stems from:
// "./gcore/gdalrasterblock.cpp, 1108: ".
var place = regexp.MustCompile(`[\w./\\-]+\.(?:c|cc|cpp|h|hpp)(?:, |:)\d+:\s*`)

// withoutFolder takes the folder of a file out of what GDAL said, so that the
// base names of the file and its side-cars are left, and places in GDAL's own
// source.
func withoutFolder(said, path string) string {
	said = place.ReplaceAllString(said, "")
	said = strings.ReplaceAll(said, path, filepath.Base(path))
	// Below the root there is no folder to hide, only slashes that may mean
	// something else.
	if dir := filepath.Dir(path); len(dir) > 1 {
		said = strings.ReplaceAll(said, dir+string(filepath.Separator), "")
		said = strings.ReplaceAll(said, dir, "")
	}
	return said
}

// shorten takes the folder and the repeated name of the file out of what GDAL
// said.
func shorten(said, path string) string {
	said = strings.TrimPrefix(withoutFolder(said, path), filepath.Base(path)+": ")
	return strings.TrimSuffix(said, ".")
}

func readHead(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, n))
}
