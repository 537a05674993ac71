package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// renderOptions are render's flags; what is empty is the configuration's.
type renderOptions struct{ Name, Namespace, Image, Host, PullSecret string }

func newRender(a *app) *cobra.Command {
	var o renderOptions
	var to output
	c := &cobra.Command{
		Use:   "render",
		Short: "Print the objects that deploy the broker to OpenShift",
		Long: `Print the objects that deploy the broker, as YAML: Secrets with certificates and
logins, a ConfigMap, a Deployment under the restricted profile, a Service each
for the listeners with and without TLS, and a passthrough Route. On stderr
stand the commands with which a client connects.

The image is the one given, or image.reference of mosqbuild.yaml; without a
digest there, it is pinned to that of the image last built. The output holds
private keys and password hashes.

With -o, the same objects as one JSON list; as an OpenShift Template, which holds
nothing secret (template.env, in the state folder, fills it in); or as a
kustomize base in a folder, with overlays to start from.`,
		Example: `  mosqbuild render | oc apply -f -
  mosqbuild render --namespace iot --host mqtt.apps.example.com --image "$(mosqbuild image push quay.io/me/mosquitto)"
  mosqbuild render -o kustomize:deploy && kubectl apply -k deploy/overlays/dev
  mosqbuild render -o template > template.yaml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runRender(a, o, to) },
	}
	o.flags(c)
	to.flags(c)
	return c
}

// flags are those of every command that renders the objects.
func (o *renderOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "`name` of the objects")
	f.StringVarP(&o.Namespace, "namespace", "n", "", "`namespace` written into each object (default: the one that oc works in)")
	f.StringVar(&o.Image, "image", "", "image `reference`, best as \"mosqbuild image push\" prints it")
	f.StringVar(&o.Host, "host", "", "host `name` of the Route (default: the router chooses)")
	f.StringVar(&o.PullSecret, "pull-secret", "", "`name` of the Secret to pull the image with")
}

func runRender(a *app, o renderOptions, to output) error {
	if err := to.check(); err != nil {
		return err
	}
	r, err := a.rendered(o)
	if err != nil {
		return err
	}
	if err := a.write(r, to); err != nil {
		return err
	}
	if !a.Quiet {
		fmt.Fprint(a.Err, a.again(openshift.Client{OptionsDir: a.state().Client(), CA: a.caFile(r.Config)}.Commands(r.Config)))
	}
	return nil
}

// rendered are the objects, and what they were rendered from.
type rendered struct {
	Config  config.Config
	Image   string
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
	bundle, err := a.bundle(r.Config, defaultsTest)
	if err != nil {
		return r, err
	}
	var version string
	if r.Image, version, err = a.deployed(r.Config, o.Image); err != nil {
		return r, err
	}
	r.Objects, err = openshift.Objects(r.Config, bundle, openshift.Options{Image: r.Image, Version: version})
	return r, fault.With(fault.Usage, err)
}
