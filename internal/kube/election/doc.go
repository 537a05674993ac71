// Package election elects one of several processes by a Lease, with client-go's
// leader election. It stands apart from package kube for what that brings along
// into every program that imports it: the clients of all of Kubernetes' APIs.
package election
