// Package podman runs an image under the machine's podman as a cluster would
// run it: a uid that the image doesn't know, no capabilities, nothing writable
// but the data folder; its ports on the loopback address alone. It loads no
// images, and takes podman as the user has set it up.
package podman
