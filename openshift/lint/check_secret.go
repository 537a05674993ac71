package lint

import (
	"crypto/x509"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

var secretRules = []Rule{
	{"MQ201", Error, "Certificate without a host name", "Clients compare the host they dialled with the certificate's subject alternative names; the common name alone counts for none of them."},
	{"MQ202", Error, "Certificate expired or about to", "From its last day on every TLS client is turned away. Reported from 30 days before."},
	{"MQ203", Error, "Certificate and key that don't belong together", "The broker doesn't open the listener; at a reload, every new TLS connection fails."},
	{"MQ204", Warning, "Secret volume readable by everybody", "Files of a Secret volume are 0644 unless defaultMode says otherwise: each process in the container may read the key, and Mosquitto warns that future versions will refuse such files."},
	{"MQ205", Error, "Private key readable by everybody", "Each user of the machine, or whoever pulls the image, may read it."},
	{"MQ206", Error, "Private key in a ConfigMap", "ConfigMaps are read more widely than Secrets, land in plain text in Git, and aren't encrypted at rest."},
	{"MQ207", Error, "Password file in a ConfigMap", "Hashes can be tried offline by whoever may read ConfigMaps."},
	{"MQ208", Error, "Password in plain text", "It stands in Git, in the object, and in the process list of the node."},
	{"MQ209", Error, "Password file that isn't hashed", "The broker takes what follows the colon for a hash: 2.0 drops the line and lets nobody in by it, 2.1 ends."},
}

const soon = 30 * 24 * time.Hour

func checkCertificates(p *project, r *report) {
	each(p, func(o *object, s *corev1.Secret) {
		files := map[string]pemFile{}
		for key, data := range s.Data {
			files[key] = pemFile{o.at("data", key), data}
		}
		for key, data := range s.StringData {
			files[key] = pemFile{o.at("stringData", key), []byte(data)}
		}
		for _, name := range sortedKeys(files) {
			p.judge(r, files[name], keyFor(files, name))
		}
	})
	given := map[string]pemFile{}
	for _, f := range p.pems {
		given[f.file] = f
	}
	for _, name := range sortedKeys(given) {
		p.judge(r, given[name], keyFor(given, name))
	}
	for _, c := range p.confs {
		if c.owner == nil {
			p.judgeFiles(r, c)
		}
	}
}

// keyFor is the private key of a Secret that belongs to a certificate by name,
// or as the only one.
func keyFor(files map[string]pemFile, cert string) pemFile {
	stem := strings.TrimSuffix(cert, filepath.Ext(cert))
	if f, ok := files[stem+".key"]; ok {
		return f
	}
	var keys, leaves []string
	for name, f := range files {
		if holdsKey(string(f.data)) {
			keys = append(keys, name)
		}
		if c := certificates(f.data); len(c) > 0 && !c[0].IsCA {
			leaves = append(leaves, name)
		}
	}
	if len(keys) == 1 && len(leaves) == 1 && leaves[0] == cert {
		return files[keys[0]]
	}
	return pemFile{}
}

// judge looks at a certificate, and at its key where there is one.
func (p *project) judge(r *report, cert, key pemFile) {
	all := certificates(cert.data)
	if len(all) == 0 {
		return
	}
	leaf := all[0]
	if nameless(leaf) {
		r.add("MQ201", cert.place, "issue it anew with the host names: mosqbuild certs init --host NAME", "the certificate %q has no subject alternative name", leaf.Subject)
	}
	for _, c := range all {
		p.judgeDates(r, cert.place, c)
	}
	if pub := publicKey(key.data); pub != nil && !matches(leaf, pub) {
		r.add("MQ203", cert.place, "put the two that were made together", "the certificate %q wasn't made for the key at %s:%d", leaf.Subject, key.file, key.line)
	}
}

func (p *project) judgeDates(r *report, at place, c *x509.Certificate) {
	switch left := c.NotAfter.Sub(p.now); {
	case left <= 0:
		r.add("MQ202", at, "issue it anew: mosqbuild certs init --force", "the certificate %q ended on %s", c.Subject, c.NotAfter.UTC().Format(time.DateOnly))
	case left < soon:
		r.add("MQ202", at, "issue it anew: mosqbuild certs init --force", "the certificate %q ends on %s, in %d days", c.Subject, c.NotAfter.UTC().Format(time.DateOnly), int(left.Hours()/24))
	}
}

// judgeFiles looks at the certificates that a configuration file names, where
// they lie beside it.
func (p *project) judgeFiles(r *report, c *conf) {
	for _, d := range c.directives {
		if d.key != "certfile" && d.key != "bridge_certfile" {
			continue
		}
		cert, _ := p.beside(d)
		key := pemFile{place: d.place}
		for _, k := range c.directives {
			if k.key == strings.Replace(d.key, "cert", "key", 1) && c.together(d, k) {
				key.data, _ = p.beside(k)
				key.place = k.place
			}
		}
		p.judge(r, pemFile{d.place, cert}, key)
	}
}

// together tells whether two directives stand in one listener or connection.
func (c *conf) together(a, b directive) bool {
	from, to := min(a.line, b.line), max(a.line, b.line)
	for _, d := range c.directives {
		if d.line > from && d.line < to && (d.key == "listener" || d.key == "connection") {
			return false
		}
	}
	return true
}

// beside reads the file that a directive names, as it is named or in the folder
// of the configuration. mode is 0 where there is none.
func (p *project) beside(d directive) (data []byte, mode uint32) {
	dir := filepath.Dir(d.file)
	for _, name := range []string{filepath.Join(dir, filepath.Base(d.value)), filepath.Join(dir, d.value), d.value} {
		if data, m, err := p.readFile(name); err == nil {
			return data, uint32(m.Perm())
		}
	}
	return nil, 0
}
