package openshift_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// Each item of the List, read strictly into its Go type, is the object it came
// from, and as text what the YAML stream has.
func TestJSONIsTheStream(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		objs := objects(t, cfg)
		var out, again bytes.Buffer
		if err := openshift.WriteJSON(&out, objs); err != nil {
			t.Fatal(err)
		}
		var list struct {
			APIVersion, Kind string
			Items            []json.RawMessage
		}
		if err := yaml.UnmarshalStrict(out.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		if list.APIVersion != "v1" || list.Kind != "List" || len(list.Items) != len(objs) {
			t.Fatalf("a %s %s of %d items, for %d objects", list.APIVersion, list.Kind, len(list.Items), len(objs))
		}
		var stream [][]byte
		for i, item := range list.Items {
			got := reflect.New(reflect.TypeOf(objs[i]).Elem()).Interface()
			if err := yaml.UnmarshalStrict(item, got); err != nil || !equal(t, got, objs[i]) {
				t.Errorf("%v in\n%s", err, item)
			}
			text, err := yaml.JSONToYAML(item)
			if err != nil {
				t.Fatal(err)
			}
			stream = append(stream, text)
		}
		same(t, byID(t, bytes.Join(stream, []byte("---\n"))), byID(t, render(t, cfg)))
		if err := openshift.WriteJSON(&again, objs); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
			t.Errorf("written twice, it differs: %v", err)
		}
	})
}

func TestJSONOfNothing(t *testing.T) {
	var out bytes.Buffer
	if err := openshift.WriteJSON(&out, nil); err != nil || out.String() != "{\n  \"apiVersion\": \"v1\",\n  \"items\": [],\n  \"kind\": \"List\"\n}\n" {
		t.Errorf("%v\n%s", err, out.String())
	}
}
