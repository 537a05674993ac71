package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
	"github.com/mosqbuild/mosqbuild/testing/cluster"
	"github.com/mosqbuild/mosqbuild/testing/cluster/kubeapi"
)

// Names of what is deployed.
const (
	namespace  = "chaos"
	deployment = "mosquitto"
)

var roles = []string{config.RolePrimary, config.RoleSecondary}

// pod is one as the API has it.
type pod struct {
	cluster.Pod
	name, ip string
	ready    bool
	// backingOff says that a container has ended so often that it has to wait.
	backingOff bool
}

// state is what the API says of a pair.
type state struct {
	active      string // role
	brokers     map[string]pod
	controllers []pod
	leader      string // a controller's name
	record      *record.Record
	// unready says why the next fault has to wait; "" where it needn't.
	unready string
}

// at returns the active broker's pod.
func (s state) at() pod { return s.brokers[s.active] }

// leading returns the leading controller's pod.
func (s state) leading() (pod, error) {
	for _, p := range s.controllers {
		if p.name == s.leader {
			return p, nil
		}
	}
	return pod{}, fmt.Errorf("finding the leader: no pod is called %q", s.leader)
}

// system is a pair with what switches its clients over.
type system interface {
	// state asks the API.
	state(ctx context.Context) (state, error)
	// active is the role that clients are led to, as of now.
	active(ctx context.Context) (string, error)
	// login is where a broker's own Service, or with "" the clients', answers.
	login(role string) load.Login
}

// guarded is the profile ha, as mosqbuild renders it.
type guarded struct {
	api    *kubeapi.Client
	logins map[string]load.Login // by role; "" is the clients'
}

var _ system = (*guarded)(nil)

func (g *guarded) login(role string) load.Login { return g.logins[role] }

func (g *guarded) active(ctx context.Context) (string, error) {
	var service corev1.Service
	if err := g.api.Get(ctx, in("services", deployment), &service); err != nil {
		return "", err
	}
	r, err := record.Parse(service.Annotations[record.Annotation])
	if err != nil || r == nil {
		return "", err
	}
	return r.Active, nil
}

func (g *guarded) state(ctx context.Context) (state, error) {
	s := state{}
	var service corev1.Service
	if err := g.api.Get(ctx, in("services", deployment), &service); err != nil {
		return s, err
	}
	var err error
	if s.record, err = record.Parse(service.Annotations[record.Annotation]); err != nil {
		return s, err
	}
	if s.brokers, err = brokers(ctx, g.api, "app.kubernetes.io/name=mosquitto"); err != nil {
		return s, err
	}
	if s.controllers, err = pods(ctx, g.api, "app.kubernetes.io/name=mosqagent"); err != nil {
		return s, err
	}
	var lease coordinationv1.Lease
	if err := g.api.Get(ctx, "/apis/coordination.k8s.io/v1/namespaces/"+namespace+"/leases/"+deployment+"-failover", &lease); err != nil {
		return s, err
	}
	if h := lease.Spec.HolderIdentity; h != nil {
		s.leader, _, _ = strings.Cut(*h, "_")
	}
	if s.record != nil {
		s.active = s.record.Active
	}
	s.unready = s.why(service.Spec.Selector["role"])
	return s, nil
}

// why says what a pair under guard isn't ready for.
func (s state) why(selector string) string {
	switch r := s.record; {
	case r == nil:
		return "there is no record"
	case r.Pending != "":
		return "a switch is pending"
	case !r.Ready:
		return "the record isn't ready: " + r.String()
	case selector != r.Active:
		return "the Service leads to " + selector
	}
	if why := s.whyPods(); why != "" {
		return why
	}
	if len(s.controllers) != config.Controllers {
		return fmt.Sprintf("there are %d controllers", len(s.controllers))
	}
	for _, p := range s.controllers {
		if !p.ready {
			return p.name + " isn't ready"
		}
	}
	if _, err := s.leading(); err != nil {
		return err.Error()
	}
	return ""
}

// whyPods says which broker's pod isn't ready.
func (s state) whyPods() string {
	for _, role := range roles {
		if p, ok := s.brokers[role]; !ok || !p.ready {
			return role + " isn't ready"
		}
	}
	return ""
}

// in is the path of an object of the namespace, or with "" of all of a kind.
func in(kind, name string) string {
	return strings.TrimSuffix("/api/v1/namespaces/"+namespace+"/"+kind+"/"+name, "/")
}

// pods returns those that aren't told to end.
func pods(ctx context.Context, a *kubeapi.Client, selector string) ([]pod, error) {
	var list corev1.PodList
	if err := a.Get(ctx, in("pods", "")+"?labelSelector="+url.QueryEscape(selector), &list); err != nil {
		return nil, err
	}
	var all []pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			all = append(all, toPod(p))
		}
	}
	return all, nil
}

// brokers returns the pods of brokers by role, the newest of each.
func brokers(ctx context.Context, a *kubeapi.Client, selector string) (map[string]pod, error) {
	all := map[string]pod{}
	for _, role := range roles {
		list, err := pods(ctx, a, selector+",role="+role)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			all[role] = list[len(list)-1]
		}
	}
	return all, nil
}

func toPod(p corev1.Pod) pod {
	out := pod{Pod: cluster.Pod{Node: p.Spec.NodeName, UID: string(p.UID)}, name: p.Name, ip: p.Status.PodIP}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			out.ready = c.Status == corev1.ConditionTrue
		}
	}
	out.backingOff = slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff"
	})
	return out
}
