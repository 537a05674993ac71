package cmd

import (
	"cmp"
	"errors"
	"io/fs"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// apply returns cfg with the flags over it, checked as the file would be.
func (o renderOptions) apply(cfg config.Config) (config.Config, error) {
	cfg.Name = cmp.Or(o.Name, cfg.Name)
	cfg.Deploy.Namespace = cmp.Or(o.Namespace, cfg.Deploy.Namespace)
	cfg.Deploy.Host = cmp.Or(o.Host, cfg.Deploy.Host)
	cfg.Deploy.Profile = cmp.Or(o.Profile, cfg.Deploy.Profile)
	cfg.Deploy.PullSecret = cmp.Or(o.PullSecret, cfg.Deploy.PullSecret)
	var errs []error
	for _, p := range cfg.Validate() {
		p.File = "command line"
		errs = append(errs, p)
	}
	errs = append(errs, image.CheckPullable(cmp.Or(o.Image, localName(cfg))))
	return cfg, fault.With(fault.Usage, errors.Join(errs...))
}

// deployed returns the reference of the image that a cluster should run, and
// the broker's version where it is the image last built. The configured
// reference gets that image's digest, as it is after a push there, so that the
// manifests mean one image for good; one that was given stays as it is.
func (a *app) deployed(cfg config.Config, given string) (ref, version string, err error) {
	ref = cmp.Or(given, localName(cfg))
	if given == "" && cfg.Image.Reference == "" {
		a.note("no cluster can pull %s: give --image, or set image.reference in mosqbuild.yaml", ref)
		return ref, "", nil
	}
	img, err := image.Open(a.state().Image())
	if errors.Is(err, fs.ErrNotExist) {
		return ref, "", nil
	}
	if err != nil {
		return "", "", err
	}
	last, err := pushedDigest(img, ref)
	if err != nil {
		return "", "", err
	}
	_, digest, pinned := strings.Cut(ref, "@")
	switch {
	case !pinned && given == "":
		ref += "@" + last
	case digest != last:
		return ref, "", nil
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return "", "", err
	}
	return ref, cf.Config.Labels["version"], nil
}

// pushedDigest is img's digest after a push to ref.
func pushedDigest(img image.Image, ref string) (string, error) {
	if !image.IsLoopback(ref) {
		var err error
		if img, err = image.WithoutDefaults(img); err != nil {
			return "", err
		}
	}
	digest, err := img.Digest()
	return digest.String(), err
}

// caFile is the file of the CA that clients trust.
func (a *app) caFile(cfg config.Config) string {
	if cfg.TLS.Source != config.SourceFiles {
		return a.state().CA()
	}
	return a.beside(cfg.TLS.CA)
}
