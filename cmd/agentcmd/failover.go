package agentcmd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/kube"
	"github.com/mosqbuild/mosqbuild/internal/peer"
)

const failoverLong = `Watches over the pair's brokers with the other controllers, and, while elected,
leads the clients to the one that can serve. It says who it is by POD_NAME.
SIGTERM has it hand over and end.`

func newFailover(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "failover",
		Short: "Switch clients to the broker that can serve",
		Long:  failoverLong,
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.failover(c.Context()) },
	}
}

func (a *app) failover(ctx context.Context) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	me := os.Getenv("POD_NAME")
	if me == "" {
		return fault.With(fault.Usage, fault.Hint(errors.New("POD_NAME doesn't say who this is"), "run it in the rendered Deployment, which sets it"))
	}
	id, err := peer.LoadIdentity(path.Dir(config.AgentTLS(config.CAFile)), s.ServerName())
	if err != nil {
		return err
	}
	login, err := failover.ReadLogin(path.Join(config.AgentConfigDir, config.AgentLoginDir, config.OptionsFile), me, path.Join(config.CertsDir, config.CAFile))
	if err != nil {
		return fault.Hint(err, "is the Secret of the accounts mounted there?")
	}
	client, err := kube.InCluster()
	if err != nil {
		return err
	}
	d := &peer.Dialer{}
	lines := newLines(a.Err)
	defer lines.Close()
	log := slog.New(slog.NewJSONHandler(lines, nil))
	cluster, agents := failover.NewCluster(client, me, s, log), failover.Agents{Client: peer.NewClient(id, d), Dialer: d, Controllers: s.Controllers()}
	c := failover.New(me, s, failover.Ports{
		Store: cluster, Elector: cluster, Sender: agents,
		Guards: agents.Guards(s), Probers: failover.Probers(s, login, d),
	}, log)
	api, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(config.PortGuard)))
	if err != nil {
		return err
	}
	health, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(config.PortHealth)))
	if err != nil {
		return errors.Join(err, api.Close())
	}
	return c.Serve(ctx, api, health, id)
}
