// Command pause does nothing, and so holds the namespaces that others join: of
// a pod, as the program of the sandbox image, or, as "pause node", of one of
// the cluster's nodes, whose mounts it first sets apart from the machine's.
//
// As the first process of a pid namespace it takes leave of orphans, and when it
// ends, the kernel ends all others in the namespace.
package main
