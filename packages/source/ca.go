package source

import (
	"context"
	"os"
	"path/filepath"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
)

// makeBundle makes the bundle of root certificates out of the source package
// ca-certificates, in the two places where programs look for it.
func makeBundle(ctx context.Context, s Source, archive, work string, log *os.File) error {
	if err := unpack(ctx, s, archive, work, log); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(work, "source", "mozilla", "certdata.txt"))
	if err != nil {
		return err
	}
	objects, err := parseCertdata(string(text))
	if err != nil {
		return err
	}
	pem, err := bundle(objects)
	if err != nil {
		return err
	}
	license, err := os.ReadFile(filepath.Join(work, "source", "debian", "copyright"))
	if err != nil {
		return err
	}
	ssl := filepath.Join(work, outDir, "root", "etc", "ssl")
	licenses := filepath.Join(work, outDir, "licenses")
	for _, dir := range []string{filepath.Join(ssl, "certs"), licenses} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := atomicfile.Write(filepath.Join(ssl, "certs", "ca-certificates.crt"), pem, 0o644); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(licenses, "copyright"), license, 0o644); err != nil {
		return err
	}
	return os.Symlink("certs/ca-certificates.crt", filepath.Join(ssl, "cert.pem"))
}
