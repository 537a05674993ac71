package packages

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
)

// keptIndex is an index in the cache: a line of JSON, and the file. It saves
// its transfer where the server says that it hasn't changed; it is verified
// like one that was just sent.
type keptIndex struct {
	Tag    string `json:"etag"`
	SHA256 string `json:"sha256"` // of the file
}

// readIndexFile returns the index of that name, as read does, and what keeps it
// for the next time, which is to be called once it is verified.
func (r repository) readIndexFile(ctx context.Context, name string) (file []byte, keep func() error, err error) {
	nothing := func() error { return nil }
	if r.cache == "" || !isURL(r.location) {
		file, err = r.read(ctx, name, maxIndex)
		return file, nothing, err
	}
	// The name has nothing of a login, and the server decides by its own.
	path := filepath.Join(r.cache, "apk", "index-"+hexSum([]byte(r.path(name))))
	had := readKept(path)
	got, err := r.fetch(ctx, name, maxIndex, had, nil)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	case err != nil:
		return nil, nil, r.unreachable(name, fmt.Errorf("reading %q: %w", r.path(name), err))
	case got.unchanged:
		return had.data, nothing, nil
	case got.tag == "":
		return got.data, nothing, nil
	}
	return got.data, func() error { return writeKept(path, got) }, nil
}

// readKept returns what the cache has, nil where that is nothing or damaged.
func readKept(path string) *answer {
	data, err := readFile(path, 2*maxIndex)
	if err != nil {
		return nil
	}
	head, file, _ := bytes.Cut(data, []byte("\n"))
	var k keptIndex
	if json.Unmarshal(head, &k) != nil || k.Tag == "" || k.SHA256 != hexSum(file) {
		return nil
	}
	return &answer{data: file, tag: k.Tag}
}

func writeKept(path string, got answer) error {
	head, err := json.Marshal(keptIndex{got.tag, hexSum(got.data)})
	if err != nil {
		return err
	}
	if err := openCache(filepath.Dir(path)); err != nil {
		return fmt.Errorf("caching an index: %w", err)
	}
	return atomicfile.Write(path, append(append(head, '\n'), got.data...), 0o644)
}
