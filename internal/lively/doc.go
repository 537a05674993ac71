// Package lively sets up TCP connections on which little is said, that little at
// once: a lost packet is sent again at a steady pace instead of ever more slowly.
// Use it where a second's silence counts. It neither connects nor listens.
package lively
