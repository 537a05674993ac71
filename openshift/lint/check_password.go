package lint

import (
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

var (
	hashedLine = regexp.MustCompile(`(?m)^[^:#\s]+:\$(6|7|argon2id)\$`)
	plainLine  = regexp.MustCompile(`(?m)^[^:#\s]+:[^:\s]+$`)
	passwdKeys = []string{"passwd", "password_file", "passwordfile", "pwfile", "password.txt", "passwords", "passwd.txt", "mosquitto.passwd"}
)

func checkConfigMaps(p *project, r *report) {
	each(p, func(o *object, m *corev1.ConfigMap) {
		for _, key := range sortedKeys(m.Data) {
			data := m.Data[key]
			line := o.lines("data", key)
			switch {
			case holdsKey(data):
				r.add("MQ206", line(lineOf(data, "PRIVATE KEY-----")), "keep it in a Secret", "%s holds a private key", key)
			case hashedLine.MatchString(data):
				r.add("MQ207", line(strings.Count(data[:hashedLine.FindStringIndex(data)[0]], "\n")), "keep it in a Secret", "%s is a password file", key)
			case slices.Contains(passwdKeys, key) && plainLine.MatchString(data):
				r.add("MQ207", line(strings.Count(data[:plainLine.FindStringIndex(data)[0]], "\n")), "hash it with mosqbuild passwd and keep it in a Secret", "%s is a password file", key)
			}
		}
	})
}

// checkHashes looks into the Secrets that brokers read their password files
// from.
func checkHashes(p *project, r *report) {
	for _, b := range p.brokers {
		if b.conf == nil {
			continue
		}
		for _, d := range b.conf.directives {
			f := b.mounted(d.value)
			if d.fileOption() != "password" || f.kind != secretVolume {
				continue
			}
			o, s := find[*corev1.Secret](p, b.namespace, f.name)
			if s == nil {
				continue
			}
			if text, ok := s.StringData[f.key]; ok {
				unhashed(r, text, o.lines("stringData", f.key))
			} else {
				unhashed(r, string(s.Data[f.key]), o.lines("data", f.key))
			}
		}
	}
}

// unhashed reports the first line that gives a password as it is.
func unhashed(r *report, text string, line func(int) place) {
	n := -1
	for l := range strings.Lines(text) {
		n++
		_, password, ok := strings.Cut(strings.TrimSpace(l), ":")
		if ok && !strings.HasPrefix(l, "#") && !strings.HasPrefix(password, "$") && !placeholder(password) {
			r.add("MQ209", line(n), "hash it: mosqbuild passwd import", "what follows the colon is no hash")
			return
		}
	}
}

// lineOf is the line that a part of a text stands on, from 0.
func lineOf(text, part string) int { return strings.Count(text[:strings.Index(text, part)], "\n") }

// plainPasswords are the options that take a password or a key as it is.
var plainPasswords = []string{"remote_password", "local_password", "password", "bridge_psk"}

// checkPasswords looks for passwords in configurations that aren't kept in a
// Secret, and in commands.
func checkPasswords(p *project, r *report) {
	for _, c := range p.confs {
		for _, d := range c.directives {
			inSecret := c.owner != nil && c.owner.kind == "Secret"
			if slices.Contains(plainPasswords, d.key) && d.value != "" && !inSecret && !placeholder(d.value) {
				r.add("MQ208", d.place, "let the bridge log in with a certificate (bridge_certfile), or keep the file in a Secret", "%s is in plain text", d.key)
			}
		}
	}
	for _, w := range p.workloads {
		for i, c := range w.spec.InitContainers {
			passwordsIn(r, w, &c, "initContainers", i)
		}
		for i, c := range w.spec.Containers {
			passwordsIn(r, w, &c, "containers", i)
		}
	}
}

func placeholder(s string) bool {
	return strings.HasPrefix(s, "$") || strings.HasPrefix(s, "%") || strings.Contains(s, "{{") || strings.Contains(s, "${")
}

func passwordsIn(r *report, w *workload, c *corev1.Container, list string, i int) {
	judge := func(words []string, steps ...any) {
		if j, ok := passwordWord(words); ok {
			at := w.pod(slices.Concat([]any{list, i}, steps, []any{j})...)
			r.add("MQ208", at, "keep it in a Secret: as a file for mosquitto_sub's options, or as a variable", "a password stands in the command")
		}
	}
	judge(c.Command, "command")
	judge(c.Args, "args")
	for name, probe := range probes(c) {
		if probe.Exec != nil {
			judge(probe.Exec.Command, name, "exec", "command")
		}
	}
}

var (
	clientTools    = regexp.MustCompile(`\bmosquitto_(sub|pub|rr)\b`)
	passwordOption = regexp.MustCompile(`\bmosquitto_(?:sub|pub|rr)\b[^;|&\n]*\s(?:-P|--pw)[\s=]+(\S+)`)
	passwdOption   = regexp.MustCompile(`\bmosquitto_passwd\b[^;|&\n]*\s-\w*b\w*\s+(?:-\w+\s+)*\S+\s+\S+\s+(\S+)`)
)

// passwordWord is the word of a command that gives a password as it is.
func passwordWord(words []string) (int, bool) {
	client := len(words) > 0 && clientTools.MatchString(path.Base(words[0]))
	for i, w := range words {
		if client && i > 0 && (words[i-1] == "-P" || words[i-1] == "--pw") && !placeholder(w) {
			return i, true
		}
		for _, option := range []*regexp.Regexp{passwordOption, passwdOption} {
			if m := option.FindStringSubmatch(w); m != nil && !placeholder(strings.Trim(m[1], `"'`)) {
				return i, true
			}
		}
	}
	return 0, false
}
