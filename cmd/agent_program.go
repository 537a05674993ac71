package cmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// program returns the agents' program for the architecture: the first that fits
// of those named by --agent, or else what lies beside this program, called
// mosqagent-ARCH, as in mosqagent-arm64 and mosqagent-arm-v7, or mosqagent.
func (o component) program(arch string) (image.Program, error) {
	files := o.Programs
	suffixed := filepath.Base(config.AgentPath) + "-" + strings.ReplaceAll(arch, "/", "-")
	if files == nil {
		own, err := besideMe(suffixed)
		if err != nil {
			return image.Program{}, err
		}
		files = []string{own}
		if _, err := os.Stat(own); errors.Is(err, fs.ErrNotExist) {
			files = []string{filepath.Join(filepath.Dir(own), filepath.Base(config.AgentPath))}
		}
	}
	var errs []error
	for _, f := range files {
		p, err := image.ReadProgram(f, arch)
		if err == nil {
			return p, nil
		}
		errs = append(errs, err)
	}
	err := errors.Join(errs...)
	if o.Programs == nil && arch != config.DefaultArch {
		return image.Program{}, fault.With(fault.Usage, fault.Hint(err, "run: CGO_ENABLED=0 GOOS=linux %s go build -o %s ./cmd/mosqagent && mosqbuild image build --component agent --platform %s --agent ./%[2]s",
			goEnvironment(arch), suffixed, config.PlatformPrefix+arch))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fault.With(fault.Usage, fault.Hint(err, "make build makes it beside the program; or run: CGO_ENABLED=0 go build -o mosqagent ./cmd/mosqagent && mosqbuild image build --component agent --agent ./mosqagent"))
	}
	return image.Program{}, err
}

// goEnvironment are the variables by which Go builds for an architecture.
func goEnvironment(arch string) string {
	goarch, variant, _ := strings.Cut(arch, "/v")
	if variant == "" {
		return "GOARCH=" + goarch
	}
	return "GOARCH=" + goarch + " GOARM=" + variant
}
