package probe

import (
	"context"
	"fmt"
	"net"
)

// client is an MQTT connection of either version, as far as the checks need
// it. A method returns once the broker has acknowledged, or ctx is done.
type client interface {
	// subscribe asks for the filter's messages at the quality of service.
	subscribe(ctx context.Context, filter string, qos byte) error
	publish(ctx context.Context, m message) error
	// messages returns the channel on which messages arrive.
	messages() <-chan message
	// close says goodbye and closes the connection; it doesn't wait long.
	close()
}

// protocol is a version of MQTT. Its connect takes conn over, and closes it on
// an error, which is a *refusedError where the broker said no.
type protocol struct {
	name    string
	connect func(ctx context.Context, conn net.Conn, l login) (client, error)
}

var protocols = []protocol{
	{"MQTT 3.1.1", connect3},
	{"MQTT 5", connect5},
}

// login is what CONNECT carries; an empty user and a nil password are left out.
type login struct {
	user     string
	password []byte
}

// message is one message, published or received.
type message struct {
	topic    string
	payload  string
	qos      byte
	retained bool
}

// refusedError is a broker's answer that says no.
type refusedError struct {
	what string // "login", "subscription", "message"
	code byte
	// login says that the code is one for a wrong or missing login.
	login bool
}

// Error names the code as the protocol's documents write it.
func (e *refusedError) Error() string {
	return fmt.Sprintf("%s refused with code %s", e.what, codeText(e.code))
}

// codeText returns 3.1.1's return codes in decimal and 5's reason codes in
// hexadecimal: the former end below 6, the latter begin at 0x80.
func codeText(code byte) string {
	if code < 0x80 {
		return fmt.Sprint(code)
	}
	return fmt.Sprintf("0x%02X", code)
}

// inbox is the channel behind client.messages: when nobody reads, later
// messages are dropped rather than the library held up.
type inbox chan message

func newInbox() inbox { return make(inbox, 64) }

func (in inbox) put(m message) {
	select {
	case in <- m:
	default:
	}
}
