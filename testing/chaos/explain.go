package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// explain keeps what the pods and the API say of a run that went wrong or
// took long, in the folder of logs, if there is one.
func (p *program) explain(ctx context.Context, s *stage, title string) {
	if p.logs == "" {
		return
	}
	p.kept++
	dir := filepath.Join(p.logs, fmt.Sprintf("run-%d", p.kept))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.say("keeping logs: %v", err)
		return
	}
	keep := func(name string, args ...string) string {
		out, err := s.Kubectl(ctx, "", append([]string{"--namespace", namespace}, args...)...)
		if err != nil {
			out += "\n" + err.Error()
		}
		_ = os.WriteFile(filepath.Join(dir, name), []byte(title+"\n"+out), 0o644)
		return out
	}
	keep("pods", "get", "pods", "-o", "wide")
	keep("service", "get", "service", deployment, "-o", "yaml")
	keep("events", "get", "events", "--sort-by", ".lastTimestamp")
	for name := range strings.FieldsSeq(keep("names", "get", "pods", "-o", "name")) {
		keep(filepath.Base(name)+".log", "logs", name, "--timestamps", "--since", "3m")
		keep(filepath.Base(name)+".previous.log", "logs", name, "--timestamps", "--since", "3m", "--previous")
	}
}
