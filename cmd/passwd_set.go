package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/passwd"
)

func newPasswdSet(a *app) *cobra.Command {
	file := passwdFile{a: a}
	var how hashing
	var stdin, generate bool
	c := &cobra.Command{
		Use:   "set USER",
		Short: "Add a user, or change a user's password",
		Long: `Add a user to the password file, or change a user's password. The password is
asked for twice on the terminal, read from the first line of stdin (--stdin),
or generated and printed (--generate); it is never an argument, where others
could see it.

Without an acl in mosqbuild.yaml the user may read and write every topic.

For the first user of mosqbuild.yaml (admin) the password and the clients'
option files in .mosqbuild follow.`,
		Example: `  mosqbuild passwd set sensor7
  mosqbuild passwd set sensor7 --generate
  pass show mqtt/sensor7 | mosqbuild passwd set sensor7 --stdin
  mosqbuild passwd set ci --file registry.htpasswd --format htpasswd`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return runPasswdSet(c.Context(), file, how, args[0], passwordSource{stdin, generate})
		},
	}
	file.flag(c)
	how.flags(c)
	c.Flags().BoolVar(&stdin, "stdin", false, "read the password from the first line of stdin")
	c.Flags().BoolVar(&generate, "generate", false, "generate the password and print it")
	c.MarkFlagsMutuallyExclusive("stdin", "generate")
	return c
}

func runPasswdSet(ctx context.Context, file passwdFile, how hashing, user string, from passwordSource) error {
	a := file.a
	h, err := how.hasher(file)
	if err != nil {
		return err
	}
	if err := passwd.CheckUser(user); err != nil {
		return fault.With(fault.Usage, err)
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	password, err := a.newPassword(ctx, user, from)
	if err != nil {
		return err
	}
	if err := setPassword(file, first(cfg), user, password, h); err != nil {
		if errors.Is(err, passwd.ErrPassword) {
			err = fault.With(fault.Usage, err)
		}
		return err
	}
	if from.Generate {
		_, err = fmt.Fprintf(a.Out, "%s\n", password)
	}
	a.progress("%s can log in%s", user, file.reload(h.Format))
	return err
}

func setPassword(file passwdFile, first, user string, password []byte, h passwd.Hasher) error {
	if file.kept() {
		return file.a.state().SetLogin(first, user, password, h)
	}
	hash, err := h.Hash(password)
	if err != nil {
		return err
	}
	return file.add(h.Format, func(f *passwd.File) error { return f.Set(user, hash) })
}

func (a *app) newPassword(ctx context.Context, user string, from passwordSource) ([]byte, error) {
	if from.Generate {
		p, err := passwd.GeneratePassword(rand.Reader)
		return []byte(p), err
	}
	return a.readPassword(ctx, "Password of "+user, from.Stdin, true)
}
