package source

import (
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// object is an object of Mozilla's certdata.txt: attribute → value, with text
// as it stands and octal data decoded.
type object map[string]string

// parseCertdata reads Mozilla's certdata.txt, in which NSS keeps its root
// certificates and, in objects of their own, what each is trusted for.
//
// Format: https://firefox-source-docs.mozilla.org/security/nss/legacy/an_overview_of_nss_internals/
// and the comments at its head.
func parseCertdata(text string) ([]object, error) {
	_, text, ok := strings.Cut("\n"+text, "\nBEGINDATA")
	if !ok {
		return nil, errors.New("reading certdata: no BEGINDATA")
	}
	var objects []object
	var present object
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		kind, value, _ := strings.Cut(rest, " ")
		if name == "CKA_CLASS" {
			present = object{}
			objects = append(objects, present)
		}
		if present == nil {
			return nil, fmt.Errorf("reading certdata: attribute %q before the first object", name)
		}
		if kind == "MULTILINE_OCTAL" {
			var data strings.Builder
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "END"; i++ {
				if err := unescape(&data, strings.TrimSpace(lines[i])); err != nil {
					return nil, fmt.Errorf("reading certdata: attribute %q: %w", name, err)
				}
			}
			if i == len(lines) {
				return nil, fmt.Errorf("reading certdata: attribute %q has no END", name)
			}
			value = data.String()
		}
		present[name] = value
	}
	return objects, nil
}

// unescape adds a line of octal bytes, \060\202…, to b.
func unescape(b *strings.Builder, line string) error {
	for ; line != ""; line = line[4:] {
		if len(line) < 4 || line[0] != '\\' {
			return fmt.Errorf("%q is no octal byte", line)
		}
		c, err := strconv.ParseUint(line[1:4], 8, 8)
		if err != nil {
			return fmt.Errorf("%q is no octal byte", line[:4])
		}
		b.WriteByte(byte(c))
	}
	return nil
}

// bundle returns, as PEM, the certificates that may vouch for servers. As in
// Debian's and Alpine's own bundle a certificate that Mozilla trusts only for
// what was issued before some day is in it: a bundle can't say so.
func bundle(objects []object) ([]byte, error) {
	// A certificate and its trust are matched by what tells certificates
	// apart; labels need not be unique.
	id := func(o object) string { return o["CKA_ISSUER"] + "\x00" + o["CKA_SERIAL_NUMBER"] }
	trusted := map[string]bool{}
	for _, o := range objects {
		if o["CKA_CLASS"] == "CKO_NSS_TRUST" {
			trusted[id(o)] = o["CKA_TRUST_SERVER_AUTH"] == "CKT_NSS_TRUSTED_DELEGATOR"
		}
	}
	var out []byte
	for _, o := range objects {
		if o["CKA_CLASS"] != "CKO_CERTIFICATE" || !trusted[id(o)] {
			continue
		}
		der := []byte(o["CKA_VALUE"])
		var any asn1.RawValue
		if rest, err := asn1.Unmarshal(der, &any); err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("reading certificate %s: not one DER value", o["CKA_LABEL"])
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	if len(out) == 0 {
		return nil, errors.New("reading certdata: no certificate may vouch for servers")
	}
	return out, nil
}
