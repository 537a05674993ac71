package image_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func TestAdoptMarksDefaultsAndRefusesCredentials(t *testing.T) {
	s, _ := testSpec(t, testRepository(t, testPackages(64<<10)))
	native := build(t, s)
	secrets := [][]byte{[]byte(testPassword)}
	same, err := image.Adopt(t.Context(), native, native, secrets)
	if err != nil || digest(t, same) != digest(t, native) {
		t.Errorf("of its own layers it made another image: %v", err)
	}

	s.Created = time.Unix(1, 0) // so that no layer is native's
	other, err := image.Adopt(t.Context(), build(t, s), native, secrets)
	if err != nil {
		t.Fatal(err)
	}
	if has, err := image.HasDefaults(other); err != nil || !has {
		t.Errorf("the layer of test credentials is not marked: %v", err)
	}

	long := strings.Repeat("x", 256<<10) // the password lies across two blocks
	s.Bundle.Rendered = append(s.Bundle.Rendered, files.File{Path: "/mosquitto/config/more", Mode: 0o644, Data: []byte(long[5:] + testPassword)})
	if _, err := image.Adopt(t.Context(), build(t, s), native, nil); err != nil {
		t.Error(err)
	}
	_, err = image.Adopt(t.Context(), build(t, s), native, secrets)
	if fault.CodeOf(err) != fault.CheckFailed || !strings.Contains(err.Error(), "mosquitto/config/more") || strings.Contains(err.Error(), testPassword) {
		t.Errorf("a password in a file: %v", err)
	}
	private, _, err := image.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Bundle, s.Labels = testBundle(), map[string]string{"key": string(private)}
	if _, err = image.Adopt(t.Context(), build(t, s), native, nil); fault.CodeOf(err) != fault.CheckFailed || !strings.Contains(err.Error(), "key for signing") {
		t.Errorf("a key for signing: %v", err)
	}
	s.Labels = map[string]string{"password": testPassword}
	if _, err = image.Adopt(t.Context(), build(t, s), native, secrets); fault.CodeOf(err) != fault.CheckFailed {
		t.Errorf("a password in a label: %v", err)
	}
}
