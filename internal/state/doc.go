// Package state keeps what mosqbuild makes beside mosqbuild.yaml, in the
// folder .mosqbuild: certificates, the password file, generated passwords, and
// the image last built. What is missing is made once and never anew, so that
// two builds or two renders are equal to the byte. It renders nothing.
package state
