package cmd

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/shell"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// output is how render writes the objects.
type output struct {
	Format string
	Force  bool
}

// Values of --output.
const (
	formatYAML      = "yaml"
	formatJSON      = "json"
	formatTemplate  = "template"
	formatKustomize = "kustomize:" // and a folder
)

// parametersFile, in the state folder, fills in a Template's parameters.
const parametersFile = "template.env"

func (o *output) flags(c *cobra.Command) {
	c.Flags().StringVarP(&o.Format, "output", "o", formatYAML, "`format`: yaml, json, template, or kustomize:DIR")
	c.Flags().BoolVar(&o.Force, "force", false, "write into a kustomize folder that holds something else")
}

// check reports a wrong flag before anything is made.
func (o output) check() error {
	switch dir, kustomize := strings.CutPrefix(o.Format, formatKustomize); {
	case kustomize && dir != "", o.Format == formatYAML, o.Format == formatJSON, o.Format == formatTemplate:
		return nil
	}
	return fault.With(fault.Usage, fmt.Errorf("--output %q is none of yaml, json, template, kustomize:DIR", o.Format))
}

// write writes the objects as the flags say.
func (a *app) write(r rendered, to output) error {
	switch to.Format {
	case formatYAML:
		return openshift.WriteYAML(a.Out, r.Objects)
	case formatJSON:
		return openshift.WriteJSON(a.Out, r.Objects)
	case formatTemplate:
		return a.writeTemplate(r)
	}
	dir := strings.TrimPrefix(to.Format, formatKustomize)
	values, err := r.values()
	if err != nil {
		return err
	}
	if err := openshift.WriteKustomize(dir, r.Objects, values, to.Force); err != nil {
		return err
	}
	a.progress("wrote %s; deploy it with: kubectl apply -k %s, once its namespace is there", dir, shell.Quote(filepath.Join(dir, "overlays", "dev")))
	a.progress("git ignores base/secrets.yaml there: how to seal it is in the folder's README.md")
	return nil
}

// writeTemplate prints a Template, and keeps apart what it must not hold.
func (a *app) writeTemplate(r rendered) error {
	values, err := r.values()
	if err != nil {
		return err
	}
	template, parameters, err := openshift.Template(r.Objects, values)
	if err != nil {
		return err
	}
	path := filepath.Join(a.state().Path, parametersFile)
	if err := atomicfile.Write(path, parameters, 0o600); err != nil {
		return err
	}
	if err := openshift.WriteYAML(a.Out, []openshift.Object{template}); err != nil {
		return err
	}
	a.progress("the Template holds nothing secret; what it needs is in %s: oc process -f TEMPLATE --param-file=%s | oc apply -f -", path, shell.Quote(path))
	return nil
}

func (r rendered) values() (openshift.Values, error) {
	memory, err := openshift.Memory(r.Config)
	return openshift.Values{
		Name: r.Config.Name, Namespace: r.Config.Deploy.Namespace, Host: r.Config.Deploy.Host,
		Image: r.Options.Image, AgentImage: r.Options.AgentImage, Memory: memory,
	}, err
}
