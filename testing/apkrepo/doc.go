// Package apkrepo makes small signed apk repositories for tests, shaped as the
// real one is, serves them as Alpine's mirrors do, and spoils them.
package apkrepo
