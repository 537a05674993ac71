package packages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// release is the fixture with another version of the broker's packages.
func release(version string) []repo.Package {
	pkgs := fixture()
	for i := range pkgs {
		if strings.HasPrefix(pkgs[i].Name, "mosquitto") {
			pkgs[i].Version, pkgs[i].Origin = version, "mosquitto"
		}
	}
	return pkgs
}

func rewrite(t testing.TB, r repository, pkgs []repo.Package, epoch time.Time) {
	t.Helper()
	must(t, repo.Write(t.Context(), r.dir, "x86_64", pkgs, testKey(), epoch))
}

// TestConfirmNamesEveryDifference changes what is asked for, or the repository.
func TestConfirmNamesEveryDifference(t *testing.T) {
	more := append(fixture(), repo.Package{Name: "more", Version: "1-r0"})
	tests := map[string]struct {
		change func(t *testing.T, r *repository)
		names  []string
		says   []string // none: it is confirmed
	}{
		"nothing":            {names: []string{"mosquitto"}},
		"asked for":          {names: []string{"musl", "mosquitto"}, says: []string{`package "musl" is asked for and isn't locked`}},
		"not asked for":      {names: []string{"base"}, says: []string{`package "base" is asked for`, `package "mosquitto" is locked and no longer asked for`}},
		"another repository": {func(t *testing.T, r *repository) { r.options.Repositories[0] = "http://192.0.2.1/x" }, nil, []string{`repository "http://192.0.2.1/x" is named and isn't locked`, `repository "http://`}},
		"one repository more": {func(t *testing.T, r *repository) {
			r.options.Repositories = append(r.options.Repositories, "http://192.0.2.1/x")
		}, nil, []string{`repository "http://192.0.2.1/x" is named`}},
		"a package more": {change: func(t *testing.T, r *repository) { rewrite(t, *r, more, epoch) }},
		"moved on":       {change: func(t *testing.T, r *repository) { rewrite(t, *r, release("2.0.22-r0"), epoch) }, says: []string{`package "mosquitto-libs" is no longer in repository`, `package "mosquitto" is no longer in repository "`, `in version "2.0.21-r0", but in "2.0.22-r0"`}},
		"went back":      {change: func(t *testing.T, r *repository) { rewrite(t, *r, release("2.0.20-r0"), epoch) }, says: []string{`package "mosquitto" went back from "2.0.21-r0" to "2.0.20-r0"`}},
		"gone":           {change: func(t *testing.T, r *repository) { rewrite(t, *r, fixture()[:3], epoch) }, says: []string{`package "mosquitto" is no longer in repository`}},
		"built anew":     {change: func(t *testing.T, r *repository) { rewrite(t, *r, fixture(), epoch.Add(time.Hour)) }, says: []string{`package "mosquitto", version "2.0.21-r0", has checksum`}},
		"an older index": {change: func(t *testing.T, r *repository) { rewrite(t, *r, fixture(), epoch.Add(-time.Hour)) }, says: []string{"is of 2025-10-09T07:53:20Z, older than the locked one of 2025-10-09T08:53:20Z"}},
		"another key": {change: func(t *testing.T, r *repository) {
			must(t, repo.Write(t.Context(), r.dir, "x86_64", fixture(), foreignKey(), epoch))
		}, says: []string{foreignKey().Name}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := overHTTP(t, fixture())
			lock := locked(t, r)
			if test.change != nil {
				test.change(t, &r)
			}
			if test.names == nil {
				test.names = lock.World
			}
			got, err := lock.Confirm(t.Context(), test.names, r.options)
			if test.says == nil {
				must(t, err)
				if got.Digest() != lock.Digest() {
					t.Error("the digest differs")
				}
				return
			}
			wantFault(t, err, fault.Refused, test.says...)
			if older := name == "went back" || name == "an older index"; strings.Contains(fault.HintOf(err), "remove the lock") != older {
				t.Errorf("hint is %q", fault.HintOf(err))
			}
		})
	}
}

// A file with the checksum of the index, which is over its control section, and
// other bytes is what the lock's SHA-256 is for.
func TestPinnedFileIsTheVeryFile(t *testing.T) {
	r := overFolder(t, fixture())
	lock := locked(t, r)
	m := members(t, read(t, r.path(broker)))
	// The signature's date in gzip's header: nothing that the index vouches for.
	m[0][4] ^= 1
	overwrite(t, r.path(broker), m...)
	_, err := packages.Load(t.Context(), lock, r.options)
	wantFault(t, err, fault.Refused, `package "mosquitto"`, "SHA-256 is ", "the lock says")
	lock.Packages[3].SHA256 = ""
	_, err = packages.Load(t.Context(), lock, r.options)
	must(t, err)
}

