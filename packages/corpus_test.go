package packages_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// evil is a package that somebody made by hand, and that a signed index lists:
// whoever has the key, or makes packages, isn't trusted beyond what apk trusts.
type evil struct {
	// info is .PKGINFO, after name, version, architecture and data hash.
	info string
	// entries are the data section's; files have as many bytes as they say.
	entries []tar.Header
	// data, control and file change what was packed of these.
	data, control, file func([]byte) []byte
	// says is in the error.
	says string
}

func keep(b []byte) []byte { return b }

func packed(data []byte) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, err := zw.Write(data)
	if err := zw.Close(); err != nil {
		panic(err)
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

// archive is a tar of headers; whatever tar can't write is a mistake here.
func archive(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, h := range headers {
		must(t, tw.WriteHeader(&h))
		_, err := tw.Write(bytes.Repeat([]byte("x"), int(h.Size)))
		must(t, err)
	}
	must(t, tw.Close())
	return b.Bytes()
}

// make returns the package's file and what the index says of it.
func (e evil) make(t *testing.T) ([]byte, packages.Package) {
	t.Helper()
	or := func(f func([]byte) []byte) func([]byte) []byte {
		if f == nil {
			return keep
		}
		return f
	}
	data := or(e.data)(packed(archive(t, e.entries...)))
	sum := sha256.Sum256(data)
	info := fmt.Sprintf("pkgname = mosquitto\npkgver = 2.0.21-r0\narch = x86_64\ndatahash = %x\n%s", sum, e.info)
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	must(t, tw.WriteHeader(&tar.Header{Name: ".PKGINFO", Mode: 0o644, Size: int64(len(info))}))
	_, err := tw.Write([]byte(info))
	must(t, err)
	must(t, tw.Flush())
	control := or(e.control)(packed(b.Bytes()))
	file := or(e.file)(slices.Concat(control, data))
	q1 := sha1.Sum(control)
	return file, packages.Package{
		Name: "mosquitto", Version: "2.0.21-r0", Arch: "x86_64", Size: int64(len(file)), InstalledSize: 1000,
		Checksum: "Q1" + base64.StdEncoding.EncodeToString(q1[:]),
	}
}

// cut ends a section early, and flip changes a byte of it.
func cutBy(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b = bytes.Clone(b)
		b[(at+len(b))%len(b)] ^= 0x55
		return b
	}
}

func instead(b []byte) func([]byte) []byte { return func([]byte) []byte { return b } }

// regular is a file of three bytes.
func regular(name string, change ...func(*tar.Header)) tar.Header {
	h := tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: 3}
	for _, c := range change {
		c(&h)
	}
	return h
}

func mode(m int64) func(*tar.Header) { return func(h *tar.Header) { h.Mode = m } }

func pax(key, value string) func(*tar.Header) {
	return func(h *tar.Header) { h.PAXRecords = map[string]string{key: value} }
}

func to(kind byte, name, target string) tar.Header {
	return tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}
}

func entries(h ...tar.Header) evil { return evil{entries: h} }

// saying is e with a part of its error.
func saying(says string, e evil) evil { e.says = says; return e }

