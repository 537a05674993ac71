package lint

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// officialImage is the name of the Eclipse project's own image.
const officialImage = "eclipse-mosquitto"

// defaultConf is where Mosquitto's images keep the configuration.
const defaultConf = "/mosquitto/config/mosquitto.conf"

// broker is a container that runs Mosquitto.
type broker struct {
	*workload
	index     int // among the pod's containers
	container *corev1.Container
	conf      *conf // nil where it isn't among the inputs
	made      bool  // the configuration is made when the pod starts
}

// brokersOf returns the containers of a workload that run Mosquitto, with their
// configuration.
func (p *project) brokersOf(w *workload) []*broker {
	var found []*broker
	for i := range w.spec.Containers {
		b := &broker{workload: w, index: i, container: &w.spec.Containers[i]}
		file := b.mounted(b.confPath())
		if !b.runsMosquitto() && !p.holdsConf(w, file) {
			continue
		}
		b.conf = p.confOf(w, file)
		b.made = file.kind == otherVolume
		found = append(found, b)
	}
	return found
}

// confOf is the configuration behind a mounted file.
func (p *project) confOf(w *workload, f mountedFile) *conf {
	for _, c := range p.confs {
		if c.owner != nil && c.owner.namespace == w.namespace && c.owner.name == f.name && c.key == f.key && c.owner.kind == f.kind.object() {
			return c
		}
	}
	return nil
}

func (p *project) holdsConf(w *workload, f mountedFile) bool { return p.confOf(w, f) != nil }

var (
	runsBroker = regexp.MustCompile(`(^|[\s;&|/])mosquitto($|[\s;&"'])`)
	confOption = regexp.MustCompile(`[\s/]mosquitto\s(?:.*?\s)?(?:-c|--config-file)[\s=]+(\S+)`)
	notBrokers = []string{"exporter", "client", "operator", "prometheus", "passwd", "tool"}
)

// runsMosquitto goes by the command, and where there is none by the image.
func (b *broker) runsMosquitto() bool {
	if len(b.container.Command) > 0 {
		line := strings.Join(b.commandLine(), " ")
		return runsBroker.MatchString(line) || brokerImage(b.container.Image) && strings.HasSuffix(b.container.Command[0], ".sh")
	}
	return brokerImage(b.container.Image)
}

func brokerImage(ref string) bool {
	name, _, _ := splitImage(ref)
	name = path.Base(name)
	for _, no := range notBrokers {
		if strings.Contains(name, no) {
			return false
		}
	}
	return strings.Contains(name, "mosquitto")
}

func (b *broker) commandLine() []string {
	return append(append([]string{}, b.container.Command...), b.container.Args...)
}

// confPath is the configuration that the broker is told to read.
func (b *broker) confPath() string {
	line := b.commandLine()
	for i, arg := range line {
		if (arg == "-c" || arg == "--config-file") && i+1 < len(line) && !shells[path.Base(line[max(i-1, 0)])] {
			return line[i+1]
		}
		if m := confOption.FindStringSubmatch(" " + arg); m != nil {
			return strings.Trim(m[1], `"'`)
		}
	}
	return defaultConf
}

// mounted is the file at a path in the broker's container.
func (b *broker) mounted(file string) mountedFile { return b.fileAt(b.container, file) }

// in is the place of a path below the broker's container.
func (b *broker) in(steps ...any) place {
	return b.pod(append([]any{"containers", b.index}, steps...)...)
}

// splitImage cuts a reference into its name, tag and digest.
func splitImage(ref string) (name, tag, digest string) {
	name, digest, _ = strings.Cut(ref, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name, tag = name[:i], name[i+1:]
	}
	return name, tag, digest
}

var leadingVersion = regexp.MustCompile(`^v?(\d+)(?:\.(\d+))?`)

// since tells whether the broker is known to be of a version or newer.
func (b *broker) since(major, minor int) bool {
	maj, min, ok := b.mosquitto()
	return ok && (maj > major || maj == major && min >= minor)
}

// before tells whether the broker is known to be older than a version.
func (b *broker) before(major, minor int) bool {
	_, _, ok := b.mosquitto()
	return ok && !b.since(major, minor)
}

func (b *broker) mosquitto() (major, minor int, ok bool) {
	name, tag, _ := splitImage(b.container.Image)
	said := []string{b.version(), tag}
	if path.Base(name) == officialImage { // whose tags are Mosquitto's versions
		slices.Reverse(said)
	}
	for _, s := range said {
		m := leadingVersion.FindStringSubmatch(s)
		if m == nil || m[2] == "" {
			continue
		}
		major, _ = strconv.Atoi(m[1])
		minor, _ = strconv.Atoi(m[2])
		// A number above Mosquitto's own is some other product's.
		if major <= 3 {
			return major, minor, true
		}
	}
	return 0, 0, false
}
