package image

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// parseReference reads REGISTRY/NAME[:TAG]. The registry must be named:
// guessing Docker Hub would publish what was meant for elsewhere. The library's
// own reading is used for the rest alone, since it takes localhost/NAME for a
// repository of Docker Hub.
func parseReference(ref string, opts ...name.Option) (name.Tag, error) {
	bad := func(err error) (name.Tag, error) {
		err = fmt.Errorf("reading reference %q: %w", ref, err)
		return name.Tag{}, fault.With(fault.Usage, fault.Hint(err, "write REGISTRY/NAME[:TAG], such as quay.io/example/mosquitto:2.0"))
	}
	host, rest, ok := strings.Cut(ref, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return bad(errors.New("it names no registry"))
	}
	if strings.Contains(ref, "@") {
		return bad(errors.New("a digest can't be chosen, only a tag"))
	}
	registry, err := name.NewRegistry(host, opts...)
	if err != nil {
		return bad(err)
	}
	checked, err := name.NewTag("registry.invalid/" + rest)
	if err != nil {
		return bad(err)
	}
	path := checked.RepositoryStr()
	if registry.Name() == name.DefaultRegistry && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	return registry.Repo(path).Tag(checked.TagStr()), nil
}

// CheckReference returns the fault.Usage error that a push to ref, or writing
// an image under that name, would end with.
func CheckReference(ref string) error {
	_, err := parseReference(ref)
	return err
}

// pullable is the grammar of https://github.com/distribution/reference, but for the
// lengths of the tag and the digest: counted in it, they take longer to compile than all
// else in this package, at every start.
var pullable = regexp.MustCompile(`^(?:(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?/)?` +
	`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*` +
	`(:\w[\w.-]*)?(@sha256:[0-9a-f]+)?$`)

// The longest tag, and any digest, each with what is before it.
const (
	maxTag    = len(":") + 128
	digestLen = len("@sha256:") + 64
)

// CheckPullable returns a fault.Usage error where ref is nothing that a cluster
// could pull: here the registry may be left out and a digest be named.
func CheckPullable(ref string) error {
	m := pullable.FindStringSubmatch(ref)
	if m == nil || len(m[1]) > maxTag || m[2] != "" && len(m[2]) != digestLen {
		err := fmt.Errorf("%q is no reference of an image", ref)
		return fault.With(fault.Usage, fault.Hint(err, "write REGISTRY/NAME[:TAG] or REGISTRY/NAME@DIGEST"))
	}
	return nil
}

// repositoryName is the repository as people write it.
func repositoryName(t name.Tag) string { return usualName(t.Repository.Name()) }

// usualName is the name of an image as people write it: Docker Hub's own host name
// appears in no command.
func usualName(s string) string {
	if rest, ok := strings.CutPrefix(s, "index.docker.io/"); ok {
		return "docker.io/" + rest
	}
	return s
}

// AgentReference returns the name of the agents' image that goes with a broker's
// image ref: that with "-agent" behind the repository's name, with the same tag
// and without the digest.
func AgentReference(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	var tag string
	if i := strings.LastIndex(ref, ":"); i > strings.LastIndex(ref, "/") {
		ref, tag = ref[:i], ref[i:]
	}
	return ref + "-agent" + tag
}

// IsLoopback says whether ref's registry is on this machine, by its literal
// name alone: localhost, 127.0.0.0/8 or ::1. No name is looked up, since what
// it means can change between the question and the push.
func IsLoopback(ref string) bool {
	host, _, _ := strings.Cut(ref, "/")
	return loopbackHost(host)
}

func loopbackHost(host string) bool {
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return ap.Addr().Unmap().IsLoopback()
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return a.Unmap().IsLoopback()
	}
	bare, _, _ := strings.Cut(host, ":")
	return strings.EqualFold(bare, "localhost")
}
