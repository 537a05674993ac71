package passwd

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/crypto/bcrypt"
)

// Iterations of PBKDF2.
const (
	// DefaultIterations is what mosquitto_passwd 2.1 uses.
	DefaultIterations = 1000
	// WarnIterations is where a login starts to hold up the broker, which has
	// one thread: about 20 ms, so that a flood of logins denies the service.
	WarnIterations = 20_000
	// MaxIterations is the most that is made or verified.
	MaxIterations = 10_000_000
)

// saltLen is the only length that Mosquitto 2.0 and 2.1 both take.
const saltLen = 12

// Format is a kind of password file. The zero value is Mosquitto.
type Format string

// The formats there are.
const (
	// Mosquitto is the broker's own password file.
	Mosquitto Format = "mosquitto"
	// Htpasswd is Apache's file, with bcrypt, for registries and proxies.
	Htpasswd Format = "htpasswd"
)

// ParseFormat returns the format called s; "" is Mosquitto.
func ParseFormat(s string) (Format, error) {
	switch Format(s) {
	case "", Mosquitto:
		return Mosquitto, nil
	case Htpasswd:
		return Htpasswd, nil
	}
	return "", fmt.Errorf("unknown format %q: choose %s or %s", s, Mosquitto, Htpasswd)
}

// Hasher hashes passwords. Its zero value makes what mosquitto_passwd 2.1
// makes. Several goroutines may use it at once where Rand allows that.
type Hasher struct {
	// Format says what file the hash is for. Default: Mosquitto.
	Format Format
	// Iterations of PBKDF2; unused by Htpasswd. Default: DefaultIterations.
	Iterations int
	// Cost of bcrypt, 4 to 31, a power of two; unused by Mosquitto.
	// Default: 10.
	Cost int
	// Rand is where salts come from; nil is crypto/rand's Reader. bcrypt takes
	// its own from crypto/rand.
	Rand io.Reader
	// Workers is how many passwords Import hashes at once. Default: one per
	// processor.
	Workers int
}

// Hash hashes password. The errors are ErrPassword and ErrIterations, or that
// of Rand. bcrypt takes at most 72 bytes.
func (h Hasher) Hash(password []byte) (Hash, error) {
	salt, err := h.prepare(password)
	if err != nil {
		return "", err
	}
	return h.finish(password, salt)
}

// prepare checks the input and draws the salt: the part of Hash that must
// happen in order, so that a given Rand yields a given file.
func (h Hasher) prepare(password []byte) (salt []byte, err error) {
	if err := CheckPassword(password); err != nil {
		return nil, err
	}
	if h.Format == Htpasswd {
		if len(password) > 72 {
			return nil, fmt.Errorf("%w: bcrypt takes at most 72 bytes", ErrPassword)
		}
		return nil, nil
	}
	if n := h.iterations(); n < 1 || n > MaxIterations {
		return nil, fmt.Errorf("%w: %d is not between 1 and %d", ErrIterations, n, MaxIterations)
	}
	random := h.Rand
	if random == nil {
		random = rand.Reader
	}
	salt = make([]byte, saltLen)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("drawing a salt: %w", err)
	}
	return salt, nil
}

// finish is the slow part of Hash.
func (h Hasher) finish(password, salt []byte) (Hash, error) {
	if h.Format == Htpasswd {
		return h.bcrypt(password)
	}
	n, b64 := h.iterations(), base64.StdEncoding
	key := derive(password, salt, n)
	return Hash("$7$" + strconv.Itoa(n) + "$" + b64.EncodeToString(salt) + "$" + b64.EncodeToString(key)), nil
}

func (h Hasher) iterations() int {
	if h.Iterations == 0 {
		return DefaultIterations
	}
	return h.Iterations
}

func (h Hasher) bcrypt(password []byte) (Hash, error) {
	cost := h.Cost
	if cost == 0 {
		cost = bcrypt.DefaultCost
	}
	out, err := bcrypt.GenerateFromPassword(password, cost)
	if err != nil || len(out) < 4 {
		return "", errors.Join(errors.New("hashing with bcrypt"), err)
	}
	// Apache's programs write $2y$ and some readers know no other; up to 72
	// bytes it means the same as the $2a$ that x/crypto writes.
	out[2] = 'y'
	return Hash(out), nil
}
