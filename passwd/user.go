package passwd

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxLen is the longest user name and password: MQTT sends both with a
// two-byte length.
const maxLen = 65535

// CheckUser refuses a name that would not come back from a password file as it
// went in: an empty one, one with a colon or a control character, with blanks
// around it (the broker trims them), with a "#" first (a comment), or longer
// than 65,535 bytes. The error is ErrUser.
func CheckUser(name string) error {
	why := ""
	switch {
	case name == "":
		why = "it is empty"
	case len(name) > maxLen:
		return fmt.Errorf("%w: it is longer than %d bytes", ErrUser, maxLen)
	case !utf8.ValidString(name):
		why = "it is not UTF-8"
	case strings.ContainsRune(name, ':'):
		why = "it holds a colon"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || (r >= 0x7f && r < 0xa0) }):
		why = "it holds a control character"
	case name[0] == '#':
		why = "a line that begins with # is a comment"
	case strings.Trim(name, " ") != name:
		why = "it begins or ends with a blank"
	}
	if why != "" {
		return fmt.Errorf("%w %q: %s", ErrUser, name, why)
	}
	return nil
}

// CheckPassword refuses a password that no MQTT client could send, or that is
// empty. The error is ErrPassword.
func CheckPassword(password []byte) error {
	switch {
	case len(password) == 0:
		return fmt.Errorf("%w: it is empty", ErrPassword)
	case len(password) > maxLen:
		return fmt.Errorf("%w: it is longer than %d bytes", ErrPassword, maxLen)
	}
	return nil
}
