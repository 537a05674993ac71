package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// suite is the Debian release whose sources are built.
const suite = "trixie"

// spareSuite is where versions stand for longer that a release has replaced, and
// where a series is that the release doesn't have.
const spareSuite = "sid"

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

// run calls one of apt's programs in dir.
func (a apt) run(ctx context.Context, dir string, out, log io.Writer, program string, args ...string) error {
	c := command(ctx, dir, out, program, append(a.options(), args...)...)
	c.Stderr = log
	c.Env = append(c.Env, a.env...)
	if err := c.Run(); err != nil {
		return fmt.Errorf("running %s %s: %w", program, args[0], err)
	}
	return nil
}

// request asks for a source package, in a version of a series such as "2.1", or
// in any of the suite where that is "".
type request struct{ name, series string }

// among returns those of versions that are of the series.
func (r request) among(versions []string) []string {
	return slices.DeleteFunc(versions, func(v string) bool {
		return r.series != "" && !strings.HasPrefix(v, r.series+".")
	})
}

// resolve reads the suite's signed index anew and returns the source packages
// that are asked for in the newest versions that the mirror now delivers.
func (a apt) resolve(ctx context.Context, wanted []request, log io.Writer) ([]Source, error) {
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
	mirrors, err := sourcesLists(parseTargets(targets.String()))
	if err != nil {
		return nil, err
	}
	return a.index(ctx, mirrors, wanted, log)
}

// mirrors are lines for sources.list: of the suite, and of the one that packages
// are taken from where the suite's own can't be had.
type mirrors struct{ suite, spare string }

// index is resolve for mirrors. A partial mirror may announce what it doesn't
// have: of each package the newest version is taken that it delivers. Where that
// is none of the suite's, it is one of the spare suite's that isn't newer; of a
// series that the suite doesn't have, any of the spare suite's.
func (a apt) index(ctx context.Context, m mirrors, wanted []request, log io.Writer) ([]Source, error) {
	if err := a.prepare(); err != nil {
		return nil, err
	}
	if err := a.update(ctx, m.suite, log); err != nil {
		return nil, err
	}
	sources, lacking := make([]Source, len(wanted)), map[int]string{} // by index, the newest version announced
	for i, r := range wanted {
		versions, err := a.versions(ctx, r.name, log)
		if err != nil {
			return nil, err
		}
		versions = r.among(versions)
		if sources[i], err = a.deliverable(ctx, r.name, versions, log); err != nil {
			return nil, err
		}
		if sources[i].Name == "" {
			lacking[i] = strings.Join(versions[:min(1, len(versions))], "")
		}
	}
	if len(lacking) == 0 {
		return sources, ctx.Err()
	}
	if err := a.update(ctx, m.suite+m.spare, log); err != nil {
		return nil, err
	}
	for i, announced := range lacking {
		var err error
		if sources[i], err = a.spare(ctx, wanted[i], announced, log); err != nil {
			return nil, err
		}
	}
	return sources, ctx.Err()
}

// spare returns what the spare suite has for r, where the suite delivers none
// and announces one version at best.
func (a apt) spare(ctx context.Context, r request, announced string, log io.Writer) (Source, error) {
	versions, err := a.versions(ctx, r.name, log)
	if err != nil {
		return Source{}, err
	}
	if versions, err = upTo(r.among(versions), announced); err != nil {
		return Source{}, fmt.Errorf("looking for source package %q: %w", r.name, err)
	}
	s, err := a.deliverable(ctx, r.name, versions, log)
	switch {
	case err != nil:
		return s, err
	case len(versions) == 0:
		err = fmt.Errorf("looking for source package %q: the mirror's index has no version %s", r.name, r.series)
	case s.Name == "":
		err = fmt.Errorf("looking for source package %q: the mirror announces %s, and delivers none", r.name, strings.Join(versions, ", "))
	default:
		return s, nil
	}
	return s, fault.With(fault.Unreachable, fault.Hint(err, "name another mirror in /etc/apt/sources.list.d, or try again later"))
}

// upTo returns those of versions, newest first, that aren't newer than announced,
// which "" is for all: what is newer may need newer tools.
func upTo(versions []string, announced string) ([]string, error) {
	if announced == "" {
		return versions, nil
	}
	at := slices.Index(versions, announced)
	if at < 0 { // between two updates of the index
		err := fmt.Errorf("the mirror no longer announces version %s", announced)
		return nil, fault.With(fault.Unreachable, fault.Hint(err, "the mirror is just being updated: try again in a few minutes"))
	}
	return versions[at:], nil
}

