package lint

import (
	"strconv"
	"strings"
)

// directive is one line of a mosquitto.conf that sets something.
type directive struct {
	place
	key, value string
}

// words are the value's words.
func (d directive) words() []string { return strings.Fields(d.value) }

// word is the value's n-th word, "" past the last.
func (d directive) word(n int) string {
	if w := d.words(); n < len(w) {
		return w[n]
	}
	return ""
}

// isTrue reads a boolean as the broker does: true and 1, whatever their case.
func (d directive) isTrue() bool {
	return strings.EqualFold(d.word(0), "true") || d.word(0) == "1"
}

// conf is a mosquitto.conf, wherever it stands.
type conf struct {
	place              // its first line
	owner      *object // the ConfigMap or Secret that holds it; nil for a file
	key        string  // its key in the owner
	directives []directive
	global     section // what stands before the first listener or connection, and what holds for all
	listeners  []listener
	bridges    []bridge
}

// section is a run of directives by key; the last of a key is the one that holds.
type section map[string]directive

// parseConf reads a mosquitto.conf as the broker does: a comment is a line that
// begins with #, the option ends at the first blank. line gives the place of
// each line, counted from 0.
func parseConf(data string, line func(int) place) *conf {
	c := &conf{place: line(0), global: section{}}
	n := 0
	for text := range strings.Lines(data) {
		at := line(n)
		n++
		text = strings.TrimRight(text, "\r\n")
		if text == "" || text[0] == '#' || strings.Trim(text, " ") == "" {
			continue
		}
		key, value, _ := strings.Cut(strings.TrimLeft(text, " "), " ")
		c.directives = append(c.directives, directive{place: at, key: key, value: strings.Trim(value, " \t")})
	}
	c.sections()
	return c
}

// sections hands each directive to the listener or connection it belongs to.
func (c *conf) sections() {
	into := c.global
	for _, d := range c.directives {
		switch d.key {
		case "listener":
			c.listeners = append(c.listeners, newListener(d))
			into = c.listeners[len(c.listeners)-1].section
		case "connection":
			c.bridges = append(c.bridges, bridge{place: d.place, name: d.value, section: section{}})
			into = c.bridges[len(c.bridges)-1].section
		case "port":
			c.global[d.key] = d
		case "topic", "address", "addresses":
			if n := len(c.bridges); n > 0 {
				c.bridges[n-1].take(d)
			}
		default:
			into[d.key] = d
			if !ofListener(d.key) && !strings.HasPrefix(d.key, "bridge_") {
				c.global[d.key] = d
			}
		}
	}
	if d, ok := c.global["port"]; ok {
		c.listeners = append(c.listeners, c.defaultListener(d))
	}
}

// includes tells whether other files add to this one.
func (c *conf) includes() bool { return c.has("include_dir") }

func (c *conf) has(key string) bool { _, ok := c.global[key]; return ok }

// set returns the directive of a key that holds for the whole broker.
func (c *conf) set(key string) (directive, bool) { d, ok := c.global[key]; return d, ok }

// perListener tells whether logins are each listener's own.
func (c *conf) perListener() bool { return c.global["per_listener_settings"].isTrue() }

// persistence returns the directive that turns saving on.
func (c *conf) persistence() (directive, bool) {
	for _, key := range []string{"persistence", "retained_persistence"} {
		if d, ok := c.global[key]; ok {
			return d, d.isTrue()
		}
	}
	return directive{}, false
}

// number is a directive's value as a whole number.
func (d directive) number() (int, bool) {
	n, err := strconv.Atoi(d.word(0))
	return n, err == nil
}

// fileOption is what kind of secret file an option names: "password", "acl",
// "psk" or "key", and "" for any other option. The plugins of 2.1 have options
// of their own.
func (d directive) fileOption() string {
	switch d.key {
	case "password_file", "plugin_opt_password_file":
		return "password"
	case "acl_file", "plugin_opt_acl_file":
		return "acl"
	case "psk_file":
		return "psk"
	case "keyfile", "bridge_keyfile":
		return "key"
	}
	return ""
}
