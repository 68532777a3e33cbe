//go:build cgo && !nogdal && crashtest

package gdal

// #cgo CFLAGS: -DRB_CRASHTEST
import "C"
