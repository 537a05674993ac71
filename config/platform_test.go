package config

import (
	"strings"
	"testing"
)

func TestParsePlatform(t *testing.T) {
	for in, want := range map[string]string{
		"linux/amd64": "amd64", "linux/x86_64": "amd64", "linux/arm64": "arm64", "linux/arm64/v8": "arm64", "linux/aarch64": "arm64",
		"linux/arm/v7": "arm/v7", "linux/arm": "arm/v7", "linux/arm/v6": "arm/v6", "linux/386": "386", "linux/riscv64": "riscv64",
		"linux/s390x": "s390x", "linux/ppc64le": "ppc64le", "linux/loong64": "loong64", "linux/loongarch64": "loong64",
		"": "", "amd64": "", "linux": "", "linux/": "", "windows/amd64": "", "linux/amd64/": "", "linux/../x": "", "linux/arm/v7/x": "", "Linux/amd64": "",
	} {
		if got, err := ParsePlatform(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
	if got := Platforms([]string{"amd64", "arm/v7"}); got != "linux/amd64, linux/arm/v7" {
		t.Errorf("Platforms = %q", got)
	}
}

func TestPlatformsOfAConfiguration(t *testing.T) {
	_, err := Read("m.yaml", []byte("image:\n  platforms:\n    - linux/arm64\n    - windows/amd64\n    - linux/arm64/v8\n"))
	for _, want := range []string{`m.yaml:4: image.platforms[1]: "windows/amd64" is no platform`, `m.yaml:5: image.platforms[2]: "linux/arm64" is there twice`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q in it", err, want)
		}
	}
	if c, err := Read("m.yaml", []byte("image: {platforms: [linux/arm64, linux/arm/v7]}")); err != nil || len(c.Image.Platforms) != 2 {
		t.Errorf("%v, %v", c.Image.Platforms, err)
	}
}
