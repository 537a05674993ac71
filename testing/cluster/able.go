package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
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
	var faults []string
	if os.Geteuid() != 0 {
		faults = append(faults, "not root")
	}
	for _, name := range nodePrograms {
		if _, err := exec.LookPath(name); err != nil {
			faults = append(faults, name+" is not installed")
		}
	}
	if faults == nil {
		try := exec.Command("true")
		try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
		if err := try.Run(); err != nil {
			faults = append(faults, "making namespaces: "+err.Error())
		}
	}
	if faults != nil {
		return fmt.Errorf("%w: %s", ErrNoNodes, strings.Join(faults, ", "))
	}
	return nil
}
