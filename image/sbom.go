package image

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/github/go-spdx/v2/spdxexp"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/packages"
)

const (
	noAssertion = "NOASSERTION"
	// sbomNamespace is what the documents' own names begin with; their sums,
	// which follow, make them unique.
	sbomNamespace = "https://github.com/mosqbuild/mosqbuild/sbom/"
)

// material is what an image's list of contents is made from.
type material struct {
	name, license string
	labels        map[string]string
	created       time.Time
	parts         []*v2_3.Package
	below         []summed // files of a layer below
}

// sbomEntry is the file that lists, as SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/),
// the packages, the files beside them that none brought, and those of the
// entries that are files. It knows neither the clock nor chance, and nothing of
// the defaults: test credentials are nobody's material, and another machine's
// are others.
func sbomEntry(s Spec, of base, entries []packages.Entry) (packages.Entry, error) {
	m := material{name: s.Name, license: licenseExpression(s.Lock), labels: labels(s), created: s.Created, below: of.Made}
	for _, p := range s.Lock.Packages {
		part, err := sbomPackage(s.Lock, p, of.Sums[p.Name])
		if err != nil {
			return packages.Entry{}, fmt.Errorf("listing what the image is made of: %w", err)
		}
		m.parts = append(m.parts, part)
	}
	return m.entry(entries)
}

func (m material) entry(entries []packages.Entry) (packages.Entry, error) {
	doc, err := m.document(entries)
	if err != nil {
		return packages.Entry{}, fmt.Errorf("listing what the image is made of: %w", err)
	}
	data, err := encodeSBOM(doc)
	return regular(config.SBOMPath, 0o644, data), err
}

// encodeSBOM gives the document a name of its own, by its content.
func encodeSBOM(doc *v2_3.Document) ([]byte, error) {
	data, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encoding the list of what the image is made of: %w", err)
	}
	doc.DocumentNamespace = sbomNamespace + url.PathEscape(doc.DocumentName) + "-" + hexSum(data)
	data, err = json.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encoding the list of what the image is made of: %w", err)
	}
	return append(data, '\n'), nil
}

func (m material) document(entries []packages.Entry) (*v2_3.Document, error) {
	whole := m.image()
	doc := newSBOM(m.name, m.created)
	doc.Packages = append([]*v2_3.Package{whole}, m.parts...)
	relate := func(a common.ElementID, how string, b common.ElementID) { relate(doc, a, how, "", b) }
	relate("DOCUMENT", common.TypeRelationshipDescribe, whole.PackageSPDXIdentifier)
	for _, p := range m.parts {
		relate(whole.PackageSPDXIdentifier, common.TypeRelationshipContains, p.PackageSPDXIdentifier)
	}
	own, err := sumsOf(entries)
	if err != nil {
		return nil, err
	}
	doc.Files = sbomFiles(m.below, own)
	for _, f := range doc.Files { // "contains" would mean that the files of all packages were listed, and summed up
		relate(f.FileSPDXIdentifier, common.TypeRelationshipFileAdded, whole.PackageSPDXIdentifier)
	}
	return doc, nil
}

func newSBOM(name string, created time.Time) *v2_3.Document {
	return &v2_3.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT", DocumentName: name,
		CreationInfo: &v2_3.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "mosqbuild"}}, Created: created.Format(time.RFC3339),
		},
	}
}

// relate says how one element stands to another, which may be of another
// document.
func relate(doc *v2_3.Document, a common.ElementID, how string, in common.DocumentID, b common.ElementID) {
	doc.Relationships = append(doc.Relationships, &v2_3.Relationship{
		RefA: common.MakeDocElementID("", string(a)), Relationship: how, RefB: common.MakeDocElementID(string(in), string(b)),
	})
}

// image is the image as a package: without its digest, which depends on this
// very document.
func (m material) image() *v2_3.Package {
	p := &v2_3.Package{
		PackageName: m.name, PackageSPDXIdentifier: "Image", PackageVersion: m.labels["version"], PrimaryPackagePurpose: "CONTAINER",
		PackageSupplier: supplier(m.labels["vendor"]), PackageDownloadLocation: noAssertion, PackageDescription: m.labels["description"],
		PackageLicenseConcluded: noAssertion, PackageCopyrightText: noAssertion,
	}
	declare(p, m.license)
	return p
}

// sbomPackage describes a package whose file has that sum.
func sbomPackage(lock *packages.Lock, p packages.Package, sha256 string) (*v2_3.Package, error) {
	from := originOf(lock, p)
	located, err := from.purl(p)
	if err != nil {
		return nil, err
	}
	one := &v2_3.Package{
		PackageName: p.Name, PackageSPDXIdentifier: elementID("Package", p.Name), PackageVersion: p.Version,
		PackageFileName: p.Name + "-" + p.Version + ".apk", PackageSupplier: supplier(from.supplier),
		PackageDownloadLocation: from.location(p), PackageDescription: p.Description,
		PackageLicenseConcluded: noAssertion, PackageCopyrightText: noAssertion,
		PackageExternalReferences: []*v2_3.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: located,
		}},
	}
	if p.Origin != "" {
		one.PackageSourceInfo = "built from the source package " + p.Origin
	}
	if sha256 != "" {
		one.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: sha256}}
	}
	if p.Checksum != "" {
		one.PackageComment = "apk knows it by " + p.Checksum + ", the SHA-1 of its control section, which holds the SHA-256 of its files."
	}
	declare(one, p.License)
	return one, nil
}

// declare notes the licence, where it is no expression of SPDX as a comment.
func declare(p *v2_3.Package, license string) {
	p.PackageLicenseDeclared = noAssertion
	if ok, _ := spdxexp.ValidateLicenses([]string{license}); ok {
		p.PackageLicenseDeclared = license
	} else if license != "" {
		p.PackageLicenseComments = "The package says: " + license
	}
}

func supplier(name string) *common.Supplier {
	if name == "" {
		return &common.Supplier{Supplier: noAssertion}
	}
	return &common.Supplier{SupplierType: "Organization", Supplier: name}
}

// elementID names an element by letters, digits, dots and hyphens, which is all
// that SPDX allows; another byte becomes its number in hex, so that no two
// names become one.
func elementID(kind, name string) common.ElementID {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' && c != 'X' || c >= '0' && c <= '9' || c == '.' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "X%02x", c)
		}
	}
	return common.ElementID(kind + "-" + b.String())
}
