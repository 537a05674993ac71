package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/shell"
	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// env prints what a shell needs, for the cluster in the folder given or the
// only one there is. MOSQBUILD_N1 and the like are commands that run others in
// a node's network.
func env(args []string) error {
	dirs := args
	if len(dirs) == 0 {
		var err error
		if dirs, err = cluster.List(); err != nil {
			return err
		}
	}
	if len(dirs) != 1 {
		return errors.New("name the folder of one cluster; they are listed by: go run ./testing/cluster/cmd status")
	}
	c, err := cluster.Open(dirs[0])
	if err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%s\n", shell.Quote(c.Kubeconfig()))
	fmt.Printf("export PATH=%s:\"$PATH\"\n", shell.Quote(c.Binaries))
	for _, where := range append([]string{cluster.Outside}, c.Nodes...) {
		if prefix := c.Enter(where, ""); prefix != nil {
			fmt.Printf("export %s=%s\n", "MOSQBUILD_"+strings.ToUpper(where), shell.Quote(strings.Join(prefix, " ")))
		}
	}
	return nil
}
