package image

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // SPDX asks for it
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/package-url/packageurl-go"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// indexSBOM lists what an index holds: it contains the images, each a variant
// of it and described by the document of lists that is attached to that image.
// Unlike those, it isn't in what it lists, and so knows the digests.
func indexSBOM(idx Index, images []Image, lists [][]byte) ([]byte, error) {
	whole, created, err := indexPackage(idx, images)
	if err != nil {
		return nil, fmt.Errorf("listing what the index holds: %w", err)
	}
	doc := newSBOM(whole.PackageName, created)
	doc.Packages = []*v2_3.Package{whole}
	relate(doc, "DOCUMENT", common.TypeRelationshipDescribe, "", whole.PackageSPDXIdentifier)
	for i, img := range images {
		one, err := variantPackage(img)
		if err != nil {
			return nil, fmt.Errorf("listing what the index holds: %w", err)
		}
		ref, err := documentRef(one.PackageSPDXIdentifier, lists[i])
		if err != nil {
			return nil, fmt.Errorf("listing what the index holds: %w", err)
		}
		doc.Packages = append(doc.Packages, one)
		doc.ExternalDocumentReferences = append(doc.ExternalDocumentReferences, ref)
		relate(doc, whole.PackageSPDXIdentifier, common.TypeRelationshipContains, "", one.PackageSPDXIdentifier)
		relate(doc, one.PackageSPDXIdentifier, common.TypeRelationshipVariantOf, "", whole.PackageSPDXIdentifier)
		relate(doc, one.PackageSPDXIdentifier, common.TypeRelationshipDescribeBy, ref.DocumentRefID, "DOCUMENT")
	}
	return encodeSBOM(doc)
}

// indexPackage is the index as a package, of the latest of its images' dates.
func indexPackage(idx Index, images []Image) (*v2_3.Package, time.Time, error) {
	created := time.Unix(0, 0).UTC()
	for _, img := range images {
		cf, err := img.ConfigFile()
		if err != nil {
			return nil, created, fmt.Errorf("reading the config: %w", err)
		}
		if cf.Created.After(created) {
			created = cf.Created.UTC()
		}
	}
	m, err := idx.IndexManifest()
	if err != nil {
		return nil, created, fmt.Errorf("reading the index: %w", err)
	}
	digest, err := idx.Digest()
	if err != nil {
		return nil, created, err
	}
	p, err := containerPackage("Index", m.Annotations, digest, "")
	return p, created, err
}

// variantPackage is an image of an index as a package.
func variantPackage(img Image) (*v2_3.Package, error) {
	variants, err := Variants(img)
	if err != nil {
		return nil, err
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	_, arch, _ := strings.Cut(variants[0].Platform, "/")
	id := elementID("Image", strings.ReplaceAll(variants[0].Platform, "/", "-"))
	return containerPackage(id, m.Annotations, variants[0].digest, arch)
}

func containerPackage(id common.ElementID, annotations map[string]string, digest v1.Hash, arch string) (*v2_3.Package, error) {
	name := cmp.Or(annotations[ociPrefix+"title"], "mosquitto")
	qualifiers := map[string]string{}
	if arch != "" {
		qualifiers["arch"] = arch
	}
	u := packageurl.NewPackageURL(packageurl.TypeOCI, "", strings.ToLower(name), digest.String(), packageurl.QualifiersFromMap(qualifiers), "")
	if err := u.Normalize(); err != nil {
		return nil, fmt.Errorf("making the package URL of %q: %w", name, err)
	}
	p := &v2_3.Package{
		PackageName: name, PackageSPDXIdentifier: id, PackageVersion: annotations[ociPrefix+"version"], PrimaryPackagePurpose: "CONTAINER",
		PackageSupplier: supplier(annotations[ociPrefix+"vendor"]), PackageDownloadLocation: noAssertion,
		PackageDescription: annotations[ociPrefix+"description"], PackageLicenseConcluded: noAssertion, PackageCopyrightText: noAssertion,
		PackageChecksums: []common.Checksum{{Algorithm: common.SHA256, Value: digest.Hex}},
		PackageExternalReferences: []*v2_3.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: u.ToString(),
		}},
	}
	declare(p, annotations[ociPrefix+"licenses"])
	return p, nil
}

// documentRef names the document that lists what is in the image id.
func documentRef(id common.ElementID, list []byte) (v2_3.ExternalDocumentRef, error) {
	var doc struct {
		Namespace string `json:"documentNamespace"`
	}
	if err := json.Unmarshal(list, &doc); err != nil {
		return v2_3.ExternalDocumentRef{}, fmt.Errorf("reading the list of the image: %w", err)
	}
	sum := sha1.Sum(list) //nolint:gosec // SPDX asks for it
	return v2_3.ExternalDocumentRef{
		DocumentRefID: common.DocumentID(id), URI: doc.Namespace, Checksum: common.Checksum{Algorithm: common.SHA1, Value: hex.EncodeToString(sum[:])},
	}, nil
}
