package cmd

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newPasswdList(a *app) *cobra.Command {
	file := passwdFile{a: a}
	c := &cobra.Command{
		Use:   "list",
		Short: "Print the users of the password file",
		Long: `Print the users of the password file, one a line, in the file's order. What the
broker would object to or skip is said on stderr.`,
		Example: `  mosqbuild passwd list
  mosqbuild passwd list --file /etc/mosquitto/passwd`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runPasswdList(file) },
	}
	file.flag(c)
	return c
}

func runPasswdList(file passwdFile) error {
	f, err := file.read()
	if err != nil {
		return err
	}
	for _, p := range f.Problems() {
		file.a.note("%s, %v", file.path(), p)
	}
	for _, user := range f.Users() {
		if _, err := fmt.Fprintln(file.a.Out, user); err != nil {
			return err
		}
	}
	return nil
}
