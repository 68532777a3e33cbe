package rasterbase

import (
	"path/filepath"
	"slices"
	"strings"
)

// SidecarEndings are what the names of side-car files end with, after the raster's name
// with or without its own ending.
var SidecarEndings = []string{
	".aux.xml", ".aux", ".msk", ".prj", ".hdr", ".tab", ".wld", ".tfw", ".tifw", ".tiffw", ".jgw", ".jpgw", ".jpegw",
	".pgw", ".pngw", ".j2w", ".jp2w", ".gfw", ".bpw", ".blw", ".bilw", ".ige", ".rrd", ".rpb", ".vat.dbf", ".vat.cpg", ".clr", ".stx", ".qml",
	".rdc", ".smp", ".ref", ".sgrd", ".mgrd", // of Idrisi and SAGA, which are no rasters without them
}

// LooksLikeSidecar reports whether a file's name is that of a side-car of some raster.
func LooksLikeSidecar(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(SidecarEndings, func(s string) bool { return strings.HasSuffix(name, s) })
}

// IsSidecar reports whether a file's name is that of a raster, or of its stem, with the
// ending of a side-car, in any case.
func IsSidecar(name, raster string) bool {
	name, raster = strings.ToLower(name), strings.ToLower(raster)
	if name == raster {
		return false
	}
	for _, s := range SidecarEndings {
		if name == raster+s || name == Stem(raster)+s {
			return true
		}
	}
	return false
}

// Stem is a file's name without its ending, and without .zip or .gz around it.
func Stem(name string) string {
	for _, s := range []string{".zip", ".gz"} {
		if len(name) > len(s) && strings.EqualFold(name[len(name)-len(s):], s) {
			name = name[:len(name)-len(s)]
		}
	}
	if e := filepath.Ext(name); e != "" && e != name {
		name = strings.TrimSuffix(name, e)
	}
	return name
}
