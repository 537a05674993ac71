package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// renderOptions are the flags of every command that renders the objects; what
// is empty is the configuration's.
type renderOptions struct {
	Name, Namespace, Host         string
	Image, AgentImage             string
	PullSecret, Profile, Failback string
	CreateNamespace, TraefikPorts bool
}

// flags are those of every command that renders the objects.
func (o *renderOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "`name` of the objects")
	f.StringVarP(&o.Namespace, "namespace", "n", "", "`namespace` written into each object (default: the one that oc works in)")
	f.StringVar(&o.Image, "image", "", "image `reference`, best as \"mosqbuild image push\" prints it")
	f.StringVar(&o.AgentImage, "agent-image", "", "`reference` of the agents' image for the profile ha (default: that of the image, with -agent behind its name)")
	f.StringVar(&o.Host, "host", "", "host `name` that clients outside use (default: the router chooses the Route's)")
	f.StringVar(&o.PullSecret, "pull-secret", "", "`name` of the Secret to pull the image with")
	f.StringVar(&o.Profile, "profile", "", "openshift, loadbalancer or ha (default: deploy.profile of mosqbuild.yaml)")
	f.StringVar(&o.Failback, "failback", "", "manual, or auto for a pair's primary to take over again by itself (default: failover.failback.mode of mosqbuild.yaml)")
	f.BoolVar(&o.CreateNamespace, "create-namespace", false, "render the Namespace too, for restricted pods alone")
	f.BoolVar(&o.TraefikPorts, "traefik-ports", false, "render the HelmChartConfig that opens k3s's Traefik, too")
}

// check reports an image that is empty though the flag was given: render would
// take another one, which whoever wrote "$(mosqbuild image verify …)" didn't mean.
func (o *renderOptions) check(c *cobra.Command) error {
	for _, name := range []string{"image", "agent-image"} {
		if f := c.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return fault.With(fault.Usage, fmt.Errorf("--%s is empty: did the command that should print it fail?", name))
		}
	}
	return nil
}

// rendered are the objects, and what they were rendered from.
type rendered struct {
	Config  config.Config
	Options openshift.Options
	Objects []openshift.Object
}

// rendered makes the objects that the configuration and o ask for, and the
// credentials in them where there are none yet.
func (a *app) rendered(o renderOptions) (r rendered, err error) {
	cfg, err := a.config()
	if err != nil {
		return r, err
	}
	if r.Config, err = o.apply(cfg); err != nil {
		return r, err
	}
	r.Options = openshift.Options{CreateNamespace: o.CreateNamespace, TraefikPorts: o.TraefikPorts}
	if err := a.images(r.Config, o, &r.Options); err != nil {
		return r, err
	}
	if err := openshift.Check(r.Config, r.Options); err != nil { // before anything is made
		return r, fault.With(fault.Usage, err)
	}
	bundle, err := a.deployment(r.Config)
	if err != nil {
		return r, err
	}
	r.Objects, err = openshift.Objects(r.Config, bundle, r.Options)
	return r, fault.With(fault.Usage, err)
}

// deployment renders the files of what is deployed, and makes what is missing
// of the credentials in them.
func (a *app) deployment(cfg config.Config) (files.Bundle, error) {
	secrets, err := a.state().Deployed(cfg, a.base())
	if err != nil {
		return files.Bundle{}, err
	}
	return a.bundleOf(cfg, secrets)
}
