package lint

import (
	"net/netip"
	"strings"
)

// listener is a port or a socket that the broker opens.
type listener struct {
	place
	port    int    // 0 is a UNIX socket, or a port that is no number
	bind    string // address or host, or a socket's path; "" is every interface
	section section
}

// listenerOptions hold for the listener they follow, whatever
// per_listener_settings says.
const listenerOptions = `accept_protocol_versions bind_interface cafile capath certfile
	ciphers ciphers_tls1.3 crlfile dhparamfile disable_client_cert_date_checks
	enable_proxy_protocol http_dir keyfile listener_allow_anonymous
	listener_auto_id_prefix max_connections max_qos maximum_qos max_topic_alias
	max_topic_alias_broker mount_point protocol proxy_protocol_v2_require_tls psk_hint
	require_certificate socket_domain tls_engine tls_engine_kpass_sha1 tls_keyform
	tls_version use_identity_as_username use_subject_as_username
	use_username_as_clientid websockets_headers_size websockets_origin`

func ofListener(key string) bool { return hasWord(listenerOptions, key) }

func newListener(d directive) listener {
	l := listener{place: d.place, bind: d.word(1), section: section{}}
	l.port, _ = d.number()
	return l
}

// defaultListener is the one that "port" opens; its settings stand before any
// other listener.
func (c *conf) defaultListener(port directive) listener {
	l := newListener(port)
	l.bind = c.global["bind_address"].word(0)
	l.section = section{}
	for _, d := range c.directives {
		if d.key == "listener" || d.key == "connection" {
			break
		}
		l.section[d.key] = d
	}
	return l
}

// local tells whether no other machine can reach the listener.
func (l listener) local() bool {
	if l.port == 0 || strings.EqualFold(l.bind, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(l.bind)
	return err == nil && addr.IsLoopback() || l.section["bind_interface"].word(0) == "lo"
}

// http tells whether the listener answers HTTP.
func (l listener) http() bool {
	p := l.section["protocol"].word(0)
	return p == "http_api" || p == "websockets"
}

// listener returns the broker's listener at a port.
func (c *conf) listener(port int) (listener, bool) {
	for _, l := range c.listeners {
		if l.port == port {
			return l, true
		}
	}
	return listener{}, false
}
