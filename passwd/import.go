package passwd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
)

// maxReported is how many bad lines an import names before it stops reading.
const maxReported = 20

// Import reads lines "user:password", hashes the passwords on all processors
// while it reads, and sets the users in f, in the input's order. Empty lines
// and lines that begin with "#" are skipped; the password is everything
// behind the first colon, blanks and colons included, up to the line end. n is
// the number of users.
//
// Users that f has already get the new password. A line without a colon, an
// unusable user or password, a password that is a hash already (ErrHashed) and
// a user that comes twice (ErrDuplicate) are each a *LineError; they are
// joined, up to 20, and f stays as it was.
func (h Hasher) Import(ctx context.Context, in io.Reader, f *File) (n int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := make(chan *entry, 64)
	failed := make(chan error, 1)
	var workers sync.WaitGroup
	for range h.workers() {
		workers.Go(func() {
			if err := h.work(ctx, jobs); err != nil {
				select {
				case failed <- err:
				default:
				}
				cancel()
			}
		})
	}
	entries, err := h.read(ctx, in, jobs)
	close(jobs)
	if err != nil {
		cancel()
	}
	workers.Wait()
	select {
	case first := <-failed:
		return 0, first
	default:
	}
	if err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for _, e := range entries {
		f.set(e.user, e.hash)
	}
	return len(entries), nil
}

func (h Hasher) workers() int {
	if h.Workers > 0 {
		return h.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// entry is a user on the way in. The reader fills it, a worker completes it.
type entry struct {
	user           string
	password, salt []byte
	hash           Hash
}

func (h Hasher) work(ctx context.Context, jobs <-chan *entry) error {
	for e := range jobs {
		if ctx.Err() != nil {
			continue // drain, so that the reader never waits
		}
		var err error
		if e.hash, err = h.finish(e.password, e.salt); err != nil {
			return fmt.Errorf("user %q: %w", e.user, err)
		}
		clear(e.password)
		e.password = nil
	}
	return nil
}

// read turns lines into entries and hands them out. Once a line is bad it
// only looks for more bad ones.
func (h Hasher) read(ctx context.Context, in io.Reader, jobs chan<- *entry) ([]*entry, error) {
	var entries []*entry
	var faults []error
	seen := map[string]bool{}
	lines := bufio.NewReaderSize(in, 2*maxLen+4)
	for number := 1; len(faults) < maxReported; number++ {
		text, err := lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = fmt.Errorf("it is longer than any user and password")
			}
			return nil, errors.Join(append(faults, &LineError{number, err})...)
		}
		last := err != nil
		e, fault := h.entry(text, seen)
		switch {
		case fault != nil:
			faults = append(faults, &LineError{number, fault})
		case e != nil && len(faults) == 0:
			select {
			case jobs <- e:
				entries = append(entries, e)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if last {
			break
		}
	}
	return entries, errors.Join(faults...)
}

// entry reads one line; a line to skip is nil, nil.
func (h Hasher) entry(text []byte, seen map[string]bool) (*entry, error) {
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 || text[0] == '#' {
		return nil, nil
	}
	name, password, ok := bytes.Cut(text, []byte(":"))
	if !ok {
		// What stands there may be a password: don't quote it.
		return nil, errors.New("it has no colon between user and password")
	}
	user := string(name)
	if err := CheckUser(user); err != nil {
		return nil, err
	}
	if seen[user] {
		return nil, fmt.Errorf("user %q: %w", user, ErrDuplicate)
	}
	seen[user] = true
	if hashed(password) {
		return nil, fmt.Errorf("user %q: %w", user, ErrHashed)
	}
	salt, err := h.prepare(password)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", user, err)
	}
	return &entry{user: user, password: bytes.Clone(password), salt: salt}, nil
}

// hashed tells whether a password looks like a hash of any program's, which
// would otherwise become the password itself, as mosquitto_passwd -U does.
func hashed(password []byte) bool {
	for _, prefix := range []string{"$7$", "$6$", "$5$", "$1$", "$2a$", "$2b$", "$2y$", "$argon2", "$apr1$", "$y$", "$scrypt$", "{SHA}", "PBKDF2$"} {
		if strings.HasPrefix(string(password), prefix) {
			return true
		}
	}
	return false
}
