// Package source builds a signed apk repository from Debian's source packages
// with a musl toolchain, for machines that reach no Alpine mirror. Use it where
// packages are to be made; package packages reads the repository as any other.
//
// Sources come through the machine's own apt, from the mirror it is set up for,
// checked against the suite's signed index. The build is a graph of steps, each
// kept in a cache under the digest of all that decides its content; what is
// there already is not made again.
//
// It needs no root and changes nothing outside the folders it is given. For
// another architecture than the machine's own it takes a cross compiler.
package source
