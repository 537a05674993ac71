package config

// Ports by convention: IANA's mqtt and secure-mqtt.
const (
	PortMQTT  = 1883
	PortMQTTS = 8883
)

// DefaultRepository is where packages come from unless told otherwise.
const DefaultRepository = "https://dl-cdn.alpinelinux.org/alpine/v3.23/main"

// Values of TLS.Source.
const (
	SourceGenerate = "generate"
	SourceFiles    = "files"
)

// Folders in the image. A cluster mounts a ConfigMap over ConfigDir and a
// Secret each over CertsDir and AuthDir.
const (
	ConfigDir   = "/mosquitto/config"
	CertsDir    = "/mosquitto/certs"
	AuthDir     = "/mosquitto/auth"
	DataDir     = "/mosquitto/data"
	LicensesDir = "/licenses"
)

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

// BrokerPath and ClientPath are where the packages put the broker and the
// client that probes use.
const (
	BrokerPath = "/usr/sbin/mosquitto"
	ClientPath = "/usr/bin/mosquitto_sub"
)
