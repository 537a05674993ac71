package packages

import (
	"archive/tar"
	"slices"
	"strings"
	"testing"
)

// TestOpenIndexRefuses has sections before an index that anybody can make.
func TestOpenIndexRefuses(t *testing.T) {
	signed := func(keys ...string) []byte {
		var entries []tar.Header
		for _, k := range keys {
			entries = append(entries, tar.Header{Typeflag: tar.TypeReg, Name: ".SIGN.RSA256." + k, Size: 5})
		}
		return tarOf(t, entries...)
	}
	for name, c := range map[string]struct {
		section []byte
		says    string
	}{
		"bomb":               {append([]byte(".SIGN."), make([]byte, 1<<20)...), "more than 262144 bytes"},
		"large and unsigned": {make([]byte, 1<<20), errUnsigned.Error()},
		"as many as may be":  {signed(slices.Repeat([]string{"k.pub"}, maxSignatures)...), "not among the trusted keys"},
		"one too many":       {signed(slices.Repeat([]string{"k.pub"}, maxSignatures+1)...), "more than 8 signatures"},
		"key with a path":    {signed("../k.pub"), "no name of a key"},
		"hidden key":         {signed(".k.pub"), "no name of a key"},
		"key with a line":    {signed("k\n.pub"), "no name of a key"},
		"key without a name": {signed(""), "no name of a key"},
	} {
		_, _, err := keyring{}.openIndex(slices.Concat(gzipped(t, c.section), gzipped(t, nil)))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
