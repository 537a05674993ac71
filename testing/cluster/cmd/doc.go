// Command cmd brings up a Kubernetes cluster on this machine, for trying things
// by hand, and takes it down:
//
//	cmd up [--nodes 2] [--name-grace 10s]   bring one up; prints its folder
//	cmd env [DIR]                           print KUBECONFIG and the like, for eval
//	cmd status                              list clusters
//	cmd down [--all] [DIR…]                 take down those named, or all that no test owns
//	cmd binaries                            build Kubernetes, where that isn't done
package main
