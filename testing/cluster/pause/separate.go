package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// kernel has the settings that a kubelet insists on, so that it finds them and
// changes none of the machine's.
var kernel = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// scratch are folders that the programs of a node write to whatever one tells
// them; each node has its own, empty ones.
var scratch = []string{"/run", "/var/log"}

// layered is a folder that a node sees with what the machine has there, and
// changes in a layer of its own.
const layered = "/var/lib"

// separate sets the mounts of this process's namespace apart from the
// machine's. The arguments are the folder for the files it needs, and files to
// mount over others, as FILE=OVER.
func separate(args []string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, dir := range scratch {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID, "mode=755"); err != nil {
			return fmt.Errorf("mounting %s: %w", dir, err)
		}
	}
	if err := layer(args[0]); err != nil {
		return fmt.Errorf("mounting over %s: %w", layered, err)
	}
	if err := settings(args[0]); err != nil {
		return err
	}
	for _, pair := range args[1:] {
		file, over, _ := strings.Cut(pair, "=")
		if err := mountOver(file, over); err != nil {
			return fmt.Errorf("mounting over %s: %w", over, err)
		}
	}
	// Among themselves the node's programs and containers do share mounts.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts: %w", err)
	}
	return nil
}

// layer mounts over layered what keeps changes in dir.
func layer(dir string) error {
	upper, work := filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return syscall.Mount("overlay", layered, "overlay", syscall.MS_NOSUID, "lowerdir="+layered+",upperdir="+upper+",workdir="+work)
}

// mountOver mounts file over another, which may be a link into what scratch has
// hidden.
func mountOver(file, over string) error {
	if to, err := os.Readlink(over); err == nil {
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(over), to)
		}
		if _, err := os.Stat(to); err != nil {
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(to, nil, 0o644); err != nil {
				return err
			}
		}
	}
	return syscall.Mount(file, over, "", syscall.MS_BIND, "")
}

// settings mounts files of dir over the kernel's settings.
func settings(dir string) error {
	for name, value := range kernel {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(file, "/proc/sys/"+name, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting over %s: %w", name, err)
		}
	}
	return nil
}
