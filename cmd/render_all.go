package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// renderAll renders several configurations as one list of objects.
func (a *app) renderAll(o renderOptions, to output, configs []string) error {
	if err := errors.Join(to.check(), a.checkAll(o, to, configs)); err != nil {
		return fault.With(fault.Usage, err)
	}
	each := make([]rendered, len(configs))
	notes := make([]bytes.Buffer, len(configs))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, config := range configs {
		g.Go(func() (err error) {
			one := *a
			one.Config, one.Err = config, &notes[i]
			if each[i], err = one.rendered(o); err != nil {
				return fmt.Errorf("rendering %q: %w", config, err)
			}
			return one.explain(each[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	all, err := joined(each, configs)
	if err != nil {
		return err
	}
	if err := a.write(all, to); err != nil {
		return err
	}
	for i, config := range configs {
		if notes[i].Len() > 0 {
			fmt.Fprintf(a.Err, "# %s\n%s", config, &notes[i])
		}
	}
	return nil
}

// joined are the objects of all. Two of the same name would be one in a cluster, the
// last; a Namespace may be several's.
func joined(each []rendered, configs []string) (all rendered, err error) {
	first := map[string]string{}
	for i, r := range each {
		for _, o := range r.Objects {
			name, err := openshift.NameOf(o)
			if err != nil {
				return all, err
			}
			config, twice := first[name]
			switch {
			case !twice:
				first[name] = configs[i]
			case strings.HasPrefix(name, "Namespace "):
				continue
			default:
				err := fmt.Errorf("rendering %q: its %s is that of %q, too, and one would replace the other", configs[i], name, config)
				hint := "give each a name or a namespace of its own: name, or deploy.namespace"
				if strings.HasPrefix(name, "HelmChartConfig ") {
					hint = "render one of them alone with --traefik-ports, and add the other's to its valuesContent"
				}
				return all, fault.With(fault.Usage, fault.Hint(err, "%s", hint))
			}
			all.Objects = append(all.Objects, o)
		}
	}
	return all, nil
}

// checkAll refuses what makes sense for one configuration alone.
func (a *app) checkAll(o renderOptions, to output, configs []string) error {
	switch {
	case a.Config != "":
		return errors.New("--config goes without FILEs, which are configurations themselves")
	case len(configs) > 1 && (o.Name != "" || o.Host != ""):
		return errors.New("--name and --host are one broker's: set them in the FILEs")
	case to.Format != formatYAML && to.Format != formatJSON:
		return fmt.Errorf("--output %s goes with one configuration: give it as --config", to.Format)
	}
	return nil
}
