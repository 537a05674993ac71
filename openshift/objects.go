package openshift

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
)

// Options are what the objects need beside configuration and files.
type Options struct {
	// Image is what the pod runs, best by digest: NAME@sha256:….
	Image string
	// Version is the broker's, for the version label; "" leaves it out.
	Version string
}

// objects makes the objects of one deployment.
type objects struct {
	cfg     config.Config
	options Options
	volumes []volume
}

// Objects returns the deployment's objects, those first that others need:
// Secrets, ConfigMap, Deployment, Services, Route. A cluster mounts b's files
// over those of the same path in the image. It reports every name that a
// cluster would refuse.
func Objects(cfg config.Config, b files.Bundle, o Options) ([]runtime.Object, error) {
	vs, err := volumes(cfg.Name, b)
	if err := errors.Join(err, check(cfg, o)); err != nil {
		return nil, fmt.Errorf("rendering the objects of %q: %w", cfg.Name, err)
	}
	d := objects{cfg, o, vs}
	var all []runtime.Object
	for _, v := range d.volumes {
		all = append(all, d.source(v))
	}
	deployment, err := d.deployment()
	if err != nil {
		return nil, fmt.Errorf("rendering the Deployment of %q: %w", cfg.Name, err)
	}
	all = append(all, deployment)
	for _, tls := range []bool{false, true} {
		if s := d.service(tls); s != nil {
			all = append(all, s)
		}
	}
	if l, ok := cfg.Listener(true); ok {
		all = append(all, d.route(l))
	}
	return all, nil
}

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
	return map[string]string{
		"app.kubernetes.io/name":     "mosquitto",
		"app.kubernetes.io/instance": d.cfg.Name,
	}
}

// tlsName is the name of what serves or holds TLS.
func tlsName(name string) string { return name + "-tls" }

// check holds names against the API's own rules.
func check(cfg config.Config, o Options) error {
	var errs []error
	refuse := func(what, value string, faults []string) {
		for _, f := range faults {
			errs = append(errs, fmt.Errorf("%s %q: %s", what, value, f))
		}
	}
	refuse("name", tlsName(cfg.Name), validation.IsDNS1035Label(tlsName(cfg.Name)))
	refuse("name", authName(cfg.Name), validation.IsDNS1123Label(authName(cfg.Name)))
	if ns := cfg.Deploy.Namespace; ns != "" {
		refuse("namespace", ns, validation.IsDNS1123Label(ns))
	}
	if host := cfg.Deploy.Host; host != "" {
		refuse("host", host, validation.IsDNS1123Subdomain(host))
	}
	if secret := cfg.Deploy.PullSecret; secret != "" {
		refuse("pull secret", secret, validation.IsDNS1123Subdomain(secret))
	}
	if o.Version != "" {
		refuse("version", o.Version, validation.IsValidLabelValue(o.Version))
	}
	for _, l := range cfg.Listeners {
		refuse("listener", l.Name, validation.IsValidPortName(l.Name))
	}
	if o.Image == "" {
		errs = append(errs, errors.New("no image is named"))
	}
	return errors.Join(errs...)
}
