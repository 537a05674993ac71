package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/mosqbuild/mosqbuild/testing/cluster/machine"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "inside:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: inside dns|door|router|watch …")
	}
	switch args[0] {
	case "dns":
		return resolve(args[1:])
	case "door":
		return door(args[1])
	case "router":
		return route(args[1:])
	case "watch":
		return machine.Watch(os.Stdin, args[1])
	}
	return fmt.Errorf("there is no program %q", args[0])
}
