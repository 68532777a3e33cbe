//go:build linux || darwin

package ingest

import (
	"cmp"
	"os"
	"syscall"
)

// freeBytes tells how many bytes are free on the disk of a folder; empty: that of
// temporary files.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(cmp.Or(dir, os.TempDir()), &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // the type is another one on macOS
}
