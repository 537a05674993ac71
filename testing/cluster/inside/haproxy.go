package main

import (
	"fmt"
	"slices"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// tunnelAnnotation is how long a Route's idle connections are kept.
const tunnelAnnotation = "haproxy.router.openshift.io/timeout-tunnel"

// haproxy is the configuration, with the timeouts and the choice by SNI of
// OpenShift's haproxy-config.template.
func (r *router) haproxy(routes []routev1.Route, endpoints []discoveryv1.EndpointSlice) string {
	var front, back strings.Builder
	for _, route := range routes {
		if route.Spec.TLS == nil || route.Spec.TLS.Termination != routev1.TLSTerminationPassthrough {
			continue // MQTT is no HTTP, for which the others are
		}
		name := fmt.Sprintf("be_tcp:%s:%s", route.Namespace, route.Name)
		fmt.Fprintf(&front, "  use_backend %s if { req.ssl_sni -i %s }\n", name, route.Spec.Host)
		fmt.Fprintf(&back, "\nbackend %s\n  balance source\n", name)
		if t := route.Annotations[tunnelAnnotation]; t != "" {
			fmt.Fprintf(&back, "  timeout tunnel %s\n", t)
		}
		for i, s := range servers(route, endpoints) {
			fmt.Fprintf(&back, "  server pod%d %s\n", i, s)
		}
	}
	return fmt.Sprintf(`global
  maxconn 2000
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 1h
frontend public_ssl
  bind %s
  tcp-request inspect-delay 5s
  tcp-request content accept if { req.ssl_hello_type 1 }
%s  default_backend nobody

backend nobody
%s`, r.listen, front.String(), back.String())
}

// servers are the addresses of the ready pods behind a Route.
func servers(route routev1.Route, endpoints []discoveryv1.EndpointSlice) []string {
	var all []string
	for _, slice := range endpoints {
		if slice.Namespace != route.Namespace || slice.Labels[discoveryv1.LabelServiceName] != route.Spec.To.Name {
			continue
		}
		for _, port := range slice.Ports {
			wanted := route.Spec.Port == nil || port.Name != nil && *port.Name == route.Spec.Port.TargetPort.String() ||
				port.Port != nil && fmt.Sprint(*port.Port) == route.Spec.Port.TargetPort.String()
			if !wanted || port.Port == nil {
				continue
			}
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready == nil || *e.Conditions.Ready {
					all = append(all, fmt.Sprintf("%s:%d", e.Addresses[0], *port.Port))
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
