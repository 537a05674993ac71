package packages

import (
	"archive/tar"
	"bytes"
	"fmt"
	"path"
	"strings"
	"time"
)

// Where apk-tools 2 keeps what it knows, and where scanners look.
const (
	installedPath    = "lib/apk/db/installed"
	scriptsPath      = "lib/apk/db/scripts.tar"
	triggersPath     = "lib/apk/db/triggers"
	worldPath        = "etc/apk/world"
	archPath         = "etc/apk/arch"
	repositoriesPath = "etc/apk/repositories"
)

// addDatabase adds what apk would have written about the packages. No key is
// among it: one that packages of a folder are signed by is no one else's
// business, and Alpine's come with the package alpine-keys.
func (l *layout) addDatabase(lock *Lock, arch string, all []*loaded) error {
	var installed, triggers bytes.Buffer
	for _, p := range all {
		l.writeInstalled(&installed, p)
		if len(p.info.triggers) > 0 {
			fmt.Fprintf(&triggers, "%s %s\n", p.Checksum, strings.Join(p.info.triggers, " "))
		}
	}
	scripts, err := scriptsTar(all)
	if err != nil {
		return fmt.Errorf("archiving scripts of packages: %w", err)
	}
	for _, f := range []struct {
		path string
		data []byte
	}{
		{installedPath, installed.Bytes()},
		{scriptsPath, scripts},
		{triggersPath, triggers.Bytes()},
		{worldPath, lines(lock.World)},
		{archPath, lines([]string{arch})},
		{repositoriesPath, lines(lock.urls())},
	} {
		if err := l.put(f.path, f.data); err != nil {
			return err
		}
	}
	return nil
}

func lines(values []string) []byte {
	var b strings.Builder
	for _, v := range values {
		b.WriteString(v + "\n")
	}
	return []byte(b.String())
}

// writeInstalled writes a package's paragraph of the database, as
// apk_pkg_write_index_entry and apk_db_write_fdb of apk-tools 2.14 do.
func (l *layout) writeInstalled(b *bytes.Buffer, p *loaded) {
	i := p.info
	line := func(key byte, value string) { fmt.Fprintf(b, "%c:%s\n", key, value) }
	optional := func(key byte, value string) {
		if value != "" && value != "0" {
			line(key, value)
		}
	}
	line('C', p.Checksum)
	line('P', p.Name)
	line('V', p.Version)
	line('A', p.Arch)
	line('S', fmt.Sprint(p.Size))
	line('I', fmt.Sprint(i.size))
	line('T', i.description)
	line('U', i.url)
	line('L', i.license)
	optional('o', i.origin)
	optional('m', i.maintainer)
	optional('t', fmt.Sprint(i.buildDate))
	optional('c', i.commit)
	optional('k', fmt.Sprint(i.providerPriority))
	optional('D', strings.Join(i.depends, " "))
	optional('p', strings.Join(i.provides, " "))
	optional('i', strings.Join(i.installIf, " "))
	optional('r', strings.Join(i.replaces, " "))
	optional('q', fmt.Sprint(i.replacesPriority))
	l.writeFiles(b, p)
	b.WriteByte('\n')
}

// folderFiles is a folder of a package with the lines of its files.
type folderFiles struct {
	name  string
	acl   string
	files strings.Builder
}

// writeFiles lists the package's folders, and in each those of its files that
// no other package has replaced.
func (l *layout) writeFiles(b *bytes.Buffer, p *loaded) {
	var order []*folderFiles
	byName := map[string]*folderFiles{}
	in := func(name string) *folderFiles {
		if byName[name] == nil {
			byName[name] = &folderFiles{name: name}
			order = append(order, byName[name])
		}
		return byName[name]
	}
	for i, it := range p.items {
		if it.header.Typeflag == tar.TypeDir {
			in(it.header.Name).acl = acl('M', it, 0o755)
			continue
		}
		if n := l.nodes[p.paths[i]]; n.owner != p {
			continue
		}
		dir := strings.TrimPrefix(path.Dir(it.header.Name), ".")
		fmt.Fprintf(&in(dir).files, "R:%s\n%sZ:%s\n", path.Base(it.header.Name), acl('a', it, 0o644), it.sum)
	}
	for _, f := range order {
		fmt.Fprintf(b, "F:%s\n%s%s", f.name, f.acl, f.files.String())
	}
}

// acl returns the line for owner and mode, which apk leaves out for root and
// the usual mode.
func acl(key byte, it item, usual int64) string {
	if h := it.header; h.Uid != 0 || h.Gid != 0 || h.Mode != usual {
		return fmt.Sprintf("%c:%d:%d:%o\n", key, h.Uid, h.Gid, h.Mode)
	}
	return ""
}

// scriptsTar keeps the packages' scripts, so that an apk in the image could
// remove or upgrade them.
func scriptsTar(all []*loaded) ([]byte, error) {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, p := range all {
		for _, s := range p.info.scripts {
			err := tw.WriteHeader(&tar.Header{
				Typeflag: tar.TypeReg, Name: p.Name + "-" + p.Version + "." + p.Checksum + s.name,
				Size: int64(len(s.data)), Mode: s.mode, ModTime: time.Unix(p.info.buildDate, 0),
			})
			if err != nil {
				return nil, err
			}
			if _, err := tw.Write(s.data); err != nil {
				return nil, err
			}
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
