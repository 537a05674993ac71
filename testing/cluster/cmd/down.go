package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// downLimit bounds taking all down.
const downLimit = 2 * time.Minute

func down(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("down", flag.ContinueOnError)
	all := flags.Bool("all", false, "also those that a running test owns")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dirs := flags.Args()
	if len(dirs) == 0 {
		found, err := cluster.List()
		if err != nil {
			return err
		}
		for _, dir := range found {
			if pid, owned := cluster.Owner(dir); owned && !*all {
				progress("process %d has %s; leaving it", pid, dir)
				continue
			}
			dirs = append(dirs, dir)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, downLimit)
	defer cancel()
	var errs []error
	for _, dir := range dirs {
		began := time.Now()
		err := cluster.Remove(ctx, dir)
		errs = append(errs, err)
		if err == nil {
			progress("%s is down after %s", dir, time.Since(began).Round(10*time.Millisecond))
		}
	}
	return errors.Join(errs...)
}

func status() error {
	dirs, err := cluster.List()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		c, err := cluster.Open(dir)
		pid, owned := cluster.Owner(dir)
		switch {
		case err != nil && owned:
			fmt.Printf("%s\tcoming up or going down, by process %d\n", dir, pid)
		case err != nil:
			fmt.Printf("%s\tleft over: go run ./testing/cluster/cmd down\n", dir)
		case owned:
			fmt.Printf("%s\t%d nodes\t%s\towned by process %d\n", dir, len(c.Nodes), c.Server, pid)
		default:
			fmt.Printf("%s\t%d nodes\t%s\n", dir, len(c.Nodes), c.Server)
		}
	}
	return nil
}
