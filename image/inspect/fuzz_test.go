package inspect

import (
	"slices"
	"strings"
	"testing"
)

// FuzzDatabase: where a write ends makes no difference, and nothing but whole
// fields comes out.
func FuzzDatabase(f *testing.F) {
	for _, s := range []string{"P:a\nV:1\n\nP:b\n", "\n\n:\nP:\nP", "P:a\r\nL:" + strings.Repeat("x", 5000) + "\nV:2", "C:Q1\x00\nP:\xff\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		whole, bytewise := &database{}, &database{}
		if n, err := whole.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("wrote %d of %d: %v", n, len(s), err)
		}
		for i := range len(s) {
			if n, err := bytewise.Write([]byte(s[i : i+1])); n != 1 || err != nil {
				t.Fatalf("wrote %d of 1: %v", n, err)
			}
		}
		all := whole.finish()
		if !slices.Equal(all, bytewise.finish()) {
			t.Errorf("%q: at once and byte by byte differ", s)
		}
		for _, p := range all {
			if p.Name == "" || !strings.Contains(s, "P:"+p.Name) || strings.Contains(p.Name+p.Version+p.License, "\n") {
				t.Errorf("%q gave %+v", s, p)
			}
		}
	})
}
