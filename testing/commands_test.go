package testing_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
)

// commands are what scripts can do besides testscript's own.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"apkrepo":  makeRepository,
	"spoil":    spoil,
	"serve":    serve,
	"registry": serveRegistry,
	"fails":    fails,
	"runhint":  runHint,
}

// fails CODE PROGRAM ARG...: the program exits with that code.
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails CODE PROGRAM ARG...")
	}
	code := "0"
	err := ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = strconv.Itoa(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != args[0] {
		ts.Fatalf("exit code is %s, want %s", code, args[0])
	}
}

var hinted = regexp.MustCompile(`(?m)^mosqbuild: hint: run: (.+)$`)

// runhint: runs in a shell what the last command's hint says.
func runHint(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: runhint")
	}
	m := hinted.FindStringSubmatch(ts.ReadFile("stderr"))
	if m == nil {
		ts.Fatalf("there is no hint that names a command to run")
	}
	ts.Logf("%s", m[1])
	if err := ts.Exec("sh", "-c", m[1]); err != nil {
		ts.Fatalf("%v", err)
	}
}

// apkrepo DIR [RELEASE [ARCH...]]: makes a signed repository, as of the first
// release and for x86_64 unless told; $KEY is its public key.
func makeRepository(ts *testscript.TestScript, neg bool, args []string) {
	release := 1
	if neg || len(args) == 0 {
		ts.Fatalf("usage: apkrepo DIR [RELEASE [ARCH...]]")
	}
	if len(args) >= 2 {
		var err error
		release, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	r, err := apkrepo.Release(context.Background(), ts.MkAbs(args[0]), release, args[min(2, len(args)):]...)
	ts.Check(err)
	ts.Setenv("KEY", r.Key)
}

// spoil KIND DIR: changes a repository as apkrepo.Repository.Spoil says.
func spoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: spoil KIND DIR")
	}
	ts.Check(apkrepo.Repository{Dir: ts.MkAbs(args[1])}.Spoil(context.Background(), args[0]))
}

// serve DIR: serves a repository as Alpine's mirrors do; $URL is where.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve DIR")
	}
	server := httptest.NewServer(apkrepo.Repository{Dir: ts.MkAbs(args[0])}.Handler())
	ts.Defer(server.Close)
	ts.Setenv("URL", server.URL+apkrepo.URLPath)
}

// registry [CODE]: starts a registry, one that answers everything with the
// status where one is given; $REGISTRY is its HOST:PORT.
func serveRegistry(ts *testscript.TestScript, neg bool, args []string) {
	var handler http.Handler
	switch {
	case neg || len(args) > 1:
		ts.Fatalf("usage: registry [CODE]")
	case len(args) == 1:
		code, err := strconv.Atoi(args[0])
		ts.Check(err)
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if code == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			}
			if r.URL.Path != "/v2/" || code == http.StatusUnauthorized {
				w.WriteHeader(code)
			}
		})
	default:
		handler = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	}
	server := httptest.NewServer(handler)
	ts.Defer(server.Close)
	ts.Setenv("REGISTRY", strings.TrimPrefix(server.URL, "http://"))
}
