package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/mosqbuild/mosqbuild/testing/cluster/kubeapi"
)

// hostnameAnnotation has external-dns publish a load balancer's address.
const hostnameAnnotation = "external-dns.alpha.kubernetes.io/hostname"

// zone is what names there are, as of the last look.
type zone struct {
	api            *kubeapi.Client
	domain, router string

	mu    sync.RWMutex
	names map[string][]string
}

// lookup returns a name's addresses, and whether there is such a name.
func (z *zone) lookup(name string) ([]string, bool) {
	z.mu.RLock()
	defer z.mu.RUnlock()
	addresses, ok := z.names[name]
	return addresses, ok
}

// follow looks for changes every so often, without end.
func (z *zone) follow(every time.Duration) {
	for last := ""; ; time.Sleep(every) {
		names, err := z.read()
		if err != nil {
			if err.Error() != last {
				last = err.Error()
				fmt.Fprintln(os.Stderr, "dns:", err)
			}
			continue
		}
		z.mu.Lock()
		z.names = names
		z.mu.Unlock()
	}
}

// read asks the API for all that has a name.
func (z *zone) read() (map[string][]string, error) {
	var services corev1.ServiceList
	if err := z.api.Get(context.Background(), "/api/v1/services", &services); err != nil {
		return nil, err
	}
	var slices discoveryv1.EndpointSliceList
	if err := z.api.Get(context.Background(), "/apis/discovery.k8s.io/v1/endpointslices", &slices); err != nil {
		return nil, err
	}
	names := map[string][]string{}
	headless := map[string]*corev1.Service{}
	for _, s := range services.Items {
		own := fmt.Sprintf("%s.%s.svc.%s", s.Name, s.Namespace, z.domain)
		if s.Spec.ClusterIP == corev1.ClusterIPNone {
			names[own], headless[s.Namespace+"/"+s.Name] = nil, &s
		} else {
			names[own] = s.Spec.ClusterIPs
		}
		for name := range strings.SplitSeq(s.Annotations[hostnameAnnotation], ",") {
			for _, in := range s.Status.LoadBalancer.Ingress {
				names[strings.TrimSpace(name)] = append(names[strings.TrimSpace(name)], in.IP)
			}
		}
	}
	for _, slice := range slices.Items {
		s := headless[slice.Namespace+"/"+slice.Labels[discoveryv1.LabelServiceName]]
		if s != nil {
			z.pods(names, s, slice)
		}
	}
	return names, z.routes(names)
}

// pods adds a headless Service's pods: all under its name, each under its own.
func (z *zone) pods(names map[string][]string, s *corev1.Service, slice discoveryv1.EndpointSlice) {
	own := fmt.Sprintf("%s.%s.svc.%s", s.Name, s.Namespace, z.domain)
	for _, e := range slice.Endpoints {
		if ready := e.Conditions.Ready; ready != nil && !*ready && !s.Spec.PublishNotReadyAddresses {
			continue
		}
		names[own] = append(names[own], e.Addresses...)
		if e.Hostname != nil {
			names[*e.Hostname+"."+own] = append(names[*e.Hostname+"."+own], e.Addresses...)
		}
	}
}

// routes adds the hosts of Routes, which the router answers for.
func (z *zone) routes(names map[string][]string) error {
	var routes struct {
		Items []struct {
			Spec struct{ Host string }
		}
	}
	err := z.api.Get(context.Background(), "/apis/route.openshift.io/v1/routes", &routes)
	if errors.Is(err, kubeapi.ErrNotFound) { // the API doesn't know Routes yet
		return nil
	}
	if err != nil {
		return err
	}
	for _, r := range routes.Items {
		if r.Spec.Host != "" {
			names[r.Spec.Host] = []string{z.router}
		}
	}
	return nil
}
