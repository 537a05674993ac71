package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func newImageKey(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "key [NAME]",
		Short: "Make a key to sign images with",
		Long: `Make a pair of keys as "cosign generate-key-pair" does, and print the public
one's file: NAME.key, encrypted with a password, and NAME.pub, for those who
verify. NAME is cosign unless given; a file that is there stays as it is, and is
an error.

The password is that of the environment variable COSIGN_PASSWORD, which may be
empty, or is asked for twice on the terminal.`,
		Example: `  mosqbuild image key
  mosqbuild image push --sign cosign.key quay.io/example/mosquitto:2.0
  mosqbuild image verify --key cosign.pub quay.io/example/mosquitto:2.0`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.imageKey(c.Context(), append(args, "cosign")[0])
		},
	}
}

func (a *app) imageKey(ctx context.Context, name string) error {
	private, public := name+".key", name+".pub"
	for _, path := range []string{private, public} {
		if _, err := os.Lstat(path); err == nil {
			return keyExists(path)
		}
	}
	password, err := a.keyPassword(ctx, private, true)
	if err != nil {
		return err
	}
	key, pub, err := image.GenerateKey(password)
	if err != nil {
		return err
	}
	if err := writeNew(private, key, 0o600); err != nil {
		return err
	}
	if err := writeNew(public, pub, 0o644); err != nil {
		return errors.Join(err, os.Remove(private))
	}
	a.progress("%s signs, with its password: keep both where nobody else can read them", private)
	_, err = fmt.Fprintln(a.Out, public)
	return err
}

// writeNew writes a file that isn't there yet.
func writeNew(path string, data []byte, mode os.FileMode) error {
	return atomicfile.Edit(path, mode, func(old []byte) ([]byte, error) {
		if old != nil {
			return nil, keyExists(path)
		}
		return data, nil
	})
}

func keyExists(path string) error {
	return fault.With(fault.Usage, fault.Hint(fmt.Errorf("%q is there already", path), "name another: mosqbuild image key NAME"))
}

// keyPassword is the password of the key in that file: from the environment as
// with cosign, else from the terminal.
func (a *app) keyPassword(ctx context.Context, file string, isNew bool) ([]byte, error) {
	if password, ok := os.LookupEnv("COSIGN_PASSWORD"); ok {
		return []byte(password), nil
	}
	password, err := a.readPassword(ctx, "Password of "+file, false, isNew)
	if errors.Is(err, errNoPassword) {
		err = fault.With(fault.Usage, fault.Hint(err, "set COSIGN_PASSWORD, which may be empty"))
	}
	return password, err
}

// signer reads the private key in that file; "" is none.
func (a *app) signer(ctx context.Context, file string) (*image.Signer, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading --sign: %w", err), "make a key: mosqbuild image key"))
	}
	password, err := a.keyPassword(ctx, file, false)
	if err != nil {
		return nil, err
	}
	s, err := image.LoadSigner(data, password)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", file, err)
	}
	return s, nil
}
