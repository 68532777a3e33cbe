//go:build linux || darwin

package main

import "golang.org/x/sys/unix"

// freeDisk tells how much room sources have: on the disk of the data folder,
// unless a database keeps them.
func freeDisk(c *config) func() (int64, error) {
	if c.DatabaseURL != "" {
		return nil
	}
	return func() (int64, error) {
		var s unix.Statfs_t
		if err := unix.Statfs(c.Data, &s); err != nil {
			return 0, err
		}
		return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // the type is another one on macOS
	}
}
