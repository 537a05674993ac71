package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Adopt returns img, which another engine built from native or from its build
// context, as an image of ours. Layers that native has too are native's, to the
// byte, and a layer of nothing but files of native's defaults is marked as the
// defaults layer, so that Push leaves it out. History keeps the entries that
// made a layer. secrets are what no other layer, nor the config with its
// environment and history, may hold, nor one of cosign's private keys: the error for
// one that does names the place, not the secret, and carries fault.CheckFailed.
func Adopt(ctx context.Context, img, native Image, secrets [][]byte) (Image, error) {
	for _, kind := range signingKeys {
		secrets = append(slices.Clip(secrets), []byte("-----BEGIN "+kind))
	}
	cf, m, parts, err := partsOf(img)
	if err != nil {
		return nil, err
	}
	_, nm, own, err := partsOf(native)
	if err != nil {
		return nil, err
	}
	raw, err := img.RawConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	if held, err := holds(bytes.NewReader(raw), secrets); held || err != nil {
		return nil, leaked("the image's environment, labels or history", err)
	}
	defaults := map[string]v1.Hash{}
	for i, d := range nm.Layers {
		if isDefaults(d) {
			if err := eachFile(ctx, own[i], func(name string, r io.Reader) error {
				h := sha256.New()
				_, err := io.Copy(h, r)
				defaults[name] = sum(h)
				return err
			}); err != nil {
				return nil, err
			}
		}
	}
	for i, p := range parts {
		if n := slices.IndexFunc(own, func(o part) bool { return o.diffID == p.diffID }); n >= 0 {
			parts[i] = own[n]
		} else if parts[i].annotations, err = inspect(ctx, p, defaults, secrets); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(m.Annotations, func(_, value string) bool { return value == "" }) // buildah's, of no base
	return assemble(cf, m.Annotations, parts)
}

// signingKeys are cosign's types of PEM blocks, of today and of before version 2.
var signingKeys = []string{"ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"}

// inspect returns the annotations of a layer that native hasn't got.
func inspect(ctx context.Context, p part, defaults map[string]v1.Hash, secrets [][]byte) (map[string]string, error) {
	files, others, where := 0, 0, ""
	err := eachFile(ctx, p, func(name string, r io.Reader) error {
		h := sha256.New()
		held, err := holds(io.TeeReader(r, h), secrets)
		if held && where == "" {
			where = name
		}
		files++
		if sum(h) != defaults[name] {
			others++
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case files > 0 && others == 0:
		return map[string]string{layerAnnotation: kindDefaults}, nil
	case where != "":
		return nil, leaked(fmt.Sprintf("file %q of the layer of %q", where, p.history.CreatedBy), nil)
	}
	return nil, nil
}

func leaked(where string, err error) error {
	if err != nil {
		return err
	}
	return fault.With(fault.CheckFailed, fault.Hint(fmt.Errorf("looking for credentials: %s holds one of the state folder's, or a key for signing", where),
		"let no step copy it, and list such files in .containerignore: a cluster mounts it where the broker looks for it, and \"mosqbuild run\" takes it from the defaults layer"))
}

// eachFile calls f for every regular file of a layer with its clean name.
func eachFile(ctx context.Context, l v1.Layer, f func(name string, r io.Reader) error) (err error) {
	r, err := Unpack(l)
	if err != nil {
		return fmt.Errorf("reading a layer: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for tr := tar.NewReader(r); ; {
		h, err := NextEntry(tr)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("reading a layer: %w", err)
		}
		name, err := cleanName(h.Name)
		if err == nil && h.Typeflag == tar.TypeReg {
			err = f(name, tr)
		}
		if err != nil {
			return fmt.Errorf("reading %q of a layer: %w", h.Name, err)
		}
	}
}

// holds reads all of r and says whether any of secrets is in it. It keeps as
// much of one block as may be the beginning of a secret that the next one ends.
func holds(r io.Reader, secrets [][]byte) (bool, error) {
	longest := 1
	for _, s := range secrets {
		longest = max(longest, len(s))
	}
	buf := make([]byte, 0, 256<<10+longest)
	held := false
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) == cap(buf) || err != nil {
			held = held || slices.ContainsFunc(secrets, func(s []byte) bool { return bytes.Contains(buf, s) })
			buf = buf[:copy(buf, buf[max(0, len(buf)-longest+1):])]
		}
		if errors.Is(err, io.EOF) {
			return held, nil
		}
		if err != nil {
			return held, err
		}
	}
}
