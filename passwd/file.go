package passwd

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// MaxFile is the largest file that Parse reads: 256 MiB, more than a million
// users.
const MaxFile = 256 << 20

// File is a password file. Its zero value is an empty one. Several goroutines
// may read it at once, as long as none edits it.
type File struct {
	lines []line
	index map[string]int  // user → the line that counts, the first with a hash
	twice map[string]bool // users of several lines
}

// line is one line of the file.
type line struct {
	raw  string // with its line end
	user string // "" for a comment and for what the broker skips
	hash Hash
}

// Parse reads a password file as the broker does: a line that begins with "#"
// is a comment, one without a colon is skipped, blanks around the two fields
// are trimmed, and what follows a second colon is ignored. Nothing but the
// size is refused, so that every file can be mended; Problems tells what the
// broker would object to.
func Parse(data []byte) (*File, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(data))
	}
	f := &File{}
	for raw := range bytes.Lines(data) {
		f.lines = append(f.lines, parseLine(string(raw)))
	}
	f.reindex()
	return f, nil
}

// parseLine follows strtok and isspace, which the broker parses with: colons
// at the start and repeated ones count as one.
func parseLine(raw string) line {
	l := line{raw: raw}
	text, _, _ := strings.Cut(raw, "\x00") // the broker's strings end there
	if strings.HasPrefix(text, "#") || !strings.Contains(text, ":") {
		return l
	}
	user, rest, _ := strings.Cut(strings.TrimLeft(text, ":"), ":")
	hash, _, _ := strings.Cut(strings.TrimLeft(rest, ":"), ":")
	l.user, l.hash = strings.Trim(user, space), Hash(strings.Trim(hash, space))
	return l
}

const space = " \t\n\v\f\r"

func (f *File) reindex() {
	f.index, f.twice = make(map[string]int, len(f.lines)), map[string]bool{}
	for i, l := range f.lines {
		at, have := f.index[l.user]
		if have {
			f.twice[l.user] = true
		}
		// A line with nothing after the colon gives way to a later one.
		if l.user != "" && (!have || f.lines[at].hash == "" && l.hash != "") {
			f.index[l.user] = i
		}
	}
}

// Bytes returns the file's content.
func (f *File) Bytes() []byte {
	n := 0
	for _, l := range f.lines {
		n += len(l.raw)
	}
	out := make([]byte, 0, n)
	for _, l := range f.lines {
		out = append(out, l.raw...)
	}
	return out
}

// Users returns the names of all users, each once, in the file's order.
func (f *File) Users() []string {
	users := make([]string, 0, len(f.index))
	for i, l := range f.lines {
		if at, have := f.index[l.user]; have && at == i {
			users = append(users, l.user)
		}
	}
	return users
}

// Hash returns user's hash, and whether the file has the user.
func (f *File) Hash(user string) (Hash, bool) {
	if i, have := f.index[user]; have {
		return f.lines[i].hash, true
	}
	return "", false
}

// Set gives user the hash: on the user's line where there is one, else on a
// new line at the end. Further lines of the same user go, since Mosquitto 2.1
// stops at them. The errors are ErrUser and ErrHash.
func (f *File) Set(user string, h Hash) error {
	if err := CheckUser(user); err != nil {
		return err
	}
	if _, err := h.parse(); err != nil {
		return fmt.Errorf("user %q: %w", user, err)
	}
	f.set(user, h)
	return nil
}

func (f *File) set(user string, h Hash) {
	i, have := f.index[user]
	if !have {
		f.add(line{raw: user + ":" + string(h) + "\n", user: user, hash: h})
		return
	}
	f.lines[i] = line{raw: user + ":" + string(h) + lineEnd(f.lines[i].raw), user: user, hash: h}
	if !f.twice[user] {
		return
	}
	kept := f.lines[:i+1]
	for _, l := range f.lines[i+1:] {
		if l.user != user {
			kept = append(kept, l)
		}
	}
	if len(kept) < len(f.lines) {
		f.lines = kept
		f.reindex()
	}
}

// add puts l at the end, behind a line end of its own.
func (f *File) add(l line) {
	if n := len(f.lines); n > 0 && lineEnd(f.lines[n-1].raw) == "" {
		f.lines[n-1].raw += "\n"
	}
	if f.index == nil {
		f.index = map[string]int{}
	}
	f.index[l.user] = len(f.lines)
	f.lines = append(f.lines, l)
}

func lineEnd(raw string) string {
	if strings.HasSuffix(raw, "\r\n") {
		return "\r\n"
	}
	if strings.HasSuffix(raw, "\n") {
		return "\n"
	}
	return ""
}

// Delete removes every line of user and tells whether there was one.
func (f *File) Delete(user string) bool {
	if _, have := f.index[user]; !have {
		return false
	}
	f.lines = slices.DeleteFunc(f.lines, func(l line) bool { return l.user == user })
	f.reindex()
	return true
}

// Verify returns nil where password is user's, else ErrNoUser, ErrWrong or, for
// a hash that it can't read, ErrHash.
func (f *File) Verify(user string, password []byte) error {
	h, have := f.Hash(user)
	if !have {
		return fmt.Errorf("user %q: %w", user, ErrNoUser)
	}
	if err := h.Verify(password); err != nil {
		return fmt.Errorf("user %q: %w", user, err)
	}
	return nil
}
