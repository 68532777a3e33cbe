//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package tempdir

import (
	"errors"
	"io/fs"
	"os"
)

// lock fails: folders cannot be locked here.
func lock(*os.File) error { return errors.ErrUnsupported }

func ours(fs.FileInfo) bool { return false }
