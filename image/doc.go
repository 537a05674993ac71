// Package image turns a lock of packages and a bundle of files into a
// container image, and takes the image where it is used: an OCI layout, an
// archive, podman or a registry. The same inputs give the same digest whatever
// the folder, umask, time zone, locale or user.
//
// For several platforms there is an image each, which Join makes an index of;
// an Artifact is either.
//
// An image has up to three layers: packages; rendered files; and defaults,
// the test credentials, which WithoutDefaults takes off and Push leaves out
// unless the registry is on loopback. No other layer may hold a private key.
//
// The package does not resolve or fetch packages, and decides neither what the
// broker's configuration says nor who may log in.
package image
