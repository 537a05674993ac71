package source

import (
	"testing"

	"chainguard.dev/apko/pkg/apk/apk"
)

func TestAPKVersion(t *testing.T) {
	for debian, want := range map[string]string{
		"2.0.21-1":           "2.0.21-r10000",
		"3.5.7-1~deb13u2":    "3.5.7-r10002",
		"1.2.5-3.1~deb13u1":  "1.2.5-r30101",
		"1.7.18-3.1+deb13u1": "1.7.18-r30101",
		"20250419":           "20250419-r0",
		"20250419+deb13u1":   "20250419-r1",
		"2.0.21+dfsg1-2":     "2.0.21-r20000",
	} {
		if got, err := apkVersion(debian); err != nil || got != want {
			t.Errorf("apkVersion(%q) = %q, %v, want %q", debian, got, err, want)
		}
	}
	for _, bad := range []string{"", "abc", "-1", "1.2-2024", "1:2.3-1"} {
		if got, err := apkVersion(bad); err == nil {
			t.Errorf("apkVersion(%q) = %q, want an error", bad, got)
		}
	}
}

func FuzzAPKVersion(f *testing.F) {
	f.Add("3.5.7-1~deb13u2")
	f.Add("20250419+deb13u1")
	f.Add("1.2.5-3.1")
	f.Add("08888888888888888888888888")
	f.Fuzz(func(t *testing.T, debian string) {
		version, err := apkVersion(debian)
		if err != nil {
			return
		}
		if _, err := apk.ParseVersion(version); err != nil {
			t.Errorf("apkVersion(%q) = %q, which apk refuses: %v", debian, version, err)
		}
	})
}
