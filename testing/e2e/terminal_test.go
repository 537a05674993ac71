package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal of 24 lines of 80 characters with a program on
// it, which has it for stdin, stdout, stderr and controlling terminal.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	before *unix.Termios
	ended  chan struct{}

	mu   sync.Mutex
	said []byte
}

// onTerminal starts mosqbuild in dir on a terminal of its own.
func onTerminal(t *testing.T, dir string, env []string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}))
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	s := &terminal{t: t, master: master, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	if s.before, err = unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		t.Fatal(err)
	}
	s.cmd.Dir, s.cmd.Env = dir, append(append(os.Environ(), "CI=", "TERM=xterm"), env...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); <-s.ended; master.Close() })
	go s.follow()
	return s
}

// follow keeps what the program says until it has ended.
func (s *terminal) follow() {
	buf := make([]byte, 4096)
	for {
		n, err := s.master.Read(buf) // EIO once nobody has the other side open
		s.mu.Lock()
		s.said = append(s.said, buf[:n]...)
		s.mu.Unlock()
		if err != nil {
			break
		}
	}
	_ = s.cmd.Wait()
	close(s.ended)
}

func (s *terminal) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.said)
}

// end waits for the program's end and returns its exit code and what is on the
// screen then.
func (s *terminal) end() (code int, screen string) {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		s.t.Fatalf("it doesn't end: %q", s.output())
	}
	after, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil || *after != *s.before {
		s.t.Errorf("the terminal's settings were %v and are %v, %v", s.before, after, err)
	}
	if strings.Contains(s.output(), "\x1b[?25l") && !strings.HasSuffix(s.output(), "\x1b[?25h") {
		s.t.Error("the cursor stays hidden")
	}
	screen, err = shown(s.output())
	if err != nil {
		s.t.Error(err)
	}
	return s.cmd.ProcessState.ExitCode(), screen
}

var (
	upwards = regexp.MustCompile(`^\x1b\[([0-9]+)A`)
	erasing = regexp.MustCompile(`^\x1b\[(J|K)`)
)

// shown is what a terminal makes of text. It knows the few sequences that
// programs of lines and bars use, and reports any other.
func shown(text string) (string, error) {
	lines, row, column := []string{""}, 0, 0
	for text != "" {
		if m := upwards.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1])
			row, text = max(row-n, 0), text[len(m[0]):]
			continue
		}
		if m := erasing.FindStringSubmatch(text); m != nil {
			lines[row] = lines[row][:min(column, len(lines[row]))]
			if text = text[len(m[0]):]; m[1] == "J" {
				lines = lines[:row+1]
			}
			continue
		}
		switch c := text[0]; c {
		case '\x1b':
			return "", fmt.Errorf("a sequence that this test doesn't know: %q", text[:min(len(text), 10)])
		case '\r':
			column = 0
		case '\n':
			if row++; row == len(lines) {
				lines = append(lines, "")
			}
		default:
			line := lines[row] + strings.Repeat(" ", max(column-len(lines[row]), 0))
			lines[row] = line[:column] + string(c) + line[min(column+1, len(line)):]
			column++
		}
		text = text[1:]
	}
	return strings.Join(lines, "\n"), nil
}

// typed sends what is typed on the keyboard.
func (s *terminal) typed(keys string) {
	s.t.Helper()
	if _, err := io.WriteString(s.master, keys); err != nil {
		s.t.Fatal(err)
	}
}
