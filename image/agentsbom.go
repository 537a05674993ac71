package image

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/package-url/packageurl-go"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/mosqbuild/mosqbuild/packages"
)

// sbom lists the Go modules that the program says it was linked from, Go's
// standard library, which is a module to those who list vulnerabilities, and
// the files.
func (s AgentSpec) sbom(labels map[string]string, entries []packages.Entry) (packages.Entry, error) {
	m := material{name: s.Name, license: strings.Join(agentLicenses, " AND "), labels: labels, created: s.Created}
	modules := s.Program.modules
	if s.Program.goVersion != "" {
		// After a space come the experiments that it was built with.
		version, _, _ := strings.Cut(strings.TrimPrefix(s.Program.goVersion, "go"), " ")
		modules = append(modules[:len(modules):len(modules)], &debug.Module{Path: "stdlib", Version: version})
	}
	for _, module := range modules {
		if module.Path == "" { // the main one of a program of loose files
			continue
		}
		part, err := sbomModule(module)
		if err != nil {
			return packages.Entry{}, err
		}
		m.parts = append(m.parts, part)
	}
	return m.entry(entries)
}

func sbomModule(m *debug.Module) (*v2_3.Package, error) {
	if m.Replace != nil && m.Replace.Version != "" { // a folder has none
		m = m.Replace
	}
	i := strings.LastIndex(m.Path, "/") + 1
	u := packageurl.NewPackageURL(packageurl.TypeGolang, strings.TrimSuffix(m.Path[:i], "/"), m.Path[i:], m.Version, nil, "")
	if err := u.Normalize(); err != nil {
		return nil, fmt.Errorf("making the package URL of %q: %w", m.Path, err)
	}
	p := &v2_3.Package{
		PackageName: m.Path, PackageSPDXIdentifier: elementID("Module", m.Path), PackageVersion: m.Version,
		PackageSupplier: supplier(""), PackageDownloadLocation: noAssertion, PackageLicenseConcluded: noAssertion,
		PackageLicenseDeclared: noAssertion, PackageCopyrightText: noAssertion,
		PackageExternalReferences: []*v2_3.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: u.ToString(),
		}},
	}
	if m.Sum != "" {
		p.PackageComment = "In go.sum: " + m.Sum
	}
	return p, nil
}
