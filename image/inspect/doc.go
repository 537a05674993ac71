// Package inspect says what is in a container image, anybody's, and how two of
// them differ. It reads each layer once, as a stream, and keeps the names and
// sums of what is in it, never the content.
//
// It neither finds nor changes images; package image does.
package inspect
