package image

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/packages"
)

// accounts are the files that give uids and gids their names. Mosquitto 2.1.2
// crashes where its gid has no line in /etc/group.
type accounts struct {
	Passwd, Group []byte
}

const (
	passwdPath = "/etc/passwd"
	groupPath  = "/etc/group"
)

var (
	passwdLines = []string{
		"root:x:0:0:root:/root:/sbin/nologin",
		"mosquitto:x:" + strconv.Itoa(config.UID) + ":" + strconv.Itoa(config.GID) + ":mosquitto:/mosquitto:/sbin/nologin",
		"nobody:x:65534:65534:nobody:/:/sbin/nologin",
	}
	groupLines = []string{"root:x:0:", "mosquitto:x:" + strconv.Itoa(config.UID) + ":", "nobody:x:65534:"}
)

// accountsOf returns the files that the packages bring, if any.
func accountsOf(entries []packages.Entry) (accounts, error) {
	var a accounts
	for _, e := range entries {
		var err error
		switch name, _ := cleanName(e.Header.Name); "/" + name {
		case passwdPath:
			a.Passwd, err = content(e)
		case groupPath:
			a.Group, err = content(e)
		}
		if err != nil {
			return a, fmt.Errorf("reading %q: %w", e.Header.Name, err)
		}
	}
	return a, nil
}

func content(e packages.Entry) ([]byte, error) {
	if e.Open == nil {
		return nil, nil
	}
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return data, err
}

// with returns a with a line for each of ours that it lacks.
func (a accounts) with() accounts {
	return accounts{Passwd: merge(a.Passwd, passwdLines), Group: merge(a.Group, groupLines)}
}

// merge appends the lines whose name and number old has neither of; a name or
// number that is taken stays whose it is.
func merge(old []byte, lines []string) []byte {
	out := strings.TrimRight(string(old), "\n")
	var names, numbers []string
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) > 2 {
			names, numbers = append(names, f[0]), append(numbers, f[2])
		}
	}
	for _, line := range lines {
		f := strings.Split(line, ":")
		if slices.Contains(names, f[0]) || slices.Contains(numbers, f[2]) {
			continue
		}
		if out != "" {
			out += "\n"
		}
		out += line
	}
	return []byte(out + "\n")
}
