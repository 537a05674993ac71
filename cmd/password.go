package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// passwordSource is where a new password comes from: the terminal unless one
// of these is set.
type passwordSource struct{ Stdin, Generate bool }

// errNoPassword is a command that has nowhere to take a password from.
var errNoPassword = errors.New("there is no terminal to ask for the password on")

// terminal tells whether the input is a person's terminal.
func (a *app) terminal() bool {
	f, ok := a.In.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readPassword returns the first line of stdin or asks on the terminal, twice
// where the password is a new one.
func (a *app) readPassword(ctx context.Context, prompt string, stdin, isNew bool) ([]byte, error) {
	if stdin {
		return firstLine(untilDone(ctx, a.In))
	}
	f, ok := a.In.(*os.File)
	if !ok || !a.terminal() {
		return nil, fault.With(fault.Usage, fault.Hint(errNoPassword, "give the password on stdin with --stdin"))
	}
	password, err := a.ask(ctx, f, prompt)
	if err != nil || !isNew {
		return password, err
	}
	again, err := a.ask(ctx, f, "Again")
	if err == nil && !bytes.Equal(password, again) {
		return nil, errors.New("the two passwords differ")
	}
	return password, err
}

// ask reads a line without echo. The terminal is put right even when the
// command is interrupted meanwhile, while the read still waits for a key.
func (a *app) ask(ctx context.Context, f *os.File, prompt string) ([]byte, error) {
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("asking for the password: %w", err)
	}
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	fmt.Fprintf(a.Err, "%s: ", prompt)
	go func() {
		line, err := term.ReadPassword(int(f.Fd()))
		answers <- answer{line, err}
	}()
	defer fmt.Fprintln(a.Err)
	select {
	case got := <-answers:
		if got.err != nil {
			return nil, fmt.Errorf("asking for the password: %w", got.err)
		}
		return got.line, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(int(f.Fd()), before))
	}
}

// firstLine reads a password: one line, without its end.
func firstLine(r io.Reader) ([]byte, error) {
	// Two bytes more than the longest password, so that a longer one is seen.
	line, err := bufio.NewReader(io.LimitReader(r, 65537)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the password: %w", err)
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}

// untilDone is r until ctx ends: a read from a pipe or terminal would hold up
// the end of the command for as long as nothing comes.
func untilDone(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	return out
}
