package cmd

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func TestReportIsHarmless(t *testing.T) {
	var said strings.Builder
	a := &app{Err: &said}
	a.report(&cobra.Command{}, fault.Hint(errors.New("a\x1b[2J\tb\r\nc\u009b\x9bd\x7f"), "e\af"))
	if want := "mosqbuild: error: a\ufffd[2J\tb\ufffd\nmosqbuild: error: c\ufffd\ufffdd\ufffd\nmosqbuild: hint: e\ufffdf\n"; said.String() != want {
		t.Errorf("it prints %q, want %q", said.String(), want)
	}
}
