package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// minirootfs names the variable that names an alpine-minirootfs-*.tar.gz.
const minirootfs = "ALPINE_MINIROOTFS"

// buildah keeps its storage in the workspace.
type buildah struct {
	w       *workspace
	driver  string
	context string // folder of the Containerfile
}

// buildahFile follows the article that this project began with: Alpine as the
// base, a user, and "apk add mosquitto", here from the same local repository.
// Only mosquitto is asked for, where ours installs its clients as well.
const buildahFile = `FROM localhost/alpine
RUN addgroup -g 1000 mygroup && \
    adduser -G mygroup -u 1000 -h /myuser -D myuser && \
    chown -R myuser:mygroup /myuser && \
    apk --no-cache --repositories-file /dev/null --repository /repository add mosquitto
WORKDIR /myuser
COPY files/* /myuser/
USER myuser
EXPOSE 1883 8883
CMD ["/myuser/start.sh"]
`

func (w *workspace) newBuildah(ctx context.Context) (buildah, error) {
	b := buildah{w: w, context: filepath.Join(w.dir, "buildah-context")}
	if _, err := program("buildah"); err != nil {
		return b, err
	}
	base := os.Getenv(minirootfs)
	if base == "" {
		return b, leftOut(minirootfs + " is unset; it names an alpine-minirootfs-*.tar.gz, the base of buildah's image")
	}
	if os.Getuid() != 0 {
		return b, leftOut("not root, which buildah's chroot isolation needs")
	}
	w.cleanup = append(w.cleanup, func() error {
		if b.driver == "" {
			return nil
		}
		// Also after an interruption; containers may still be mounted.
		_, err1 := output(b.command(context.WithoutCancel(ctx), "rm", "--all"))
		_, err2 := output(b.command(context.WithoutCancel(ctx), "rmi", "--all", "--force"))
		return errors.Join(err1, err2)
	})
	if err := b.importBase(ctx, base); err != nil {
		return b, err
	}
	return b, b.writeContext()
}

// importBase makes the base image, with the faster of the drivers that work.
func (b *buildah) importBase(ctx context.Context, base string) error {
	var container string
	var err error
	for _, b.driver = range []string{"overlay", "vfs"} {
		if container, err = output(b.command(ctx, "from", "scratch")); err != nil {
			continue
		}
		if _, err = output(b.command(ctx, "add", container, base, "/")); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	_, err = output(b.command(ctx, "commit", "--rm", container, "localhost/alpine"))
	return err
}

func (b *buildah) writeContext() error {
	files := filepath.Join(b.context, "files")
	if err := os.MkdirAll(files, 0o755); err != nil { //nolint:gosec // goes into an image
		return err
	}
	for path, data := range map[string]string{
		filepath.Join(b.context, "Containerfile"): buildahFile,
		filepath.Join(files, "mosquitto.conf"):    "listener 1883\nallow_anonymous true\n",
		filepath.Join(files, "start.sh"):          "#!/bin/sh\nexec mosquitto -c /myuser/mosquitto.conf\n",
	} {
		if err := os.WriteFile(path, []byte(data), 0o755); err != nil { //nolint:gosec // a script
			return err
		}
	}
	return nil
}

func (b *buildah) command(ctx context.Context, args ...string) *exec.Cmd {
	storage := filepath.Join(b.w.dir, "buildah-"+b.driver)
	return exec.CommandContext(ctx, "buildah", append([]string{
		"--root", filepath.Join(storage, "graph"), "--runroot", filepath.Join(storage, "run"), "--storage-driver", b.driver}, args...)...)
}

// build makes the image in buildah's storage, as podman build would; there it
// is not compressed yet.
func (b *buildah) build(ctx context.Context) (sample, error) {
	key := filepath.Base(b.w.key)
	return timed(b.command(ctx, "bud", "--isolation", "chroot", "--no-cache", "--pull-never",
		"--volume", b.w.repository+":/repository:ro", "--volume", b.w.key+":/etc/apk/keys/"+key+":ro",
		"--tag", "localhost/mosquitto", b.context))
}
