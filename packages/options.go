package packages

import (
	"cmp"
	"io"
	"net/http"

	"chainguard.dev/apko/pkg/apk/apk"

	"github.com/mosqbuild/mosqbuild/config"
)

// Options says where packages come from and whom to trust. The zero value
// names no repository, so that nothing resolves.
type Options struct {
	// Repositories are http(s) URLs or folders that hold ARCH/APKINDEX.tar.gz.
	// Where several list the same file of a package, by its checksum, the first
	// one's is taken.
	Repositories []string
	// Keys are public RSA keys as PEM by file name, trusted besides Alpine's own.
	Keys map[string][]byte
	// Arch is Go's name of the architecture, with the variant of a 32-bit ARM:
	// "arm64", "arm/v7". Default: "amd64".
	Arch string
	// Cache is a folder in which fetched packages are kept by checksum, and
	// indexes with the tag that their server gives them, by which it is asked
	// whether they changed. Both are verified anew each time; "" keeps nothing.
	// What of a package is too large for memory is there as well while it is in
	// use, in a file without a name; with "", in the system's folder for temporary
	// files. Several processes may share it.
	Cache string
	// Transport is used for http(s) repositories; nil is one that follows the
	// proxy settings of the process.
	Transport http.RoundTripper
	// Watch is called with each file that a http(s) server begins to send: its
	// name, its size in bytes, -1 where the server doesn't say, and its body. What
	// it returns is read instead, and closed in the end, whatever that is. Several
	// goroutines call it. Nil watches nothing.
	Watch func(file string, size int64, body io.Reader) io.ReadCloser
	// Waiting is called once where Mirror waits for another that writes to the
	// same folder; it may be nil.
	Waiting func()
}

// Architecture returns Arch, or its default.
func (o Options) Architecture() string { return cmp.Or(o.Arch, config.DefaultArch) }

func (o Options) apkArch() string { return apkArch(o.Architecture()) }

// apkArch turns Go's name of an architecture into apk's. apko's package of types
// knows LoongArch as well, and brings a Git client along; its resolver, which we
// have, doesn't.
func apkArch(arch string) string {
	if arch == "loong64" {
		return "loongarch64"
	}
	return apk.ArchToAPK(arch)
}
