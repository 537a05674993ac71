package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/passwd"
)

func newPasswdVerify(a *app) *cobra.Command {
	file := passwdFile{a: a}
	var stdin bool
	c := &cobra.Command{
		Use:   "verify USER",
		Short: "Check a user's password against the file",
		Long: `Check a user's password, from the terminal or from the first line of stdin
(--stdin), against the password file. The exit code is 0 where it is right and
5 where it is wrong or there is no such user.`,
		Example: `  mosqbuild passwd verify admin
  mosqbuild passwd verify admin --stdin < .mosqbuild/password`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return runPasswdVerify(c.Context(), file, args[0], stdin)
		},
	}
	file.flag(c)
	c.Flags().BoolVar(&stdin, "stdin", false, "read the password from the first line of stdin")
	return c
}

func runPasswdVerify(ctx context.Context, file passwdFile, user string, stdin bool) error {
	f, err := file.read()
	if err != nil {
		return err
	}
	password, err := file.a.readPassword(ctx, "Password of "+user, stdin, false)
	if err != nil {
		return err
	}
	err = f.Verify(user, password)
	switch {
	case err == nil:
		file.a.progress("the password of %s is right", user)
	case errors.Is(err, passwd.ErrNoUser):
		err = fault.With(fault.CheckFailed, fault.Hint(err, "run: mosqbuild passwd list"))
	default:
		err = fault.With(fault.CheckFailed, err)
	}
	return err
}
