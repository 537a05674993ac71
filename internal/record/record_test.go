package record_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		text, wrong string
	}{
		"none":                   {"", ""},
		"least":                  {`{"epoch":1,"leader":"a","active":"primary"}`, ""},
		"a newer agent's":        {`{"epoch":1,"leader":"a","active":"primary","more":{"x":1}}`, ""},
		"no JSON":                {`primary`, "invalid character"},
		"no epoch":               {`{"active":"primary"}`, "no epoch"},
		"nobody":                 {`{"epoch":1,"active":"nobody"}`, "nobody active"},
		"its own standby":        {`{"epoch":1,"active":"primary","standby":"primary"}`, "the standby is the active one"},
		"takes over from itself": {`{"epoch":1,"active":"secondary","pending":"secondary"}`, "the standby is the active one"},
		"ready without standby":  {`{"epoch":1,"active":"primary","ready":true}`, "nobody is ready"},
	} {
		_, err := record.Parse(c.text)
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v, want %q", name, err, c.wrong)
		}
	}
}

// What is written is read again as it was.
func FuzzParse(f *testing.F) {
	f.Add("")
	f.Add(`{"epoch":1,"leader":"a","active":"primary"}`)
	f.Add(record.Record{
		Epoch: 9, Leader: "a_192.0.2.1", Active: config.RoleSecondary, Standby: config.RolePrimary, Run: "r", Ready: true,
		Pending: config.RolePrimary, Planned: true, Reason: "asked for", Request: "x", Since: time.Unix(1e9, 5).UTC(),
		Last: &record.Switch{From: config.RolePrimary, To: config.RoleSecondary, Outage: config.Duration(time.Second)},
	}.String())
	f.Fuzz(func(t *testing.T, text string) {
		r, err := record.Parse(text)
		if err != nil || r == nil {
			return
		}
		again, err := record.Parse(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("%q is read as %+v, and that as %+v, %v", text, r, again, err)
		}
	})
}
