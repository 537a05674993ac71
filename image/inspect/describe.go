package inspect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mosqbuild/mosqbuild/image"
)

// Description is what an image is made of.
type Description struct {
	// Digest is that of the manifest, such as "sha256:...".
	Digest string `json:"digest"`
	// Platform is OS/ARCHITECTURE, with the variant where there is one.
	Platform string `json:"platform"`
	// Index is what the image was chosen from; nil where it stands alone.
	Index *Index `json:"index,omitempty"`
	// Created is the time that the config gives; zero where it gives none.
	Created time.Time `json:"created,omitzero"`
	// Size is that of layers, config and manifest in a registry, in bytes.
	Size int64 `json:"size"`
	// Config is how a container starts.
	Config Config `json:"config"`
	// Labels are those of the config.
	Labels map[string]string `json:"labels"`
	// Layers are sorted, the lowest first.
	Layers []Layer `json:"layers"`
	// Packages are those of the apk database, sorted by name; none where the
	// image has no such database.
	Packages []Package `json:"packages"`
	// Files are what a container sees of all layers, sorted by path.
	Files []File `json:"files"`
}

// Config is the part of an image's config that says how a container starts.
type Config struct {
	User       string   `json:"user,omitempty"`
	Entrypoint []string `json:"entrypoint,omitempty"`
	Cmd        []string `json:"cmd,omitempty"`
	Env        []string `json:"env,omitempty"` // NAME=VALUE, in the config's order
	WorkingDir string   `json:"workingDir,omitempty"`
	Ports      []string `json:"ports,omitempty"`   // such as "1883/tcp", sorted
	Volumes    []string `json:"volumes,omitempty"` // paths, sorted
	StopSignal string   `json:"stopSignal,omitempty"`
}

// Layer is one layer of an image.
type Layer struct {
	// What is what the history says that it is, such as "packages".
	What string `json:"what,omitempty"`
	// Digest is that of the compressed bytes, DiffID that of the tar stream.
	Digest string `json:"digest"`
	DiffID string `json:"diffID"`
	// MediaType says how it is compressed, such as
	// "application/vnd.oci.image.layer.v1.tar+zstd".
	MediaType string `json:"mediaType"`
	// Size is that of the compressed bytes, Unpacked that of the tar stream.
	Size     int64 `json:"size"`
	Unpacked int64 `json:"unpacked"`
	// Entries counts files, folders, links and marks of removal.
	Entries int `json:"entries"`
}

// historyPrefix stands before what a layer of ours is in its history.
const historyPrefix = "mosqbuild: "

// Describe reads all of img. It returns an error where a layer is not what the
// config says (its diff ID), is no tar stream, holds a sparse file, or has more
// than a million entries or 128 MiB of paths, targets and attributes.
func Describe(ctx context.Context, img image.Image) (Description, error) {
	d, diffIDs, err := describeConfig(img)
	if err != nil {
		return d, err
	}
	layers, err := img.Layers()
	if err != nil {
		return d, fmt.Errorf("reading the layers: %w", err)
	}
	if len(layers) != len(diffIDs) {
		return d, errors.New("reading the layers: the manifest and the config don't name as many")
	}
	t := newTree()
	for i, l := range layers {
		if err := d.Layers[i].read(ctx, l, i, t); err != nil {
			return d, fmt.Errorf("reading layer %q: %w", d.Layers[i].Digest, err)
		}
	}
	d.Files, d.Packages = t.list(), t.packages()
	return d, nil
}

func describeConfig(img image.Image) (Description, []v1.Hash, error) {
	digest, err := img.Digest()
	if err != nil {
		return Description{}, nil, fmt.Errorf("reading the manifest: %w", err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return Description{}, nil, fmt.Errorf("reading the config: %w", err)
	}
	size, err := image.Size(img)
	if err != nil {
		return Description{}, nil, err
	}
	c := cf.Config
	if c.Labels == nil {
		c.Labels = map[string]string{} // or it would be null in JSON, as lists would
	}
	d := Description{
		Digest: digest.String(), Created: cf.Created.Time, Size: size, Labels: c.Labels,
		Platform: strings.Trim(strings.Join([]string{cf.OS, cf.Architecture, cf.Variant}, "/"), "/"),
		Config: Config{
			User: c.User, Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, WorkingDir: c.WorkingDir,
			Ports: slices.Sorted(maps.Keys(c.ExposedPorts)), Volumes: slices.Sorted(maps.Keys(c.Volumes)), StopSignal: c.StopSignal,
		},
		Layers: make([]Layer, len(cf.RootFS.DiffIDs)),
	}
	what := slices.DeleteFunc(cf.History, func(h v1.History) bool { return h.EmptyLayer })
	for i := range d.Layers {
		if len(what) == len(d.Layers) {
			d.Layers[i].What = strings.TrimPrefix(what[i].CreatedBy, historyPrefix)
		}
		d.Layers[i].DiffID = cf.RootFS.DiffIDs[i].String()
	}
	return d, cf.RootFS.DiffIDs, nil
}
