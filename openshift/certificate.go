package openshift

import (
	"net"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mosqbuild/mosqbuild/openshift/crd"
)

// certificate has cert-manager make the Secret that certs init would fill.
func (d objects) certificate() *crd.Certificate {
	kind, name, found := strings.Cut(d.cfg.TLS.Issuer, "/")
	if !found {
		kind, name = "Issuer", kind
	}
	c := &crd.Certificate{
		TypeMeta:   metav1.TypeMeta{APIVersion: "cert-manager.io/v1", Kind: "Certificate"},
		ObjectMeta: d.meta(tlsName(d.cfg.Name)),
		Spec: crd.CertificateSpec{
			SecretName: tlsName(d.cfg.Name),
			IssuerRef:  crd.IssuerRef{Group: "cert-manager.io", Kind: kind, Name: name},
			Usages:     []string{"digital signature", "server auth"},
			PrivateKey: privateKey(d.cfg.TLS.KeyType),
		},
	}
	if c.Spec.PrivateKey.Algorithm == "RSA" {
		c.Spec.Usages = append(c.Spec.Usages, "key encipherment")
	}
	for _, h := range d.cfg.ServerHosts() {
		if net.ParseIP(h) != nil {
			c.Spec.IPAddresses = append(c.Spec.IPAddresses, h)
		} else {
			c.Spec.DNSNames = append(c.Spec.DNSNames, h)
		}
	}
	return c
}

// privateKey is tls.keyType in cert-manager's words. A renewed certificate
// gets a new key.
func privateKey(keyType string) crd.PrivateKey {
	k := crd.PrivateKey{RotationPolicy: "Always", Encoding: "PKCS8", Algorithm: "ECDSA", Size: 256}
	if bits, ok := strings.CutPrefix(keyType, "rsa:"); ok {
		k.Algorithm = "RSA"
		k.Size, _ = strconv.Atoi(bits) // validated
	}
	return k
}
