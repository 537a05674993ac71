package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster: error:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: cmd up|env|status|down|binaries …")

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "up":
		return up(ctx, args[1:])
	case "env":
		return env(args[1:])
	case "status":
		return status()
	case "down":
		return down(ctx, args[1:])
	case "binaries":
		dir, err := binaries(ctx)
		if err == nil {
			fmt.Println(dir)
		}
		return err
	}
	return errUsage
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "cluster: "+format+"\n", args...)
}
