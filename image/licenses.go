package image

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/packages"
)

// licenseTexts are the licences' own words, named by SPDX identifier: those
// that the closure of Alpine's mosquitto names and their nearest kin.
//
//go:embed licenses/*.txt
var licenseTexts embed.FS

// licenseFiles returns the text of every licence that the packages name and
// that is known here. The others' identifiers stay in the labels and in the
// installed database.
func licenseFiles(lock *packages.Lock) []files.File {
	var list []files.File
	for _, id := range licenseIDs(lock) {
		if text, ok := licenseText(id); ok {
			list = append(list, files.File{Path: path.Join(config.LicensesDir, id+".txt"), Mode: 0o644, Data: text})
		}
	}
	return list
}

// licenseText returns the text for id. The GNU licences' text is the same
// whether or not a later version may be chosen.
func licenseText(id string) ([]byte, bool) {
	for _, name := range []string{id, strings.TrimSuffix(id, "-only"), strings.TrimSuffix(id, "-or-later")} {
		if text, err := fs.ReadFile(licenseTexts, "licenses/"+name+".txt"); err == nil {
			return text, true
		}
	}
	return nil, false
}

// licenseIDs returns the identifiers in the packages' licence expressions,
// each once, sorted. Alpine writes "A AND B", "A OR B", "A WITH B", "A B".
func licenseIDs(lock *packages.Lock) []string {
	var ids []string
	for _, p := range lock.Packages {
		for _, word := range strings.FieldsFunc(p.License, func(r rune) bool { return strings.ContainsRune(" \t()", r) }) {
			switch strings.ToUpper(word) {
			case "AND", "OR", "WITH":
			default:
				if isID(word) {
					ids = append(ids, word)
				}
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// isID keeps out what could not be a file's name: the text comes from an
// index.
func isID(s string) bool {
	return strings.Trim(s, ".") != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '+')
	})
}

// licenseExpression joins the packages' licences into one SPDX expression.
func licenseExpression(lock *packages.Lock) string {
	var all []string
	for _, p := range lock.Packages {
		expr := strings.TrimSpace(p.License)
		if strings.Contains(strings.ToUpper(expr), " OR ") {
			expr = "(" + expr + ")"
		}
		for _, e := range splitAnd(expr) {
			if e != "" {
				all = append(all, e)
			}
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " AND ")
}

func splitAnd(expr string) []string {
	if strings.HasPrefix(expr, "(") {
		return []string{expr}
	}
	return strings.Split(expr, " AND ")
}
