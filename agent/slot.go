package agent

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/config"
)

// memory returns a file of that name without a place on a disk: a broker is to
// start on a full one, too, and in a pod where nothing but its data is writable.
func memory(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// conf is the index of the configuration file in Args, below 0 if none is given.
func (p Program) conf() int {
	if i := slices.Index(p.Args, "-c"); i >= 0 && i+1 < len(p.Args) {
		return i + 1
	}
	return -1
}

// configuration reads the broker's configuration, for that slot.
func (g *Guard) configuration(slot int) ([]byte, error) {
	i := g.o.Program.conf()
	if i < 0 {
		return nil, errors.New("configuring the broker: its arguments name no file: give -c FILE")
	}
	path := g.o.Program.Args[i]
	text, err := os.ReadFile(path)
	if err == nil {
		text, err = inSlot(string(text), g.o.Settings, slot)
	}
	if err != nil {
		return nil, fmt.Errorf("configuring the broker from %q: %w", path, err)
	}
	return text, nil
}

// configure has the broker's next reading of its configuration be of text.
func (g *Guard) configure(text []byte) error {
	err := g.conf.Truncate(int64(len(text)))
	if err == nil {
		_, err = g.conf.WriteAt(text, 0)
	}
	if err != nil {
		return fmt.Errorf("configuring the broker: %w", err)
	}
	return nil
}

// inSlot is a mosquitto.conf in which the clients' listeners have the ports of
// that slot. Each of them must be there once.
func inSlot(conf string, a config.Agent, slot int) ([]byte, error) {
	found := make([]int, len(a.Clients))
	lines := strings.SplitAfter(conf, "\n")
	for n, line := range lines {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "listener" {
			continue
		}
		port, err := strconv.Atoi(words[1])
		i := slices.IndexFunc(a.Clients, func(l config.Listener) bool { return l.Port == port })
		if err != nil || i < 0 {
			continue
		}
		found[i]++
		words[1] = strconv.Itoa(config.ClientPort(i, slot))
		lines[n] = strings.Join(words, " ") + "\n"
	}
	for i, n := range found {
		if n != 1 {
			return nil, fmt.Errorf("there are %d listeners for clients at port %d, want one", n, a.Clients[i].Port)
		}
	}
	return []byte(strings.Join(lines, "")), nil
}
