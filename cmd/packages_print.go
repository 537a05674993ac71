package cmd

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/mosqbuild/mosqbuild/packages"
)

// listedPackage is a package as it is printed.
type listedPackage struct {
	Platform string `json:"platform"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	License  string `json:"license"`
	Size     int64  `json:"size"` // of the file, in bytes
	URL      string `json:"url"`
	Checksum string `json:"checksum"`
	SHA256   string `json:"sha256,omitempty"`
}

func printPackages(w io.Writer, locks packages.Locks, format string) error {
	var list []listedPackage
	for _, l := range locks {
		for _, p := range l.Packages {
			list = append(list, listedPackage{"linux/" + l.Arch, p.Name, p.Version, p.License, p.Size, l.URL(p), p.Checksum, p.SHA256})
		}
	}
	if format == formatJSON {
		return printAsJSON(w, list)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PLATFORM\tPACKAGE\tVERSION\tBYTES\tLICENCE\tURL")
	for _, p := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", p.Platform, p.Name, p.Version, p.Size, p.License, p.URL)
	}
	return t.Flush()
}

func printFileChecks(w io.Writer, checks []packages.FileCheck, format string) error {
	if format == formatJSON {
		return printAsJSON(w, checks)
	}
	for _, c := range checks {
		result := "ok"
		if !c.OK {
			result = "WRONG  " + c.Detail
		}
		if _, err := fmt.Fprintf(w, "%s  %s\n", c.File, result); err != nil {
			return err
		}
	}
	return nil
}

func printMirrored(w io.Writer, folder string, done packages.Mirrored, format string) error {
	if format == formatJSON {
		return printAsJSON(w, struct {
			Folder   string `json:"folder"`
			Packages int    `json:"packages"`
			Copied   int    `json:"copied"`
			Bytes    int64  `json:"bytes"`
		}{folder, done.Packages, done.Copied, done.Bytes})
	}
	_, err := fmt.Fprintln(w, folder)
	return err
}
