package cmd

import (
	"cmp"
	"errors"
	"io/fs"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// apply returns cfg with the flags over it, checked as the file would be.
func (o renderOptions) apply(cfg config.Config) (config.Config, error) {
	cfg.Name = cmp.Or(o.Name, cfg.Name)
	cfg.Deploy.Namespace = cmp.Or(o.Namespace, cfg.Deploy.Namespace)
	cfg.Deploy.Host = cmp.Or(o.Host, cfg.Deploy.Host)
	cfg.Deploy.Profile = cmp.Or(o.Profile, cfg.Deploy.Profile)
	cfg.Deploy.PullSecret = cmp.Or(o.PullSecret, cfg.Deploy.PullSecret)
	cfg.Failover.Failback.Mode = cmp.Or(o.Failback, cfg.Failover.Failback.Mode)
	var errs []error
	for _, p := range cfg.Validate() {
		p.File = "command line"
		errs = append(errs, p)
	}
	errs = append(errs, image.CheckPullable(cmp.Or(o.Image, localName(cfg))))
	if cfg.Deploy.Profile == config.ProfileHA {
		errs = append(errs, image.CheckPullable(o.agent(cfg)))
	}
	return cfg, fault.With(fault.Usage, errors.Join(errs...))
}

// agent is the reference of the agents' image, unless the one last built adds
// a digest: as configured, or what goes with the broker's.
func (o renderOptions) agent(cfg config.Config) string {
	if o.Image != "" && cfg.Image.Agent == "" {
		return cmp.Or(o.AgentImage, image.AgentReference(o.Image))
	}
	return cmp.Or(o.AgentImage, agentName(cfg))
}

// images puts what a cluster should run into to.
func (a *app) images(cfg config.Config, o renderOptions, to *openshift.Options) (err error) {
	ref := cmp.Or(o.Image, localName(cfg))
	if o.Image == "" && cfg.Image.Reference == "" {
		a.note("no cluster can pull %s: give --image, or set image.reference in mosqbuild.yaml", ref)
		to.Image = ref
	} else if to.Image, to.Version, err = deployed(a.state().Image(), ref, o.Image != ""); err != nil {
		return err
	}
	if cfg.Deploy.Profile != config.ProfileHA {
		return nil
	}
	ref = o.agent(cfg)
	if o.AgentImage == "" && o.Image == "" && cfg.Image.Agent == "" && cfg.Image.Reference == "" {
		a.note("no cluster can pull %s: give --agent-image, or set image.agent in mosqbuild.yaml", ref)
		to.AgentImage = ref
		return nil
	}
	to.AgentImage, _, err = deployed(a.state().AgentImage(), ref, o.AgentImage != "")
	return err
}

// deployed returns the reference of an image that a cluster should run, and
// its version where it is the image last built, which is in the folder last.
// The configured reference gets that image's digest, as it is after a push
// there, so that the manifests mean one image for good; one that was given
// stays as it is.
func deployed(last, ref string, given bool) (pulled, version string, err error) {
	img, err := image.OpenArtifact(last)
	if errors.Is(err, fs.ErrNotExist) {
		return ref, "", nil
	}
	if err != nil {
		return "", "", err
	}
	pushed, err := pushedDigest(img, ref)
	if err != nil {
		return "", "", err
	}
	_, digest, pinned := strings.Cut(ref, "@")
	switch {
	case !pinned && !given:
		ref += "@" + pushed
	case digest != pushed:
		return ref, "", nil
	}
	one, err := image.Choose(img, "")
	if err != nil {
		return "", "", err
	}
	cf, err := one.ConfigFile()
	if err != nil {
		return "", "", err
	}
	return ref, cf.Config.Labels["version"], nil
}

// pushedDigest is img's digest after a push to ref.
func pushedDigest(img image.Artifact, ref string) (string, error) {
	if !image.IsLoopback(ref) {
		var err error
		if img, err = image.StripDefaults(img); err != nil {
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
