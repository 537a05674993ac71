package image

import (
	"context"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/packages"
)

// Image is a container image: an alias, so that callers need not import
// go-containerregistry.
type Image = v1.Image

// Spec is what an image is made of. Lock and Tree are required.
type Spec struct {
	// Lock names the packages; its digest decides the packages layer.
	Lock *packages.Lock
	// Tree lays the packages out. It is called only where no cached layer
	// serves.
	Tree func(context.Context) (*packages.Tree, error)
	// Bundle holds the files beside the packages. The listeners of its
	// mosquitto.conf are the image's exposed ports.
	Bundle files.Bundle
	// Name is the image's title. Default: "mosquitto".
	Name string
	// Labels are added to the built-in labels and win over them.
	Labels map[string]string
	// Created is the time of the image and of every file in it, to the
	// second. Default: 1970-01-01, so that another day gives the same digest.
	Created time.Time
	// Revision is the source revision for the label of that name, if any.
	Revision string
	// Compression of the layers: Gzip or Zstd. Default: Gzip.
	Compression string
	// Cache is the folder below which packages layers are kept. Default: none.
	Cache string
}

// Build assembles the image. Its layers are ready when Build returns; the
// packages layer stays in Spec.Cache and is read from there.
func Build(ctx context.Context, s Spec) (Image, error) {
	if s.Lock == nil || s.Tree == nil {
		return nil, errors.New("building an image: Spec has no Lock or no Tree")
	}
	if s.Name == "" {
		s.Name = "mosquitto"
	}
	if s.Created.IsZero() {
		s.Created = time.Unix(0, 0)
	}
	s.Created = s.Created.UTC().Truncate(time.Second)
	parts, err := buildLayers(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("building image %q: %w", s.Name, err)
	}
	cf := configFile(s)
	return assemble(cf, annotations(cf.Config.Labels), parts)
}

// buildLayers makes the layers in the order in which they change: packages
// seldom, rendered files with the configuration, credentials on every machine.
func buildLayers(ctx context.Context, s Spec) ([]part, error) {
	p, err := packingOf(s.Compression)
	if err != nil {
		return nil, err
	}
	pkgs, of, err := packagesLayer(ctx, s, p)
	if err != nil {
		return nil, err
	}
	rendered, err := renderedEntries(s, of)
	if err != nil {
		return nil, err
	}
	layers := []struct {
		kind    string
		entries []packages.Entry
	}{{kindRendered, rendered}}
	if len(s.Bundle.Defaults) > 0 {
		defaults, err := defaultsEntries(s)
		if err != nil {
			return nil, err
		}
		layers = append(layers, struct {
			kind    string
			entries []packages.Entry
		}{kindDefaults, defaults})
	}
	parts := []part{newPart(kindPackages, pkgs, s.Created)}
	for _, l := range layers {
		built, err := p.memoryLayer(ctx, l.entries, s.Created)
		if err != nil {
			return nil, fmt.Errorf("making the layer of %s: %w", l.kind, err)
		}
		parts = append(parts, newPart(l.kind, built, s.Created))
	}
	return parts, nil
}
