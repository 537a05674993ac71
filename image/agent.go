package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/packages"
)

// agentLicenses are those of the program and of what is linked into it: its own
// and Kubernetes', Go's, the MQTT client's, and smaller libraries'.
var agentLicenses = []string{"Apache-2.0", "BSD-3-Clause", "EPL-2.0", "ISC", "MIT"}

// agentPackings take longer than those of other layers, for 5 % less: every node
// of three pulls the image, and a pod that waits for it guards nothing.
var agentPackings = map[string]packing{
	"":   {Gzip, 9, 1 << 20},
	Gzip: {Gzip, 9, 1 << 20},
	Zstd: {Zstd, int(zstd.SpeedBestCompression), 0},
}

// kindProgram is the one layer of an agents' image.
const kindProgram = "program"

// AgentSpec is what the agents' image is made of: one static program.
type AgentSpec struct {
	// Program is required; see ReadProgram.
	Program Program
	// Arch is Go's name of the architecture, with the variant of a 32-bit ARM.
	// Default: "amd64".
	Arch string
	// Name is the image's title. Default: "mosquitto-agent".
	Name string
	// Labels are added to the built-in labels and win over them.
	Labels map[string]string
	// Created is as in Spec.
	Created time.Time
	// Revision is the source revision for the label of that name, if any.
	Revision string
	// Compression of the layer: Gzip or Zstd. Default: Gzip.
	Compression string
}

// BuildAgent assembles the agents' image: the program, names for its uid and
// gid, and its licence. Nothing of it can be run but the program.
func BuildAgent(ctx context.Context, s AgentSpec) (Image, error) {
	if len(s.Program.Data) == 0 {
		return nil, errors.New("building the agents' image: AgentSpec has no Program")
	}
	s.Name, s.Arch = cmp.Or(s.Name, "mosquitto-agent"), cmp.Or(s.Arch, "amd64")
	if s.Created.IsZero() {
		s.Created = time.Unix(0, 0)
	}
	s.Created = s.Created.UTC().Truncate(time.Second)
	cf, entries := s.configFile(), s.entries()
	sbom, err := s.sbom(cf.Config.Labels, entries)
	if err != nil {
		return nil, fmt.Errorf("building image %q: %w", s.Name, err)
	}
	if _, err := packingOf(s.Compression); err != nil {
		return nil, fmt.Errorf("building image %q: %w", s.Name, err)
	}
	layer, err := agentPackings[s.Compression].memoryLayer(ctx, append(entries, sbom), s.Created)
	if err != nil {
		return nil, fmt.Errorf("building image %q: %w", s.Name, err)
	}
	return assemble(cf, annotations(cf.Config.Labels), []part{newPart(kindProgram, layer, s.Created)})
}

func (s AgentSpec) entries() []packages.Entry {
	names := accounts{}.with()
	all := []packages.Entry{
		regular(passwdPath, 0o644, names.Passwd), regular(groupPath, 0o644, names.Group),
		regular(config.AgentPath, 0o755, s.Program.Data),
	}
	for _, id := range agentLicenses {
		if text, ok := licenseText(id); ok {
			all = append(all, regular(path.Join(config.LicensesDir, id+".txt"), 0o644, text))
		}
	}
	return all
}

func (s AgentSpec) configFile() *v1.ConfigFile {
	version := cmp.Or(s.Program.Version, "unknown")
	summary := "The guard and failover controller of a pair of Mosquitto brokers"
	l := commonLabels(s.Name, version, s.Created)
	maps.Copy(l, map[string]string{
		ociPrefix + "licenses": strings.Join(agentLicenses, " AND "),
		"release":              "0", "summary": summary, "description": summary, ociPrefix + "description": summary,
	})
	if s.Revision != "" {
		l[ociPrefix+"revision"] = s.Revision
	}
	maps.Copy(l, s.Labels)
	platform := platformOf(s.Arch)
	return &v1.ConfigFile{
		Architecture: platform.Architecture,
		Variant:      platform.Variant,
		OS:           platform.OS,
		Created:      v1.Time{Time: s.Created},
		Config: v1.Config{
			User:       strconv.Itoa(config.UID) + ":" + strconv.Itoa(config.GID),
			Entrypoint: []string{config.AgentPath},
			WorkingDir: "/",
			Env:        []string{"PATH=/usr/bin"},
			StopSignal: "SIGTERM",
			Labels:     l,
		},
	}
}
