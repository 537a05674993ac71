package probe

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrLogin is what ParseLogin returns for a file that holds no login.
var ErrLogin = errors.New("there is no login in it")

// ParseLogin reads an option file of Mosquitto's clients that holds a login
// and nothing else: "-u USER" and "-P PASSWORD", a line each, as package state
// writes it. It returns an error that wraps ErrLogin where one of them is
// missing, or something else is there.
func ParseLogin(data []byte) (user string, password []byte, err error) {
	for line := range bytes.Lines(data) {
		line = bytes.TrimRight(line, "\r\n")
		name, value, found := bytes.Cut(line, []byte(" "))
		switch {
		case len(line) == 0:
		case found && string(name) == "-u" && user == "" && len(value) > 0:
			user = string(value)
		case found && string(name) == "-P" && password == nil && len(value) > 0:
			password = bytes.Clone(value)
		default:
			// Whatever it is, it may be a secret.
			return "", nil, fmt.Errorf("reading a login: %w: a line is neither -u USER nor -P PASSWORD, or is there twice", ErrLogin)
		}
	}
	if user == "" || password == nil {
		return "", nil, fmt.Errorf("reading a login: %w: -u USER or -P PASSWORD is missing", ErrLogin)
	}
	return user, password, nil
}
