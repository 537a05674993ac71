// Command inside has the small programs that run within a cluster:
//
//	inside dns …           answers for the names of Services and Routes
//	inside door ADDRESS    leads connections to the listener it inherits to ADDRESS
//	inside router …        has HAProxy serve the Routes, as OpenShift's router does
//	inside watch DIR       undoes the cluster in DIR when its stdin ends
package main
