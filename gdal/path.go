package gdal

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return rasterbase.Errorf(rasterbase.NotFound, "there is no file %s", path)
	case err != nil:
		return rasterbase.Errorf(rasterbase.Invalid, "look at the file: %w", err)
	case !st.Mode().IsRegular():
		return rasterbase.Errorf(rasterbase.Invalid, "%s is not a plain file", path)
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

// shorten takes folders and the repeated name of the file out of what GDAL said.
func shorten(said, path string) string {
	name := filepath.Base(path)
	said = strings.TrimPrefix(strings.ReplaceAll(said, path, name), name+": ")
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
