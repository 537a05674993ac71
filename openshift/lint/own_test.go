package lint_test

import (
	"path"
	"testing"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/openshift/lint"
)

// TestOurConf raises no alarm on the mosquitto.conf that is rendered.
func TestOurConf(t *testing.T) {
	b, err := files.Render(config.Default(), files.Secrets{CA: []byte("CA"), Cert: []byte("certificate"), Key: []byte("key"), Passwd: []byte("admin:hash"), Health: []byte("-u health")})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range b.Rendered {
		if path.Base(f.Path) != config.ConfFile {
			continue
		}
		findings, err := lint.Run([]lint.Input{{Name: "mosquitto.conf", Data: f.Data}}, lint.Options{Now: now})
		if err != nil || len(findings) > 0 {
			t.Errorf("%v, %v, in\n%s", findings, err, f.Data)
		}
		return
	}
	t.Error("no mosquitto.conf is rendered")
}
