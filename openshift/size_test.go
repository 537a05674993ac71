package openshift_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// TestManyUsers: what takes another apply is told, and what no cluster takes refused.
func TestManyUsers(t *testing.T) {
	cfg := deployments()["default"]
	for users, want := range map[int]string{100: "", 2000: "Secret mosquitto-auth has ", 12000: "has too many users"} {
		s := secrets
		var passwd bytes.Buffer
		passwd.Write(s.Passwd)
		for i := range users {
			fmt.Fprintf(&passwd, "user%d:%s\n", i, strings.Repeat("x", 110))
		}
		s.Passwd = passwd.Bytes()
		b, err := files.Render(cfg, s)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		objs, err := openshift.Objects(cfg, b, options(cfg))
		if err == nil {
			said, err = openshift.Large(objs)
		}
		if err != nil {
			said = append(said, err.Error())
		}
		if all := strings.Join(said, "\n"); want == "" && all != "" || !strings.Contains(all, want) {
			t.Errorf("%d users: %q, want %q in it", users, all, want)
		}
	}
}
