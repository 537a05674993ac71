package agentcmd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/agent"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/kube"
	"github.com/mosqbuild/mosqbuild/internal/peer"
)

const guardLong = `Starts PROGRAM, a broker, and is its parent: it starts it only when and how the
record of the pair allows, kills it when it hangs or mustn't serve any more, and
tells the failover controllers how it is. SIGTERM has it leave: an active broker
serves on until the other one has taken over. SIGHUP is passed on.`

func newGuard(a *app) *cobra.Command {
	var role string
	c := &cobra.Command{
		Use:   "guard --role ROLE -- PROGRAM [ARGUMENT…]",
		Short: "Be the parent of a broker of the pair",
		Long:  guardLong,
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return a.guard(c.Context(), role, args) },
	}
	c.Flags().StringVar(&role, "role", "", "the broker's `role`: "+config.RolePrimary+" or "+config.RoleSecondary)
	return c
}

func (a *app) guard(ctx context.Context, role string, program []string) error {
	if role != config.RolePrimary && role != config.RoleSecondary {
		err := fmt.Errorf("the role %q is neither %q nor %q", role, config.RolePrimary, config.RoleSecondary)
		return fault.With(fault.Usage, fault.Hint(err, "give --role"))
	}
	s, err := a.settings()
	if err != nil {
		return err
	}
	id, err := peer.LoadIdentity(path.Dir(config.AgentTLS(config.CAFile)), s.ServerName())
	if err != nil {
		return err
	}
	client, err := kube.InCluster()
	if err != nil {
		return err
	}
	p, log := s.Failover.Probe, newLines(a.Err)
	defer log.Close()
	g := agent.New(agent.Options{
		Role: role, Settings: s, State: path.Join(config.AgentStateDir, "record.json"),
		Program: agent.Program{Args: program, Stdout: os.Stdout, Stderr: os.Stderr, DataDir: config.DataDir},
		Network: agent.ClusterNetwork(s, role, id),
		API:     service{client, s.Name},
		Sessions: agent.Loopback{
			Listener: s.Listener, Interval: p.Interval.Std(), Timeout: p.Timeout.Std(),
			CA:     path.Join(config.CertsDir, config.CAFile),
			Health: path.Join(config.AuthDir, config.OptionsFile), Guard: path.Join(config.AuthDir, config.GuardFile),
		},
		Log: slog.New(slog.NewJSONHandler(log, nil)),
	})
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	go func() {
		for range hangup {
			g.Hangup()
		}
	}()
	return g.Run(ctx)
}
