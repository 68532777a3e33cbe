//go:build unix

package ingest_test

import (
	"syscall"
	"testing"
)

// pipe makes a named pipe, which nobody writes to.
func pipe(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}
