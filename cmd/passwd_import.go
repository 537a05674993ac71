package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/passwd"
)

func newPasswdImport(a *app) *cobra.Command {
	file := passwdFile{a: a}
	var how hashing
	c := &cobra.Command{
		Use:   "import",
		Short: "Add many users from stdin",
		Long: `Add the users that stdin lists, "user:password" a line, hashing on all
processors. The password is everything behind the first colon. Empty lines and
lines that begin with # are skipped. A user that is in the file already gets
the new password. When any line is bad, each is named by its number and nothing
is written; a password that is hashed already is bad, too.

Users without an acl in mosqbuild.yaml may read and write every topic.`,
		Example: `  mosqbuild passwd import < users.txt
  mosqbuild passwd import --file registry.htpasswd --format htpasswd < users.txt`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runPasswdImport(c.Context(), file, how) },
	}
	file.flag(c)
	how.flags(c)
	return c
}

func runPasswdImport(ctx context.Context, file passwdFile, how hashing) error {
	a, start := file.a, time.Now()
	h, err := how.hasher(file)
	if err != nil {
		return err
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if a.terminal() {
		return fault.With(fault.Usage, fault.Hint(errors.New("the users come on stdin, which is a terminal"), "run: mosqbuild passwd import < users.txt"))
	}
	// Hashed before the file is locked: stdin may take its time.
	var batch passwd.File
	n, err := h.Import(ctx, untilDone(ctx, a.In), &batch)
	if err != nil {
		return fault.Hint(fmt.Errorf("importing users: %w", err), "nothing was written; each line must read user:password")
	}
	if err := refuseKept(file, &batch, first(cfg)); err != nil {
		return err
	}
	if err := file.add(h.Format, func(f *passwd.File) error { return merge(f, &batch) }); err != nil {
		return err
	}
	a.progress("imported %d users in %s%s", n, time.Since(start).Round(time.Millisecond), file.reload(h.Format))
	return nil
}

// refuseKept refuses users whose password is kept in the clear for clients
// and probes: that copy would be wrong afterwards.
func refuseKept(file passwdFile, batch *passwd.File, first string) error {
	for _, user := range []string{first, config.HealthUser} {
		if _, have := batch.Hash(user); have && file.kept() {
			return fault.Hint(fmt.Errorf("importing users: user %q is mosqbuild's own login", user), "leave it out, and run: mosqbuild passwd set %s", user)
		}
	}
	return nil
}

func merge(f, batch *passwd.File) error {
	for _, user := range batch.Users() {
		hash, _ := batch.Hash(user)
		if err := f.Set(user, hash); err != nil {
			return err
		}
	}
	return nil
}
