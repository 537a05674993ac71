package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Values of --component.
const (
	componentBroker = "broker"
	componentAgent  = "agent"
)

// component says which of the images is meant.
type component struct {
	Name     string
	Programs []string // --agent
}

func (o *component) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.Name, "component", componentBroker, "which image: `broker or agent`, which the profile ha deploys beside it")
	c.Flags().StringSliceVar(&o.Programs, "agent", nil, "with --component=agent: the program `file`, of several platforms one each (default: mosqagent-ARCH or mosqagent beside this program)")
}

// brokersOnly are flags that say how the broker's image is made.
var brokersOnly = []string{"repository", "repository-key", "local", "shell", "defaults", "update-lock"}

// check reports flags that don't go together.
func (o component) check(c *cobra.Command) error {
	switch o.Name {
	case componentBroker:
		if o.Programs != nil {
			return fault.With(fault.Usage, errors.New("--agent goes with --component=agent"))
		}
	case componentAgent:
		for _, name := range brokersOnly {
			if c.Flags().Changed(name) {
				return fault.With(fault.Usage, fmt.Errorf("--%s goes with --component=broker: the agents' image holds no packages and no credentials", name))
			}
		}
	default:
		return fault.With(fault.Usage, fmt.Errorf("--component %q is neither %s nor %s", o.Name, componentBroker, componentAgent))
	}
	return nil
}

// image builds, or where last is true and there is one, opens the image that is
// meant.
func (a *app) image(ctx context.Context, which component, o buildOptions, last bool) (built, error) {
	switch {
	case which.Name == componentAgent && last && which.Programs == nil:
		return a.lastAgent(ctx, which, o)
	case which.Name == componentAgent:
		return a.buildAgent(ctx, which, o)
	case last:
		return a.last(ctx, o)
	}
	return a.build(ctx, o)
}

// lastAgent returns the agents' image last built, building it where there is
// none.
func (a *app) lastAgent(ctx context.Context, which component, o buildOptions) (built, error) {
	cfg, err := a.config()
	if err != nil {
		return built{}, err
	}
	img, err := image.OpenArtifact(a.state().AgentImage())
	if errors.Is(err, fs.ErrNotExist) {
		return a.buildAgent(ctx, which, o)
	}
	return built{img, agentName(cfg)}, err
}

// buildAgent assembles the agents' image, for each platform, and keeps it in the
// state folder, beside the broker's.
func (a *app) buildAgent(ctx context.Context, which component, o buildOptions) (built, error) {
	start := time.Now()
	cfg, err := a.config()
	if err != nil {
		return built{}, err
	}
	b := built{Name: agentName(cfg)}
	archs, err := o.archs(cfg)
	if err := errors.Join(err, o.check(), image.CheckReference(b.Name)); err != nil {
		return built{}, err
	}
	version := ""
	images, err := each(ctx, archs, func(ctx context.Context, i int, arch string) (image.Image, error) {
		spec, err := agentSpec(cfg, which, arch)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			version = spec.Program.Version
		}
		spec.Compression = o.Compression
		return image.BuildAgent(ctx, spec)
	})
	if err != nil {
		return built{}, err
	}
	if b.Image, err = image.Join(images...); err != nil {
		return built{}, err
	}
	if err := image.Write(ctx, b.Image, image.Output{Format: image.FormatOCI, Path: a.state().AgentImage()}, b.Name); err != nil {
		return built{}, err
	}
	size, err := image.Size(b.Image)
	a.progress("built %s: mosqagent %s for %s, %.2f MB compressed, in %s", b.Name, version, config.Platforms(archs), float64(size)/1e6, time.Since(start).Round(time.Millisecond))
	return b, err
}

func agentSpec(cfg config.Config, which component, arch string) (image.AgentSpec, error) {
	epoch, err := created()
	if err != nil {
		return image.AgentSpec{}, err
	}
	program, err := which.program(arch)
	return image.AgentSpec{Program: program, Arch: arch, Name: cfg.Name + "-agent", Labels: cfg.Image.Labels, Created: epoch}, err
}

// besideMe is a file in the folder of the running program.
func besideMe(name string) (string, error) {
	me, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("looking for %s: %w", name, err)
	}
	if real, err := filepath.EvalSymlinks(me); err == nil {
		me = real
	}
	return filepath.Join(filepath.Dir(me), name), nil
}
