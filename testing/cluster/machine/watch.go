package machine

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"
)

// undoLimit bounds the clean-up after an owner that died.
const undoLimit = time.Minute

// Keep is what an owner says to have the cluster outlive it.
const Keep = "keep"

// Watch reads from owner until it ends, which it does when the process at its
// other end dies, however it dies, and then undoes the cluster in dir, unless
// that process had done so itself or had said Keep.
func Watch(owner io.Reader, dir string) error {
	said, _ := io.ReadAll(owner)
	if string(said) == Keep {
		return nil
	}
	r, err := Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), undoLimit)
	defer cancel()
	return r.Undo(ctx)
}