// prepare makes the private folder.
func (a apt) prepare() error {
	for _, dir := range []string{"lists/partial", "cache/partial", "empty"} {
		if err := os.MkdirAll(a.path(dir), 0o755); err != nil {
			return err
		}
	}
	// Hooks of the machine's own updates have no business here.
	hooks := "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n"
	return os.WriteFile(a.path("apt.conf"), []byte(hooks), 0o644)
}

// update reads the indexes of the mirrors anew.
func (a apt) update(ctx context.Context, mirrors string, log io.Writer) error {
	if err := os.WriteFile(a.path("sources.list"), []byte(mirrors), 0o644); err != nil {
		return err
	}
	return fault.With(fault.Unreachable, a.run(ctx, a.dir, log, log, "apt-get", "update"))
}

// versions returns all that the indexes announce of a package, newest first.
func (a apt) versions(ctx context.Context, name string, log io.Writer) ([]string, error) {
	var stanzas bytes.Buffer
	if err := a.run(ctx, a.dir, &stanzas, log, "apt-cache", "showsrc", "--only-source", name); err != nil {
		return nil, err
	}
	versions := parseVersions(stanzas.String())
	if len(versions) == 0 {
		return nil, fmt.Errorf("looking for source package %q: the mirror's index has none", name)
	}
	var failed error
	slices.SortFunc(versions, func(x, y string) int {
		var exit *exec.ExitError
		switch err := command(ctx, a.dir, log, "dpkg", "--compare-versions", x, "gt", y).Run(); {
		case err == nil:
			return -1
		case !errors.As(err, &exit):
			failed = err
		}
		return 1 // no two are the same
	})
	return versions, failed
}

// parseVersions reads the versions in stanzas of an index.
func parseVersions(stanzas string) []string {
	var versions []string
	for line := range strings.Lines(stanzas) {
		if v, ok := strings.CutPrefix(line, "Version: "); ok && !slices.Contains(versions, strings.TrimSpace(v)) {
			versions = append(versions, strings.TrimSpace(v))
		}
	}
	return versions
}

// deliverable returns the first of versions that the mirror delivers, or the
// zero value where there is none.
func (a apt) deliverable(ctx context.Context, name string, versions []string, log io.Writer) (Source, error) {
	for i, version := range versions {
		s, err := a.source(ctx, name, version, log)
		if err != nil {
			return s, err
		}
		if a.has(ctx, s, log) {
			if i > 0 {
				s.Missing = versions[0]
			}
			return s, nil
		}
	}
	return Source{}, ctx.Err()
}

// source returns what the index says of a version of a package.
func (a apt) source(ctx context.Context, name, version string, log io.Writer) (Source, error) {
	// A file that is in the folder already would not be listed.
	var uris bytes.Buffer
	if err := a.run(ctx, a.path("empty"), &uris, log, "apt-get", "source", "-qq", "--print-uris", "--only-source", name+"="+version); err != nil {
		return Source{}, err
	}
	list, err := parseURIs(uris.String(), []string{name})
	if err != nil {
		return Source{}, err
	}
	if epoch, _, ok := strings.Cut(version, ":"); ok {
		list[0].Epoch = epoch + ":"
	}
	return list[0], nil
}

// has reports whether the mirror delivers a package that its index announces.
func (a apt) has(ctx context.Context, s Source, log io.Writer) bool {
	dir, err := os.MkdirTemp(a.dir, "probe")
	if err != nil {
		return false
	}
	err = a.run(ctx, dir, log, log, "apt-get", "source", "--dsc-only", "--download-only", "--only-source", s.exactly())
	return errors.Join(err, os.RemoveAll(dir)) == nil
}

// download fetches a source package's files into dir; apt checks them against
// the index, and a second look here checks that it is the index of the record.
func (a apt) download(ctx context.Context, s Source, dir string, log io.Writer) error {
	if err := a.run(ctx, dir, log, log, "apt-get", "source", "--download-only", "--only-source", s.exactly()); err != nil {
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

// sourcesLists returns the deb-src lines for the suite on the mirrors that the
// machine uses for its own release, for that release's security updates, and for
// the spare suite.
func sourcesLists(targets []target) (m mirrors, err error) {
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
		return m, fault.Hint(err, "the sources are Debian's: add a Debian mirror to /etc/apt/sources.list.d and run: apt-get update")
	}
	const line = "deb-src %s%s %s main\n"
	m.suite, m.spare = fmt.Sprintf(line, signed, main, suite), fmt.Sprintf(line, signed, main, spareSuite)
	if security := find(func(r string) bool { return strings.HasSuffix(r, "-security") }); security != "" {
		m.suite += fmt.Sprintf(line, signed, security, suite+"-security")
	}
	return m, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
