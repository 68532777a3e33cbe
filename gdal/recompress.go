//go:build cgo && !nogdal

package gdal

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/rasterbase/rasterbase"
)

// Recompress writes the GeoTIFF at the path from, with its masks and overviews, to
// the path to with another compression, a name as [ParseCompression] reads it. It
// opens the file in this process: it is for files that this program has written.
// The error has code unsupported when this GDAL has not the method; after an error
// what stands at the path to is not to be used.
func Recompress(ctx context.Context, from, to, compression string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := ParseCompression(compression)
	if err != nil {
		return err
	}
	for _, p := range []string{from, to} {
		if strings.HasPrefix(filepath.ToSlash(p), "/vsi") {
			return rasterbase.Errorf(rasterbase.Invalid, "%s: paths of GDAL's virtual file systems are not written", p)
		}
	}
	initialize(0)
	options := []string{"TILED=YES", "BIGTIFF=IF_SAFER", "COPY_SRC_OVERVIEWS=YES"}
	if c != "" {
		if err := c.there(); err != nil {
			return err
		}
		options = append(options, "COMPRESS="+string(c))
	}
	strs := []*C.char{C.CString(from), C.CString(to), C.CString(strings.Join(options, "\n"))}
	defer func() {
		for _, s := range strs {
			C.free(unsafe.Pointer(s))
		}
	}()
	h := handle{C.rb_copy_begin(), from}
	if h.c == nil {
		return fmt.Errorf("pack %s anew: out of memory", filepath.Base(from))
	}
	defer h.close()
	finished := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(finished)
		C.rb_cancel(h.c, 1)
	})
	code := C.rb_copy(h.c, strs[0], strs[1], strs[2])
	if !stop() { // it may still be at work on what is closed next
		<-finished
		return ctx.Err()
	}
	if code != C.RB_OK {
		return fmt.Errorf("pack %s anew: %s", filepath.Base(from), h.said())
	}
	return nil
}
