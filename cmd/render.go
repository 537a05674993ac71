package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/openshift"
)

func newRender(a *app) *cobra.Command {
	var o renderOptions
	var to output
	c := &cobra.Command{
		Use:   "render [FILE…]",
		Short: "Print the objects that deploy the broker to OpenShift or Kubernetes",
		Long: `Print the objects that deploy the broker, as YAML: Secrets with certificates and
logins, a ConfigMap, a Deployment (of a pair, StatefulSets) under the restricted profile, and by profile

  openshift     a Service each for the listeners with and without TLS, a
                passthrough Route and a NetworkPolicy
  loadbalancer  a Service with an address outside the cluster, and a volume
  ha            two brokers, bridged, a Service for the clients and one for each
                broker, RBAC, a budget, and the ingress of deploy.ingress

On stderr stand the reasons, and the commands with which a client connects.

The image is the one given, or image.reference of mosqbuild.yaml; without a
digest there, it is pinned to that of the image last built. The output holds
private keys and password hashes.

A certificate that was made before must carry the deployment's names: have profile,
namespace and host in mosqbuild.yaml, and run "mosqbuild certs init --force".

With FILEs, each a mosqbuild.yaml with a state folder beside it, all of their
objects are printed at once: a fleet's, in the order of the files.

With -o, the same objects as one JSON list; as an OpenShift Template, which holds
nothing secret (template.env, in the state folder, fills it in); or as a
kustomize base in a folder, with overlays to start from.`,
		Example: `  mosqbuild render | oc apply -f -
  mosqbuild certs init --force --host mqtt.apps.example.com
  mosqbuild render --host mqtt.apps.example.com | oc apply -f -
  image=$(mosqbuild image push quay.io/me/mosquitto) && mosqbuild render --image "$image" | oc apply -f -
  mosqbuild render --create-namespace | kubectl apply -f -
  mosqbuild render -o kustomize:deploy
  kubectl create namespace mosquitto-dev && kubectl apply -k deploy/overlays/dev
  mosqbuild render -o template > template.yaml
  mosqbuild render --image quay.io/me/mosquitto:1 sites/*/mosqbuild.yaml | kubectl apply -f -`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.check(c); err != nil {
				return err
			}
			if len(args) > 0 {
				return a.renderAll(o, to, args)
			}
			return runRender(a, o, to)
		},
	}
	o.flags(c)
	to.flags(c)
	return c
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
	return a.explain(r)
}

// explain says on stderr what the objects don't.
func (a *app) explain(r rendered) error {
	large, err := openshift.Large(r.Objects)
	if err != nil {
		return err
	}
	for _, w := range large {
		a.note("%s", w)
	}
	for _, w := range openshift.Warnings(r.Config, r.Options) {
		a.note("%s", w)
	}
	for _, n := range openshift.Notes(r.Config, r.Options) {
		a.progress("%s", n)
	}
	if !a.Quiet {
		fmt.Fprint(a.Err, a.again(openshift.Client{OptionsDir: a.state().Client(), CA: a.caFile(r.Config)}.Commands(r.Config)))
	}
	return nil
}
