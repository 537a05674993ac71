package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// PlatformPrefix stands before Go's name of the architecture in a platform's
// name: images are for Linux.
const PlatformPrefix = "linux/"

// DefaultArch is the architecture of an image unless told otherwise, by Go's
// name: that of linux/amd64.
const DefaultArch = "amd64"

var platform = regexp.MustCompile(`^linux/([a-z0-9_]+(/v[0-9]+)?)$`)

// archAliases are other names of architectures: apk's, the kernel's, and those
// with the variant that is taken for granted, or without one, as containerd
// reads them.
var archAliases = map[string]string{
	"x86_64": "amd64", "amd64/v1": "amd64", "aarch64": "arm64", "arm64/v8": "arm64", "x86": "386", "i386": "386",
	"arm": "arm/v7", "armv7": "arm/v7", "armhf": "arm/v6", "loongarch64": "loong64",
}

// ParsePlatform returns Go's name of the architecture of a platform, with the
// variant of a 32-bit ARM: "amd64" of "linux/amd64", "arm/v7" of "linux/arm/v7".
// Names that mean the same give the same. Whether anybody has packages for it
// isn't known here.
func ParsePlatform(s string) (arch string, err error) {
	m := platform.FindStringSubmatch(s)
	if m == nil {
		return "", fmt.Errorf("%q is no platform, such as linux/amd64, linux/arm64 or linux/arm/v7", s)
	}
	if arch, ok := archAliases[m[1]]; ok {
		return arch, nil
	}
	return m[1], nil
}

// Platforms names the architectures as people do: "linux/amd64, linux/arm64".
func Platforms(archs []string) string {
	names := make([]string, len(archs))
	for i, arch := range archs {
		names[i] = PlatformPrefix + arch
	}
	return strings.Join(names, ", ")
}

// checkPlatforms finds what is no platform, and what is there twice.
func (i Image) checkPlatforms(v *problems) {
	var seen []string
	for n, p := range i.Platforms {
		at := fmt.Sprintf("image.platforms[%d]", n)
		arch, err := ParsePlatform(p)
		v.check(err == nil, at, "%v", err)
		v.check(err != nil || !slices.Contains(seen, arch), at, "%q is there twice", PlatformPrefix+arch)
		seen = append(seen, arch)
	}
}
