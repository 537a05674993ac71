package podmantest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Configure writes podman's configuration below dir, which must be absolute
// and short (podman puts sockets there): storage below dir, and runtime as the
// OCI runtime. It returns the environment variables that put it to use.
func Configure(dir, runtime string) ([]string, error) {
	vars := []string{
		"CONTAINERS_CONF=" + filepath.Join(dir, "containers.conf"),
		"CONTAINERS_STORAGE_CONF=" + filepath.Join(dir, "storage.conf"),
		"CONTAINERS_REGISTRIES_CONF=" + filepath.Join(dir, "registries.conf"),
	}
	for name, text := range map[string]string{
		"containers.conf": containersConf(dir, runtime),
		"storage.conf": fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n",
			filepath.Join(dir, "root"), filepath.Join(dir, "run")),
		"registries.conf": "unqualified-search-registries = []\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("configuring podman: %w", err)
		}
	}
	return vars, nil
}

// containersConf keeps podman from systemd, and from the host's packet filter
// where slirp4netns can forward the ports in its stead. It must not set
// static_dir: the process that cleans up after a container isn't told, looks
// elsewhere, and podman waits 20 s for it in vain.
func containersConf(dir, runtime string) string {
	text := ""
	if _, err := exec.LookPath("slirp4netns"); err == nil {
		text = "[containers]\nnetns = \"slirp4netns\"\n\n"
	}
	return text + fmt.Sprintf(`[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "unlimited"
tmp_dir = %q
volume_path = %q

[engine.runtimes]
unlimited = [%q]

[network]
network_config_dir = %q
`, filepath.Join(dir, "tmp"), filepath.Join(dir, "volumes"), runtime, filepath.Join(dir, "networks"))
}