func TestConfirmWithoutThePlatform(t *testing.T) {
	r := overFolder(t, fixture())
	_, err := packages.Locks{locked(t, r)}.Find("arm64").Confirm(t.Context(), []string{"mosquitto"}, packages.Options{Arch: "arm64"})
	wantFault(t, err, fault.Refused, `platform "linux/arm64" isn't locked`)
}

func TestRenew(t *testing.T) {
	r := overHTTP(t, fixture())
	was := locked(t, r)
	moved := release("2.0.22-r0")
	for i := range moved {
		if moved[i].Name == "base" {
			moved[i].Version = "9-r0"
		}
	}
	// The old base stays listed beside the new one, as Alpine never does and a
	// folder of one's own may.
	both := append([]repo.Package{fixture()[indexOf(t, "base")]}, moved...)
	rewrite(t, r, both, epoch)

	version := func(l *packages.Lock, name string) string {
		p, _ := l.Find(name)
		return p.Version
	}
	all, err := was.Renew(t.Context(), was.World, nil, r.options)
	must(t, err)
	if version(all, "mosquitto") != "2.0.22-r0" || version(all, "base") != "9-r0" {
		t.Errorf("all renewed: %+v", all.Packages)
	}
	one, err := was.Renew(t.Context(), was.World, []string{"mosquitto"}, r.options)
	must(t, err)
	if version(one, "mosquitto") != "2.0.22-r0" || version(one, "mosquitto-libs") != "2.0.22-r0" || version(one, "base") != version(was, "base") {
		t.Errorf("mosquitto renewed: %+v", one.Packages)
	}
	_, err = was.Renew(t.Context(), was.World, []string{"base"}, r.options)
	wantFault(t, err, fault.Refused, `package "mosquitto" is no longer in repository`)
	_, err = was.Renew(t.Context(), was.World, []string{"mosquitto", "nosuch"}, r.options)
	if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), `"nosuch"`) {
		t.Errorf("of a package that isn't there: %v", err)
	}
	first, err := (*packages.Lock)(nil).Renew(t.Context(), was.World, nil, r.options)
	must(t, err)
	if first.Digest() != all.Digest() {
		t.Error("with no lock before it is another one")
	}

	// What went back is refused, whoever asks, until the lock is removed; but not
	// what another repository has.
	pinned, err := all.Pin(t.Context(), r.options)
	must(t, err)
	rewrite(t, r, fixture(), epoch)
	_, err = pinned.Renew(t.Context(), was.World, nil, r.options)
	wantFault(t, err, fault.Refused, `package "mosquitto" went back from "2.0.22-r0" to "2.0.21-r0"`)
	other := overHTTP(t, fixture())
	if _, err = pinned.Renew(t.Context(), was.World, nil, other.options); err != nil {
		t.Errorf("from another repository: %v", err)
	}
}

// What stays is the locked one, though a repository before its own lists the same
// version by now, built anew.
func TestRenewKeepsWhatIsLocked(t *testing.T) {
	first, second := overHTTP(t, fixture()[2:]), overHTTP(t, fixture()[:2])
	first.options.Repositories = append(first.options.Repositories, second.options.Repositories...)
	first.options.Transport = nil
	was := locked(t, first)
	rewrite(t, first, fixture(), epoch.Add(time.Hour))
	for _, only := range [][]string{{"mosquitto"}, nil} {
		is, err := was.Renew(t.Context(), was.World, only, first.options)
		must(t, err)
		if p, _ := is.Find("musl"); p.Repository != second.options.Repositories[0] {
			t.Errorf("renewing %q: musl is that of %s", only, p.Repository)
		}
	}
	// Once that is gone, nothing says which of the others is meant.
	rewrite(t, second, fixture()[:2], epoch.Add(2*time.Hour))
	_, err := was.Renew(t.Context(), was.World, nil, first.options)
	wantFault(t, err, fault.Refused, `package "base": version "1-r0" has`, `package "musl": version "1.2.5-r0" has`)
}

func indexOf(t *testing.T, name string) int {
	t.Helper()
	for i, p := range fixture() {
		if p.Name == name {
			return i
		}
	}
	t.Fatalf("the fixture has no package %q", name)
	return 0
}
