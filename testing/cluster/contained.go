package cluster

import (
	"fmt"
	"os"
	"strings"
)

// Processes returns those processes in a node's containers that run the program
// name, by the machine's own numbers for them, so that they can be sent
// signals.
func (c *Cluster) Processes(node, name string) ([]int, error) {
	all, err := c.record.Contained(node)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, pid := range all {
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err == nil && strings.TrimSuffix(string(comm), "\n") == name {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
