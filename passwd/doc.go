// Package passwd reads, edits, verifies and writes the password files of
// Mosquitto and of programs that take htpasswd files, registries and proxies
// among them. Comments, order and every line that is not edited stay as they
// are, to the byte.
//
// The hashes are those that Mosquitto 2.0 and 2.1 both accept: PBKDF2 with
// HMAC-SHA512, a 12-byte salt and a 64-byte key. htpasswd lines hold bcrypt.
//
// The package works on bytes: it opens no file, so locking and replacing the
// file are the caller's business. Randomness is a parameter.
package passwd
