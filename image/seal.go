package image

import (
	"os"
	"time"
)

// seal tells a checked file that nobody has written to since from one whose
// content is to be checked, as reading it takes longer than all else in a build
// that changes nothing. It holds until the machine starts again: a power cut may
// take what was written.
type seal struct {
	Time time.Time // of the file's last change
	Boot string    // of the machine; "" is unknown
}

// sealed seals the file at path, where its time may be set. That is one that no
// later change can have: the past, in even seconds, which all file systems keep.
func sealed(path string) seal {
	s := seal{time.Now().Truncate(2 * time.Second).Add(-2 * time.Second), boot()}
	if os.Chtimes(path, time.Now(), s.Time) != nil {
		return seal{}
	}
	return s
}

// holds says whether the file at path, which had size bytes, is as it was.
func (s seal) holds(path string, size int64) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode().IsRegular() && st.Size() == size && st.ModTime().Equal(s.Time) && s.Boot != "" && s.Boot == boot()
}

// boot returns what Linux calls this run of the machine, see random(4), and ""
// elsewhere.
func boot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(id)
}
