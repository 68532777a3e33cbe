//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package sqlite

import (
	"errors"
	"fmt"
	"os"
)

// lock fails: two processes could add to one file without it.
func lock(*os.File) error {
	return fmt.Errorf("files cannot be locked on this system: %w", errors.ErrUnsupported)
}

func unlock(*os.File) error { return nil }
