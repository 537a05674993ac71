package image_test

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// FuzzReadProgram: what is taken for a program is the file as it is, for one
// machine, and what isn't comes with a hint.
func FuzzReadProgram(f *testing.F) {
	for _, path := range []string{
		foreignProgram(f, elf.EM_X86_64, elf.ELFCLASS64, elf.ELFDATA2LSB, ""),
		foreignProgram(f, elf.EM_S390, elf.ELFCLASS64, elf.ELFDATA2MSB, ""),
		foreignProgram(f, elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2LSB, "7,softfloat"),
	} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("#!/bin/sh\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		fits := 0
		for _, arch := range []string{"386", "amd64", "arm/v7", "arm64", "loong64", "ppc64le", "riscv64", "s390x"} {
			p, err := image.ReadProgram(path, arch)
			if err == nil {
				fits++
			}
			if err == nil && !bytes.Equal(p.Data, data) || err != nil && (fault.CodeOf(err) != fault.Usage || fault.HintOf(err) == "") {
				t.Errorf("for %s: %d bytes of %d, %v, hint %q", arch, len(p.Data), len(data), err, fault.HintOf(err))
			}
		}
		if fits > 1 {
			t.Errorf("%d bytes run on %d machines", len(data), fits)
		}
	})
}

// FuzzReadImage: a docker-archive, and an OCI layout in a folder, are read or
// refused, and what is read is no more than is there.
func FuzzReadImage(f *testing.F) {
	img := testImage(f)
	docker := image.Output{Format: image.FormatDockerArchive, Path: filepath.Join(f.TempDir(), "docker.tar")}
	if err := image.Write(f.Context(), img, docker, testName); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(docker.Path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add(changedArchive(f, func(m *tarball.Descriptor) { m.Layers = append(m.Layers, m.Layers[0]) }))
	f.Add(changedArchive(f, func(m *tarball.Descriptor) { m.Layers = m.Layers[1:] }))
	f.Add(holedArchive(f, "gnu", func(m *tarball.Descriptor) { m.Config = "hole" }))
	f.Add(holedArchive(f, "posix", func(m *tarball.Descriptor) { m.Layers[0] = "hole" }))
	f.Add(ociArchive(f, func(_ *tar.Header, data []byte) []byte { return data }))
	f.Add(ociArchive(f, func(_ *tar.Header, data []byte) []byte { return data[:len(data)/2] }))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a.tar")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		readsNoMore(t, "docker-archive:"+path, data)
		unpackFiles(t, data, filepath.Join(dir, "layout"))
		readsNoMore(t, "oci:"+filepath.Join(dir, "layout"), data)
	})
}

// readsNoMore reads all of an image that is made of data.
func readsNoMore(t *testing.T, from string, data []byte) {
	t.Helper()
	img, err := image.Read(t.Context(), from, image.ReadOptions{})
	if err != nil {
		return
	}
	if _, err := img.ConfigFile(); err != nil {
		return
	}
	layers, err := img.Layers()
	if err != nil {
		return
	}
	for _, l := range layers {
		r, err := image.Unpack(l)
		if err != nil {
			continue
		}
		n, err := io.Copy(io.Discard, r)
		if most := int64(len(data))*1032 + 1<<30; n > most {
			t.Errorf("%s: a layer of %d bytes in %d", from, n, len(data))
		}
		if err := errors.Join(err, r.Close()); err == nil && n > 0 && len(data) == 0 {
			t.Errorf("%s: %d bytes out of none", from, n)
		}
	}
}

// unpackFiles writes the files of a tar below dir, which is there afterwards.
func unpackFiles(t *testing.T, data []byte, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for tr := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := tr.Next()
		if err != nil {
			return
		}
		content, err := io.ReadAll(io.LimitReader(tr, int64(len(data))))
		if err != nil || root.MkdirAll(filepath.Dir(h.Name), 0o755) != nil {
			continue
		}
		_ = root.WriteFile(h.Name, content, 0o644) // what has no place there is left out
	}
}
