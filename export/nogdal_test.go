//go:build !cgo || nogdal

package export_test

import "context"

// recompress is GDAL's, in builds that have it.
var recompress func(ctx context.Context, from, to, compression string) error
