package source

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	// A number of more digits is too big for apk.
	upstreamRE = regexp.MustCompile(`^[0-9]{1,18}(\.[0-9]{1,18})*[a-z]?$`)
	revisionRE = regexp.MustCompile(`^[-+~]?([0-9]*)(?:\.([0-9]+))?.*?(?:deb[0-9]+u([0-9]+))?$`)
)

// apkVersion returns apk's form of a Debian version: the upstream version, and
// as the number after -r what Debian's revision and update come to, so that a
// security update of the same upstream version is a newer package here too:
// 3.5.7-1~deb13u3 is 3.5.7-r10003.
func apkVersion(debian string) (string, error) {
	upstream, revision := debian, ""
	if i := strings.IndexAny(debian, "+~-"); i >= 0 {
		upstream, revision = debian[:i], debian[i:]
	}
	if strings.Contains(revision, "-") { // what stands before is "+dfsg" and the like
		revision = revision[strings.LastIndex(revision, "-"):]
	}
	m := revisionRE.FindStringSubmatch(revision)
	if !upstreamRE.MatchString(upstream) || m == nil {
		return "", fmt.Errorf("turning Debian's version %q into apk's: unknown form", debian)
	}
	number := 0
	for _, digits := range m[1:] {
		n := 0
		if digits != "" {
			var err error
			if n, err = strconv.Atoi(digits); err != nil || n > 99 {
				return "", fmt.Errorf("turning Debian's version %q into apk's: %q is too big", debian, digits)
			}
		}
		number = number*100 + n
	}
	return fmt.Sprintf("%s-r%d", upstream, number), nil
}
