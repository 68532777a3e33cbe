//go:build !linux

package gdalchild

import (
	"os"
	"os/exec"
)

// Sandbox tells which confinements of children are in force on this machine:
// none but the process itself and the limit of time.
func Sandbox() []string { return nil }

// confine has nothing to offer here; the child goes on.
func confine(setup) error { return nil }

func limitMemory(setup) error { return nil }

func filterCalls() error { return nil }

func ownGroup(*exec.Cmd) {}

func signalOf(*os.ProcessState) string { return "" }

func peakMemory(int) int64 { return 0 }
