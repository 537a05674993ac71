package agentcmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// app is what every command shares.
type app struct {
	Out, Err io.Writer
	Config   string // --config
}

// Main runs the command line args and returns the exit code. A command ends when
// ctx does, in its own time. Standard output has results only; what goes on is
// told on errOut, a JSON object a line.
func Main(ctx context.Context, args []string, out, errOut io.Writer) int {
	a := &app{Out: out, Err: errOut}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err != nil {
		a.report(err)
	}
	return int(fault.CodeOf(err))
}

const rootLong = `mosqagent runs beside the brokers in a cluster: guards them, switches from one
to the other, and answers for their health.

Exit codes: 0 done; 1 failed; 2 wrong flag, argument or settings; 4 the API
server or a broker did not answer or said no.`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:               "mosqagent",
		Short:             "Guard a pair of Mosquitto brokers",
		Long:              rootLong,
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              cobra.NoArgs,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVar(&a.Config, "config", path.Join(config.AgentConfigDir, config.AgentFile), "`file` with the settings")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fault.With(fault.Usage, fault.Hint(err, "run: %s --help", c.CommandPath()))
	})
	root.AddCommand(newGuard(a), newFailover(a), newProbe(a), newInstall(a))
	for _, c := range append(root.Commands(), root) {
		check := c.Args
		c.Args = func(c *cobra.Command, args []string) error {
			return fault.With(fault.Usage, fault.Hint(check(c, args), "run: %s --help", c.CommandPath()))
		}
	}
	return root
}

// settings reads the file that --config names.
func (a *app) settings() (config.Agent, error) {
	data, err := os.ReadFile(a.Config)
	if err != nil {
		return config.Agent{}, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading the agent's settings: %w", err), "check --config: the ConfigMap of the agents is mounted there"))
	}
	s, err := config.ReadAgent(data)
	if err != nil {
		return s, fault.With(fault.Usage, fault.Hint(fmt.Errorf("%q: %w", a.Config, err), "render the deployment anew: mosqbuild render"))
	}
	return s, nil
}

// log is where commands tell what goes on.
func (a *app) log() *slog.Logger { return slog.New(slog.NewJSONHandler(a.Err, nil)) }

// report prints an error and its hint as a line of the log.
func (a *app) report(err error) {
	attributes := []any{"error", strings.TrimSpace(err.Error())}
	if hint := fault.HintOf(err); hint != "" {
		attributes = append(attributes, "hint", hint)
	}
	a.log().Error("mosqagent ends", attributes...)
}

// version is the module's version, or the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
