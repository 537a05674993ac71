package load

import (
	"bytes"
	"encoding/json"
	"testing"
)

// Each round deletes some of what the round before has set, and writes all else
// anew.
func TestStatic(t *testing.T) {
	for round := 1; round < 7; round++ {
		deleted := 0
		for i := range StaticTopics {
			before, now := static(round-1, i), static(round, i)
			if now.topic != before.topic || now.payload == before.payload {
				t.Errorf("round %d: %+v after %+v", round, now, before)
			}
			if now.payload == "" {
				deleted++
			}
		}
		if deleted != StaticTopics/3 {
			t.Errorf("round %d deletes %d", round, deleted)
		}
	}
}

// A round is written once all of it is acknowledged, and not where nobody answers.
func TestWrite(t *testing.T) {
	e := newEcho(t)
	write := func(address string) (acked map[string]string, last Event) {
		var out bytes.Buffer
		p := process{sink: newSink(&out)}
		p.write(t.Context(), Command{Name: "static", N: 2, Login: Login{Address: address}})
		acked = map[string]string{}
		for dec := json.NewDecoder(&out); dec.More(); {
			last = Event{}
			if err := dec.Decode(&last); err != nil {
				t.Fatal(err)
			}
			if last.Kind == Acked && last.N == 2 {
				acked[last.Topic] = last.Value
			}
		}
		return acked, last
	}
	acked, last := write(e.Addr().String())
	for range 20 { // its limit of half a second may pass on a busy machine
		if last.Error == "" {
			break
		}
		acked, last = write(e.Addr().String())
	}
	for i := range StaticTopics {
		m := static(2, i)
		if value, ok := acked[m.topic]; !ok || value != m.payload {
			t.Errorf("%s: %q, %v", m.topic, value, ok)
		}
	}
	if last.Kind != Written || last.N != 2 || last.Error != "" {
		t.Errorf("it ends with %+v", last)
	}
	e.Close()
	if acked, last := write(e.Addr().String()); len(acked) > 0 || last.Kind != Written || last.Error == "" {
		t.Errorf("without a broker: %q, %+v", acked, last)
	}
}
