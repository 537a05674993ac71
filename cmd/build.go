package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/shell"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/source"
)

// buildOptions are the flags of every command that may have to build.
type buildOptions struct {
	Repositories []string
	Keys         []string
	Local        bool
	Defaults     string
	Platforms    []string // nil is the configuration's
	UpdateLock   bool
	Only         []string // packages of the lock to renew; none is all
	Compression  string   // of layers; "" is gzip
	Shell        bool
}

func (o *buildOptions) flags(c *cobra.Command) {
	o.from(c)
	c.Flags().StringVar(&o.Defaults, "defaults", defaultsTest, "test credentials in the image: `test or none`")
}

// rebuilds tells whether a flag was given that says how an image is built, so
// that the one last built won't do.
func rebuilds(c *cobra.Command) bool {
	return slices.ContainsFunc(slices.Concat(brokersOnly, []string{"platform", "compression"}), c.Flags().Changed)
}

// compress adds the flag that says how layers are compressed.
func (o *buildOptions) compress(c *cobra.Command) {
	c.Flags().StringVar(&o.Compression, "compression", image.Gzip, "of the layers: `gzip or zstd`")
}

// args takes names of packages with --update-lock alone.
func (o *buildOptions) args(c *cobra.Command, args []string) error {
	if o.UpdateLock {
		return nil
	}
	return cobra.NoArgs(c, args)
}

// from adds the flags that say where packages come from.
func (o *buildOptions) from(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.Repositories, "repository", nil, "apk repository, `URL or folder`, instead of the configured ones (repeatable)")
	c.Flags().StringArrayVar(&o.Keys, "repository-key", nil, "public key `file` to trust besides Alpine's (repeatable)")
	c.Flags().BoolVar(&o.Local, "local", false, "use the packages of \"mosqbuild packages build\"")
	c.Flags().BoolVar(&o.Shell, "shell", false, "add a shell and the tools that go with it, of busybox")
	c.MarkFlagsMutuallyExclusive("local", "repository")
}

// shellPackages are what --shell asks for besides: as a package named in the
// configuration, each is among those that a lock must have.
var shellPackages = []string{"busybox", "busybox-binsh"}

// packages are those that the image is asked to have.
func (o *buildOptions) packages(cfg config.Config) []string {
	if !o.Shell {
		return cfg.Image.Packages
	}
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(cfg.Image.Packages, shellPackages))))
}

// Values of --defaults.
const (
	defaultsTest = "test"
	defaultsNone = "none"
)

func (o *buildOptions) check() error {
	if o.Compression != "" {
		if err := image.CheckCompression(o.Compression); err != nil {
			return err
		}
	}
	if o.Defaults == defaultsTest || o.Defaults == defaultsNone {
		return nil
	}
	return fault.With(fault.Usage, fmt.Errorf("--defaults %q is neither %s nor %s", o.Defaults, defaultsTest, defaultsNone))
}

// built is an image, or an index of several, and the name to load it under.
type built struct {
	Image image.Artifact
	Name  string
}

// build assembles the image that the configuration asks for and keeps it in
// the state folder.
func (a *app) build(ctx context.Context, o buildOptions) (built, error) {
	start := time.Now()
	b, specs, err := a.assemble(ctx, o)
	if err != nil {
		return built{}, err
	}
	n := 0
	for _, s := range specs {
		n += len(s.Lock.Packages)
	}
	return b, a.keep(ctx, b, fmt.Sprintf("%d packages", n), start)
}

// assemble makes the image that the configuration asks for, for each of the
// platforms, and keeps nothing.
func (a *app) assemble(ctx context.Context, o buildOptions) (built, []image.Spec, error) {
	cfg, err := a.config()
	if err != nil {
		return built{}, nil, err
	}
	b := built{Name: localName(cfg)}
	archs, err := o.archs(cfg)
	if err := errors.Join(o.check(), err, image.CheckReference(b.Name)); err != nil {
		return built{}, nil, err
	}
	specs, err := a.specs(ctx, cfg, o, archs)
	if err != nil {
		return built{}, nil, err
	}
	images, err := each(ctx, archs, func(ctx context.Context, i int, _ string) (image.Image, error) {
		return image.Build(ctx, specs[i])
	})
	if errors.Is(err, fs.ErrPermission) && fault.HintOf(err) == "" {
		err = fault.Hint(err, "set XDG_CACHE_HOME to a folder that you can write to")
	}
	if err != nil {
		return built{}, nil, err
	}
	b.Image, err = image.Join(images...)
	return b, specs, err
}

// keep writes an image to the state folder and says what was built.
func (a *app) keep(ctx context.Context, b built, of string, start time.Time) error {
	if err := image.Write(ctx, b.Image, image.Output{Format: image.FormatOCI, Path: a.state().Image()}, b.Name); err != nil {
		return err
	}
	size, err := image.Size(b.Image)
	if variants, err := image.Variants(b.Image); err == nil && len(variants) > 1 {
		of = fmt.Sprintf("%d platforms, %s", len(variants), of)
	}
	a.progress("built %s: %s, %.2f MB compressed, in %s", b.Name, of, float64(size)/1e6, time.Since(start).Round(time.Millisecond))
	return err
}

