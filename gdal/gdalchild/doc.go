// Package gdalchild opens raster files and files of features as package gdal does,
// each in a child process of its own. A damaged file can crash libgdal or make it take all
// memory or all time; then the child dies, that attempt has failed with a
// reason, and nothing else has happened.
//
// The child is a program that calls [Main] first in its main function, by
// default the running program itself:
//
//	func main() {
//		gdalchild.Main()
//		...
//	}
//
// It inherits no environment, sees only the folder of its file, the data of
// GDAL and PROJ, the shared libraries and a temporary folder of its own, has no
// network, starts no programs, and works under limits of memory, file size and
// time; see [Sandbox].
package gdalchild

import (
	"log/slog"
	"time"

	"github.com/rasterbase/rasterbase/gdal"
)

// Opener opens raster files and files of features, each in a child process. It is an
// ingest.Opener and a vector.Opener.
// The zero value is ready to use in a program that calls [Main].
type Opener struct {
	// Binary is the program to run, with Args; it must call [Main]. Empty: this
	// program.
	Binary string
	Args   []string
	// MemoryLimit is what a child may have in memory, in bytes: about 384 MiB
	// when 0. It counts pages of the process's own, not those of the program
	// and of shared libraries.
	MemoryLimit int64
	// CacheBytes is the size of GDAL's block cache in a child: 96 MiB when 0.
	CacheBytes int64
	// FileSizeLimit bounds each file that a child writes: 4 GiB when 0. A child
	// that makes a tiled copy may write one of half as many bytes again as the
	// pixels have.
	FileSizeLimit int64
	// TempDir is where the temporary folders of children are made. Empty: the
	// system's.
	TempDir string
	// Timeout bounds each request, opening included: 2 minutes when 0.
	Timeout time.Duration
	// Limits bound what is opened. Their defaults follow MemoryLimit: a block
	// may have half of it, and blocks that are decoded at the same time what
	// the cache leaves. ReadBytes is 64 MiB when 0.
	Limits gdal.Limits
	// Logger is told of children that start, end and die; nil: nobody is.
	Logger *slog.Logger
}

func (o Opener) withDefaults() Opener {
	if o.MemoryLimit == 0 {
		o.MemoryLimit = 384 << 20
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 96 << 20
	}
	if o.FileSizeLimit == 0 {
		o.FileSizeLimit = 4 << 30
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Limits.ReadBytes == 0 {
		o.Limits.ReadBytes = 64 << 20
	}
	if o.Limits.BlockBytes == 0 {
		o.Limits.BlockBytes = o.MemoryLimit / 2
	}
	if o.Limits.DecodeBytes == 0 {
		o.Limits.DecodeBytes = max(1, o.MemoryLimit-o.CacheBytes)
	}
	if o.Limits.Bands == 0 {
		o.Limits.Bands = 512
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
