package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// renderOptions are render's flags; what is empty is the configuration's.
type renderOptions struct{ Name, Namespace, Image, Host, PullSecret string }

func newRender(a *app) *cobra.Command {
	var o renderOptions
	c := &cobra.Command{
		Use:   "render",
		Short: "Print the objects that deploy the broker to OpenShift",
		Long: `Print the objects that deploy the broker, as YAML: Secrets with certificates and
logins, a ConfigMap, a Deployment under the restricted profile, a Service each
for the listeners with and without TLS, and a passthrough Route. On stderr
stand the commands with which a client connects.

The image is the one given, or image.reference of mosqbuild.yaml; without a
digest there, it is pinned to that of the image last built. The output holds
private keys and password hashes.`,
		Example: `  mosqbuild render | oc apply -f -
  mosqbuild render --namespace iot --host mqtt.apps.example.com --image "$(mosqbuild image push quay.io/me/mosquitto)"`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runRender(a, o) },
	}
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "`name` of the objects")
	f.StringVarP(&o.Namespace, "namespace", "n", "", "`namespace` written into each object (default: the one that oc works in)")
	f.StringVar(&o.Image, "image", "", "image `reference`, best as \"mosqbuild image push\" prints it")
	f.StringVar(&o.Host, "host", "", "host `name` of the Route (default: the router chooses)")
	f.StringVar(&o.PullSecret, "pull-secret", "", "`name` of the Secret to pull the image with")
	return c
}

func runRender(a *app, o renderOptions) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if cfg, err = o.apply(cfg); err != nil {
		return err
	}
	bundle, err := a.bundle(cfg, defaultsTest)
	if err != nil {
		return err
	}
	image, version, err := a.deployed(cfg, o.Image)
	if err != nil {
		return err
	}
	objects, err := openshift.Objects(cfg, bundle, openshift.Options{Image: image, Version: version})
	if err != nil {
		return fault.With(fault.Usage, err)
	}
	if err := openshift.WriteYAML(a.Out, objects); err != nil {
		return err
	}
	if !a.Quiet {
		fmt.Fprint(a.Err, a.again(openshift.Client{OptionsDir: a.state().Client(), CA: a.caFile(cfg)}.Commands(cfg)))
	}
	return nil
}
