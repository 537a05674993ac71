// Package crd has the types of the objects that other projects define:
// cert-manager, Traefik and k3s. Each has the fields that are rendered, under
// the names of its CustomResourceDefinition, and no others: importing the
// projects themselves would bring in a thousand packages for three structs.
package crd
