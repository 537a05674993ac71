// Command mosqbuild builds, tries and deploys a hardened Mosquitto broker.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mosqbuild/mosqbuild/cmd"
	"github.com/mosqbuild/mosqbuild/image/containerfile"
	_ "github.com/mosqbuild/mosqbuild/internal/heap"
)

func main() {
	if containerfile.Init() { // a step of an image build, see there
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it there and then
	code := cmd.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
