package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/shell"
	"github.com/mosqbuild/mosqbuild/internal/state"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// configFile is the name of the configuration unless --config gives another.
const configFile = "mosqbuild.yaml"

// app is what every command shares.
type app struct {
	In       io.Reader
	Out, Err io.Writer
	Config   string // --config; "" is mosqbuild.yaml where it exists
	State    string // --state; "" is .mosqbuild beside the configuration
	Quiet    bool   // --quiet: no progress

	transfers *transfers // shared by copies
}

// config reads mosqbuild.yaml, or the defaults where there is none.
func (a *app) config() (config.Config, error) {
	path, required := a.Config, true
	if path == "" {
		path, required = configFile, false
	}
	cfg, err := config.Load(path, required)
	if err == nil {
		return cfg, nil
	}
	if problem := (config.Problem{}); errors.As(err, &problem) {
		err = fault.Hint(err, "each setting is explained in what this prints: mosqbuild init --stdout")
	} else if errors.Is(err, fs.ErrNotExist) {
		err = fault.Hint(err, "check --config, or write a first one: mosqbuild init")
	}
	return cfg, fault.With(fault.Usage, err)
}

// base is the folder that paths in mosqbuild.yaml are relative to.
func (a *app) base() string { return filepath.Dir(a.Config) }

// beside is a path of mosqbuild.yaml, seen from here.
func (a *app) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(a.base(), path)
}

// state is the folder of what is made and kept.
func (a *app) state() state.Dir {
	if a.State != "" {
		return state.Dir{Path: a.State}
	}
	return state.Dir{Path: filepath.Join(a.base(), state.DirName)}
}

// progress tells the person at the terminal what goes on.
func (a *app) progress(format string, args ...any) {
	if !a.Quiet {
		a.note(format, args...)
	}
}

// note says what must be known even with --quiet.
func (a *app) note(format string, args ...any) {
	a.transfers.write(a.Err, fmt.Sprintf("mosqbuild: "+format+"\n", args...))
}

// again puts --config and --state, where given, into the commands that text
// names, so that they mean the same files.
func (a *app) again(text string) string {
	var flags []string
	if a.Config != "" {
		flags = append(flags, "--config", a.Config)
	}
	if a.State != "" {
		flags = append(flags, "--state", a.State)
	}
	if flags == nil {
		return text
	}
	return strings.ReplaceAll(text, "mosqbuild ", "mosqbuild "+shell.Quote(flags...)+" ")
}

// lastEpoch is the end of the year 9999, the last that images can name.
const lastEpoch = 253402300799

// created is SOURCE_DATE_EPOCH, or 1970: what is built must not depend on when.
func created() (time.Time, error) {
	s := os.Getenv("SOURCE_DATE_EPOCH")
	if s == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil || seconds < 0 || seconds > lastEpoch {
		return time.Time{}, fault.With(fault.Usage, fmt.Errorf("SOURCE_DATE_EPOCH %q is no number of seconds since 1970, up to the year 9999", s))
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// cacheDir is the folder for what can be made again.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "mosqbuild"), fault.Hint(err, "set XDG_CACHE_HOME")
}

// keyDir is the folder for the key that local packages are signed with.
func keyDir() (string, error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "mosqbuild"), fault.Hint(err, "set XDG_CONFIG_HOME")
}

// signingKey is the key that local packages are signed with, made on first use.
func signingKey() (*repo.Key, error) {
	dir, err := keyDir()
	if err != nil {
		return nil, err
	}
	return repo.LoadOrCreateKey(filepath.Join(dir, repo.KeyFile))
}
