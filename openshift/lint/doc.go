// Package lint finds the faults that keep a Mosquitto deployment from working,
// lose its messages or leave it open: in Kubernetes and OpenShift YAML, in
// mosquitto.conf (also inside a ConfigMap or Secret) and in Containerfiles. All
// files of one call are seen together, so that a Service is held against the
// listeners of the broker behind it.
//
// Every rule has a code that keeps its meaning; Rules lists them. What a rule
// can't know from the files given, it doesn't report. The package talks to no
// cluster and validates nothing beyond these rules: an API server knows more.
package lint
