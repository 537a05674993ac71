package packages

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/packages/repo/repotest"
)

// signedIndex returns the index of a repository, the part of it that is signed,
// and what verifies it.
func signedIndex(f *testing.F) (file, index []byte, ring keyring) {
	f.Helper()
	key, dir := repotest.Key(), f.TempDir()
	if err := repo.Write(f.Context(), dir, "x86_64", []repo.Package{{Name: "a", Version: "1", Depends: []string{"so:b=1"}}, {Name: "b", Version: "1.2_rc3-r4", License: "MIT", Provides: []string{"so:b=1"}}}, key, time.Unix(1, 0)); err != nil {
		f.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "x86_64", "APKINDEX.tar.gz"))
	if err != nil {
		f.Fatal(err)
	}
	signature, _, err := cutMember(bufio.NewReader(bytes.NewReader(file)), maxIndexUnpacked)
	if err != nil {
		f.Fatal(err)
	}
	public, err := parsePublicKey(key.Public())
	if err != nil {
		f.Fatal(err)
	}
	index, ring = file[len(signature):], keyring{key.Name: public}
	if by, signed, err := ring.openIndex(file); err != nil || by.name != key.Name || !bytes.Equal(signed, index) {
		f.Fatalf("the index as it was signed: %q, %v", by.name, err)
	}
	return file, index, ring
}

// FuzzOpenIndex asserts that nothing passes for signed but what was signed.
func FuzzOpenIndex(f *testing.F) {
	file, index, ring := signedIndex(f)
	f.Add(file)
	f.Add(index)
	f.Add(file[:len(file)-1])
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, signed, err := ring.openIndex(file); err == nil && !bytes.Equal(signed, index) {
			t.Error("passes for signed")
		}
	})
}

// FuzzParsePublicKey asserts that what is taken for a key is one.
func FuzzParsePublicKey(f *testing.F) {
	entries, err := alpineKeys.ReadDir("keys")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		data, err := alpineKeys.ReadFile("keys/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if key, err := parsePublicKey(data); err == nil && (key == nil || key.N.Sign() <= 0) {
			t.Errorf("key is %v", key)
		}
	})
}
