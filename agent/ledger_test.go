package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

func rec(epoch int64, active, standby, pending string) record.Record {
	return record.Record{Epoch: epoch, Active: active, Standby: standby, Pending: pending}
}

func TestPermits(t *testing.T) {
	const ms = time.Millisecond
	read := func(r record.Record, at time.Duration) func(*Ledger) { return func(l *Ledger) { l.Read(r, at, 30*ms) } }
	told := func(r record.Record) func(*Ledger) { return func(l *Ledger) { l.Told(r, 20*ms) } }
	word := func(given bool, at time.Duration) func(*Ledger) {
		return func(l *Ledger) { l.Word(record.Word{Given: given}, at) }
	}
	alone, ready := rec(4, primary, "", ""), rec(6, primary, secondary, "")
	ready.Ready = true
	mine, pending := rec(5, primary, secondary, ""), rec(6, primary, secondary, secondary)
	for name, c := range map[string]struct {
		events []func(*Ledger)
		permit time.Duration
		known  bool
	}{
		"nothing":                            {nil, -1, false},
		"a record":                           {[]func(*Ledger){read(mine, 7*ms)}, 7 * ms, true},
		"a push is none":                     {[]func(*Ledger){told(mine)}, -1, false},
		"a push that first asks for permits": {[]func(*Ledger){read(alone, 7*ms), told(mine)}, 20 * ms, true},
		"a read that first asks for them":    {[]func(*Ledger){read(alone, 7*ms), read(mine, 9*ms)}, 30 * ms, true},
		"a read that may be of long ago":     {[]func(*Ledger){read(alone, 7*ms), read(ready, 9*ms)}, 9 * ms, true},
		"a push that may be of long ago":     {[]func(*Ledger){read(alone, 7*ms), told(ready)}, 7 * ms, true},
		"a push of what was read":            {[]func(*Ledger){read(mine, 7*ms), told(mine)}, 7 * ms, true},
		"another's":                          {[]func(*Ledger){read(rec(5, secondary, primary, ""), 7*ms)}, -1, true},
		"pending":                            {[]func(*Ledger){read(pending, 7*ms)}, -1, true},
		"an answer from before a push":       {[]func(*Ledger){told(pending), read(mine, 7*ms)}, -1, true},
		"answers out of order":               {[]func(*Ledger){read(mine, 7*ms), read(mine, 3*ms)}, 7 * ms, true},
		"a word":                             {[]func(*Ledger){read(mine, 7*ms), word(true, 9*ms)}, 9 * ms, true},
		"a word that isn't given":            {[]func(*Ledger){read(mine, 7*ms), word(false, 9*ms)}, 7 * ms, true},
		"a word without a record":            {[]func(*Ledger){word(true, 9*ms)}, -1, false},
		"a word after a push that withdraws": {[]func(*Ledger){read(mine, 7*ms), told(pending), word(true, 9*ms)}, 7 * ms, true},
		"again after a cancelled switch":     {[]func(*Ledger){read(mine, 7*ms), told(pending), read(rec(7, primary, "", ""), 9*ms)}, 9 * ms, true},
	} {
		l := NewLedger(primary)
		for _, e := range c.events {
			e(l)
		}
		if l.Permit() != c.permit || (l.Record() != nil) != c.known {
			t.Errorf("%s: permit %s, record %+v", name, l.Permit(), l.Record())
		}
	}
}

func TestWords(t *testing.T) {
	standby := rec(5, primary, secondary, "")
	for name, c := range map[string]struct {
		read, told []record.Record
		want       record.Word
	}{
		"nothing known":         {nil, nil, record.Word{}},
		"told alone":            {nil, []record.Record{standby}, record.Word{Epoch: 5}},
		"read":                  {[]record.Record{standby}, nil, record.Word{Epoch: 5, Given: true}},
		"recalled":              {nil, nil, record.Word{Epoch: 5, Given: true}},
		"recalled, withdrawn":   {nil, []record.Record{rec(6, primary, secondary, secondary)}, record.Word{Epoch: 6}},
		"withdrawn by a push":   {[]record.Record{standby}, []record.Record{rec(6, primary, secondary, secondary)}, record.Word{Epoch: 6}},
		"withdrawn by a read":   {[]record.Record{standby, rec(6, primary, secondary, secondary)}, nil, record.Word{Epoch: 6}},
		"no standby any more":   {[]record.Record{standby}, []record.Record{rec(6, primary, "", "")}, record.Word{Epoch: 6, Given: true}},
		"a newer one that does": {[]record.Record{standby}, []record.Record{rec(6, primary, secondary, "")}, record.Word{Epoch: 6, Given: true}},
		"an older push":         {[]record.Record{standby}, []record.Record{rec(4, primary, secondary, secondary)}, record.Word{Epoch: 5, Given: true}},
		"active itself":         {[]record.Record{rec(5, secondary, primary, "")}, nil, record.Word{Epoch: 5}},
	} {
		l := NewLedger(secondary)
		if strings.HasPrefix(name, "recalled") {
			l.Recall(standby)
		}
		for _, r := range c.read {
			l.Read(r, 0, 0)
		}
		for _, r := range c.told {
			l.Told(r, 0)
		}
		if got := l.Give(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
