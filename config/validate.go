package config

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
)

var (
	dnsLabel   = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)
	namespace  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	hostName   = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
	userName   = regexp.MustCompile(`^[^#:\s\pC]([^:\pC]*[^:\s\pC])?$`)
	quantity   = regexp.MustCompile(`^[1-9][0-9]*(k|M|G|Ki|Mi|Gi)?$`)
	accessRule = regexp.MustCompile(`^(read|write|readwrite|deny) (\S(?:.*\S)?)$`)
	// topicFilter has its wildcards where MQTT has them, each a whole level and # the
	// last one: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html section 4.7.1.
	topicFilter = regexp.MustCompile(`^((\+|[^+#/]*)/)*(\+|#|[^+#/]*)$`)
	keyTypes    = []string{"ecdsa-p256", "rsa:2048", "rsa:3072", "rsa:4096"}
)

// maxPort is the highest TCP port.
const maxPort = 65535

// maxClients is how many listeners a pair may have: as many as there is room for
// from PortSlots on.
const maxClients = 10

// maxLabel is how long a Service's name may be.
const maxLabel = 63

// maxName leaves room for "-tls" and "-auth" in it.
const maxName = maxLabel - len("-auth")

// maxID is the largest uid and gid that Kubernetes takes.
const maxID = 1<<31 - 1

// Validate reports every fault of c, each a Problem without file and line.
func (c Config) Validate() []Problem { return c.problems() }

func (c Config) problems() []Problem {
	var v problems
	v.check(dnsLabel.MatchString(c.Name) && len(c.Name) <= maxName, "name", "%q is no name for a Kubernetes object: lower case letters, digits and dashes, a letter first, at most %d bytes", c.Name, maxName)
	v.check(len(c.Image.Repositories) > 0, "image.repositories", "is empty; packages come from an apk repository, such as %s", DefaultRepository)
	v.check(slices.Contains(c.Image.Packages, "mosquitto"), "image.packages", "lacks %q, the broker itself", "mosquitto")
	c.Image.checkPlatforms(&v)
	c.checkListeners(&v)
	c.checkTLS(&v)
	c.checkUsers(&v)
	v.oneOf("mosquitto", c.Mosquitto, "2.0", "2.1")
	c.Deploy.check(&v)
	v.check(c.Failover.Controllers == 2 || c.Failover.Controllers == 3, "failover.controllers", "%d is neither 2 nor 3", c.Failover.Controllers)
	c.Failover.check(&v)
	c.checkPair(&v)
	return v
}

func (d Deploy) check(v *problems) {
	v.oneOf("deploy.profile", d.Profile, ProfileOpenShift, ProfileLoadBalancer, ProfileHA)
	if ns := d.Namespace; ns != "" {
		v.check(namespace.MatchString(ns) && len(ns) <= 63, "deploy.namespace", "%q is no namespace: lower case letters, digits and dashes, no dash at either end, at most 63 bytes", ns)
	}
	if h := d.Host; h != "" {
		v.check(validHost(h) && net.ParseIP(h) == nil, "deploy.host", "%q is no host name; a Route is found by name alone", h)
	}
	v.check(quantity.MatchString(d.Memory), "deploy.memory", "%q is no quantity of memory, such as 64Mi", d.Memory)
	v.check(d.User >= 0 && d.User <= maxID, "deploy.user", "%d is no uid: 0 to %d", d.User, maxID)
	v.check(d.Group >= 0 && d.Group <= maxID, "deploy.group", "%d is no gid: 0 to %d", d.Group, maxID)
	v.check(d.Storage.Size == "" || quantity.MatchString(d.Storage.Size), "deploy.storage.size", "%q is no quantity of storage, such as 1Gi", d.Storage.Size)
	if a := d.LoadBalancer.Address; a != "" {
		v.check(net.ParseIP(a) != nil, "deploy.loadBalancer.address", "%q is no address", a)
	}
	v.oneOf("deploy.ingress", d.Ingress, IngressLoadBalancer, IngressTraefik, IngressRoute)
}

// checkPair keeps the bridge's user, listener and port for the bridge.
func (c Config) checkPair(v *problems) {
	if c.Deploy.Profile != ProfileHA {
		return
	}
	longest := Agent{Name: c.Name}.Guards(RoleSecondary)
	v.check(len(longest) <= maxLabel, "name", "%q is too long under the profile %s: the Service %s would have %d bytes, of at most %d", c.Name, ProfileHA, longest, len(longest), maxLabel)
	// A StatefulSet labels its pods with its name and a hash of up to ten digits.
	revision := len(c.Broker(RoleSecondary)) + len("-") + 10
	v.check(revision <= maxLabel, "name", "%q is too long under the profile %s: a label of the StatefulSet %s would have %d bytes, of at most %d", c.Name, ProfileHA, c.Broker(RoleSecondary), revision, maxLabel)
	v.check(len(c.Listeners) <= maxClients, "listeners", "there are %d, of at most %d under the profile %s", len(c.Listeners), maxClients, ProfileHA)
	for i, l := range c.Listeners {
		own := slices.Contains([]string{BridgeListener, GuardListener, HealthListener}, l.Name)
		v.check(!own, fmt.Sprintf("listeners[%d].name", i), "%q is the bridge's or the agents' own port under the profile %s", l.Name, ProfileHA)
		own = slices.Contains([]int{PortBridge, PortBridgeGate, PortGuard, PortHealth}, l.Port)
		v.check(!own, fmt.Sprintf("listeners[%d].port", i), "%d is the bridge's or the agents' own port under the profile %s", l.Port, ProfileHA)
		direct := l.Direct().Port
		v.check(direct <= maxPort, fmt.Sprintf("listeners[%d].port", i), "%d is too high under the profile %s, which needs %d beside it", l.Port, ProfileHA, direct)
		clients := func(port int) bool { return port >= PortSlots && port < PortSlots+len(c.Listeners)*Slots }
		v.check(!clients(l.Port) && !clients(direct), fmt.Sprintf("listeners[%d].port", i), "%d, or %d beside it, is among the ports from %d on, which are the brokers' under the profile %s", l.Port, direct, PortSlots, ProfileHA)
		taken := slices.ContainsFunc(c.Listeners, func(other Listener) bool { return other.Port == direct })
		v.check(!taken, fmt.Sprintf("listeners[%d].port", i), "%d needs %d beside it under the profile %s, which is another listener's", l.Port, direct, ProfileHA)
	}
	for i, u := range c.Users {
		v.check(u.Name != BridgeUser && u.Name != GuardUser, fmt.Sprintf("users[%d].name", i), "%q is the bridge's or the guards' own user under the profile %s", u.Name, ProfileHA)
	}
}

