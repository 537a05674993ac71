package lint

import (
	"path/filepath"
	"strconv"
	"strings"
)

var confRules = []Rule{
	{"MQ101", Error, "Two-sided bridge", "Two brokers that each define a connection to the other pass every message round and round: one publish became 99,000 copies within three seconds, at QoS 1 and with `# out` on each side as well. A connection to itself does the same."},
	{"MQ102", Error, "Anonymous clients on a reachable listener", "Whoever reaches the port may read and write every topic that the ACL leaves open, without a password."},
	{"MQ103", Error, "Port below 1024", "A process without the capability NET_BIND_SERVICE, as under OpenShift's restricted profile or any uid but root, can't open it: the broker ends at its start."},
	{"MQ104", Error, "No listener", "Since 2.0 a broker whose configuration opens no listener answers on the loopback interface alone: in a container nobody reaches it."},
	{"MQ105", Warning, "`port` in place of `listener`", "`port` and `bind_address` set up a default listener that is deprecated and that other listeners don't share settings with."},
	{"MQ106", Error, "Anonymous clients beside a password file", "A wrong password is refused, none at all is let in: the passwords protect nothing. `allow_anonymous` holds for all listeners unless `per_listener_settings` is set."},
	{"MQ107", Error, "Unknown option", "The broker ends at its start on an option that it doesn't know. A comment that is indented, or a tab after the option's name, counts as one too."},
	{"MQ108", Error, "Comment after a value", "Only a line that begins with # is a comment; behind a path it becomes part of the path, behind a port the address to bind to."},
}

func checkListeners(p *project, r *report) {
	for _, c := range p.confs {
		for _, l := range c.listeners {
			if l.port > 0 && l.port < 1024 {
				r.add("MQ103", l.place, "listen on 1883 or 8883, and let the Service map the port", "listener on port %d, which only root may open", l.port)
			}
		}
		for _, key := range []string{"port", "bind_address"} {
			if d, ok := c.set(key); ok {
				r.add("MQ105", d.place, "write: listener PORT [ADDRESS]", "%q sets up the deprecated default listener", key)
			}
		}
		if len(c.listeners) == 0 && !c.includes() && !p.opened(c) && c.broker() {
			r.add("MQ104", c.place, "add a line: listener 1883", "no listener: the broker answers on the loopback interface alone")
		}
	}
}

// broker tells whether the file configures a broker and isn't only a part that
// another one includes.
func (c *conf) broker() bool {
	if c.owner != nil {
		return strings.HasPrefix(c.key, "mosquitto.conf") || c.has("persistence") || c.has("log_dest") || c.has("allow_anonymous")
	}
	whole := filepath.Base(c.file) == "mosquitto.conf" && len(c.bridges) == 0
	return len(c.directives) > 0 && whole || c.has("persistence") || c.has("log_dest") || c.has("allow_anonymous")
}

// opened tells whether a broker that reads the file has a listener without one
// in it: by its command line, or because it is of 1.x.
func (p *project) opened(c *conf) bool {
	for _, b := range p.brokers {
		if b.conf == c && (b.before(2, 0) || b.portArgument()) {
			return true
		}
	}
	return false
}

func checkAnonymous(p *project, r *report) {
	for _, c := range p.confs {
		if !c.perListener() {
			anonymous(r, c, c.global, c.listeners)
			continue
		}
		for _, l := range c.listeners {
			anonymous(r, c, l.section, []listener{l})
		}
	}
}

// anonymous judges the logins that a section sets for listeners. One that asks
// for a client certificate lets nobody in unknown.
func anonymous(r *report, c *conf, s section, listeners []listener) {
	d, ok := s["allow_anonymous"]
	global := ok && d.isTrue()
	var open []string
	at := d.place
	for _, l := range listeners {
		own, set := l.section["listener_allow_anonymous"]
		allowed := global && !(set && !own.isTrue()) || set && own.isTrue()
		if !allowed || l.local() || l.section["require_certificate"].isTrue() {
			continue
		}
		if set {
			at = own.place
		}
		open = append(open, strconv.Itoa(l.port))
	}
	if len(open) > 0 {
		r.add("MQ102", at, "set allow_anonymous false and give a password_file, or bind the listener to 127.0.0.1", "everybody may connect to port %s without a password", strings.Join(open, ", "))
		for _, key := range []string{"password_file", "plugin_opt_password_file"} {
			if file, ok := s[key]; ok && at == d.place {
				r.add("MQ106", at, "set allow_anonymous false", "clients without a name pass by the password file of line %d", file.line)
			}
		}
	}
}

func checkOptions(p *project, r *report) {
	for _, c := range p.confs {
		old := p.olderThan21(c)
		for _, d := range c.directives {
			switch since := optionSince(d.key); {
			case strings.HasPrefix(d.key, "#"):
				r.add("MQ107", d.place, "begin the line with #", "the indented comment is read as an option")
			case strings.Contains(d.key, "{{") || strings.Contains(d.key, "${"):
			case since == "":
				r.add("MQ107", d.place, optionFix(d.key), "no version of Mosquitto knows the option %q", d.key)
			case since == "2.1" && old != nil:
				r.add("MQ107", d.place, "take it out, or run 2.1", "%q came with 2.1, and %s runs %s", d.key, old.title(), old.container.Image)
			}
			if strings.Contains(d.value, " #") && d.key != "topic" {
				r.add("MQ108", d.place, "move the comment to a line of its own", "what follows # is part of the value of %q", d.key)
			}
		}
	}
}

func optionFix(key string) string {
	if name, _, tab := strings.Cut(key, "\t"); tab && optionSince(name) != "" {
		return "write a space after " + name + ", not a tab"
	}
	if meant := nearest(key); meant != "" {
		return "write " + meant + ", if that is meant"
	}
	return "take the line out: man mosquitto.conf lists the options"
}

// nearest is the option that one letter more, less or other would make.
func nearest(key string) string {
	for option := range strings.FieldsSeq(options20 + options21) {
		if withinOne(key, option) {
			return option
		}
	}
	return ""
}

func withinOne(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i == len(a) || a[i+1:] == b[i+1:]
	}
	return a[i:] == b[i+1:]
}

// olderThan21 is a broker that reads the file and is known to be older.
func (p *project) olderThan21(c *conf) *broker {
	for _, b := range p.brokers {
		if b.conf == c && b.before(2, 1) {
			return b
		}
	}
	return nil
}
