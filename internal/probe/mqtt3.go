package probe

import (
	"context"
	"fmt"
	"net"
	"net/url"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// client3 speaks MQTT 3.1.1.
type client3 struct {
	conn net.Conn
	mqtt mqtt.Client
	in   inbox
}

var _ client = (*client3)(nil)

// connect3 logs in. The library bounds neither a write nor the wait for
// CONNACK by a context, so the connection is closed when ctx is done first.
func connect3(ctx context.Context, conn net.Conn, l login) (client, error) {
	c := &client3{conn: conn, in: newInbox()}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + conn.RemoteAddr().String())
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return conn, nil })
	o.SetProtocolVersion(4).SetClientID("").SetCleanSession(true)
	o.SetAutoReconnect(false).SetConnectRetry(false).SetKeepAlive(0)
	o.SetUsername(l.user).SetPassword(string(l.password))
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		c.in.put(message{m.Topic(), string(m.Payload()), m.Qos(), m.Retained()})
	})
	c.mqtt = mqtt.NewClient(o)
	token := c.mqtt.Connect()
	err := wait(ctx, token)
	if err == nil {
		return c, nil
	}
	conn.Close()
	switch code := token.(*mqtt.ConnectToken).ReturnCode(); {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("waiting for CONNACK: %w", ctx.Err())
	case code != packets.Accepted && code < packets.ErrNetworkError:
		bad := code == packets.ErrRefusedBadUsernameOrPassword || code == packets.ErrRefusedNotAuthorised
		return nil, &refusedError{"login", code, bad}
	}
	return nil, fmt.Errorf("logging in: %w", err)
}

func (c *client3) subscribe(ctx context.Context, filter string, qos byte) error {
	token := c.mqtt.Subscribe(filter, qos, nil)
	if err := wait(ctx, token); err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	if code := token.(*mqtt.SubscribeToken).Result()[filter]; code >= 0x80 {
		return &refusedError{"subscription", code, false}
	}
	return nil
}

func (c *client3) publish(ctx context.Context, m message) error {
	if err := wait(ctx, c.mqtt.Publish(m.topic, m.qos, m.retained, m.payload)); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return nil
}

func (c *client3) messages() <-chan message { return c.in }

func (c *client3) close() {
	c.mqtt.Disconnect(0)
	c.conn.Close()
}

func wait(ctx context.Context, t mqtt.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}
