package passwd

import (
	"errors"
	"fmt"
)

// The faults that callers tell apart with errors.Is. No error of this package
// quotes a password or a hash.
var (
	// ErrNoUser is a user that the file does not have.
	ErrNoUser = errors.New("no such user")
	// ErrWrong is a password that is not the user's.
	ErrWrong = errors.New("wrong password")
	// ErrUser is a user name that the broker could not read back.
	ErrUser = errors.New("unusable user name")
	// ErrPassword is a password that is empty or too long.
	ErrPassword = errors.New("unusable password")
	// ErrHash is a hash that is damaged or of an unknown kind.
	ErrHash = errors.New("unreadable hash")
	// ErrHashed is an imported line whose password is a hash already.
	ErrHashed = errors.New("the password is hashed already")
	// ErrDuplicate is a user that occurs more than once.
	ErrDuplicate = errors.New("the user occurs more than once")
	// ErrIterations is a number of iterations outside 1 to MaxIterations.
	ErrIterations = errors.New("unusable number of iterations")
	// ErrTooLarge is a file of more than MaxFile bytes.
	ErrTooLarge = errors.New("the file is too large")
)

// LineError is a fault on one line of a password file or of an import.
type LineError struct {
	Line int // counted from 1
	Err  error
}

// Error names the line, and nothing of its content but perhaps the user.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the fault itself.
func (e *LineError) Unwrap() error { return e.Err }
