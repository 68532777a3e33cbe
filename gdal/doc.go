// Package gdal opens and writes raster files with libgdal, in this process. It
// is a thin layer over GDAL's C API and the only part of rasterbase that needs
// cgo. Files from strangers should be opened by package gdalchild, which does
// the same in a child process: a damaged file can crash libgdal, and nothing in
// this process can catch that.
//
// Files of features are read too, as package vector has them, and GeoPackages of
// them are written.
//
// Built without cgo, or with the tag nogdal, every function returns an error
// with code unsupported.
//
// Only drivers of [Drivers] are used. None of them reads from a network or from
// other paths than the file and its side-cars.
package gdal

import "strings"

// drivers are in no order: GDAL tries them in its own.
var drivers = []string{
	"GTiff", "COG", "PNG", "JPEG", "WEBP", "GIF", "BMP", "JP2OpenJPEG", "HFA",
	"netCDF", "HDF4", "HDF4Image", "HDF5", "HDF5Image", "GRIB", "GPKG", "MBTiles",
	"AAIGrid", "GSAG", "GSBG", "GS7BG", "XYZ", "ENVI", "EHdr", "SAGA", "RST", "PCRaster",
	"DTED", "SRTMHGT", "USGSDEM", "LCP", "BSB",
}

// Drivers lists the short names of the GDAL drivers that files are opened with,
// as far as the installed GDAL has them. VRT, WMS and the like are not among
// them, because they lead to other files and hosts.
func Drivers() []string { return append([]string(nil), drivers...) }

func driverList() string { return strings.Join(drivers, ",") }

// vectorDrivers are those that files of features are opened with.
var vectorDrivers = []string{"GPKG", "ESRI Shapefile", "GeoJSON", "FlatGeobuf"}

// VectorDrivers lists the short names of the GDAL drivers that files of features are
// opened with, as far as the installed GDAL has them.
func VectorDrivers() []string { return append([]string(nil), vectorDrivers...) }

// registered lists all drivers that this process has: the MBTiles driver needs
// SQLite's, with which no file is opened, and the tables of values beside a raster
// are read with that of shapefiles.
func registered() string { return driverList() + ",SQLite," + strings.Join(vectorDrivers, ",") }

// Limits bound what is opened. A zero field stands for its default.
type Limits struct {
	Bands      int   // bands of a file: 512
	Pixels     int64 // width times height: 2^40
	BlockBytes int64 // bytes of a block (strip or tile), which is decoded whole: 128 MiB
	ReadBytes  int64 // bytes of one Read: 256 MiB
	// DecodeBytes bounds the blocks that are decoded at the same time: when
	// they are large, a dataset answers fewer requests at once. 512 MiB.
	DecodeBytes int64
}

// handles is how many handles may work at a time on a file with blocks of so
// many bytes.
func (l Limits) handles(blockBytes int64, wanted int) int {
	fit := l.DecodeBytes / max(1, blockBytes)
	return int(max(1, min(int64(wanted), fit)))
}

func (l Limits) withDefaults() Limits {
	if l.Bands == 0 {
		l.Bands = 512
	}
	if l.Pixels == 0 {
		l.Pixels = 1 << 40
	}
	if l.BlockBytes == 0 {
		l.BlockBytes = 128 << 20
	}
	if l.ReadBytes == 0 {
		l.ReadBytes = 256 << 20
	}
	if l.DecodeBytes == 0 {
		l.DecodeBytes = 512 << 20
	}
	return l
}

// Opener opens raster files in this process. It is an ingest.Opener. The zero
// value is ready to use.
type Opener struct {
	Limits Limits
	// CacheBytes is the size of GDAL's block cache, which the whole process
	// shares: what the first call in the process says counts. 0 leaves it to
	// GDAL: 5 % of the memory.
	CacheBytes int64
	// TempDir is where the temporary folders of tiled copies are made. Empty: the
	// system's.
	TempDir string
}

// WriteOptions say how [Write] makes a GeoTIFF.
type WriteOptions struct {
	// WKT is the CRS of a raster without an EPSG code.
	WKT string
	// Compression is the method, with the predictor that helps it. Empty: none, or
	// PACKBITS for pixels of less than a byte. What the method cannot hold is an
	// error with code invalid: JPEG, which changes pixels, has 1 or 3 bands of 8
	// bits, CCITT one of 1 bit.
	Compression Compression
	// Options are further creation options of GDAL's GTiff driver: TILED=YES.
	// What they say of COMPRESS and PREDICTOR is for those who leave Compression
	// empty.
	Options []string
	// Bands adds to the bands of the raster what it does not hold: description,
	// unit, scale, offset, and classes whose colours become the colour table of
	// the first band. It may be shorter than the raster has bands.
	Bands []BandText
}

// BandText is what a GeoTIFF says of a band besides its pixels.
type BandText struct {
	Description, Unit string
	Scale, Offset     float64    // of 0 and 0: none
	Colors            [][4]uint8 // red, green, blue, alpha of the values 0, 1, ...; first band only
}
