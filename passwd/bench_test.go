package passwd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mosqbuild/mosqbuild/passwd"
)

// plain is a file of 2,000 users with their passwords in the clear.
func plain() []byte {
	var b bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&b, "user%d:password-%d-abcdefgh\n", i, i)
	}
	return b.Bytes()
}

// BenchmarkImport hashes 2,000 users. mosquitto_passwd 2.0 knows 101
// iterations only, so that is what it is compared at.
func BenchmarkImport(b *testing.B) {
	in := plain()
	for _, iterations := range []int{101, 1000} {
		b.Run(fmt.Sprint(iterations), func(b *testing.B) {
			for b.Loop() {
				var f passwd.File
				if _, err := (passwd.Hasher{Iterations: iterations}).Import(b.Context(), bytes.NewReader(in), &f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMosquittoPasswd is the peer: the same file through
// mosquitto_passwd -U, process and file included.
func BenchmarkMosquittoPasswd(b *testing.B) {
	tool, in := program(b, "mosquitto_passwd"), plain()
	path := filepath.Join(b.TempDir(), "passwd")
	for b.Loop() {
		if err := os.WriteFile(path, in, 0o600); err != nil {
			b.Fatal(err)
		}
		if out, err := exec.Command(tool, "-U", path).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
}
