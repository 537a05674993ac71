package cmd

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/openshift/lint"
)

// lintOptions are lint's flags.
type lintOptions struct {
	Format, Severity string
	Ignore           []string
	List             bool
}

func newLint(a *app) *cobra.Command {
	var o lintOptions
	c := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Find faults in manifests, mosquitto.conf and Containerfiles",
		Long: `Find what keeps a Mosquitto deployment from working, loses its messages or leaves
it open: in Kubernetes and OpenShift YAML, in mosquitto.conf (also inside a
ConfigMap) and in Containerfiles. FILE may be a folder, and - is stdin. Files
named together are seen together: a Service is held against the listeners of
the broker behind it.

It exits with 5 where something was found. docs/lint.md explains every code.`,
		Example: `  mosqbuild render | mosqbuild lint -
  mosqbuild lint deploy/ Containerfile
  helm template mqtt ./chart | mosqbuild lint - --ignore MQ504`,
		Args: func(c *cobra.Command, args []string) error {
			if o.List {
				return cobra.NoArgs(c, args)
			}
			return cobra.MinimumNArgs(1)(c, args)
		},
		RunE: func(_ *cobra.Command, args []string) error { return runLint(a, o, args) },
	}
	f := c.Flags()
	f.StringVar(&o.Format, "format", "text", "`text or json`")
	f.StringVar(&o.Severity, "severity", string(lint.Warning), "the least `severity` to report: warning or error")
	f.StringSliceVar(&o.Ignore, "ignore", nil, "`codes` not to report")
	f.BoolVar(&o.List, "list", false, "print what is looked for instead")
	return c
}

func runLint(a *app, o lintOptions, paths []string) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.List {
		return printRules(a.Out, o.Format)
	}
	inputs, err := lint.Read(paths, a.In)
	if err != nil {
		return err
	}
	findings, err := lint.Run(inputs, lint.Options{Now: time.Now(), ReadFile: readWithMode})
	if err != nil {
		return err
	}
	findings = o.wanted(findings)
	if err := printFindings(a.Out, o.Format, findings); err != nil || len(findings) == 0 {
		return err
	}
	s := "s"
	if len(findings) == 1 {
		s = ""
	}
	return fault.With(fault.CheckFailed, fmt.Errorf("%d finding%s", len(findings), s))
}
