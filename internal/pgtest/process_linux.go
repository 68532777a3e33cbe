package pgtest

import (
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
)

// serverUser is the user that the server runs as when the tests run as root,
// which PostgreSQL refuses to be.
func serverUser() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}

func asServer(cmd *exec.Cmd) {
	// A group of its own: an interrupt of the terminal goes to the tests, which
	// stop the server. It is stopped at once when they die.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: serverUser(), Setpgid: true, Pdeathsig: syscall.SIGQUIT}
}

func ownedByServer(dir string) error {
	if u := serverUser(); u != nil {
		return os.Chown(dir, int(u.Uid), int(u.Gid))
	}
	return nil
}

// startAndWait starts a process and waits for its end, both on one thread: the
// signal of the parent's death is that of the thread that started it.
func startAndWait(cmd *exec.Cmd, started chan<- error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err != nil {
		return err
	}
	return cmd.Wait()
}

// stopServer asks for a fast shutdown.
func stopServer(p *os.Process) error { return p.Signal(syscall.SIGINT) }

// abortServer asks for an immediate shutdown.
func abortServer(p *os.Process) error { return p.Signal(syscall.SIGQUIT) }
