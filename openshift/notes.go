package openshift

import (
	"fmt"

	"github.com/mosqbuild/mosqbuild/config"
)

// Notes returns what to know before the objects of cfg and o are applied: why
// they are as they are, where they could be otherwise, and what they replace.
// Each is a sentence or two, without a full stop. See Warnings, too.
func Notes(cfg config.Config, o Options) []string {
	d := objects{cfg: cfg, options: o}
	var notes []string
	say := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	switch {
	case d.pair():
		say("each broker is a StatefulSet of one pod, which is replaced once it has ended: the old one may serve on for a while, and two of one broker would know nothing of each other's messages; so a pod on a lost node, where it may still run, is replaced only once the Node or the pod is deleted")
	case cfg.Deploy.Volume() != "":
		say("a Deployment with strategy Recreate, for RollingUpdate would have two pods wait for one ReadWriteOnce volume; no StatefulSet, whose pod comes back from a lost node by hand only")
	default:
		say("a Deployment with strategy Recreate: two brokers at once would share the Service and know nothing of each other's messages")
	}
	if d.outside() {
		say("externalTrafficPolicy is Cluster: with Local, a load balancer that announces the address from another node than the broker's loses the traffic; the broker's log shows a node's address for the client's")
	}
	d.certificateNotes(say)
	if d.pair() {
		d.pairNotes(say)
	}
	return notes
}

// Warnings returns what the objects of cfg and o lack or do that their user
// may not expect.
func Warnings(cfg config.Config, o Options) []string {
	var all []string
	if cfg.HasTLS() && cfg.TLS.Source == config.SourceServiceCA {
		all = append(all, fmt.Sprintf("there is no Route: the service CA's certificate names the Service alone, so clients that come through the router would refuse it; set tls.source to %s, %s or %s for one",
			config.SourceGenerate, config.SourceFiles, config.SourceCertManager))
	}
	if o.TraefikPorts {
		all = append(all, "the HelmChartConfig kube-system/traefik replaces the one that the cluster has, if any: merge its valuesContent by hand then")
	}
	return all
}

// outside tells whether a Service has an address outside the cluster.
func (d objects) outside() bool {
	return d.cfg.Deploy.Profile == config.ProfileLoadBalancer || d.pair() && d.cfg.Deploy.Ingress == config.IngressLoadBalancer
}

func (d objects) certificateNotes(say func(string, ...any)) {
	if !d.cfg.HasTLS() {
		return
	}
	switch d.cfg.TLS.Source {
	case config.SourceServiceCA:
	case config.SourceCertManager:
		say("the issuer must sign names within the cluster and put its CA into the Secret, as those of types CA and Vault do; an ACME issuer does neither")
	default:
		return
	}
	say("the broker reads a renewed certificate when it restarts: kubectl rollout restart %s", d.workloads())
}

// workloads are what kubectl rollout takes.
func (d objects) workloads() string {
	if d.pair() {
		return fmt.Sprintf("statefulset %s %s", d.cfg.Broker(config.RolePrimary), d.cfg.Broker(config.RoleSecondary))
	}
	return "deployment " + d.cfg.Broker("")
}

func (d objects) pairNotes(say func(string, ...any)) {
	name, ns := d.cfg.Name, d.cfg.Deploy.Namespace
	say("the Service %s has no selector: who serves is the controllers' to write there, so that applying the objects again switches nothing; they do so when both brokers are up: kubectl get endpointslices -n %s -l kubernetes.io/service-name=%s", name, ns, name)
	if d.cfg.Failover.Controllers == 2 {
		say("of two controllers both must find a broker silent: one that crashes, hangs or is told to end is replaced, one whose node is lost isn't")
	} else {
		say("three nodes are needed: a controller is on each of three, and two of them decide; where there are two, set failover.controllers to 2, for a third controller, which finds no place, holds up each drain and rollout")
	}
	if user, group := d.cfg.Deploy.IDs(); !d.cfg.Deploy.Routed() {
		say("the pods run as %d:%d, which OpenShift refuses unless they are in its range: kubectl get namespace %s -o yaml shows that, and deploy.user and deploy.group take numbers of it", user, group, ns)
	}
	say("a broker that comes back begins empty and takes over the other's retained messages; sessions and queued messages of a lost one are lost with it")
	if d.cfg.Deploy.Volume() != "" {
		say("with deploy.storage the broker that served last keeps what it saved, for when both lose power; a volume that can't leave a lost node keeps that broker from coming back elsewhere")
	}
	if d.cfg.Deploy.Ingress == config.IngressTraefik && !d.options.TraefikPorts {
		say("Traefik needs an entry point for each IngressRouteTCP; on k3s, --traefik-ports renders them")
	}
}
