package packages

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// info is the control section of a package.
type info struct {
	name, version, arch, description, url, license, origin, maintainer, commit, dataHash string

	depends, provides, replaces, installIf, triggers []string

	buildDate, size, providerPriority, replacesPriority int64

	scripts []script
}

// script is a program of a package, such as .post-install.
type script struct {
	name string
	mode int64
	data []byte
}

// scriptNames are those apk-tools 2.14 knows.
var scriptNames = map[string]bool{
	".pre-install": true, ".post-install": true, ".pre-upgrade": true, ".post-upgrade": true,
	".pre-deinstall": true, ".post-deinstall": true, ".trigger": true,
}

// parseControl reads an unpacked control section.
func parseControl(section []byte) (*info, error) {
	var found *info
	var scripts []script
	for tr := tar.NewReader(bytes.NewReader(section)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch {
		case h.Name == ".PKGINFO" && found != nil:
			return nil, errors.New("two files .PKGINFO")
		case h.Name == ".PKGINFO":
			data, err := readEntry(tr, h, len(section))
			if err != nil {
				return nil, err
			}
			if found, err = parseInfo(data); err != nil {
				return nil, fmt.Errorf("reading .PKGINFO: %w", err)
			}
		case scriptNames[h.Name]:
			data, err := readEntry(tr, h, len(section))
			if err != nil {
				return nil, err
			}
			scripts = append(scripts, script{h.Name, h.Mode & 0o777, data})
		}
	}
	if found == nil {
		return nil, errors.New("no file .PKGINFO")
	}
	found.scripts = scripts
	return found, nil
}

// readEntry reads an entry of an archive of that many bytes. A sparse one, of
// which most is told and not there, may be of any size, and is refused.
func readEntry(tr *tar.Reader, h *tar.Header, archive int) ([]byte, error) {
	if IsSparse(h) || h.Size > int64(archive) {
		return nil, fmt.Errorf("entry %q: %d bytes, sparse: %v", h.Name, h.Size, IsSparse(h))
	}
	return io.ReadAll(tr)
}

// parseInfo reads .PKGINFO: lines of "key = value". Comments and keys we have
// no use for are passed over, as apk does.
func parseInfo(data []byte) (*info, error) {
	i := &info{}
	texts := map[string]*string{
		"pkgname": &i.name, "pkgver": &i.version, "arch": &i.arch, "pkgdesc": &i.description, "url": &i.url,
		"license": &i.license, "origin": &i.origin, "maintainer": &i.maintainer, "commit": &i.commit, "datahash": &i.dataHash,
	}
	lists := map[string]*[]string{
		"depend": &i.depends, "provides": &i.provides, "replaces": &i.replaces,
		"install_if": &i.installIf, "triggers": &i.triggers,
	}
	numbers := map[string]*int64{
		"builddate": &i.buildDate, "size": &i.size,
		"provider_priority": &i.providerPriority, "replaces_priority": &i.replacesPriority,
	}
	for number, line := range strings.Split(string(data), "\n") {
		key, value, ok := strings.Cut(line, " = ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		// What is read here is written into the database of installed packages.
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' }) {
			return nil, fmt.Errorf("control character in line %d", number+1)
		}
		if p := texts[key]; p != nil {
			*p = value
		} else if p := lists[key]; p != nil {
			*p = append(*p, strings.Fields(value)...)
		} else if p := numbers[key]; p != nil {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", number+1, err)
			}
			*p = n
		}
	}
	return i, nil
}
