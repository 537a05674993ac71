package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// suite is the Debian release whose sources are built.
const suite = "trixie"

// keyrings are where Debian's archive keys are, newest name first.
var keyrings = []string{
	"/usr/share/keyrings/debian-archive-keyring.pgp",
	"/usr/share/keyrings/debian-archive-keyring.gpg",
}

// apt drives the machine's apt with a state of its own: the mirror and the
// proxy are the machine's, the rest is private, and no privilege is needed.
type apt struct {
	dir string   // private folder
	env []string // besides the clean environment
}

// options are what every call needs. Refusing what isn't signed is apt's
// default, which a machine's configuration may have turned off.
func (a apt) options() []string {
	set := []string{
		"Dir::Etc::SourceList=" + a.path("sources.list"), "Dir::Etc::SourceParts=/dev/null",
		"Dir::Etc::Preferences=/dev/null", "Dir::Etc::PreferencesParts=/dev/null",
		"Dir::State::Lists=" + a.path("lists"), "Dir::State::Status=/dev/null",
		"Dir::Cache=" + a.path("cache"), "Dir::Cache::Archives=" + a.path("cache"),
		"Dir::Cache::PkgCache=", "Dir::Cache::SrcPkgCache=",
		"APT::Sandbox::User=root", // as root apt would turn into _apt, who can't write here
		"APT::Update::Error-Mode=any", "Acquire::Languages=none", "Acquire::Retries=2", "Acquire::GzipIndexes=false",
		"Acquire::AllowInsecureRepositories=false", "Acquire::AllowWeakRepositories=false",
		"Acquire::AllowDowngradeToInsecureRepositories=false",
		"APT::Get::AllowUnauthenticated=false", "Debug::NoLocking=true",
	}
	args := []string{"-q", "-c=" + a.path("apt.conf")}
	for _, s := range set {
		args = append(args, "-o", s)
	}
	return args
}

func (a apt) path(name string) string { return filepath.Join(a.dir, name) }

// run calls apt-get in dir.
func (a apt) run(ctx context.Context, dir string, out, log io.Writer, args ...string) error {
	c := command(ctx, dir, out, "apt-get", append(a.options(), args...)...)
	c.Stderr = log
	c.Env = append(c.Env, a.env...)
	if err := c.Run(); err != nil {
		return fmt.Errorf("running apt-get %s: %w", args[0], err)
	}
	return nil
}

// resolve reads the suite's signed index anew and returns the source packages
// called names in the versions that it now has.
func (a apt) resolve(ctx context.Context, names []string, log io.Writer) ([]Source, error) {
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return nil, err
	}
	var targets bytes.Buffer
	list := command(ctx, a.dir, &targets, "apt-get", "indextargets", "--format", targetFormat)
	list.Stderr = log
	list.Env = append(list.Env, a.env...)
	if err := list.Run(); err != nil {
		return nil, fmt.Errorf("asking apt for its mirrors: %w", err)
	}
	mirrors, err := sourcesList(parseTargets(targets.String()), suite)
	if err != nil {
		return nil, err
	}
	return a.index(ctx, mirrors, names, log)
}

// index is resolve for mirrors in the form of sources.list.
func (a apt) index(ctx context.Context, mirrors string, names []string, log io.Writer) ([]Source, error) {
	for _, dir := range []string{"lists/partial", "cache/partial", "empty"} {
		if err := os.MkdirAll(a.path(dir), 0o755); err != nil {
			return nil, err
		}
	}
	// Hooks of the machine's own updates have no business here.
	hooks := "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n"
	err := errors.Join(
		os.WriteFile(a.path("apt.conf"), []byte(hooks), 0o644),
		os.WriteFile(a.path("sources.list"), []byte(mirrors), 0o644))
	if err != nil {
		return nil, err
	}
	if err := a.run(ctx, a.dir, log, log, "update"); err != nil {
		return nil, fault.With(fault.Unreachable, err)
	}
	newest, err := a.list(ctx, names, "", log)
	if err != nil {
		return nil, err
	}
	released, err := a.list(ctx, names, "/"+suite, log)
	if err != nil {
		return nil, err
	}
	for i, s := range newest {
		// A partial mirror may announce an update and not have it.
		if s.Version != released[i].Version && !a.has(ctx, s, log) {
			newest[i] = released[i]
			newest[i].Missing = s.Version
		}
	}
	return newest, ctx.Err()
}

