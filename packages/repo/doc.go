// Package repo writes signed apk v2 repositories: packages of given files, and
// the index over them. Use it where packages are made, by a build from source
// or by a test; package packages reads what it writes, and so does Alpine's own
// apk.
//
// The same input gives the same bytes. It resolves nothing, and it neither
// keeps nor removes what else is in the folder.
//
// Format: https://wiki.alpinelinux.org/wiki/Apk_spec and apk-tools 2.14's
// src/package.c.
package repo
