package cmd

import (
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/openshift/lint"
)

func readWithMode(name string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("reading %q: no file", name)
	}
	data, err := os.ReadFile(name)
	return data, info.Mode(), err
}

func (o lintOptions) check() error {
	if err := checkFormat(o.Format); err != nil {
		return err
	}
	if s := lint.Severity(o.Severity); s != lint.Warning && s != lint.Error {
		return fault.With(fault.Usage, fmt.Errorf("--severity %q is neither warning nor error", o.Severity))
	}
	for _, code := range o.Ignore {
		if !slices.ContainsFunc(lint.Rules(), func(r lint.Rule) bool { return r.Code == code }) {
			return fault.With(fault.Usage, fault.Hint(fmt.Errorf("--ignore %q is no code", code), "run: mosqbuild lint --list"))
		}
	}
	return nil
}

// wanted leaves out what the flags say.
func (o lintOptions) wanted(findings []lint.Finding) []lint.Finding {
	return slices.DeleteFunc(findings, func(f lint.Finding) bool {
		return slices.Contains(o.Ignore, f.Code) || o.Severity == string(lint.Error) && f.Severity != lint.Error
	})
}
