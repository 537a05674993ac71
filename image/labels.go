package image

import (
	"bufio"
	"bytes"
	"maps"
	"path"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
)

const ociPrefix = "org.opencontainers.image."

// configFile returns the image's config but for layers and history.
func configFile(s Spec) *v1.ConfigFile {
	platform := platformOf(s.Lock.Arch)
	return &v1.ConfigFile{
		Architecture: platform.Architecture,
		Variant:      platform.Variant,
		OS:           platform.OS,
		Created:      v1.Time{Time: s.Created},
		Config: v1.Config{
			User:         strconv.Itoa(config.UID) + ":" + strconv.Itoa(config.GID),
			Entrypoint:   []string{config.BrokerPath},
			Cmd:          []string{"-c", path.Join(config.ConfigDir, config.ConfFile)},
			ExposedPorts: ports(s.Bundle.Rendered),
			WorkingDir:   "/",
			Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			StopSignal:   "SIGTERM",
			Labels:       labels(s),
		},
	}
}

// labels returns the OCI labels and those that Red Hat's certification asks
// for, with Spec.Labels over them.
func labels(s Spec) map[string]string {
	version, release := brokerVersion(s)
	summary := "Eclipse Mosquitto MQTT broker " + version
	description := "A hardened Mosquitto broker: no shell needed, any uid with gid 0, read-only root"
	l := commonLabels(s.Name, version, s.Created)
	maps.Copy(l, map[string]string{
		ociPrefix + "licenses":    licenseExpression(s.Lock),
		ociPrefix + "description": description,
		"release":                 release,
		"summary":                 summary,
		"description":             description,
	})
	if s.Revision != "" {
		l[ociPrefix+"revision"] = s.Revision
	}
	maps.Copy(l, s.Labels)
	return l
}

// commonLabels are those that every image has.
func commonLabels(name, version string, created time.Time) map[string]string {
	return map[string]string{
		ociPrefix + "title":   name,
		ociPrefix + "version": version,
		ociPrefix + "created": created.Format(time.RFC3339),
		ociPrefix + "vendor":  "mosqbuild",
		"name":                name,
		"vendor":              "mosqbuild",
		"version":             version,
		"maintainer":          "mosqbuild",
	}
}

// brokerVersion splits apk's 2.0.22-r1 into the broker's version and the
// packaging's release.
func brokerVersion(s Spec) (version, release string) {
	p, ok := s.Lock.Find("mosquitto")
	if !ok {
		return "unknown", "0"
	}
	if i := strings.LastIndex(p.Version, "-r"); i >= 0 {
		return p.Version[:i], p.Version[i+2:]
	}
	return p.Version, "0"
}

// annotations are the labels that OCI names: registries show the manifest's,
// runtimes the config's.
func annotations(labels map[string]string) map[string]string {
	a := map[string]string{}
	for k, v := range labels {
		if strings.HasPrefix(k, ociPrefix) {
			a[k] = v
		}
	}
	return a
}

// ports returns the listeners that clients outside the container can reach:
// the configuration in the image is the one place that says so.
func ports(rendered []files.File) map[string]struct{} {
	exposed := map[string]struct{}{}
	for _, f := range rendered {
		if f.Path != path.Join(config.ConfigDir, config.ConfFile) {
			continue
		}
		for lines := bufio.NewScanner(bytes.NewReader(f.Data)); lines.Scan(); {
			field := strings.Fields(lines.Text())
			if len(field) < 2 || field[0] != "listener" {
				continue
			}
			local := len(field) > 2 && (loopbackHost(field[2]) || strings.HasPrefix(field[2], "/"))
			if n, err := strconv.Atoi(field[1]); err == nil && n > 0 && n < 1<<16 && !local {
				exposed[field[1]+"/tcp"] = struct{}{}
			}
		}
	}
	return exposed
}
