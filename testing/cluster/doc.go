// Package cluster brings up a real Kubernetes cluster on one Linux machine, for
// end-to-end tests, and takes it down again: etcd, API server, controller
// manager and scheduler, and any number of nodes with containerd, kubelet and
// kube-proxy, each in namespaces of its own and joined by a bridge that a test
// can unplug them from.
//
// It needs root. Elsewhere Up, if allowed to, brings up the API server alone,
// on loopback, which still tells whether objects are valid.
//
// All that a cluster takes of the machine is a folder, processes and a cgroup;
// package machine gives them back, also when the process that asked for them
// was killed. The network: nodes are 10.88.77.11 and on, their pods in
// 10.244.1.0/24 and on, Services in 10.96.0.0/16. "Outside" is the namespace of
// the control plane, 10.88.77.1, where load-balancer addresses are routed and
// the router listens; its resolver knows the names of Services and Routes. None
// of it is visible to the machine's own network, nor to another cluster's.
//
// Client adds places for clients, 10.88.77.101 and on: no nodes, but with a
// kube-proxy. Names of Services and their pods are answered for from Outside,
// to pods too; a node that is cut off gets no answers.
//
// What a test can break, and mend: a cable (Unplug, Plug), one way of it (Block,
// Unblock), a share of its packets (Lose), the API server (StopAPI, StartAPI),
// and the power of nodes (PowerOff, PowerOn). Down undoes all of it.
//
// Nothing is fetched while a cluster comes up, except Go modules that aren't in
// the module cache. NetworkPolicies are accepted but not enforced.
package cluster
