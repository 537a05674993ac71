package files_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/probe"
)

// fill has the broker retain n messages of size bytes each, by MQTT 3.1.1 as it
// stands on the wire.
func (b *broker) fill(t *testing.T, n, size int) {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", b.port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text := func(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }
	w := bufio.NewWriter(c)
	packet := func(kind byte, body ...[]byte) {
		all := bytes.Join(body, nil)
		w.WriteByte(kind)
		w.Write(binary.AppendUvarint(nil, uint64(len(all))))
		w.Write(all)
	}
	packet(0x10, text("MQTT"), []byte{4, 0xc2, 0, 0}, text("filler"), text("admin"), text("admin"))
	payload := bytes.Repeat([]byte("x"), size)
	go func() {
		for i := range n { // at QoS 1: at 0 they would pass any queue by
			packet(0x33, text(fmt.Sprintf("site/%d/value/%d", i%100, i)), binary.BigEndian.AppendUint16(nil, uint16(i+1)), payload)
		}
		w.Flush()
	}()
	if err := c.SetReadDeadline(time.Now().Add(3 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadFull(c, make([]byte, 4*(1+n))); err != nil { // CONNACK, and as many PUBACKs
		t.Fatalf("after %d bytes: %v", got, err)
	}
}

// retained is what a guard finds retained, all at one moment, however long it takes to
// read it.
func (b *broker) retained(t *testing.T) map[string][sha256.Size]byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found, err := probe.Retained(ctx, probe.RetainedOptions{
		Username: config.GuardUser, Password: []byte(config.GuardUser), Marker: config.ProbePrefix + "retained",
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", b.port))
		},
	})
	if err != nil {
		t.Log(err) // the next look may be better
	}
	return found
}

// A broker that comes back, empty, gets everything that is retained, in both
// roles: no queue is too short for the first sight of it.
func TestPairFirstSynchronisation(t *testing.T) {
	t.Parallel()
	const n, size = 25000, 1000
	for _, from := range []string{"primary", "secondary"} {
		p := newPair(t, bridgeClient(t))
		first, last := func() *broker { return start(t, p.primary, p.port) }, func() *broker { return start(t, p.secondary, p.standbyPort) }
		if from == "secondary" {
			first, last = last, first
		}
		full := first()
		full.fill(t, n, size)
		empty := last()
		have := 0
		for end := time.Now().Add(3 * time.Minute); have < n && time.Now().Before(end); time.Sleep(time.Second) {
			have = len(empty.retained(t))
		}
		if have != n {
			t.Errorf("from the %s, %d of %d arrived", from, have, n)
		}
		full.stop()
		empty.stop()
		// What the secondary's bridge missed waits in the queue that retained messages
		// come into, so that these are in it twice, and more than it holds.
		for _, b := range []*broker{full, empty} {
			b.quiet(t, "dropped for client mosquitto-bridge-local.")
		}
	}
}

// Beyond max_queued_bytes the bridge's queue takes no more, and the broker goes on:
// what is missing at the other one keeps that from taking over.
func TestPairBoundsItsQueue(t *testing.T) {
	t.Parallel()
	const n, size, bound = 40000, 1000, 32 << 20
	p := newPair(t, bridgeClient(t))
	full := start(t, p.primary, p.port)
	full.fill(t, n, size)
	empty := start(t, p.secondary, p.standbyPort)
	connected(t, empty)
	have, before := 0, 0 // on a busy machine nothing may have come yet
	for end := time.Now().Add(3 * time.Minute); (have < bound/size/2 || have != before) && time.Now().Before(end); time.Sleep(3 * time.Second) {
		have, before = len(empty.retained(t)), have
	}
	if have >= n || have < bound/size/2 {
		t.Errorf("%d of %d messages of %d bytes each arrived, of which %d bytes may wait", have, n, size, bound)
	}
	full.put(t, "after", "1", "-r")
	wait(t, empty, "still fed", func() bool { return len(empty.get(t, "5", "after", "-C", "1")) == 1 })
}
