//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package sqlite

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock takes a file's lock, or fails with errLocked at once. It ends with the
// process at the latest, and it does not keep others from reading.
func lock(f *os.File) error {
	return control(f, func(fd int) error {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return errLocked
		}
		return err
	})
}

// unlock gives the lock up.
func unlock(f *os.File) error {
	return control(f, func(fd int) error { return unix.Flock(fd, unix.LOCK_UN) })
}

// control runs fn until no signal interrupts it.
func control(f *os.File, fn func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for failed = fn(int(fd)); errors.Is(failed, unix.EINTR); {
			failed = fn(int(fd))
		}
	})
	return errors.Join(err, failed)
}
