// Package fault gives errors the two things a person at a terminal needs
// beyond what went wrong: what to do next, and an exit code that a script can
// tell apart. It wraps errors; it neither prints nor exits.
package fault

import (
	"errors"
	"fmt"
)

// Code is a class of failure and the exit code of the program for it.
type Code int

// The exit codes of every command.
const (
	// OK is success.
	OK Code = 0
	// Failed is any failure that has no code of its own.
	Failed Code = 1
	// Usage is a wrong flag, a wrong argument, or a wrong mosqbuild.yaml, lock or
	// kubeconfig.
	Usage Code = 2
	// Refused is a package, an index or a signature that failed verification, or
	// that isn't as it was locked, or is older than the configuration is for.
	Refused Code = 3
	// Unreachable is a repository, registry, broker or API server that did not
	// answer, or that answered with a refusal.
	Unreachable Code = 4
	// CheckFailed is a check that ran and found a fault, a difference or a wrong
	// password.
	CheckFailed Code = 5
	// Interrupted is a run ended by SIGINT or SIGTERM.
	Interrupted Code = 130
)

// Error is an error with a hint, a code, or both.
type Error struct {
	Err  error
	Hint string // what to do next, a sentence or a command; "" is none
	Code Code   // OK means that the code is the wrapped error's
}

// Error returns the wrapped error's text; the hint is printed apart.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// Hint wraps err with advice on what to do next. It returns nil for a nil err.
func Hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Hint: fmt.Sprintf(format, args...)}
}

// With wraps err with a code. It returns nil for a nil err.
func With(code Code, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Code: code}
}

// HintOf returns the outermost hint in err's chain, or "".
func HintOf(err error) string {
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		if e.Hint != "" {
			return e.Hint
		}
	}
	return ""
}

// CodeOf returns the outermost code in err's chain: OK for nil, Failed where
// none is set.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		if e.Code != OK {
			return e.Code
		}
	}
	return Failed
}
