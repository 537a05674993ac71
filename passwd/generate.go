package passwd

import (
	"fmt"
	"io"
)

// alphabet holds no characters that look alike (0 O, 1 l I) and none that a
// shell, a YAML file or an option file reads as something else.
const alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// generatedLen times log2(56) is 139 bits.
const generatedLen = 24

// GeneratePassword returns 24 characters, letters and digits that can't be
// mistaken for each other, drawn evenly from random: 139 bits.
func GeneratePassword(random io.Reader) (string, error) {
	// Bytes beyond the largest multiple of the alphabet's length are thrown
	// away: taken modulo, they would favour the first letters.
	const limit = 256 - 256%len(alphabet)
	out := make([]byte, 0, generatedLen)
	var buf [1]byte
	for len(out) < generatedLen {
		if _, err := io.ReadFull(random, buf[:]); err != nil {
			return "", fmt.Errorf("generating a password: %w", err)
		}
		if b := int(buf[0]); b < limit {
			out = append(out, alphabet[b%len(alphabet)])
		}
	}
	return string(out), nil
}
