package openshift

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
)

// Options are what the objects need beside configuration and files.
type Options struct {
	// Image is what the pod runs, best by digest: NAME@sha256:….
	Image string
	// AgentImage is the same of the agents, which the profile ha needs.
	AgentImage string
	// Version is the broker's, for the version label; "" leaves it out.
	Version string
	// CreateNamespace adds the Namespace, in which restricted pods alone run.
	CreateNamespace bool
	// TraefikPorts adds the HelmChartConfig that opens k3s's Traefik for the
	// profile ha. It takes the place of one that the cluster has.
	TraefikPorts bool
}

// objects makes the objects of one deployment, or of one broker of a pair.
type objects struct {
	cfg     config.Config
	options Options
	role    string // of a broker of a pair, or ""
	volumes []volume
	agent   []volume // what the agents of a pair read
}

// Objects returns the deployment's objects, those first that others need. A
// cluster mounts b's files over those of the same path in the image. It
// reports every name that a cluster would refuse, and every wish that the
// profile can't fulfil.
func Objects(cfg config.Config, b files.Bundle, o Options) ([]Object, error) {
	d := objects{cfg: cfg, options: o}
	var err error
	d.agent, err = d.settings(b)
	brokers, berr := d.brokers(b)
	if err := errors.Join(err, berr, check(cfg, o)); err != nil {
		return nil, fmt.Errorf("rendering the objects of %q: %w", cfg.Name, err)
	}
	all := d.before()
	seen := map[string]bool{} // what both brokers of a pair mount is there once
	for _, one := range brokers {
		for _, v := range one.volumes {
			if !v.made && !seen[v.object+v.dir] {
				seen[v.object+v.dir] = true
				all = append(all, d.source(v))
			}
		}
	}
	for _, v := range d.agent {
		if !v.made {
			all = append(all, d.source(v))
		}
	}
	for _, one := range brokers {
		claim, err := one.claim()
		if err != nil {
			return nil, fmt.Errorf("rendering the volume of %q: %w", cfg.Name, err)
		}
		if claim != nil {
			all = append(all, claim)
		}
	}
	for _, one := range brokers {
		workload, err := one.workload()
		if err != nil {
			return nil, fmt.Errorf("rendering the pods of %q: %w", cfg.Name, err)
		}
		all = append(all, workload)
	}
	around, err := d.around()
	if err != nil {
		return nil, fmt.Errorf("rendering what leads to %q: %w", cfg.Name, err)
	}
	all = append(all, around...)
	if err := checkSizes(all); err != nil {
		return nil, fmt.Errorf("rendering the objects of %q: %w", cfg.Name, err)
	}
	return all, nil
}

// brokers are the profile's brokers, each with its files.
func (d objects) brokers(b files.Bundle) ([]objects, error) {
	roles := []string{""}
	if d.pair() {
		roles = []string{config.RolePrimary, config.RoleSecondary}
	}
	var all []objects
	var errs []error
	for _, role := range roles {
		vs, err := volumes(d.cfg, b, role)
		all, errs = append(all, objects{d.cfg, d.options, role, vs, d.agent}), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// before are the objects that stand in front of the brokers' files.
func (d objects) before() []Object {
	var all []Object
	if d.options.CreateNamespace {
		all = append(all, d.namespace())
	}
	if d.pair() {
		all = append(all, d.access()...)
		all = append(all, d.lease())
	}
	if d.cfg.HasTLS() {
		switch d.cfg.TLS.Source {
		case config.SourceCertManager:
			all = append(all, d.certificate())
		case config.SourceServiceCA:
			all = append(all, d.serviceCA())
		}
	}
	return all
}

// around are the objects that lead to the brokers, and guard them.
func (d objects) around() (all []Object, err error) {
	all = append(all, d.networkPolicy())
	switch d.cfg.Deploy.Profile {
	case config.ProfileHA:
		all = append(all, d.controllersPolicy(), d.disruptionBudget(), d.controllersBudget())
		all = append(all, d.controllers())
		all = append(all, d.pairServices()...)
		all = append(all, d.controllersService())
		ingress, err := d.ingress()
		if err != nil {
			return nil, err
		}
		all = append(all, ingress...)
	case config.ProfileLoadBalancer:
		all = append(all, d.balanced(d.service(d.cfg.Name, d.cfg.Listeners)))
	default:
		all = append(all, d.split()...)
		if l, ok := d.routed(); ok {
			all = append(all, d.route(l, "", d.cfg.Deploy.Host))
		}
	}
	return all, nil
}

// pair tells whether there are two brokers.
func (d objects) pair() bool { return d.cfg.Deploy.Profile == config.ProfileHA }

// meta is an object's metadata under the name.
func (d objects) meta(name string) metav1.ObjectMeta {
	labels := d.selector()
	labels["app.kubernetes.io/component"] = "broker"
	labels["app.kubernetes.io/part-of"] = d.cfg.Name
	labels["app.kubernetes.io/managed-by"] = "mosqbuild"
	if d.options.Version != "" {
		labels["app.kubernetes.io/version"] = d.options.Version
	}
	return metav1.ObjectMeta{Name: name, Namespace: d.cfg.Deploy.Namespace, Labels: labels}
}

// selector returns the labels that tell the broker's pods from others; they
// can't change once deployed, so nothing that changes is among them.
func (d objects) selector() map[string]string {
	labels := map[string]string{
		"app.kubernetes.io/name":     "mosquitto",
		"app.kubernetes.io/instance": d.cfg.Name,
	}
	if d.role != "" {
		labels[config.LabelRole] = d.role
	}
	return labels
}

// as is d for the broker of that role.
func (d objects) as(role string) objects {
	d.role = role
	return d
}

// tlsName is the name of what serves or holds TLS.
func tlsName(name string) string { return name + "-tls" }
