package probe

import (
	"context"
	"fmt"
	"net"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// client5 speaks MQTT 5.
type client5 struct {
	conn net.Conn
	mqtt *paho.Client
	in   inbox
}

var _ client = (*client5)(nil)

// connect5 logs in. The library bounds the wait for CONNACK by ctx, but not
// the write before it, so the connection is closed when ctx is done first.
func connect5(ctx context.Context, conn net.Conn, l login) (client, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c := &client5{conn: conn, in: newInbox()}
	c.mqtt = paho.NewClient(paho.ClientConfig{
		Conn: packets.NewThreadSafeConn(conn),
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			c.in.put(message{p.Packet.Topic, string(p.Packet.Payload), p.Packet.QoS, p.Packet.Retain})
			return true, nil
		}},
	})
	ack, err := c.mqtt.Connect(ctx, &paho.Connect{
		CleanStart:   true,
		UsernameFlag: l.user != "", Username: l.user,
		PasswordFlag: l.password != nil, Password: l.password,
	})
	switch {
	case err == nil:
		return c, nil
	case ack != nil && ack.ReasonCode >= 0x80:
		bad := ack.ReasonCode == packets.ConnackBadUsernameOrPassword || ack.ReasonCode == packets.ConnackNotAuthorized
		err = &refusedError{"login", ack.ReasonCode, bad}
	case ctx.Err() != nil:
		err = fmt.Errorf("waiting for CONNACK: %w", ctx.Err())
	default:
		err = fmt.Errorf("logging in: %w", err)
	}
	conn.Close()
	return nil, err
}

func (c *client5) subscribe(ctx context.Context, filter string, qos byte) error {
	ack, err := c.mqtt.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: qos}}})
	if err == nil {
		return nil
	}
	if ack != nil && len(ack.Reasons) == 1 && ack.Reasons[0] >= 0x80 {
		return &refusedError{"subscription", ack.Reasons[0], false}
	}
	return fmt.Errorf("subscribing: %w", err)
}

func (c *client5) publish(ctx context.Context, m message) error {
	ack, err := c.mqtt.Publish(ctx, &paho.Publish{
		Topic: m.topic, QoS: m.qos, Retain: m.retained, Payload: []byte(m.payload),
	})
	if ack != nil && ack.ReasonCode >= 0x80 {
		return &refusedError{"message", ack.ReasonCode, false}
	}
	if err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return nil
}

func (c *client5) messages() <-chan message { return c.in }

func (c *client5) close() {
	// A broker that is gone can't hear it; the connection is closed anyway.
	_ = c.mqtt.Disconnect(&paho.Disconnect{})
	c.conn.Close()
}
