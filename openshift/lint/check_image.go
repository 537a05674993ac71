package lint

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

var imageRules = []Rule{
	{"MQ701", Error, "Shell as the first process", "The shell gets the signal that ends the container and doesn't pass it on: the broker is killed after the grace period, without a last save."},
	{"MQ702", Error, "USER that is no number, or none", "Under runAsNonRoot the kubelet must see a number to know that it isn't root; without USER the image runs as root."},
}

func checkContainerfiles(p *project, r *report) {
	for _, c := range p.containers {
		if len(c.stages) == 0 {
			continue
		}
		all, base := c.inherited()
		var user *instruction
		for i := range all {
			if all[i].name == "USER" {
				user = &all[i]
			}
		}
		switch {
		case user == nil && strings.Contains(base, "nonroot"):
		case user == nil:
			r.add("MQ702", c.last().place, "end with: USER 1883:0", "no USER: the image runs as the base image's, mostly root")
		default:
			judgeUser(r, c, *user)
		}
	}
}

var number = regexp.MustCompile(`^\d+$`)

func judgeUser(r *report, c *containerfile, in instruction) {
	name, _, _ := strings.Cut(c.expand(in.text), ":")
	switch {
	case strings.Contains(name, "$"):
	case name == "root" || number.MatchString(name) && strings.Trim(name, "0") == "":
		r.add("MQ702", in.place, "write USER 1883:0", "the image runs as root")
	case !number.MatchString(name):
		r.add("MQ702", in.place, "write the uid: USER 1883:0", "USER %s is a name: a cluster that forbids root can't check it", name)
	}
}

// shells are programs that read a script.
var shells = map[string]bool{"sh": true, "bash": true, "ash": true, "dash": true, "ksh": true, "zsh": true}

const shellFix = "put exec in front, so that the broker takes the shell's place"

func checkShells(p *project, r *report) {
	for _, c := range p.containers {
		p.entry(r, c)
	}
	for _, s := range p.scripts {
		startScript(r, s.text, func(n int) place { return place{s.file, n + 1} })
	}
	each(p, func(o *object, m *corev1.ConfigMap) {
		for _, key := range sortedKeys(m.Data) {
			if strings.HasSuffix(key, ".sh") {
				startScript(r, m.Data[key], o.lines("data", key))
			}
		}
	})
	for _, b := range p.brokers {
		shellCommand(r, b)
	}
}

func startScript(r *report, text string, line func(int) place) {
	if n, ok := brokerWithoutExec(text); ok {
		r.add("MQ701", line(n), shellFix, "the script stays in front of the broker")
	}
}

// entry looks at what an image starts.
func (p *project) entry(r *report, c *containerfile) {
	all, _ := c.inherited()
	var entry, command *instruction
	for i := range all {
		switch all[i].name {
		case "ENTRYPOINT":
			entry, command = &all[i], nil
		case "CMD":
			command = &all[i]
		}
	}
	if entry == nil {
		entry = command
	}
	if entry == nil {
		return
	}
	switch words := entry.exec; {
	case words == nil && entry.text != "" && !strings.HasPrefix(entry.text, "exec ") && c.installs("mosquitto"):
		r.add("MQ701", entry.place, `write the JSON form: `+entry.name+` ["/usr/sbin/mosquitto", "-c", "/mosquitto/config/mosquitto.conf"]`, "the shell form of %s runs /bin/sh in front of the broker", entry.name)
	case len(words) > 2 && shells[path.Base(words[0])] && strings.HasPrefix(words[1], "-") && strings.HasSuffix(words[1], "c"):
		if !strings.HasPrefix(strings.TrimSpace(words[2]), "exec ") {
			if _, ok := brokerWithoutExec(words[2]); ok {
				r.add("MQ701", entry.place, shellFix, "the shell stays in front of the broker")
			}
		}
	case len(words) > 0:
		script := words[0]
		if shells[path.Base(script)] && len(words) > 1 {
			script = words[1]
		}
		p.copiedScript(r, c, script)
	}
}

// installs tells whether the file speaks of a program at all.
func (c *containerfile) installs(program string) bool {
	return slices.ContainsFunc(c.instructions, func(in instruction) bool { return strings.Contains(in.text, program) })
}

// copiedScript looks at the start script that an image copies, where it lies
// beside the Containerfile.
func (p *project) copiedScript(r *report, c *containerfile, script string) {
	for _, in := range c.instructions {
		if in.name != "COPY" && in.name != "ADD" || in.flag("from") != "" || len(in.words) < 2 {
			continue
		}
		to := in.words[len(in.words)-1]
		for _, source := range in.words[:len(in.words)-1] {
			name := filepath.Join(filepath.Dir(c.file), source)
			if strings.HasSuffix(source, "*") || path.Base(source) != path.Base(script) && path.Base(to) != path.Base(script) {
				name = filepath.Join(strings.TrimSuffix(name, "*"), path.Base(script))
			}
			if data, _, err := p.readFile(name); err == nil {
				startScript(r, string(data), func(n int) place { return place{name, n + 1} })
				return
			}
		}
	}
}

// shellCommand looks at a container that starts its broker through a shell.
func shellCommand(r *report, b *broker) {
	line := b.commandLine()
	if len(line) < 3 || !shells[path.Base(line[0])] {
		return
	}
	for i, word := range line[1:] {
		n, ok := brokerWithoutExec(word)
		if !ok {
			continue
		}
		i++
		steps := []any{"command", i}
		if i >= len(b.container.Command) {
			steps = []any{"args", i - len(b.container.Command)}
		}
		full := slices.Concat(b.path, []any{"containers", b.index}, steps)
		r.add("MQ701", b.lines(full...)(n), shellFix, "the shell stays in front of the broker")
	}
}

var (
	separators = regexp.MustCompile(`&&|\|\||;|\||\b(?:then|do|else)\s`)
	assignment = regexp.MustCompile(`^\w+=\S*$`)
	steppers   = []string{"su-exec", "gosu", "setpriv", "nice", "env"}
)

// brokerWithoutExec finds the line of a script, from 0, that runs the broker in
// front of itself without exec.
func brokerWithoutExec(script string) (int, bool) {
	n := -1
	for text := range strings.Lines(script) {
		n++
		text, _, _ = strings.Cut(strings.TrimSpace(text), " #")
		if strings.HasPrefix(text, "#") || strings.HasSuffix(text, "&") && !strings.HasSuffix(text, "&&") {
			continue
		}
		for _, command := range separators.Split(text, -1) {
			if runsWithoutExec(strings.Fields(command)) {
				return n, true
			}
		}
	}
	return 0, false
}

func runsWithoutExec(words []string) bool {
	for len(words) > 0 && assignment.MatchString(words[0]) {
		words = words[1:]
	}
	if len(words) == 0 {
		return false
	}
	if slices.Contains(steppers, path.Base(words[0])) {
		// The word behind the first is the user to become.
		return len(words) > 2 && slices.ContainsFunc(words[2:], isBrokerWord)
	}
	return isBrokerWord(words[0])
}

func isBrokerWord(w string) bool { return path.Base(strings.Trim(w, `"'`)) == "mosquitto" }
