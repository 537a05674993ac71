package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
)

// Ports and paths of the agents, which watch over the brokers of a pair.
const (
	// PortGuard is where agents talk to each other, over TLS both ways.
	PortGuard = 8890
	// PortHealth is where the kubelet and Prometheus ask, over plain HTTP.
	PortHealth = 8891
	// PortBridgeGate is where the secondary's bridge connects to, on its own
	// loopback: the guard there passes on what it says when it may.
	PortBridgeGate = 8885
	// PortSlots is the first port at which brokers of a pair listen for clients,
	// who connect to the clients' Service: each of its ports leads to one of as
	// many as there are Slots. All are below those that Linux gives to outgoing
	// connections.
	PortSlots = 20000
	Slots     = 1000

	// AgentPath is where the agent's image has its program, AgentDir where a
	// broker's pod gets a copy, AgentConfigDir where its settings are, and
	// AgentStateDir what a guard is to know when it starts again in the same pod.
	AgentPath      = "/usr/bin/mosqagent"
	AgentDir       = "/mosqagent"
	AgentConfigDir = "/etc/mosqagent"
	AgentStateDir  = "/run/mosqagent"
	// AgentFile and AgentTLSDir are in AgentConfigDir; AgentLoginDir holds the
	// health user's OptionsFile in a controller's pod.
	AgentFile     = "agent.json"
	AgentTLSDir   = "tls"
	AgentLoginDir = "login"

	// GuardUser reads everything, to compare what the brokers of a pair have
	// retained; GuardFile, in AuthDir, is its login, written as OptionsFile is.
	GuardUser = "guard"
	GuardFile = "guard"
	// ProbePrefix begins the topics of the agents' probes: # matches none of
	// them, nor does a bridge.
	ProbePrefix = "$mosqbuild/probe/"
)

// Agent is what agent.json says: all that the agents of one deployment share.
type Agent struct {
	// Name and Namespace are the deployment's. An empty Namespace is the pod's.
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	// Selector are the labels of the brokers' pods, without the role.
	Selector map[string]string `json:"selector"`
	// Replicas is the number of controllers, of which a verdict needs most.
	Replicas int `json:"replicas"`
	// Certificate is the name in every agent's certificate where that isn't Name-agent:
	// that of a Template that is given another Name stays.
	Certificate string `json:"certificate,omitempty"`
	// Listener is the broker's that probes log in to, a direct one.
	Listener Listener `json:"listener"`
	// Clients are the clients' listeners, as in mosquitto.conf; a guard opens them
	// at other ports, see ClientPort.
	Clients []Listener `json:"clients"`
	// Persistent says that the brokers save what they retain.
	Persistent bool `json:"persistent"`
	// Failover are the timings.
	Failover Failover `json:"failover"`
}

// Agent returns the settings of c's agents; labels are those that all brokers'
// pods share.
func (c Config) Agent(labels map[string]string) Agent {
	l, plain := c.Listener(false)
	if !plain {
		l, _ = c.Listener(true)
	}
	return Agent{
		Name: c.Name, Namespace: c.Deploy.Namespace, Selector: labels, Replicas: c.Failover.Controllers, Listener: l.Direct(), Clients: c.Listeners,
		Persistent: c.Deploy.Volume() != "", Failover: c.Failover,
	}
}

// Controllers is how many failover controllers there are by default: with three,
// two remain of whatever node is lost, and are most.
const Controllers = 3

// ReadAgent parses an agent.json. What it doesn't know is of a newer one, whose
// settings come before its image.
func ReadAgent(data []byte) (Agent, error) {
	var a Agent
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&a); err != nil {
		return a, fmt.Errorf("reading the agent's settings: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return a, errors.New("reading the agent's settings: there is more than one value")
	}
	var v problems
	v.check(a.Name != "", "name", "is missing")
	v.check(a.Replicas > 0, "replicas", "%d is no number of controllers", a.Replicas)
	v.check(a.Listener.Port > 0, "listener.port", "is missing")
	a.Failover.check(&v)
	var errs []error
	for _, p := range v {
		errs = append(errs, fmt.Errorf("%s: %s", p.Path, p.Text))
	}
	if err := errors.Join(errs...); err != nil {
		return a, fmt.Errorf("reading the agent's settings: %w", err)
	}
	return a, nil
}

// ClientPort is where a broker that runs in that slot listens in place of the
// i-th of Agent.Clients.
//
// Each run of a standby has another slot than the ones before, and keeps it when
// it takes over. So a node that hears late of a switch leads clients to a port of
// the replaced broker's at which nobody listens any more: they are refused, and
// try again. Led to the port of a standby, they would stay there.
func ClientPort(i, slot int) int { return PortSlots + i*Slots + slot }

// Targets are where the ports of the clients' Service lead to, by their names, while
// the active broker runs in that slot.
func (a Agent) Targets(slot int) map[string]int {
	all := make(map[string]int, len(a.Clients))
	for i, l := range a.Clients {
		all[l.Name] = ClientPort(i, slot)
	}
	return all
}

// Guards is the name of the headless Service that leads to the broker of that
// role, whatever its state.
func (a Agent) Guards(role string) string { return a.Name + "-" + role + "-guard" }

// Controllers is the name of the headless Service that leads to every
// controller.
func (a Agent) Controllers() string { return a.Name + "-failover" }

// ServerName is the name in every agent's certificate.
func (a Agent) ServerName() string { return cmp.Or(a.Certificate, a.Name+"-agent") }

// LeaseName is the Lease that the controllers elect their leader by.
func (a Agent) LeaseName() string { return a.Name + "-failover" }

// AgentTLS returns the path of a file of the agents' certificates.
func AgentTLS(file string) string { return path.Join(AgentConfigDir, AgentTLSDir, file) }
