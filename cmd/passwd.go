package cmd

import "github.com/spf13/cobra"

func newPasswd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "passwd",
		Short: "Edit the broker's password file",
		Long: `Edit the broker's password file: .mosqbuild/passwd, or the one that --file
names. A file is replaced whole and under a lock, so that the broker never
reads a part and two edits at once both take effect; comments and order stay.

What is in .mosqbuild/passwd counts once "mosqbuild render" was applied again, and
under podman once "mosqbuild image build" has built the image again. A broker that
runs with the file of --file reads it again on SIGHUP.

A user without an acl in mosqbuild.yaml may read and write every topic.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newPasswdSet(a), newPasswdDelete(a), newPasswdList(a), newPasswdVerify(a), newPasswdImport(a))
	return c
}
