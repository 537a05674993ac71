package record

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
)

// Annotations of the clients' Service.
const (
	// Annotation holds the Record, which the leading controller alone writes.
	Annotation = "mosqbuild.io/failover"
	// AnnotationRequest holds a Request, which people write.
	AnnotationRequest = "mosqbuild.io/failover-request"
	// AnnotationPaused, if "true", has nothing switched but by request.
	AnnotationPaused = "mosqbuild.io/failover-paused"
)

// Record says who serves. It changes by compare-and-swap alone, so that of two
// controllers that both take themselves for the leader one can write.
type Record struct {
	// Epoch goes up by one with each write.
	Epoch int64 `json:"epoch"`
	// Leader is the controller that wrote it.
	Leader string `json:"leader"`
	// Active is the role of the broker that serves clients.
	Active string `json:"active"`
	// Slot is the one that the active broker runs in, see config.ClientPort.
	Slot int `json:"slot,omitempty"`
	// Standby, where it isn't empty, is the role of the broker that may take
	// over: then the active one needs permits.
	Standby string `json:"standby,omitempty"`
	// Run is the run of the standby's broker that has all there is.
	Run string `json:"run,omitempty"`
	// Ready says that the active broker's guard has read that there is a
	// standby, and so that there may be a switch.
	Ready bool `json:"ready,omitempty"`
	// Pending, where it isn't empty, is the role that is about to take over:
	// the active broker must stop.
	Pending string `json:"pending,omitempty"`
	// Planned says that the switch wasn't forced by a fault: the active broker
	// stops politely.
	Planned bool `json:"planned,omitempty"`
	// Paused says that nothing is to be switched but by request.
	Paused bool `json:"paused,omitempty"`
	// Reason says why it was last written.
	Reason string `json:"reason,omitempty"`
	// Request is the ID of the request last dealt with.
	Request string `json:"request,omitempty"`
	// Since is when Active became active.
	Since time.Time `json:"since,omitzero"`
	// ReadyAt is since when Ready holds.
	ReadyAt time.Time `json:"readyAt,omitzero"`
	// Last is the last switch.
	Last *Switch `json:"last,omitempty"`
}

// Switch is one that was finished.
type Switch struct {
	From   string    `json:"from"`
	To     string    `json:"to"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	// Outage is how long nobody served, as far as the controller saw.
	Outage config.Duration `json:"outage"`
}

// Other is the role that isn't role.
func Other(role string) string {
	if role == config.RolePrimary {
		return config.RoleSecondary
	}
	return config.RolePrimary
}

// Parse reads an annotation's value. "" is no record: nil. Fields that it doesn't
// know are a newer agent's, while the agents are being replaced.
func Parse(text string) (*Record, error) {
	if text == "" {
		return nil, nil
	}
	var r Record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("reading the annotation %q: %w", Annotation, err)
	}
	role := func(s string) bool { return s == config.RolePrimary || s == config.RoleSecondary }
	switch {
	case r.Epoch < 1 || !role(r.Active):
		return nil, fmt.Errorf("reading the annotation %q: no epoch, or nobody active", Annotation)
	case r.Standby != "" && r.Standby != Other(r.Active), r.Pending != "" && r.Pending != Other(r.Active):
		return nil, fmt.Errorf("reading the annotation %q: the standby is the active one, or no role", Annotation)
	case r.Slot < 0 || r.Slot >= config.Slots:
		return nil, fmt.Errorf("reading the annotation %q: there is no slot %d", Annotation, r.Slot)
	case r.Ready && r.Standby == "":
		return nil, fmt.Errorf("reading the annotation %q: nobody is ready", Annotation)
	}
	return &r, nil
}

// String returns the annotation's value.
func (r Record) String() string {
	data, err := json.Marshal(r)
	if err != nil { // strings, numbers and times: a year beyond 9999 alone
		panic(err)
	}
	return string(data)
}

// Drain is how long what a broker has said to the other one may be on its way
// after a switch was begun and both guards know.
func Drain(p config.FailoverPermit, planned bool) time.Duration {
	if planned {
		return p.Age.Std() + p.Margin.Std()
	}
	return p.Margin.Std()
}

// Request is what somebody asks the controllers to do.
type Request struct {
	// ID tells it from others; any string that hasn't been one.
	ID string `json:"id"`
	// To is the role that is to serve.
	To string `json:"to"`
}
