package cmd

import "github.com/spf13/cobra"

func newPasswd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "passwd",
		Short: "Edit the broker's password file",
		Long: `Edit the broker's password file: .mosqbuild/passwd, or the one that --file
names. A file is replaced whole and under a lock, so that the broker never
reads a part and two edits at once both take effect; comments and order stay.
A running broker reads the file again on SIGHUP.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newPasswdSet(a), newPasswdDelete(a), newPasswdList(a), newPasswdVerify(a), newPasswdImport(a))
	return c
}
