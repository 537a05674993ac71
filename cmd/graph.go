package cmd

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/openshift"
)

func newGraph(a *app) *cobra.Command {
	var o renderOptions
	c := &cobra.Command{
		Use:   "graph [FILE...]",
		Short: "Draw the objects, and the ways of data between them",
		Long: `Print a Mermaid flowchart of the objects that render prints, or of those in the
given YAML files ("-" is standard input): the clients' ways through Routes, load
balancers and Services to the broker's listeners, what the broker mounts, and
bridges between brokers. GitHub and GitLab show it in a block of Markdown that
begins with ` + "```mermaid" + `.

render's flags say what to draw where no file is given.`,
		Example: `  mosqbuild graph
  kubectl get -o yaml service,route,deployment,configmap | mosqbuild graph -`,
		RunE: func(c *cobra.Command, files []string) error {
			if err := o.check(c); err != nil {
				return err
			}
			return runGraph(a, o, files)
		},
	}
	o.flags(c)
	return c
}

func runGraph(a *app, o renderOptions, files []string) error {
	if len(files) == 0 {
		r, err := a.rendered(o)
		if err != nil {
			return err
		}
		return openshift.WriteGraph(a.Out, r.Objects)
	}
	var objects []openshift.Object
	for _, name := range files {
		read, err := a.readObjects(name)
		if err != nil {
			return fault.With(fault.Usage, err)
		}
		objects = append(objects, read...)
	}
	return openshift.WriteGraph(a.Out, objects)
}

// readObjects reads a YAML file, or standard input where it is "-".
func (a *app) readObjects(name string) ([]openshift.Object, error) {
	if name == "-" {
		objects, err := openshift.ReadYAML(a.In)
		if err != nil {
			err = fmt.Errorf("reading standard input: %w", err)
		}
		return objects, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	objects, err := openshift.ReadYAML(bytes.NewReader(text))
	if err != nil {
		err = fmt.Errorf("reading %q: %w", name, err)
	}
	return objects, err
}
