package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/image/inspect"
)

func TestPrintImageSaysWhenIfItIsKnown(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(0, 0)} {
		var out strings.Builder
		if err := printImage(&out, inspect.Description{Created: at}); err != nil || strings.Contains(out.String(), "created:") == at.IsZero() {
			t.Errorf("of %v it prints %s, %v", at, out.String(), err)
		}
	}
}