// specs say what the image is made of, for each platform. The credentials come
// last: where a flag is wrong or no repository answers, nothing is made.
func (a *app) specs(ctx context.Context, cfg config.Config, o buildOptions, archs []string) ([]image.Spec, error) {
	epoch, err := created()
	if err != nil {
		return nil, err
	}
	from, err := a.sources(cfg, o)
	if err != nil {
		return nil, err
	}
	locks, err := a.resolve(ctx, cfg, from, o, archs)
	if err != nil {
		return nil, err
	}
	if !o.UpdateLock { // which has checked it
		if err := a.checkSeries(cfg, locks); err != nil {
			return nil, err
		}
	}
	bundle, err := a.bundle(cfg, o.Defaults)
	var specs []image.Spec
	for _, lock := range locks {
		from := from
		from.Arch = lock.Arch
		specs = append(specs, image.Spec{
			Lock:    lock,
			Tree:    func(ctx context.Context) (*packages.Tree, error) { return packages.Load(ctx, lock, from) },
			Bundle:  bundle,
			Name:    cfg.Name,
			Labels:  cfg.Image.Labels,
			Created: epoch,
			// What an image is of is its packages; the configuration shows in it.
			Revision:    lock.Digest(),
			Compression: o.Compression,
			Cache:       from.Cache,
		})
	}
	return specs, err
}

// last returns the image last built, building it where there is none.
func (a *app) last(ctx context.Context, o buildOptions) (built, error) {
	cfg, err := a.config()
	if err != nil {
		return built{}, err
	}
	img, err := image.OpenArtifact(a.state().Image())
	if errors.Is(err, fs.ErrNotExist) {
		return a.build(ctx, o)
	}
	return built{img, localName(cfg)}, err
}

// bundle renders the files beside the packages. Without defaults nothing is
// made; users that are in the password file already still get their access.
func (a *app) bundle(cfg config.Config, defaults string) (files.Bundle, error) {
	if defaults == defaultsNone {
		passwd, err := os.ReadFile(a.state().Passwd())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return files.Bundle{}, err
		}
		b, err := a.bundleOf(cfg, files.Secrets{Passwd: passwd})
		b.Defaults = nil
		return b, err
	}
	secrets, err := a.state().Secrets(cfg, a.base())
	if err != nil {
		return files.Bundle{}, err
	}
	return a.bundleOf(cfg, secrets)
}

// bundleOf is files.Render, and tells who gets access unasked.
func (a *app) bundleOf(cfg config.Config, s files.Secrets) (files.Bundle, error) {
	b, err := files.Render(cfg, s)
	switch all := b.Unnamed; {
	case len(all) > namedUsers:
		a.progress("%d users may read and write every topic: they have passwords and are not among the users of mosqbuild.yaml: %s and others",
			len(all), strings.Join(all[:namedUsers], ", "))
	default:
		for _, user := range all {
			a.progress("%q may read and write every topic: it has a password and is not among the users of mosqbuild.yaml; to take it out, run: %s",
				user, a.again("mosqbuild passwd delete "+shell.Quote(user)))
		}
	}
	return b, err
}

// namedUsers is how many users a warning says everything of.
const namedUsers = 3

// sources says where packages come from and whose signature they need.
func (a *app) sources(cfg config.Config, o buildOptions) (packages.Options, error) {
	cache, err := cacheDir()
	if err != nil {
		return packages.Options{}, err
	}
	from := packages.Options{Keys: map[string][]byte{}, Cache: cache, Watch: a.download}
	for _, r := range cfg.Image.Repositories {
		if !strings.Contains(r, "://") {
			r = a.beside(r)
		}
		from.Repositories = append(from.Repositories, r)
	}
	keys := slices.Clone(o.Keys)
	for _, k := range cfg.Image.Keys {
		keys = append(keys, a.beside(k))
	}
	if o.Repositories != nil {
		from.Repositories = o.Repositories
	}
	if o.Local {
		dir, key, err := source.Repository(cache, source.Target{Mosquitto: cfg.Mosquitto})
		if err != nil {
			return from, err
		}
		from.Repositories, keys = []string{dir}, append(keys, key)
	}
	for _, k := range keys {
		pem, err := os.ReadFile(k)
		if err != nil {
			return from, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading the repository key: %w", err),
				"take along the files of image.keys and of --repository-key; a mirror has copies in DIR/keys"))
		}
		name := filepath.Base(k)
		if other, ok := from.Keys[name]; ok && !bytes.Equal(other, pem) {
			return from, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading the repository key %q: another one has that name too", k),
				"signatures name a key by its file's name: give one of them another, as whoever signs has it, or leave it out"))
		}
		from.Keys[name] = pem
	}
	return from, nil
}

// agentName is localName for the agents' image.
func agentName(cfg config.Config) string {
	if cfg.Image.Agent != "" {
		return cfg.Image.Agent
	}
	return image.AgentReference(localName(cfg))
}

// localName is the image's name where none was given: as podman names what it
// built itself.
func localName(cfg config.Config) string {
	if cfg.Image.Reference != "" {
		return cfg.Image.Reference
	}
	return "localhost/" + cfg.Name + ":latest"
}
