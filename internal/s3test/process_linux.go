package s3test

import (
	"os/exec"
	"syscall"
)

// diesWithUs ends a process when the tests end, however that is.
func diesWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
