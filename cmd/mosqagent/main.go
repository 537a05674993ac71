// Command mosqagent runs beside the brokers in a cluster.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mosqbuild/mosqbuild/cmd/agentcmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := agentcmd.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