// list returns the packages called names with that suffix, which may be a
// version or a suite.
func (a apt) list(ctx context.Context, names []string, suffix string, log io.Writer) ([]Source, error) {
	args := []string{"source", "-qq", "--print-uris", "--only-source"}
	for _, n := range names {
		args = append(args, n+suffix)
	}
	// A file that is in the folder already would not be listed.
	var uris bytes.Buffer
	if err := a.run(ctx, a.path("empty"), &uris, log, args...); err != nil {
		return nil, err
	}
	return parseURIs(uris.String(), names)
}

// has reports whether the mirror delivers a package that its index announces.
func (a apt) has(ctx context.Context, s Source, log io.Writer) bool {
	dir, err := os.MkdirTemp(a.dir, "probe")
	if err != nil {
		return false
	}
	err = a.run(ctx, dir, log, log, "source", "--dsc-only", "--download-only", "--only-source", s.Name+"="+s.Version)
	return errors.Join(err, os.RemoveAll(dir)) == nil
}

// download fetches a source package's files into dir; apt checks them against
// the index, and a second look here checks that it is the index of the record.
func (a apt) download(ctx context.Context, s Source, dir string, log io.Writer) error {
	if err := a.run(ctx, dir, log, log, "source", "--download-only", "--only-source", s.Name+"="+s.Version); err != nil {
		return fault.With(fault.Unreachable, fault.Hint(err, "where the mirror has moved on, run: mosqbuild packages build --refresh"))
	}
	return s.verify(dir)
}

// target is an index file that the machine's apt is set up to read.
type target struct{ Kind, Origin, URI, Release, Component string }

const targetFormat = "$(CREATED_BY)\t$(ORIGIN)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)"

// parseTargets reads what apt-get indextargets prints in targetFormat. A field
// that apt doesn't know, since nothing was ever downloaded, is left as it is in
// the format, and is empty here.
func parseTargets(out string) []target {
	var list []target
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			continue
		}
		for i := range f {
			if strings.HasPrefix(f[i], "$(") {
				f[i] = ""
			}
		}
		list = append(list, target{f[0], f[1], f[2], f[3], f[4]})
	}
	return list
}

// sourcesList returns the deb-src lines for a suite on the mirrors that the
// machine uses for its own release, and for that release's security updates.
func sourcesList(targets []target, suite string) (string, error) {
	signed := ""
	if i := slices.IndexFunc(keyrings, exists); i >= 0 {
		signed = "[signed-by=" + keyrings[i] + "] "
	}
	find := func(want func(release string) bool) string {
		for _, origin := range []string{"Debian", ""} {
			for _, t := range targets {
				if t.Kind == "Packages" && t.Component == "main" && t.Origin == origin && want(t.Release) && t.URI != "" {
					return t.URI
				}
			}
		}
		return ""
	}
	main := find(func(r string) bool { return r != "" && !strings.Contains(r, "-") && !strings.Contains(r, "/") })
	if main == "" {
		err := errors.New("apt is set up for no Debian mirror")
		return "", fault.Hint(err, "the sources are Debian's: add a Debian mirror to /etc/apt/sources.list.d and run: apt-get update")
	}
	lines := fmt.Sprintf("deb-src %s%s %s main\n", signed, main, suite)
	if security := find(func(r string) bool { return strings.HasSuffix(r, "-security") }); security != "" {
		lines += fmt.Sprintf("deb-src %s%s %s-security main\n", signed, security, suite)
	}
	return lines, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
