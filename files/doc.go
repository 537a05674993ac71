// Package files renders what stands in the image beside the packages: the
// broker's configuration, its access control list, and the defaults that let
// it start without a cluster (certificates, password file, the probe's login).
// It returns bytes; where they end up, an image layer or a Secret, is the
// caller's business.
package files
