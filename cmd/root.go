package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Main runs the command line args and returns the exit code. Cancelling ctx
// ends whatever runs; nothing half-made is left.
func Main(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{In: in, Out: out, Err: errOut, transfers: &transfers{}}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	ran, err := root.ExecuteContextC(ctx)
	if err != nil && ctx.Err() != nil {
		err = fault.With(fault.Interrupted, errors.New("interrupted"))
	}
	a.report(ran, err)
	return int(fault.CodeOf(err))
}

const rootLong = `mosqbuild takes you from nothing to a running, hardened Mosquitto broker.

  mosqbuild image build            assemble the image: no daemon, no root
  mosqbuild run                    try it under podman
  mosqbuild image push REF         push it to a registry
  mosqbuild render | oc apply -f - deploy it

Every command works without a configuration; "mosqbuild init" writes one to
change. What is made once is kept beside it, in .mosqbuild.

Exit codes: 0 done; 1 failed otherwise; 2 wrong flag, argument, mosqbuild.yaml,
lock or kubeconfig; 3 a package, index or signature was refused or isn't as it was
locked; 4 a repository, registry, broker or API server did not answer or said no;
5 a check found a fault, a difference or a wrong password; 130 interrupted.`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "mosqbuild",
		Short:         "Build, try and deploy a hardened Mosquitto broker",
		Long:          rootLong,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetVersionTemplate("mosqbuild {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringVar(&a.Config, "config", "", "configuration `file` (default: mosqbuild.yaml where there is one)")
	flags.StringVar(&a.State, "state", "", "`folder` of what is made and kept (default: .mosqbuild beside the configuration)")
	flags.BoolVarP(&a.Quiet, "quiet", "q", false, "no progress on stderr")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fault.With(fault.Usage, fault.Hint(err, "run: %s --help", c.CommandPath()))
	})
	root.AddCommand(newInit(a), newImage(a), newPackages(a), newCerts(a), newPasswd(a), newRender(a), newGraph(a), newRun(a), newProbe(a), newFailover(a), newLint(a))
	usageErrors(root)
	return root
}

// usageErrors gives wrong arguments the exit code of wrong flags, and a
// mistyped command the one that was meant.
func usageErrors(c *cobra.Command) {
	c.SuggestionsMinimumDistance = 2
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			if err == nil { // which cobra asks itself, too, but later, and with no code
				err = c.ValidateFlagGroups()
			}
			if err == nil {
				return nil
			}
			hint := fmt.Sprintf("run: %s --help", c.CommandPath())
			if len(args) > 0 {
				for _, meant := range c.SuggestionsFor(args[0]) {
					hint = fmt.Sprintf("did you mean %s %s? %s", c.CommandPath(), meant, hint)
				}
			}
			return fault.With(fault.Usage, fault.Hint(err, "%s", hint))
		}
	}
	for _, sub := range c.Commands() {
		usageErrors(sub)
	}
}

// report prints an error and its hint, as JSON where that was asked for.
func (a *app) report(ran *cobra.Command, err error) {
	if err == nil {
		return
	}
	w, hint := a.Err, a.again(fault.HintOf(err))
	if f := ran.Flags().Lookup("format"); f != nil && f.Value.String() == "json" {
		// Nothing is left to do where even this write fails.
		_ = json.NewEncoder(w).Encode(map[string]any{"error": err.Error(), "hint": hint, "code": fault.CodeOf(err)})
		return
	}
	for line := range strings.Lines(strings.TrimSuffix(harmless(err.Error()), "\n")) {
		fmt.Fprintf(w, "mosqbuild: error: %s\n", strings.TrimSuffix(line, "\n"))
	}
	if hint != "" {
		fmt.Fprintf(w, "mosqbuild: hint: %s\n", harmless(hint))
	}
}

// harmless shows what could do something to a terminal, but keeps lines, unlike
// shown: errors quote registries.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// version is the module's version, or the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
