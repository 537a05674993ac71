package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/mosqbuild/mosqbuild/testing/cluster/machine"
)

// Outside is the name, beside those of nodes, of the control plane's place,
// whose network is all that lies around the nodes.
const Outside = "outside"

// namespaces are what each place has of its own.
const namespaces = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET

// place is a set of namespaces, held by their first process; pid 0 is the
// machine itself.
type place struct {
	name string
	pid  int
}

// placePrefix marks, in the record, the first process of a place.
const placePrefix = "place "

// place returns the place of that name; the zero value where there is none.
func (c *Cluster) place(name string) place {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.places[name]
}

func (c *Cluster) setPlace(p place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.places[p.name] = p
}

func placeName(p machine.Process) (string, bool) { return strings.CutPrefix(p.Name, placePrefix) }

// newPlace makes a place. over are files to mount over others in it, as
// FILE=OVER.
func (c *Cluster) newPlace(ctx context.Context, name string, over ...string) (place, error) {
	dir := filepath.Join(c.Dir, name, "kernel")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return place{}, fmt.Errorf("making the folder of %s: %w", name, err)
	}
	cmd := exec.Command(filepath.Join(c.Dir, "bin", "pause"), append([]string{dir}, over...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: namespaces}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	ready, err := cmd.StdoutPipe()
	if err != nil {
		return place{}, err
	}
	if err := c.spawn(placePrefix+name, cmd, false); err != nil {
		return place{}, err
	}
	line, _ := bufio.NewReader(ready).ReadString('\n')
	if line != "ready\n" {
		_ = cmd.Wait()
		return place{}, fmt.Errorf("making the namespaces of %s: %s", name, strings.TrimSpace(stderr.String()))
	}
	go cmd.Wait()
	p := place{name, cmd.Process.Pid}
	c.setPlace(p)
	_, err = output(p.network(ctx, "ip", "link", "set", "lo", "up"))
	return p, err
}

// network is a command in p's network; it sees the machine's files.
func (p place) network(ctx context.Context, args ...string) *exec.Cmd {
	if p.pid != 0 {
		args = append([]string{"nsenter", "--target", strconv.Itoa(p.pid), "--net", "--"}, args...)
	}
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

// inside is a command in all of p's namespaces. It outlives a context.
func (p place) inside(args ...string) *exec.Cmd {
	if p.pid != 0 {
		args = append([]string{"nsenter", "--target", strconv.Itoa(p.pid), "--net", "--mount", "--pid", "--"}, args...)
	}
	return exec.Command(args[0], args[1:]...)
}

// Enter is the command that runs others in the network of a node, of a place
// for clients, or Outside, with the machine's files but the place's resolver; nil where there is no such
// place. dir is the folder to run them in; "" is the root.
func (c *Cluster) Enter(where, dir string) []string {
	p := c.place(where)
	if p.pid == 0 {
		return nil
	}
	enter := []string{"nsenter", "--target", strconv.Itoa(p.pid), "--net", "--mount"}
	if dir != "" {
		enter = append(enter, "--wdns="+dir)
	}
	return enter
}

// Command is a command in the network of a node, or Outside, and in this
// process's working folder; see Enter. Nothing is run yet, and nothing can be
// where there is no such place.
func (c *Cluster) Command(ctx context.Context, where string, args ...string) *exec.Cmd {
	dir, _ := os.Getwd()
	enter := c.Enter(where, dir)
	if enter == nil {
		cmd := exec.CommandContext(ctx, args[0])
		cmd.Err = fmt.Errorf("there is no node %q", where)
		return cmd
	}
	args = append(append(enter, "--"), args...)
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

// spawn starts cmd in a session of its own, puts it down and, with reap, takes
// leave of it when it ends.
func (c *Cluster) spawn(name string, cmd *exec.Cmd, reap bool) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	if os.Geteuid() == 0 {
		group, err := c.record.Daemons()
		if err != nil {
			return err
		}
		if group != nil {
			defer group.Close()
			cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(group.Fd())
		}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	p, err := machine.Find(name, cmd.Process.Pid)
	if err == nil {
		err = c.record.Add(p)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		return errors.Join(err, cmd.Wait())
	}
	if reap {
		go cmd.Wait()
	}
	return nil
}

// daemon starts a program in p with its output in a log beside p's files. name
// tells it from others.
func (c *Cluster) daemon(p place, name string, args ...string) error {
	return c.daemonFiles(p, name, nil, args...)
}

// daemonFiles is daemon with open files, which the program finds as 3 and on.
func (c *Cluster) daemonFiles(p place, name string, files []*os.File, args ...string) error {
	log, err := os.OpenFile(c.path(p.name, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer log.Close()
	cmd := p.inside(args...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, files
	return c.spawn(name+" "+p.name, cmd, true)
}

// path is a file's path in the cluster's folder.
func (c *Cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.Dir}, elem...)...)
}

// alive reports an error, with the end of its log, when a daemon has ended.
func (c *Cluster) alive(p place, names ...string) error {
	for _, name := range names {
		running, known := false, false
		for _, process := range c.record.Named(name + " " + p.name) {
			known, running = true, running || process.Alive()
		}
		if known && !running {
			return fmt.Errorf("%s of %s has ended:\n%s", name, p.name, tail(c.path(p.name, name+".log"), 5))
		}
	}
	return nil
}

// tail returns the last lines of a file.
func tail(file string, lines int) string {
	data, _ := os.ReadFile(file)
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
