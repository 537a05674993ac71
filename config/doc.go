// Package config reads mosqbuild.yaml, the one file that drives every command,
// and holds the names, ports and paths that the other packages share. It reads
// strictly: whatever is wrong is reported at once, each fault with its line and
// its path in the YAML. It neither writes files nor makes certificates.
package config
