package lint

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// instruction is one instruction of a Containerfile, its continuation lines
// joined.
type instruction struct {
	place
	name  string // in capitals
	text  string // what follows the name
	words []string
	flags map[string]string // of --name=value
	exec  []string          // the JSON form; nil for the shell form
}

func (i instruction) flag(name string) string { return i.flags[name] }

// stage is a FROM and what follows it.
type stage struct {
	instruction
	from         string
	instructions []instruction
}

// containerfile is a Containerfile or Dockerfile.
type containerfile struct {
	file         string
	instructions []instruction
	stages       []stage
	named        map[string]int    // the first stage of each name, in small letters
	args         map[string]string // ARG and ENV with a value
}

var (
	hereDocument = regexp.MustCompile(`<<-?\s*["']?([A-Za-z_]\w*)["']?`)
	instructed   = regexp.MustCompile(`^\s*([A-Za-z]+)(?:\s+(.*))?$`)
)

// parseContainerfile reads what it understands and skips the rest.
func parseContainerfile(file, data string) *containerfile {
	c := &containerfile{file: file, named: map[string]int{}, args: map[string]string{}}
	lines := strings.Split(strings.ReplaceAll(data, "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		m := instructed.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		at := place{file, i + 1}
		var text string
		text, i = joined(lines, i, m[2])
		if h := hereDocument.FindStringSubmatch(text); h != nil && (strings.EqualFold(m[1], "RUN") || strings.EqualFold(m[1], "COPY")) {
			for i+1 < len(lines) && strings.TrimSpace(lines[i]) != h[1] {
				i++
				text += "\n" + lines[i]
			}
		}
		c.add(newInstruction(at, strings.ToUpper(m[1]), strings.TrimSpace(text)))
	}
	return c
}

// joined is a line with those that continue it; comments between are dropped.
func joined(lines []string, i int, text string) (string, int) {
	for strings.HasSuffix(strings.TrimRight(text, " \t"), `\`) && i+1 < len(lines) {
		text = strings.TrimSuffix(strings.TrimRight(text, " \t"), `\`)
		i++
		for i+1 < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i]), "#") {
			i++
		}
		if !strings.HasPrefix(strings.TrimSpace(lines[i]), "#") {
			text += " " + lines[i]
		}
	}
	return text, i
}

func newInstruction(at place, name, text string) instruction {
	in := instruction{place: at, name: name, text: text, flags: map[string]string{}}
	for strings.HasPrefix(text, "--") {
		flag, rest, _ := strings.Cut(text, " ")
		key, value, _ := strings.Cut(flag[2:], "=")
		in.flags[key] = value
		text = strings.TrimSpace(rest)
	}
	in.words = strings.Fields(text)
	if strings.HasPrefix(text, "[") {
		var exec []string
		if json.Unmarshal([]byte(text), &exec) == nil {
			in.exec = exec
			in.words = exec
		}
	}
	return in
}

func (c *containerfile) add(in instruction) {
	c.instructions = append(c.instructions, in)
	switch in.name {
	case "ARG", "ENV":
		for _, w := range in.words {
			if name, value, ok := strings.Cut(w, "="); ok {
				c.args[name] = strings.Trim(value, `"'`)
			}
		}
	case "FROM":
		s := stage{instruction: in}
		if len(in.words) > 0 {
			s.from = c.expand(in.words[0])
		}
		if len(in.words) > 2 && strings.EqualFold(in.words[1], "AS") {
			name := strings.ToLower(in.words[2])
			if _, taken := c.named[name]; !taken {
				c.named[name] = len(c.stages)
			}
		}
		c.stages = append(c.stages, s)
		return
	}
	if n := len(c.stages); n > 0 {
		c.stages[n-1].instructions = append(c.stages[n-1].instructions, in)
	}
}

var variable = regexp.MustCompile(`\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))`)

// expand puts the values that ARG and ENV give by default.
func (c *containerfile) expand(s string) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string {
		m := variable.FindStringSubmatch(v)
		if value, ok := c.args[m[1]+m[3]]; ok {
			return value
		}
		if m[2] != "" {
			return m[2]
		}
		return v
	})
}

// stage returns the stage of a name or number, nil where there is none.
func (c *containerfile) stage(name string) *stage {
	i, ok := c.named[strings.ToLower(name)]
	if n, err := strconv.Atoi(name); !ok && err == nil {
		i, ok = n, n >= 0 && n < len(c.stages)
	}
	if !ok {
		return nil
	}
	return &c.stages[i]
}

// last is the stage that becomes the image.
func (c *containerfile) last() stage {
	if len(c.stages) == 0 {
		return stage{}
	}
	return c.stages[len(c.stages)-1]
}

// inherited are the instructions that make the image, those of the stages that
// it is based on first. A stage is based on one above it, or on an image.
func (c *containerfile) inherited() (all []instruction, base string) {
	s := c.last()
	parts := [][]instruction{s.instructions}
	for below := c.stage(s.from); below != nil && below.line < s.line; below = c.stage(s.from) {
		s = *below
		parts = append(parts, s.instructions)
	}
	slices.Reverse(parts)
	return slices.Concat(parts...), s.from
}

// leadingNumber is the number that a word begins with, 0 where it has none.
func leadingNumber(word string) int {
	n, _, _ := strings.Cut(word, "/")
	i, _ := strconv.Atoi(n)
	return i
}
