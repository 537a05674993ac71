package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mosqbuild/mosqbuild/testing/cluster/kubeapi"
)

// reloadInterval is how often OpenShift's router reloads HAProxy at most.
const reloadInterval = 5 * time.Second

// router has HAProxy serve the passthrough Routes. Like OpenShift's it leads to
// the pods themselves, keeps tunnels when it reloads, and says in a Route's
// status that it was admitted.
type router struct {
	api            *kubeapi.Client
	listen, domain string
	config         string // file
	process        *os.Process
	last           string // what HAProxy was told
}

// route runs a router, without end.
func route(args []string) error {
	var r router
	flags := flag.NewFlagSet("router", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "file")
	dir := flags.String("dir", "", "folder for HAProxy's configuration")
	flags.StringVar(&r.listen, "listen", "", "address")
	flags.StringVar(&r.domain, "domain", "", "of Routes that name no host")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if r.api, err = kubeapi.New(*kubeconfig, 5*time.Second); err != nil {
		return err
	}
	r.config = filepath.Join(*dir, "haproxy.cfg")
	for ; ; time.Sleep(reloadInterval / 10) {
		changed, err := r.follow()
		if err != nil {
			fmt.Fprintln(os.Stderr, "router:", err)
		}
		if changed {
			time.Sleep(reloadInterval)
		}
	}
}

// follow tells HAProxy of the Routes as they are, and says whether it had to.
func (r *router) follow() (changed bool, err error) {
	var routes routev1.RouteList
	if err := r.api.Get(context.Background(), "/apis/route.openshift.io/v1/routes", &routes); err != nil {
		return false, err
	}
	var slices discoveryv1.EndpointSliceList
	if err := r.api.Get(context.Background(), "/apis/discovery.k8s.io/v1/endpointslices", &slices); err != nil {
		return false, err
	}
	for i := range routes.Items {
		if err := r.admit(&routes.Items[i]); err != nil {
			return false, err
		}
	}
	config := r.haproxy(routes.Items, slices.Items)
	if config == r.last {
		return false, nil
	}
	if err := os.WriteFile(r.config, []byte(config), 0o644); err != nil {
		return false, err
	}
	r.last = config
	return true, r.reload()
}

// reload starts HAProxy, or has it read its configuration again.
func (r *router) reload() error {
	if r.process != nil {
		return r.process.Signal(syscall.SIGUSR2)
	}
	c := exec.Command("haproxy", "-W", "-f", r.config)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Start(); err != nil {
		return err
	}
	r.process = c.Process
	return nil
}

// admit gives a Route the host that it lacks and says that it is served.
func (r *router) admit(route *routev1.Route) error {
	path := fmt.Sprintf("/apis/route.openshift.io/v1/namespaces/%s/routes/%s", route.Namespace, route.Name)
	if route.Spec.Host == "" {
		route.Spec.Host = fmt.Sprintf("%s-%s.%s", route.Name, route.Namespace, r.domain)
		if err := r.api.Patch(context.Background(), path, map[string]any{"spec": map[string]any{"host": route.Spec.Host}}); err != nil {
			return err
		}
	}
	if in := route.Status.Ingress; len(in) == 1 && in[0].Host == route.Spec.Host {
		return nil
	}
	now := metav1.Now()
	return r.api.Patch(context.Background(), path+"/status", map[string]any{"status": routev1.RouteStatus{Ingress: []routev1.RouteIngress{{
		Host: route.Spec.Host, RouterName: "default", WildcardPolicy: routev1.WildcardPolicyNone,
		Conditions: []routev1.RouteIngressCondition{{Type: routev1.RouteAdmitted, Status: corev1.ConditionTrue, LastTransitionTime: &now}},
	}}}})
}