func (c Config) checkListeners(v *problems) {
	v.check(len(c.Listeners) > 0, "listeners", "is empty; a broker needs one")
	for i, l := range c.Listeners {
		at := fmt.Sprintf("listeners[%d]", i)
		v.check(dnsLabel.MatchString(l.Name) && len(l.Name) <= 15, at+".name", "%q is no name for a port: lower case letters, digits and dashes, at most 15 bytes", l.Name)
		v.check(l.Port >= 1024 && l.Port <= maxPort, at+".port", "%d is not between 1024 and 65535; an arbitrary uid can open no lower port, a Service can map one", l.Port)
		for j, other := range c.Listeners[:i] {
			v.check(l.Port != other.Port, at+".port", "%d is listeners[%d]'s port already", l.Port, j)
			v.check(l.Name != other.Name, at+".name", "%q is listeners[%d]'s name already", l.Name, j)
		}
		v.check(!l.TLS || c.TLS.Source != "", at+".tls", "needs a certificate; set tls.source to %s or %s", SourceGenerate, SourceFiles)
		v.check(!l.WebSockets || c.Mosquitto != "2.0", at+".websockets", "goes with mosquitto: %q alone: 2.0 has none where it is built from source", "2.1")
	}
	all := len(c.Listeners) > 0 && !slices.ContainsFunc(c.Listeners, func(l Listener) bool { return !l.WebSockets })
	v.check(!all, "listeners", "are for WebSockets all of them; probes need one that is not")
}

func (c Config) checkTLS(v *problems) {
	t := c.TLS
	v.oneOf("tls.source", t.Source, SourceGenerate, SourceFiles, SourceCertManager, SourceServiceCA, "")
	v.check(t.Source != SourceServiceCA || c.Deploy.Profile == ProfileOpenShift, "tls.source", "%s goes with the profile %s alone: its certificate names the Service, which clients of the others don't connect to", SourceServiceCA, ProfileOpenShift)
	v.check((t.Issuer != "") == (t.Source == SourceCertManager), "tls.issuer", "goes with tls.source: %s, and must be there with it", SourceCertManager)
	v.check(t.Source != SourceServiceCA || c.Deploy.Host == "", "deploy.host", "can't be reached with tls.source: %s, whose certificate names the Service alone", SourceServiceCA)
	for _, f := range []struct{ path, value string }{{"tls.ca", t.CA}, {"tls.cert", t.Cert}, {"tls.key", t.Key}} {
		v.check((f.value != "") == (t.Source == SourceFiles), f.path, "goes with tls.source: %s, and must be there with it", SourceFiles)
	}
	v.oneOf("tls.keyType", t.KeyType, keyTypes...)
	for i, h := range t.Hosts {
		v.check(validHost(h), fmt.Sprintf("tls.hosts[%d]", i), "%q is neither a host name nor an address", h)
	}
}

func (c Config) checkUsers(v *problems) {
	v.check(len(c.Users) > 0 || c.AllowAnonymous, "users", "is empty and allowAnonymous is false: nobody could log in")
	for i, u := range c.Users {
		at := fmt.Sprintf("users[%d]", i)
		v.check(userName.MatchString(u.Name), at+".name", "%q is no user name: no colon, no control characters, no # in front, no blanks around", u.Name)
		v.check(u.Name != HealthUser, at+".name", "%q is the probes' own user", HealthUser)
		for j, other := range c.Users[:i] {
			v.check(u.Name != other.Name, at+".name", "%q is users[%d]'s name already", u.Name, j)
		}
		for j, rule := range u.ACL {
			at := fmt.Sprintf("%s.acl[%d]", at, j)
			if is := accessRule.FindStringSubmatch(rule); is == nil {
				v.check(false, at, "%q is no rule: read, write, readwrite or deny, a space, and a topic", rule)
			} else {
				v.check(topicFilter.MatchString(is[2]), at, "%q: the broker wouldn't start, since + and # must be a level of their own, and # the last one", rule)
			}
		}
	}
}

func validHost(h string) bool {
	return net.ParseIP(h) != nil || len(h) <= 253 && hostName.MatchString(h)
}

type problems []Problem

func (v *problems) check(ok bool, path, format string, args ...any) {
	if !ok {
		*v = append(*v, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
	}
}

func (v *problems) oneOf(path, value string, values ...string) {
	v.check(slices.Contains(values, value), path, "%q is none of %s", value, strings.TrimSuffix(strings.Join(values, ", "), ", "))
}
