package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// binaries builds, or finds, the programs of Kubernetes in the user's cache.
func binaries(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return cluster.Binaries(ctx, filepath.Join(cache, "mosqbuild"), progress)
}

func up(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	o := cluster.Options{
		Detach:   true,
		Progress: progress,
		// What can't run a node in CI is a fault of CI.
		Fallback: os.Getenv("CI") == "" && os.Getenv("MOSQBUILD_REQUIRE") == "",
	}
	flags.IntVar(&o.Nodes, "nodes", 2, "number of nodes")
	flags.DurationVar(&o.NodeGrace, "node-grace", 0, "how long a node may be silent (default 50s)")
	flags.StringVar(&o.Logs, "logs", "", "folder to keep the logs in if it fails")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if o.Binaries, err = binaries(ctx); err != nil {
		return err
	}
	began := time.Now()
	c, err := cluster.Up(ctx, o)
	if err != nil {
		return err
	}
	progress("up after %s; for kubectl: eval \"$(go run ./testing/cluster/cmd env)\"", time.Since(began).Round(100*time.Millisecond))
	fmt.Println(c.Dir)
	return nil
}
