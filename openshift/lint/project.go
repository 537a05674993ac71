package lint

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Options are what Run needs besides the files.
type Options struct {
	// Now is the time that certificates are checked at.
	Now time.Time
	// ReadFile reads a file that an input refers to, a certificate or a script,
	// and its mode. Nil, or an error, leaves the file out.
	ReadFile func(name string) ([]byte, fs.FileMode, error)
}

// Run returns what is wrong with the inputs, by file and line. An input that
// can't be read is an error; it names every such one.
func Run(inputs []Input, o Options) ([]Finding, error) {
	if o.ReadFile == nil {
		o.ReadFile = func(string) ([]byte, fs.FileMode, error) { return nil, 0, fs.ErrNotExist }
	}
	r := &report{seen: map[Finding]bool{}}
	var problems []error
	for _, group := range groups(inputs) {
		p := &project{now: o.Now, readFile: o.ReadFile}
		for _, in := range group {
			if err := p.load(in); err != nil {
				problems = append(problems, err)
			}
		}
		p.relate()
		for _, c := range checks {
			c(p, r)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return r.sorted(), nil
}

// project is inputs that are seen together.
type project struct {
	now        time.Time
	readFile   func(string) ([]byte, fs.FileMode, error)
	objects    []*object
	confs      []*conf
	containers []*containerfile
	scripts    []script
	pems       []pemFile
	workloads  []*workload
	brokers    []*broker
}

// script is a shell script.
type script struct{ file, text string }

// load adds an input by its kind.
func (p *project) load(in Input) error {
	switch kindOf(in) {
	case isYAML:
		return p.loadYAML(in)
	case isConf:
		p.confs = append(p.confs, parseConf(string(in.Data), func(n int) place { return place{in.Name, n + 1} }))
	case isContainerfile:
		p.containers = append(p.containers, parseContainerfile(in.Name, string(in.Data)))
	case isScript:
		p.scripts = append(p.scripts, script{in.Name, string(in.Data)})
	case isACL:
	case isPEM:
		p.pems = append(p.pems, pemFile{place{in.Name, 1}, in.Data})
	default:
		if len(in.Data) == 0 && !in.Walked {
			return fmt.Errorf("%s is empty", in.Name)
		}
		if !in.Walked {
			return fault.Hint(fmt.Errorf("%s is neither YAML, mosquitto.conf nor Containerfile", in.Name), "name the file so that it shows: *.yaml, *.conf or Containerfile")
		}
	}
	return nil
}

var errorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (p *project) loadYAML(in Input) error {
	docs, err := parseYAML(in.Data)
	if err != nil {
		return unreadable(in, err)
	}
	found, left := 0, maxValues
	for _, doc := range docs {
		objects := expand(in.Name, doc, &left)
		found += len(objects)
		p.objects = append(p.objects, objects...)
	}
	if found == 0 && !in.Walked {
		return fault.Hint(fmt.Errorf("%s holds no Kubernetes object", in.Name), "render a chart first: helm template NAME CHART | mosqbuild lint -")
	}
	return nil
}

// unreadable places a YAML error where its file names the line.
func unreadable(in Input, err error) error {
	text, line := err.Error(), "1"
	if m := errorLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if m[1] != "" {
			line = m[1]
		}
	}
	err = fmt.Errorf("%s:%s: %s", in.Name, line, text)
	if strings.Contains(string(in.Data), "{{") {
		return fault.Hint(err, "lint reads what a template makes: helm template NAME CHART | mosqbuild lint -")
	}
	return fault.Hint(err, "mend the YAML there")
}

// relate finds what belongs together: configurations in ConfigMaps, the pods,
// and which configuration each broker reads.
func (p *project) relate() {
	for _, o := range p.objects {
		switch t := o.typed.(type) {
		case *corev1.ConfigMap:
			p.confsIn(o, "data", t.Data)
		case *corev1.Secret:
			p.confsIn(o, "stringData", t.StringData)
			decoded := map[string]string{}
			for k, v := range t.Data {
				decoded[k] = string(v)
			}
			p.confsIn(o, "data", decoded)
		}
		if w := newWorkload(o); w != nil {
			p.workloads = append(p.workloads, w)
		}
	}
	for _, w := range p.workloads {
		p.brokers = append(p.brokers, p.brokersOf(w)...)
	}
	p.assume()
}

// confsIn adds the mosquitto.conf files of a ConfigMap or Secret.
func (p *project) confsIn(o *object, field string, data map[string]string) {
	for _, key := range sortedKeys(data) {
		if !confKey(key) || !looksLikeConf(data[key]) {
			continue
		}
		c := parseConf(data[key], o.lines(field, key))
		c.owner, c.key = o, key
		p.confs = append(p.confs, c)
	}
}

// confKey tells whether a key may hold a mosquitto.conf, or a template of one.
func confKey(key string) bool {
	return strings.Contains(key, ".conf") || path.Ext(key) == ""
}

// lines gives the places of the lines of a text in the object. Only a literal
// block keeps a line of its own for each, unless it is a Secret's base64.
func (o *object) lines(steps ...any) func(int) place {
	n, line, _ := at(o.node, steps...)
	_, secret := o.typed.(*corev1.Secret)
	if n.Style&yaml.LiteralStyle == 0 || n.Kind != yaml.ScalarNode || secret && steps[0] == "data" {
		return func(int) place { return place{o.file, line} }
	}
	return func(i int) place { return place{o.file, n.Line + 1 + i} }
}

// assume takes the only configuration file given for that of the only broker
// whose own isn't among the inputs.
func (p *project) assume() {
	var alone []*conf
	for _, c := range p.confs {
		if c.owner == nil {
			alone = append(alone, c)
		}
	}
	if len(alone) == 1 && len(p.brokers) == 1 && p.brokers[0].conf == nil && !p.brokers[0].made {
		p.brokers[0].conf = alone[0]
	}
}
