//go:build !linux

package pgtest

import (
	"os"
	"os/exec"
)

func asServer(*exec.Cmd) {}

func ownedByServer(string) error { return nil }

func startAndWait(cmd *exec.Cmd, started chan<- error) error {
	err := cmd.Start()
	started <- err
	if err != nil {
		return err
	}
	return cmd.Wait()
}

func stopServer(p *os.Process) error { return p.Signal(os.Interrupt) }

func abortServer(p *os.Process) error { return p.Kill() }
