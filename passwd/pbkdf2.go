package passwd

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"crypto/subtle"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"sync"
)

// derive is PBKDF2 with HMAC-SHA512 and a 64-byte key, RFC 8018 section 5.2.
// crypto/pbkdf2 gives the same but spends half its time on padding and
// buffers; see quick.
func derive(password, salt []byte, iterations int) []byte {
	if quickWorks() {
		return quick(password, salt, iterations)
	}
	return standard(password, salt, iterations)
}

func standard(password, salt []byte, iterations int) []byte {
	key, err := pbkdf2.Key(sha512.New, string(password), salt, iterations, sha512.Size)
	if err != nil { // only a key length that is out of bounds or not approved
		panic(err)
	}
	return key
}

// stateOffset is where the marshalled state of SHA-512 holds its chaining
// value: behind a magic number of four bytes.
const stateOffset = 4

// knownKey is what derive makes of "password", "twelve bytes" and three
// iterations, as OpenSSL computed it.
const knownKey = "49e00e8d177b1f502bcb424952b4aee5793fb7ae312215fd6491d3319d38487e" +
	"4aff8e2dd718f7e310f2aaaf6052364c5f05018c87f654f42136a87d49ab6608"

// quickWorks checks once that this Go's SHA-512 lays out its state as quick
// expects, since the layout is no promise of the standard library's.
var quickWorks = sync.OnceValue(func() bool {
	d, ok := sha512.New().(sha512State)
	if !ok {
		return false
	}
	state, err := d.AppendBinary(nil)
	if err != nil || len(state) < stateOffset+sha512.Size {
		return false
	}
	return hex.EncodeToString(quick([]byte("password"), []byte("twelve bytes"), 3)) == knownKey
})

type sha512State interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// compressor is SHA-512 that starts after one block, HMAC's padded key, and
// takes one block more: its state is restored and its result read without
// going through Sum, which would copy and pad.
type compressor struct {
	digest     sha512State
	start, end []byte // marshalled states
}

func newCompressor(key *[sha512.BlockSize]byte, pad byte) *compressor {
	c := &compressor{digest: sha512.New().(sha512State)}
	var block [sha512.BlockSize]byte
	for i := range block {
		block[i] = key[i] ^ pad
	}
	c.digest.Write(block[:])
	c.start = c.append(nil)
	return c
}

// append returns the state; marshalling a SHA-512 has no error to return.
func (c *compressor) append(to []byte) []byte {
	state, err := c.digest.AppendBinary(to)
	if err != nil {
		panic(err)
	}
	return state
}

func (c *compressor) reset() {
	if err := c.digest.UnmarshalBinary(c.start); err != nil {
		panic(err)
	}
}

// compress replaces the first 64 bytes of the padded block by its hash.
func (c *compressor) compress(block *[sha512.BlockSize]byte) {
	c.reset()
	c.digest.Write(block[:])
	c.end = c.append(c.end[:0])
	copy(block[:sha512.Size], c.end[stateOffset:])
}

func quick(password, salt []byte, iterations int) []byte {
	var key [sha512.BlockSize]byte
	if len(password) > len(key) {
		sum := sha512.Sum512(password)
		password = sum[:]
	}
	copy(key[:], password)
	inner, outer := newCompressor(&key, 0x36), newCompressor(&key, 0x5c)

	// Every message after the first is 64 bytes behind a block of padded key,
	// so that the end of the block never changes: a one bit, and the length.
	var block [sha512.BlockSize]byte
	block[sha512.Size] = 0x80
	binary.BigEndian.PutUint64(block[len(block)-8:], (sha512.BlockSize+sha512.Size)*8)

	inner.reset()
	inner.digest.Write(salt)
	inner.digest.Write([]byte{0, 0, 0, 1}) // the number of the key's only block
	inner.digest.Sum(block[:0])
	outer.compress(&block)

	out := append([]byte(nil), block[:sha512.Size]...)
	for range iterations - 1 {
		inner.compress(&block)
		outer.compress(&block)
		subtle.XORBytes(out, out, block[:sha512.Size])
	}
	return out
}
