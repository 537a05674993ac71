package passwd

import (
	"bytes"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Hash is a hashed password as it stands in a file, behind the colon:
//
//	$7$ITERATIONS$SALT$KEY  PBKDF2 with HMAC-SHA512, standard base64
//	$6$SALT$HASH            SHA512(password‖salt), Mosquitto 1.6 and earlier
//	$2y$COST$…              bcrypt, for htpasswd files; also $2a$ and $2b$
type Hash string

// scheme is a readable hash.
type scheme interface {
	// verify returns nil or ErrWrong, in a time that doesn't depend on how
	// much of the password is right.
	verify(password []byte) error
	// portable says why some version of Mosquitto refuses the hash, or nil.
	portable() error
}

var (
	_ scheme = pbkdf2Hash{}
	_ scheme = sha512Hash{}
	_ scheme = bcryptHash("")
)

// Verify returns nil where password is the one that was hashed, else ErrWrong
// or, where the hash can't be read, ErrHash.
func (h Hash) Verify(password []byte) error {
	s, err := h.parse()
	if err != nil {
		return err
	}
	return s.verify(password)
}

func (h Hash) parse() (scheme, error) {
	kind, rest, ok := strings.Cut(strings.TrimPrefix(string(h), "$"), "$")
	if !ok || !strings.HasPrefix(string(h), "$") {
		return nil, fmt.Errorf("%w: it does not begin with a kind, such as $7$", ErrHash)
	}
	fields := strings.Split(rest, "$")
	switch {
	case kind == "7" && len(fields) == 3:
		return parsePBKDF2(fields)
	case kind == "6" && len(fields) == 2:
		salt, key, err := decodePair(fields[0], fields[1])
		return sha512Hash{salt, key}, err
	case kind == "2a" || kind == "2b" || kind == "2y":
		if _, err := bcrypt.Cost([]byte(h)); err != nil {
			return nil, fmt.Errorf("%w: not bcrypt", ErrHash)
		}
		return bcryptHash(h), nil
	}
	return nil, fmt.Errorf("%w: its kind is none of $7$, $6$, $2y$", ErrHash)
}

func parsePBKDF2(fields []string) (scheme, error) {
	n, err := strconv.Atoi(fields[0])
	if err != nil || n < 1 || n > MaxIterations {
		return nil, fmt.Errorf("%w: %w", ErrHash, ErrIterations)
	}
	salt, key, err := decodePair(fields[1], fields[2])
	return pbkdf2Hash{n, salt, key}, err
}

func decodePair(salt, key string) (s, k []byte, err error) {
	s, err1 := base64.StdEncoding.Strict().DecodeString(salt)
	k, err2 := base64.StdEncoding.Strict().DecodeString(key)
	// The broker decodes without regard to line ends; Go skips them.
	if errors.Join(err1, err2) != nil || strings.ContainsAny(salt+key, "\r\n") {
		return nil, nil, fmt.Errorf("%w: not base64", ErrHash)
	}
	if len(s) == 0 || len(s) > 64 || len(k) != sha512.Size {
		return nil, nil, fmt.Errorf("%w: a salt of %d and a key of %d bytes", ErrHash, len(s), len(k))
	}
	return s, k, nil
}

type pbkdf2Hash struct {
	iterations int
	salt, key  []byte
}

func (h pbkdf2Hash) verify(password []byte) error {
	return same(derive(password, h.salt, h.iterations), h.key)
}

func (h pbkdf2Hash) portable() error {
	if len(h.salt) != saltLen {
		return fmt.Errorf("a salt of %d bytes, where Mosquitto 2.0 takes %d only", len(h.salt), saltLen)
	}
	if h.iterations > WarnIterations {
		return fmt.Errorf("%d iterations: each login holds up the single-threaded broker", h.iterations)
	}
	return nil
}

type sha512Hash struct{ salt, key []byte }

func (h sha512Hash) verify(password []byte) error {
	sum := sha512.Sum512(append(bytes.Clone(password), h.salt...))
	return same(sum[:], h.key)
}

func (h sha512Hash) portable() error {
	if len(h.salt) != saltLen {
		return fmt.Errorf("a salt of %d bytes, where Mosquitto 2.0 takes %d only", len(h.salt), saltLen)
	}
	return nil
}

type bcryptHash string

func (h bcryptHash) verify(password []byte) error {
	switch err := bcrypt.CompareHashAndPassword([]byte(h), password); {
	case err == nil:
		return nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return ErrWrong
	default:
		return fmt.Errorf("%w: %w", ErrHash, err)
	}
}

func (h bcryptHash) portable() error {
	return errors.New("a bcrypt hash is for htpasswd files: Mosquitto does not read it")
}

func same(a, b []byte) error {
	if subtle.ConstantTimeCompare(a, b) != 1 {
		return ErrWrong
	}
	return nil
}
