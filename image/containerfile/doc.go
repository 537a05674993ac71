// Package containerfile builds images from a Containerfile with buildah as a
// library: the second way to the image, for those who want a file they can
// read and change, or to put more on top. It needs root, or a user namespace
// with subordinate ids, and is compiled in only with the build tag "buildah",
// since that library is large and wants cgo:
//
//	CGO_ENABLED=1 go build -tags buildah,containers_image_openpgp,exclude_graphdriver_btrfs ./cmd/mosqbuild
//
// A build is a process of its own, in a mount and a process namespace, with
// storage in a temporary folder: however it ends, no step of it runs on and
// nothing stays mounted. The package does not resolve packages and does not
// push.
package containerfile

import (
	_ "embed"
	"time"
)

// Tags are the build tags that compile buildah in.
const Tags = "buildah,containers_image_openpgp,exclude_graphdriver_btrfs"

// Default is the Containerfile of the root of the repository, which makes the
// broker's image of a folder that image.WriteContext wrote.
//
//go:embed Containerfile
var Default []byte

// Options says what to build. File and Context are required.
type Options struct {
	// File is the Containerfile's path.
	File string
	// Context is the folder that COPY reads from, but for what its
	// .containerignore leaves out and Exclude, patterns of the same form.
	Context string
	Exclude []string
	// Args are the build arguments by name.
	Args map[string]string
	// Labels are set on the image; those that OCI names are annotations, too.
	Labels map[string]string
	// Mounts are what RUN steps see besides, each HOST:IMAGE:ro.
	Mounts []string
	// Bases are OCI layouts by the name that FROM calls their image. Other
	// names are pulled from their registries.
	Bases map[string]string
	// Created is the time of the image and of every file that a step makes.
	Created time.Time
}
