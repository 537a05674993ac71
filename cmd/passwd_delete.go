package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/passwd"
)

func newPasswdDelete(a *app) *cobra.Command {
	file := passwdFile{a: a}
	c := &cobra.Command{
		Use:   "delete USER",
		Short: "Remove a user from the password file",
		Long: `Remove a user from the password file. For the first user of mosqbuild.yaml
(admin) and the health user, the next command that needs them makes new ones,
with a new password.`,
		Example: `  mosqbuild passwd delete sensor7`,
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return runPasswdDelete(file, args[0]) },
	}
	file.flag(c)
	return c
}

func runPasswdDelete(file passwdFile, user string) error {
	a := file.a
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if _, err := file.read(); err != nil { // a file that isn't there is not made
		return err
	}
	var had bool
	if file.kept() {
		had, err = a.state().DeleteLogin(first(cfg), user)
	} else {
		err = file.edit(func(f *passwd.File) error {
			had = f.Delete(user)
			return nil
		})
	}
	if err != nil {
		return err
	}
	if !had {
		return fault.Hint(fmt.Errorf("user %q: %w in %q", user, passwd.ErrNoUser, file.path()), "run: mosqbuild passwd list")
	}
	if file.kept() && (user == first(cfg) || user == config.HealthUser) {
		a.note("the next command that needs user %s makes a new password for it", user)
	}
	return nil
}
