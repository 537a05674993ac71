package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// Load gives every node the image in an archive, as "mosqbuild image build -o
// docker-archive:FILE" or "oci-archive:FILE" writes it, under the names that the
// archive has for it and those given. A tag other than latest is never pulled
// where the node has it.
func (c *Cluster) Load(ctx context.Context, archive string, names ...string) error {
	for _, node := range c.Nodes {
		if err := c.load(ctx, node, archive, names...); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) load(ctx context.Context, node, archive string, names ...string) error {
	p := c.place(node)
	out, err := output(p.ctr(ctx, c, "images", "import", archive))
	if err != nil {
		return fmt.Errorf("loading %q into %s: %w", archive, node, err)
	}
	for _, name := range names {
		// It prints: unpacking localhost/mosquitto:latest (sha256:…)...done
		var from string
		if _, err := fmt.Sscanf(out, "unpacking %s", &from); err != nil {
			return fmt.Errorf("loading %q into %s: it names no image: %q", archive, node, out)
		}
		if from == name {
			continue
		}
		if _, err := output(p.ctr(ctx, c, "images", "tag", "--force", from, name)); err != nil {
			return fmt.Errorf("naming an image on %s: %w", node, err)
		}
	}
	return nil
}

// ctr is a command to the node's containerd, about what Kubernetes runs.
func (p place) ctr(ctx context.Context, c *Cluster, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ctr", append([]string{"--address", c.socket(p.name), "--namespace", "k8s.io"}, args...)...)
}

// writePauseImage writes the archive of pauseImage: one layer with one program.
func (c *Cluster) writePauseImage() error {
	program, err := os.ReadFile(c.path("bin", "pause"))
	if err != nil {
		return fmt.Errorf("making the pause image: %w", err)
	}
	layer, err := archive(tarFile{"pause", 0o755, program})
	if err != nil {
		return err
	}
	digest := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/pause"}, "User": "65535:65535"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]any{map[string]any{"Config": "config.json", "RepoTags": []string{pauseImage}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	image, err := archive(tarFile{"manifest.json", 0o644, manifest}, tarFile{"config.json", 0o644, config}, tarFile{"layer.tar", 0o644, layer})
	if err != nil {
		return err
	}
	return os.WriteFile(c.path("pause.tar"), image, 0o644)
}

type tarFile struct {
	name string
	mode int64
	data []byte
}

func archive(files ...tarFile) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}
