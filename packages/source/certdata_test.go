package source

import (
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

// certdata returns a file in certdata's form with the given objects.
func certdata(objects ...string) string {
	return "# head\nCVS_ID \"x\"\nBEGINDATA\n" + strings.Join(objects, "\n")
}

// octal is n as a DER integer, in certdata's form.
func octal(n byte) string { return fmt.Sprintf(`\002\001\%03o`, n) }

func certificate(label string, serial, value byte) string {
	return "#\n# Certificate\n#\nCKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\nCKA_LABEL UTF8 \"" + label + "\"\n" +
		"CKA_ISSUER MULTILINE_OCTAL\n\\060\\000\nEND\nCKA_SERIAL_NUMBER MULTILINE_OCTAL\n" + octal(serial) + "\nEND\n" +
		"CKA_VALUE MULTILINE_OCTAL\n" + octal(value) + "\nEND\nCKA_NSS_SERVER_DISTRUST_AFTER CK_BBOOL CK_FALSE\n"
}

func trust(label string, serial byte, server string) string {
	return "CKA_CLASS CK_OBJECT_CLASS CKO_NSS_TRUST\nCKA_LABEL UTF8 \"" + label + "\"\n" +
		"CKA_ISSUER MULTILINE_OCTAL\n\\060\\000\nEND\nCKA_SERIAL_NUMBER MULTILINE_OCTAL\n" + octal(serial) + "\nEND\n" +
		"CKA_TRUST_SERVER_AUTH CK_TRUST " + server + "\nCKA_TRUST_EMAIL_PROTECTION CK_TRUST CKT_NSS_TRUSTED_DELEGATOR\n"
}

func TestBundleHoldsWhatMayVouchForServers(t *testing.T) {
	text := certdata(
		certificate("servers", 1, 11), trust("servers", 1, "CKT_NSS_TRUSTED_DELEGATOR"),
		certificate("mail only", 2, 12), trust("mail only", 2, "CKT_NSS_MUST_VERIFY_TRUST"),
		certificate("distrusted", 3, 13), trust("distrusted", 3, "CKT_NSS_NOT_TRUSTED"),
		certificate("of no known trust", 4, 14),
		// The label of one that is trusted; the serial number decides.
		certificate("servers", 5, 15), trust("servers", 5, "CKT_NSS_NOT_TRUSTED"),
		certificate("more servers", 6, 16), trust("more servers", 6, "CKT_NSS_TRUSTED_DELEGATOR"),
	)
	objects, err := parseCertdata(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := bundle(objects)
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for rest := out; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		got = append(got, block.Bytes[2])
	}
	if string(got) != "\x0b\x10" {
		t.Errorf("in the bundle: %v, want 11 and 16", got)
	}
}

func TestCertdataRefuses(t *testing.T) {
	good := certificate("a", 1, 11)
	for name, text := range map[string]string{
		"no beginning":         "CKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\n",
		"no object":            certdata("CKA_LABEL UTF8 \"a\"\n"),
		"no END":               certdata(strings.Replace(good, "END", "", 3)),
		"a bad byte":           certdata(strings.Replace(good, `\013`, `\913`, 1)),
		"half a byte":          certdata(strings.Replace(good, `\013`, `\01`, 1)),
		"a byte that overruns": certdata(strings.Replace(good, `\013`, `\777`, 1)),
	} {
		if objects, err := parseCertdata(text); err == nil {
			t.Errorf("%s: read %q", name, objects)
		}
	}
	for name, text := range map[string]string{
		"nothing trusted": certdata(good, trust("a", 1, "CKT_NSS_NOT_TRUSTED")),
		"no DER":          certdata(strings.Replace(good, `\002\001\013`, `\002\011\013`, 1), trust("a", 1, "CKT_NSS_TRUSTED_DELEGATOR")),
	} {
		objects, err := parseCertdata(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if out, err := bundle(objects); err == nil {
			t.Errorf("%s: bundle %q", name, out)
		}
	}
}

func FuzzCertdata(f *testing.F) {
	f.Add(certdata(certificate("a", 1, 11), trust("a", 1, "CKT_NSS_TRUSTED_DELEGATOR")))
	f.Add(certdata())
	f.Add("BEGINDATA\nCKA_CLASS CK_OBJECT_CLASS CKO_NSS_TRUST\nCKA_VALUE MULTILINE_OCTAL\n\\1")
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := parseCertdata(text)
		if err != nil {
			return
		}
		out, err := bundle(objects)
		if err != nil {
			return
		}
		n := 0
		for rest := out; len(rest) > 0; n++ {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				t.Fatalf("the bundle is not all PEM: %q", out)
			}
		}
		if n > len(objects) {
			t.Errorf("%d certificates of %d objects", n, len(objects))
		}
	})
}
