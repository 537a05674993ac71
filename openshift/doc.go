// Package openshift makes the Kubernetes and OpenShift objects that deploy the
// broker: typed API objects, which it can write as YAML. They satisfy the
// restricted Pod Security profile and the restricted-v2 constraint, and they
// name no uid, so that a cluster may assign one. It talks to no cluster.
package openshift
