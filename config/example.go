package config

import (
	_ "embed"
	"slices"
)

//go:embed mosqbuild.yaml
var example []byte

// Example returns a commented mosqbuild.yaml that says what Default does.
func Example() []byte { return slices.Clone(example) }