// badEntries are packages that hold what no package may, by what that is.
func badEntries() map[string]evil {
	links := []tar.Header{regular("f", func(h *tar.Header) { h.Size = 1 << 20 })}
	for i := range 20 {
		links = append(links, to(tar.TypeLink, fmt.Sprint("l", i), "f"))
	}
	return map[string]evil{
		"absolute path":                entries(regular("/etc/passwd")),
		"dot dot":                      entries(regular("../etc/passwd")),
		"dot dot inside":               entries(regular("etc/../../passwd")),
		"dot dot that stays inside":    entries(regular("etc/../passwd")),
		"dot dot after dot":            entries(regular("./../passwd")),
		"only dot dot":                 entries(regular("..")),
		"doubled slash":                entries(regular("etc//passwd")),
		"folder outside":               entries(tar.Header{Typeflag: tar.TypeDir, Name: "../x/"}),
		"root as a path":               entries(tar.Header{Typeflag: tar.TypeDir, Name: "/"}),
		"line break":                   entries(regular("etc/x\nP:forged")),
		"carriage return":              entries(regular("etc/x\rF:forged")),
		"escape sequence":              entries(regular("etc/\x1b[2Jx")),
		"line break in a link":         entries(to(tar.TypeSymlink, "etc/x", "a\nb")),
		"link that is no text":         entries(to(tar.TypeSymlink, "etc/x", "\xff")),
		"link above the root":          saying("above the root", entries(to(tar.TypeSymlink, "bin/sh", "../../host/sh"))),
		"link down, then above":        saying("above the root", entries(to(tar.TypeSymlink, "usr/bin/x", "a/../../../../etc/shadow"))),
		"link to what is above":        saying("above the root", entries(to(tar.TypeSymlink, "up", ".."))),
		"link to nothing at all":       entries(to(tar.TypeSymlink, "etc/x", "")),
		"character device":             entries(to(tar.TypeChar, "dev/null", "")),
		"block device":                 entries(to(tar.TypeBlock, "dev/sda", "")),
		"pipe":                         entries(to(tar.TypeFifo, "run/pipe", "")),
		"hard link outside":            entries(to(tar.TypeLink, "etc/x", "/etc/passwd")),
		"hard link up":                 entries(to(tar.TypeLink, "etc/x", "../etc/passwd")),
		"hard link to nothing":         entries(to(tar.TypeLink, "etc/x", "etc/passwd")),
		"hard link to a later file":    entries(to(tar.TypeLink, "etc/x", "etc/f"), regular("etc/f")),
		"hard link to a folder":        entries(tar.Header{Typeflag: tar.TypeDir, Name: "etc/"}, to(tar.TypeLink, "x", "etc")),
		"hard link to a symbolic one":  entries(to(tar.TypeSymlink, "l", "/etc/shadow"), to(tar.TypeLink, "x", "l")),
		"hard links that are a bomb":   saying("copies of hard links", entries(links...)),
		"twice":                        saying("twice", entries(regular("f"), regular("f"))),
		"twice, once with a dot":       saying("twice", entries(regular("f"), regular("./f"))),
		"file over folder":             entries(tar.Header{Typeflag: tar.TypeDir, Name: "etc/"}, regular("etc")),
		"control file among the data":  entries(regular(".post-install")),
		"another .PKGINFO in the data": entries(regular(".PKGINFO")),
		"checksum that is none":        entries(regular("f", pax("APK-TOOLS.checksum.SHA1", "12"))),
		"setuid":                       saying("another's rights", entries(regular("bin/su", mode(0o4755)))),
		"setgid":                       saying("another's rights", entries(regular("bin/mail", mode(0o2755)))),
		"setuid by a hard link":        entries(regular("a", mode(0o755)), tar.Header{Typeflag: tar.TypeLink, Name: "b", Linkname: "a", Mode: 0o4755}),
		"file capabilities":            saying("another's rights", entries(regular("bin/ping", pax("SCHILY.xattr.security.capability", "\x01")))),
		"name too long for a file":     saying("too long", entries(regular(strings.Repeat("n", 256)))),
		"path too long for a file":     saying("too long", entries(regular(strings.Repeat("n/", 2100)+"f"))),
		"link too long":                entries(to(tar.TypeSymlink, "l", strings.Repeat("t/", 2100))),
	}
}

