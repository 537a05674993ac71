// Package machine keeps account of what a cluster takes of the machine that it
// runs on — a folder, processes, cgroups — and gives it back. Everything else
// that a cluster makes (mounts, network namespaces, interfaces) lives in
// namespaces of its processes, and the kernel drops it with the last of them.
//
// The account is a file in the cluster's folder, so that any process can settle
// it: the one that made the cluster, one that watches over that, or a later one.
package machine
