package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// ErrNoNodes is the error of a machine that can't run nodes.
var ErrNoNodes = errors.New("this machine can't run nodes")

// nodePrograms are the programs, from Debian, that nodes need.
var nodePrograms = []string{"containerd", "ctr", "runc", "ip", "nft", "nsenter", "/usr/lib/cni/bridge", "/usr/lib/cni/host-local"}

// able says whether the machine can run so many nodes; all faults at once.
func able(nodes int) error {
	if nodes == 0 {
		return nil
	}
	var errs []error
	if os.Geteuid() != 0 {
		errs = append(errs, errors.New("not root"))
	}
	for _, name := range nodePrograms {
		if _, err := exec.LookPath(name); err != nil {
			errs = append(errs, fmt.Errorf("%s is not installed", name))
		}
	}
	if len(errs) == 0 {
		try := exec.Command("true")
		try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
		if err := try.Run(); err != nil {
			errs = append(errs, fmt.Errorf("making namespaces: %w", err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrNoNodes, err)
	}
	return nil
}
