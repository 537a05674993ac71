package openshift

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mosqbuild/mosqbuild/config"
)

// Check reports every name in cfg and o that a cluster would refuse, and every
// wish that the profile can't fulfil, as Objects does.
func Check(cfg config.Config, o Options) error {
	if err := check(cfg, o); err != nil {
		return fmt.Errorf("rendering the objects of %q: %w", cfg.Name, err)
	}
	return nil
}

// check holds names against the API's own rules.
func check(cfg config.Config, o Options) error {
	var errs []error
	refuse := func(what, value string, faults []string) {
		for _, f := range faults {
			errs = append(errs, fmt.Errorf("%s %q: %s", what, value, f))
		}
	}
	names := []string{tlsName(cfg.Name), authName(cfg.Name)}
	if cfg.Deploy.Profile == config.ProfileHA {
		names = append(names, cfg.Agent(nil).Guards(config.RoleSecondary))
	}
	for _, name := range names {
		refuse("name", name, validation.IsDNS1035Label(name))
	}
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
	if o.CreateNamespace && cfg.Deploy.Namespace == "" {
		errs = append(errs, errors.New("no namespace is named that could be created: set deploy.namespace, or give --namespace"))
	}
	return errors.Join(append(errs, checkPair(cfg, o)...)...)
}

// checkPair refuses what the profile ha can't do.
func checkPair(cfg config.Config, o Options) []error {
	if cfg.Deploy.Profile != config.ProfileHA {
		if o.TraefikPorts {
			return []error{fmt.Errorf("the ports of Traefik go with the profile %s and the ingress %s", config.ProfileHA, config.IngressTraefik)}
		}
		return nil
	}
	var errs []error
	if o.AgentImage == "" {
		errs = append(errs, errors.New("no image of the agents is named"))
	}
	if cfg.Deploy.Namespace == "" {
		errs = append(errs, fmt.Errorf("the profile %s needs deploy.namespace, or --namespace: a RoleBinding names that of its ServiceAccount", config.ProfileHA))
	}
	if !cfg.HasTLS() && cfg.Deploy.Ingress == config.IngressRoute {
		errs = append(errs, errors.New("a Route leads to a listener with TLS, and there is none"))
	}
	if o.TraefikPorts && cfg.Deploy.Ingress != config.IngressTraefik {
		errs = append(errs, fmt.Errorf("the ports of Traefik go with the ingress %s, not %q", config.IngressTraefik, cfg.Deploy.Ingress))
	}
	for _, l := range cfg.Listeners {
		if cfg.Deploy.Ingress == config.IngressTraefik && slices.Contains(traefikNames, l.Name) {
			errs = append(errs, fmt.Errorf("listener %q: Traefik has an entry point of that name for something else", l.Name))
		}
	}
	plain, _ := cfg.Listener(false)
	if cfg.Deploy.Ingress == config.IngressTraefik {
		plain = config.Listener{} // it has an entry point itself
	}
	for _, role := range []string{config.RolePrimary, config.RoleSecondary} {
		for _, l := range cfg.Listeners {
			if l != plain && l.Port == brokerPort(role) {
				errs = append(errs, fmt.Errorf("listener %q: %d is the plain port of the Service %s", l.Name, l.Port, cfg.Broker(role)))
			}
			if cfg.Deploy.Ingress == config.IngressTraefik && l.Name == brokerEntry(role) {
				errs = append(errs, fmt.Errorf("listener %q: the entry point of that name leads to the Service %s", l.Name, cfg.Broker(role)))
			}
		}
	}
	return errs
}
