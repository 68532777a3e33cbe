//go:build cgo && !nogdal && (amd64 || arm64)

package gdalchild

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/ingest"
	"golang.org/x/sys/unix"
)

// TestDeniedCalls runs itself as a process of its own that filters its calls
// as a child does, and then tries them.
func TestDeniedCalls(t *testing.T) {
	const inner = "RASTERBASE_TEST_DENIED_CALLS"
	if !canFilterCalls() {
		t.Skip("this kernel cannot filter system calls")
	}
	if os.Getenv(inner) != "" {
		tryDenied(t)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, "-test.run=^TestDeniedCalls$", "-test.v")
	c.Env = append(os.Environ(), inner+"=1")
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestDeniedCalls") {
		t.Errorf("%v\n%s", err, out)
	}
}

func tryDenied(t *testing.T) {
	// A thread that is there before the filter is: it must be filtered too.
	try, done := make(chan struct{}), make(chan error)
	go func() {
		runtime.LockOSThread()
		<-try
		_, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		done <- err
	}()
	if err := filterCalls(); err != nil {
		t.Fatal(err)
	}
	close(try)
	if err := <-done; !errors.Is(err, unix.EPERM) {
		t.Errorf("a socket in an older thread: %v", err)
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6, unix.AF_UNIX, unix.AF_NETLINK, unix.AF_PACKET} {
		if _, err := unix.Socket(family, unix.SOCK_DGRAM, 0); !errors.Is(err, unix.EPERM) {
			t.Errorf("a socket of family %d: %v", family, err)
		}
	}
	if _, err := net.Dial("tcp", "127.0.0.1:9"); !errors.Is(err, unix.EPERM) {
		t.Errorf("a connection: %v", err)
	}
	if err := exec.Command("/bin/true").Run(); !errors.Is(err, unix.EPERM) {
		t.Errorf("another program: %v", err)
	}
	if err := unix.PtraceAttach(os.Getppid()); !errors.Is(err, unix.EPERM) {
		t.Errorf("ptrace: %v", err)
	}
	for _, number := range denied {
		if _, _, errno := unix.Syscall6(uintptr(number), 0, 0, 0, 0, 0, 0); errno != unix.EPERM {
			t.Errorf("system call %d: %v", number, errno)
		}
	}
	if err := os.WriteFile(filepath.Join(t.TempDir(), "a"), []byte("a"), 0o600); err != nil {
		t.Errorf("what a child needs: %v", err)
	}
}

// TestChildIsFiltered looks at every thread of a child at work.
func TestChildIsFiltered(t *testing.T) {
	if !slices.ContainsFunc(Sandbox(), func(s string) bool { return strings.HasPrefix(s, "seccomp") }) {
		t.Skip("this kernel cannot filter system calls")
	}
	d := open(t, Opener{}, writeSample(t), ingest.OpenOptions{})
	threads, err := filepath.Glob("/proc/" + strconv.Itoa(d.p.cmd.Process.Pid) + "/task/*/status")
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
			if !strings.Contains(string(b), line) {
				t.Errorf("a thread of the child without %q", line)
			}
		}
	}
}
