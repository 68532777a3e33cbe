package sqlite

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// beyond is the place of the byte that is locked, behind the end of any file:
// Windows keeps others from reading what is locked.
const beyond = 1 << 30 // in units of 4 GiB

// lock takes a file's lock, or fails with errLocked at once. It ends with the
// process at the latest.
func lock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{OffsetHigh: beyond})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

// unlock gives the lock up.
func unlock(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{OffsetHigh: beyond})
}
