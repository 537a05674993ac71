package config

// Ports by convention: IANA's mqtt and secure-mqtt.
const (
	PortMQTT  = 1883
	PortMQTTS = 8883
	// PortBridge is the primary's listener for the secondary's bridge alone.
	PortBridge = 8884
)

// Names of the ports of a pair that are nobody's but its own: that listener,
// and the agents' PortGuard and PortHealth.
const (
	BridgeListener = "bridge"
	GuardListener  = "guard"
	HealthListener = "health"
)

// The brokers of a pair, and the label that tells them apart. Clients are
// switched by this label in their Service's selector.
const (
	LabelRole     = "role"
	RolePrimary   = "primary"
	RoleSecondary = "secondary"
)

// DefaultRepository is where packages come from unless told otherwise.
const DefaultRepository = "https://dl-cdn.alpinelinux.org/alpine/v3.23/main"

// Values of TLS.Source.
const (
	SourceGenerate    = "generate"
	SourceFiles       = "files"
	SourceCertManager = "cert-manager"
	SourceServiceCA   = "service-ca"
)

// Values of Deploy.Profile.
const (
	ProfileOpenShift    = "openshift"
	ProfileLoadBalancer = "loadbalancer"
	ProfileHA           = "ha"
)

// Values of Deploy.Ingress.
const (
	IngressLoadBalancer = "loadbalancer"
	IngressTraefik      = "traefik"
	IngressRoute        = "route"
)

// Folders in the image. A cluster mounts a ConfigMap over ConfigDir and a
// Secret each over CertsDir and AuthDir; BridgeDir is there in a cluster alone.
const (
	ConfigDir   = "/mosquitto/config"
	CertsDir    = "/mosquitto/certs"
	AuthDir     = "/mosquitto/auth"
	BridgeDir   = "/mosquitto/bridge"
	DataDir     = "/mosquitto/data"
	LicensesDir = "/licenses"
)

// SBOMPath is where the image lists what it is made of, as SPDX: in the folder
// in which apko and Wolfi's packages have theirs, with the suffix by which
// scanners know such a list wherever it is.
const SBOMPath = "/var/lib/db/sbom/image.spdx.json"

// Files in those folders; the certificates' names are those of a
// kubernetes.io/tls Secret.
const (
	ConfFile   = "mosquitto.conf"
	ACLFile    = "acl"
	CAFile     = "ca.crt"
	CertFile   = "tls.crt"
	KeyFile    = "tls.key"
	PasswdFile = "passwd"
	// OptionsFile is where mosquitto_sub looks for options below
	// XDG_CONFIG_HOME; in AuthDir it holds the health user's login.
	OptionsFile = "mosquitto_sub"
)

// UID and GID that the image names in USER; any other uid works as well, as
// long as GID 0 is among its groups.
const (
	UID = 1883
	GID = 0
)

// HealthUser may read HealthTopic and nothing else; probes log in as it.
const (
	HealthUser  = "health"
	HealthTopic = "$SYS/broker/version"
)

// BridgeUser is who the secondary's bridge is at the primary; its certificate
// is its login, so that it has no password.
const BridgeUser = "bridge"

// BrokerPath and ClientPath are where the packages put the broker and the
// client that probes use.
const (
	BrokerPath = "/usr/sbin/mosquitto"
	ClientPath = "/usr/bin/mosquitto_sub"
)

// PluginDir is where the broker's plugins are, from 2.1 on.
const PluginDir = "/usr/lib"

// defaultID is the uid and gid where the cluster doesn't choose one: that of
// unprivileged programs on many home clusters, and no user of the image.
const defaultID = 568
