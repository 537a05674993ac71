package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// walk calls f for every command below c, and for c.
func walk(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		walk(sub, f)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	commands := 0
	walk(newRoot(&app{}), func(c *cobra.Command) {
		commands++
		name := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Long == "" {
			t.Errorf("%s: short %q, long %q", name, c.Short, c.Long)
		}
		for _, line := range strings.Split(c.Long+"\n"+c.Example, "\n") {
			if len(line) > 120 {
				t.Errorf("%s: a line of %d bytes: %s", name, len(line), line)
			}
		}
		if c.HasSubCommands() {
			return
		}
		if c.Example == "" {
			t.Errorf("%s has no example", name)
		}
		checkLines(t, name, c.Example)
	})
	if commands < 15 {
		t.Errorf("saw %d commands: this test looks at too few", commands)
	}
}

func TestReadmeNamesCommandsThatAre(t *testing.T) {
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range append(docs, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			checked += checkLines(t, file, b[1])
		}
	}
	if checked < 30 {
		t.Errorf("saw %d commands in the documents: this test looks at too few", checked)
	}
	for _, code := range regexp.MustCompile("`(mosqbuild [^`]*)`").FindAllStringSubmatch(string(data), -1) {
		checkLines(t, "README.md", strings.NewReplacer("\n", " ", "SHELL", "bash").Replace(code[1]))
	}
}

var (
	inner   = regexp.MustCompile(`"?\$\((.*?)\)"?`)
	between = regexp.MustCompile(`\|\|?|&&|;|<|>| #`)
	quotes  = strings.NewReplacer(`"`, "", `'`, "")
)

// checkLines parses every mosqbuild command in the lines of a shell as
// mosqbuild would, and returns how many there were.
func checkLines(t *testing.T, where, lines string) (checked int) {
	t.Helper()
	for _, line := range strings.Split(lines, "\n") {
		for _, m := range inner.FindAllStringSubmatch(line, -1) {
			checked += checkLines(t, where, m[1])
		}
		for _, command := range between.Split(inner.ReplaceAllString(line, "X"), -1) {
			args := strings.Fields(quotes.Replace(command))
			if len(args) == 0 || args[0] != "mosqbuild" || slices.Contains(args, "--help") {
				continue
			}
			checked++
			root := newRoot(&app{})
			root.InitDefaultCompletionCmd()
			c, rest, err := root.Find(args[1:])
			if err == nil {
				err = c.ParseFlags(rest)
			}
			if err == nil {
				err = c.ValidateArgs(c.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %q: %v", where, command, err)
			}
		}
	}
	return checked
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help", "image", "build"}, {"--version"}, {"completion", "bash"}, {"image"}} {
		var out, errOut bytes.Buffer
		if code := Main(t.Context(), args, nil, &out, &errOut); code != 0 || errOut.Len() > 0 || out.Len() < 10 {
			t.Errorf("%q: exit %d, %d bytes, stderr %s", args, code, out.Len(), errOut.String())
		}
	}
}
