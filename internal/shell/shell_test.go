package shell

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	args := []string{"certs", "--host=a.example", "", "*.example.com", "st ate", "it's", "$HOME", "a\\b", "~x", "\"", ";#&|"}
	if got := Quote(args[:2]...); got != "certs --host=a.example" {
		t.Errorf("Quote added what needn't be: %s", got)
	}
	out, err := exec.Command("sh", "-c", "printf '%s\\n' "+Quote(args...)).Output()
	if got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"); err != nil || !slices.Equal(got, args) {
		t.Errorf("a shell reads %q, %v, want %q", got, err, args)
	}
}