// badBytes are packages that aren't put together as they should be.
func badBytes(t *testing.T) map[string]evil {
	t.Helper()
	zeros := func(n int) []byte { return packed(make([]byte, n)) }
	plain := archive(t, regular("f"))
	header := func(change func(block []byte)) func([]byte) []byte { // of the data section's first entry
		raw := bytes.Clone(plain)
		change(raw[:512])
		return instead(packed(raw))
	}
	resum := func(block []byte) { // the header's own checksum, as tar(5) has it
		copy(block[148:], "        ")
		sum := 0
		for _, b := range block {
			sum += int(b)
		}
		copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	}
	long := bytes.Clone(plain[:512]) // the header of a PAX header
	long[156] = 'x'
	copy(long[124:], fmt.Sprintf("%011o\x00", 2<<20))
	resum(long)
	signature := packed(append([]byte(".SIGN."), make([]byte, 1<<20)...))
	const hole = 16 << 20 // more than a control section may have
	oldSparse := archive(t, regular(".PKGINFO"))
	oldSparse[156] = tar.TypeGNUSparse
	copy(oldSparse[257:], "ustar  \x00")
	copy(oldSparse[483:], fmt.Sprintf("%011o\x00", hole))
	resum(oldSparse[:512])
	var records string
	for _, r := range []string{"GNU.sparse.map=0,3", "GNU.sparse.numblocks=1", fmt.Sprint("GNU.sparse.size=", hole)} {
		records += fmt.Sprintf("%d %s\n", len(r)+len("00 \n"), r)
	}
	paxSparse := slices.Concat(archive(t, regular("x", func(h *tar.Header) { h.Size = int64(len(records)) }))[:1024], archive(t, regular(".PKGINFO")))
	paxSparse[156] = tar.TypeXHeader
	copy(paxSparse[512:], records)
	resum(paxSparse[:512])
	return map[string]evil{
		"sparse file":                   {data: header(func(b []byte) { b[156] = 'S'; copy(b[257:], "ustar  \x00"); resum(b) })},
		"header of two megabytes":       {data: instead(packed(slices.Concat(long, make([]byte, 2<<20), plain)))},
		"kind that is none":             {data: header(func(b []byte) { b[156] = 'Z'; resum(b) })},
		"size beyond the section":       {data: header(func(b []byte) { copy(b[124:], "77777777777\x00"); resum(b) })},
		"negative size":                 {data: header(func(b []byte) { copy(b[124:], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfd"); resum(b) })},
		"wrong sum of a header":         {data: header(func(b []byte) { b[0] ^= 1 })},
		"tar that ends inside a file":   {data: instead(packed(plain[:514]))},
		"tar that ends inside a header": {data: instead(packed(plain[:200]))},
		"data that is no gzip":          {data: instead([]byte("hello")), says: "data section"},
		"data that ends early":          {entries: []tar.Header{regular("f")}, data: cutBy(9)},
		"data of a wrong sum":           {entries: []tar.Header{regular("f")}, data: flip(-5)},
		"junk behind the data":          {entries: []tar.Header{regular("f")}, data: func(b []byte) []byte { return append(b, "junk"...) }},
		"bomb in the data":              {data: instead(zeros(32 << 20)), says: "more than"},
		"bomb in the control section":   {control: instead(zeros(9 << 20)), says: "more than"},
		"sparse control file":           {control: instead(packed(oldSparse)), says: "sparse: true"},
		"sparse control file, by PAX":   {control: instead(packed(paxSparse)), says: "sparse: true"},
		"bomb in the signature":         {control: func(b []byte) []byte { return slices.Concat(signature, b) }, says: "more than"},
		"no data":                       {file: func(b []byte) []byte { m := members(t, b); return m[0] }, says: "missing"},
		"no .PKGINFO":                   {control: instead(packed(archive(t, regular(".post-install")))), says: "PKGINFO"},
		"two .PKGINFO":                  {control: instead(packed(archive(t, regular(".PKGINFO"), regular(".PKGINFO")))), says: "two files"},
		"wrong data hash":               {info: "datahash = " + strings.Repeat("0", 64) + "\n", says: "hash of the data section"},
		"another name":                  {info: "pkgname = busybox\n", says: "name is busybox"},
		"another version":               {info: "pkgver = 1.0-r0\n", says: "version is 1.0-r0"},
		"another architecture":          {info: "arch = riscv64\n", says: "architecture is riscv64"},
		"size that is no number":        {info: "size = many\n"},
		"forged line of the database":   {info: "pkgdesc = a\rP:forged\n", says: "control character"},
	}
}

// cutMembers are packages of which the gzip member of a section isn't all there.
func cutMembers(t *testing.T) map[string]evil {
	t.Helper()
	signed := packed(archive(t, regular(".SIGN.RSA.k.rsa.pub")))
	return map[string]evil{
		"control that ends early":       {control: cutBy(9), says: "unpacking first section"},
		"file that ends in the control": {file: func(b []byte) []byte { return members(t, b)[0][:40] }, says: "unpacking first section: unexpected EOF"},
		"control cut after a signature": {control: cutBy(9), file: func(b []byte) []byte { return slices.Concat(signed, b) }, says: "unpacking control section"},
		"file that ends after one":      {file: func([]byte) []byte { return signed }, says: "unpacking control section: EOF"},
		"signature that ends early":     {file: func(b []byte) []byte { return slices.Concat(cutBy(9)(signed), b) }, says: "unpacking first section"},
		"file that ends in a signature": {file: func([]byte) []byte { return cutBy(9)(signed) }, says: "unpacking first section: unexpected EOF"},
	}
}

// TestCorpus: each is refused, by name, and nothing of it is left anywhere.
func TestCorpus(t *testing.T) {
	all := badBytes(t)
	maps.Copy(all, cutMembers(t))
	maps.Copy(all, badEntries())
	if len(all) < 40 {
		t.Fatalf("only %d packages", len(all))
	}
	for name, e := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := e.refused(t, overHTTP)
			// What a package calls its files names none in the cache.
			onlyKept(t, r.options.Cache)
		})
	}
}

// refused has the package loaded in the place of the one that is signed, and wants
// it refused. It returns the repository, and the lock that names the package.
func (e evil) refused(t *testing.T, over func(testing.TB, []repo.Package) repository) (repository, *packages.Lock) {
	t.Helper()
	file, p := e.make(t)
	r := over(t, []repo.Package{{Name: "mosquitto", Version: "2.0.21-r0", License: "MIT", Files: fixture()[2].Files}})
	lock, err := packages.Resolve(t.Context(), []string{"mosquitto"}, r.options)
	must(t, err)
	p.Repository = lock.Packages[0].Repository
	lock.Packages[0] = p
	overwrite(t, r.path(broker), file)
	tree, err := packages.Load(t.Context(), lock, r.options)
	if tree != nil {
		t.Error("a tree was returned")
	}
	wantFault(t, err, fault.Refused, `package "mosquitto"`, broker, e.says)
	return r, lock
}

// kept is what the cache calls a package, by its checksum, and an index.
var kept = regexp.MustCompile(`^([0-9a-f]{40}\.apk|[0-9a-f]{64}\.tar\.gz)$`)
