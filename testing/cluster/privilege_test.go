package cluster_test

import (
	"fmt"
	"strings"
	"testing"
)

// The accounts of the profile ha.
const (
	brokerAccount   = "mosquitto-broker"
	failoverAccount = "mosquitto-failover"
)

// right is something one may or may not do, as "kubectl auth can-i" asks.
type right struct {
	what             string
	broker, failover bool // who may
}

// rights are all that the accounts need, and what they must not have: the
// nearest to it, and what would make them more.
var rights = []right{
	{"get service/mosquitto", true, true},
	{"patch service/mosquitto", false, true},
	{"get lease.coordination.k8s.io/mosquitto-failover", false, true},
	{"update lease.coordination.k8s.io/mosquitto-failover", false, true},
	{"create events", false, true},

	{"update service/mosquitto", false, false},
	{"delete service/mosquitto", false, false},
	{"patch service/mosquitto --subresource=status", false, false},
	{"create services", false, false},
	{"list services", false, false},
	{"watch services", false, false},
	{"get service/mosquitto-primary", false, false},
	{"patch service/mosquitto-primary", false, false},
	{"patch service/mosquitto-secondary-guard", false, false},
	{"create leases.coordination.k8s.io", false, false},
	{"delete lease.coordination.k8s.io/mosquitto-failover", false, false},
	{"update lease.coordination.k8s.io/another", false, false},
	{"list leases.coordination.k8s.io", false, false},
	{"list events", false, false},
	{"get secret/mosquitto-auth", false, false},
	{"list secrets", false, false},
	{"get configmap/mosquitto-agent", false, false},
	{"list pods", false, false},
	{"delete pods", false, false},
	{"create pods", false, false},
	{"create pods --subresource=exec", false, false},
	{"patch statefulset.apps/mosquitto-primary", false, false},
	{"patch statefulset.apps/mosquitto-primary --subresource=scale", false, false},
	{"list endpointslices.discovery.k8s.io", false, false},
	{"create endpointslices.discovery.k8s.io", false, false},
	{"create serviceaccounts --subresource=token", false, false},
	{"patch roles.rbac.authorization.k8s.io", false, false},
	{"create rolebindings.rbac.authorization.k8s.io", false, false},
	{"impersonate serviceaccounts", false, false},
	{"get nodes", false, false},
	{"list namespaces", false, false},
}

// calls are made for real, with an account's own token; an empty patch changes
// nothing where it is allowed.
var calls = []struct {
	args             []string
	broker, failover bool // whom the API server lets
}{
	{[]string{"get", "service", "mosquitto"}, true, true},
	{[]string{"patch", "service", "mosquitto", "--patch", "{}"}, false, true},
	{[]string{"get", "lease", "mosquitto-failover"}, false, true},
	{[]string{"delete", "service", "mosquitto"}, false, false},
	{[]string{"patch", "service", "mosquitto-primary", "--patch", "{}"}, false, false},
	{[]string{"get", "services"}, false, false},
	{[]string{"get", "secret", "mosquitto-auth"}, false, false},
	{[]string{"get", "pods"}, false, false},
	{[]string{"delete", "lease", "mosquitto-failover"}, false, false},
	{[]string{"create", "role", "more", "--verb=get", "--resource=secrets"}, false, false},
	{[]string{"create", "token", failoverAccount}, false, false},
	{[]string{"scale", "statefulset", "mosquitto-primary", "--replicas=0"}, false, false},
	{[]string{"get", "services", "--namespace", "kube-system"}, false, false},
}

// The accounts may do what they do, and nothing else.
func leastPrivilege(t *testing.T, b broker) {
	for _, account := range []string{brokerAccount, failoverAccount} {
		b.asked(t, account)
		b.called(t, account)
	}
}

// asked asks the API server for the rights of an account.
func (b broker) asked(t *testing.T, account string) {
	t.Helper()
	as := "system:serviceaccount:" + b.namespace + ":" + account
	for _, r := range rights {
		want := r.broker
		if account == failoverAccount {
			want = r.failover
		}
		// It exits with 1 for a no.
		got, _ := b.Kubectl(t.Context(), "", append([]string{"auth", "can-i", "--namespace", b.namespace, "--as", as}, strings.Fields(r.what)...)...)
		if may := strings.TrimSpace(got); may != map[bool]string{true: "yes", false: "no"}[want] {
			t.Errorf("may %s %s: %q", account, r.what, may)
		}
	}
}

// called makes the calls with an account's token.
func (b broker) called(t *testing.T, account string) {
	t.Helper()
	token := b.kubectl(t, "create", "token", account)
	for _, call := range calls {
		want := call.broker
		if account == failoverAccount {
			want = call.failover
		}
		_, err := b.Kubectl(t.Context(), "", append([]string{"--token", token, "--namespace", b.namespace}, call.args...)...)
		forbidden := err != nil && strings.Contains(err.Error(), fmt.Sprintf("User \"system:serviceaccount:%s:%s\" cannot", b.namespace, account))
		if want && err != nil || !want && !forbidden {
			t.Errorf("%s calls %q: %v", account, call.args, err)
		}
	}
}
