//go:build buildah

package containerfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containers/buildah/define"
	"github.com/containers/buildah/imagebuildah"
	"github.com/containers/buildah/pkg/parse"
	nettypes "go.podman.io/common/libnetwork/types"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/signature"
	storagetransport "go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
	"golang.org/x/sys/unix"
)

// resultName is the image's name in the storage, which nobody sees.
const resultName = "localhost/mosqbuild-result:latest"

// hostNetwork stands for the machine's own network, which is what steps have with
// chroot isolation: nothing is asked of it. Without one buildah wants netavark.
type hostNetwork struct{ nettypes.ContainerNetwork }

// build builds within storage of its own and writes the layout.
func (r request) build(ctx context.Context) (err error) {
	store, err := storage.GetStore(storage.StoreOptions{
		RunRoot: filepath.Join(r.Storage, "run"), GraphRoot: filepath.Join(r.Storage, "graph"),
		GraphDriverName: "vfs", // the one that works everywhere; these images are small
	})
	if err != nil {
		return fmt.Errorf("opening storage %q: %w", r.Storage, err)
	}
	defer func() {
		_, serr := store.Shutdown(true)
		err = errors.Join(err, serr)
	}()
	for name, dir := range r.Bases {
		if err := copyImage(ctx, store, name, dir, false); err != nil {
			return fmt.Errorf("loading %q from %q: %w", name, dir, err)
		}
	}
	o, err := r.buildOptions()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	o.Out, o.Err, o.ReportWriter = &said, &said, &said
	if _, _, err := imagebuildah.BuildDockerfiles(ctx, store, o, r.File); err != nil {
		return fmt.Errorf("%w\n%s", err, lastLines(said.String(), 20))
	}
	return copyImage(ctx, store, resultName, r.Layout, true)
}

// buildOptions says it all in buildah's words.
func (r request) buildOptions() (define.BuildOptions, error) {
	limits, err := ulimits()
	if err != nil {
		return define.BuildOptions{}, err
	}
	policy, err := r.policy()
	if err != nil {
		return define.BuildOptions{}, err
	}
	excludes, _, err := parse.ContainerIgnoreFile(r.Context, "", []string{r.File})
	if err != nil {
		return define.BuildOptions{}, fmt.Errorf("reading what the context leaves out: %w", err)
	}
	var labels, annotations []string
	for name, value := range r.Labels {
		labels = append(labels, name+"="+value)
		if strings.HasPrefix(name, "org.opencontainers.image.") {
			annotations = append(annotations, name+"="+value)
		}
	}
	created := r.Created.UTC()
	return define.BuildOptions{
		ContextDirectory:        r.Context,
		Excludes:                append(excludes, r.Exclude...), // the last that matches decides
		Args:                    r.Args,
		Labels:                  labels,
		Annotations:             annotations,
		Output:                  resultName,
		OutputFormat:            define.OCIv1ImageManifest,
		Isolation:               define.IsolationChroot,
		NetworkInterface:        hostNetwork{},
		PullPolicy:              define.PullIfMissing,
		SignaturePolicyPath:     policy,
		SystemContext:           &types.SystemContext{SignaturePolicyPath: policy},
		Layers:                  true, // or credentials would share one with all else
		NoCache:                 true,
		RemoveIntermediateCtrs:  true,
		ForceRmIntermediateCtrs: true,
		Timestamp:               &created,
		CommonBuildOpts: &define.CommonBuildOptions{
			Ulimit: limits, Volumes: r.Mounts, HTTPProxy: true,
			IdentityLabel: types.OptionalBoolFalse, // buildah's version says nothing about the broker
		},
	}, nil
}

// policy names the signature policy of pulls: the machine's own, "", or one
// that asks for no signatures where it has none.
func (r request) policy() (string, error) {
	home, _ := os.UserConfigDir()
	for _, path := range []string{filepath.Join(home, "containers", "policy.json"), "/etc/containers/policy.json"} {
		if _, err := os.Stat(path); err == nil {
			return "", nil
		}
	}
	path := filepath.Join(r.Storage, "policy.json")
	return path, os.WriteFile(path, []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o600)
}

// copyImage copies an image from an OCI layout into the storage, or out of it.
func copyImage(ctx context.Context, store storage.Store, name, dir string, out bool) (err error) {
	stored, err := storagetransport.Transport.ParseStoreReference(store, name)
	if err != nil {
		return err
	}
	folder, err := layout.NewReference(dir, "")
	if err != nil {
		return err
	}
	from, to := types.ImageReference(folder), types.ImageReference(stored)
	if out {
		from, to = to, from
	}
	// Both are our own: no signature says more.
	policy, err := signature.NewPolicyContext(&signature.Policy{Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, policy.Destroy()) }()
	_, err = copy.Image(ctx, policy, to, from, &copy.Options{})
	return err
}

// ulimits returns the limits of this process as buildah wants them.
func ulimits() ([]string, error) {
	var list []string
	for name, which := range map[string]int{"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC} {
		var r unix.Rlimit
		if err := unix.Getrlimit(which, &r); err != nil {
			return nil, fmt.Errorf("reading the limit %s: %w", name, err)
		}
		list = append(list, fmt.Sprintf("%s=%d:%d", name, int64(r.Cur), int64(r.Max)))
	}
	return list, nil
}
