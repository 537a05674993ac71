// Package containerfile builds images from a Containerfile with buildah as a
// library: the second way to the image, for those who want a file they can
// read and change. It needs root or a user namespace, and it is compiled in
// only with the build tag "buildah", since that library is large:
//
//	go build -tags buildah,containers_image_openpgp,exclude_graphdriver_btrfs ./cmd/mosqbuild
//
// The package does not resolve packages and does not push.
package containerfile

// Tags are the build tags that compile buildah in.
const Tags = "buildah,containers_image_openpgp,exclude_graphdriver_btrfs"

// Options says what to build. File and Context are required.
type Options struct {
	// File is the Containerfile's path.
	File string
	// Context is the folder that COPY reads from.
	Context string
	// Args are the build arguments by name.
	Args map[string]string
	// Storage is the folder of images and containers, and of what runs.
	Storage string
	// Tag names the image, such as "localhost/mosquitto:latest".
	Tag string
}
