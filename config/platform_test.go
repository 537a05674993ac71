package config

import "testing"

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
