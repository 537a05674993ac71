package packages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/stall"
)

// repository reads files of a repository, wherever that is.
type repository struct {
	location string // URL or folder, as Options names it
	client   *http.Client
	cache    string // as Options has it
	watch    func(file string, size int64, body io.Reader) io.ReadCloser
}

func (o Options) repository(location string) (repository, error) {
	if !isURL(location) && strings.Contains(location, "://") {
		return repository{}, fault.With(fault.Usage, fault.Hint(fmt.Errorf("opening repository %q: neither http(s) nor a folder", public(location)),
			"name it as https://HOST/PATH, in small letters, or a folder"))
	}
	if _, err := url.Parse(location); err != nil && isURL(location) { // which quotes the login
		return repository{}, fault.With(fault.Usage, fault.Hint(fmt.Errorf("opening repository %q: it is no URL", public(location)),
			"in a user name or password write %%25 for %%, %%23 for #, %%2F for /, %%3F for ? and %%40 for @"))
	}
	transport := o.Transport
	if transport == nil {
		transport = defaultTransport()
	}
	return repository{location, &http.Client{Transport: stall.Transport{Base: transport, Limit: silence}}, o.Cache, o.Watch}, nil
}

// defaultTransport differs from Go's in that it gives up soon on a network
// that swallows packets, and on a server that accepts a connection and says
// nothing.
var defaultTransport = sync.OnceValue(func() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.DialContext = (&net.Dialer{Timeout: connect}).DialContext
	t.ResponseHeaderTimeout = silence
	return t
})

const (
	// connect bounds looking up the name and connecting: time for two repeats
	// of a lost packet.
	connect = 5 * time.Second
	// silence is how long a server may send nothing at all.
	silence = 30 * time.Second
	// attempts and firstPause bound the patience with a server that answers
	// 5xx or drops the connection: 0.2 s and 0.8 s of waiting, unless it says
	// how long by Retry-After, of which retryafter.Most is granted.
	attempts   = 3
	firstPause = 200 * time.Millisecond
)

// path names a file of the repository in messages, with no login in it.
func (r repository) path(name string) string {
	if isURL(r.location) {
		return strings.TrimSuffix(public(r.location), "/") + "/" + name
	}
	return filepath.Join(r.location, filepath.FromSlash(name))
}

// read returns the file of that name, which has slashes and is relative to the
// repository. Of a file of more than limit bytes it returns limit+1 bytes.
func (r repository) read(ctx context.Context, name string, limit int64) ([]byte, error) {
	var data []byte
	var err error
	if isURL(r.location) {
		var got answer
		got, err = r.fetch(ctx, name, limit, nil, nil)
		data = got.data
	} else {
		data, err = readFile(r.path(name), limit)
	}
	if err != nil {
		return nil, r.unread(ctx, name, err)
	}
	return data, nil
}

// open is read for what may be large: the file itself, or a copy in to. It is
// to be closed by closeFile.
func (r repository) open(ctx context.Context, name string, limit int64, to *spool) (*io.SectionReader, error) {
	var file *io.SectionReader
	var err error
	if isURL(r.location) {
		_, err = r.fetch(ctx, name, limit, nil, to)
		file = to.section()
	} else {
		file, err = openFile(r.path(name))
	}
	if err != nil {
		to.drop()
		return nil, r.unread(ctx, name, err)
	}
	return file, nil
}

// unread explains why the file of that name couldn't be read.
func (r repository) unread(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err = fmt.Errorf("reading %q: %w", r.path(name), err)
	if isLocal(err) {
		return hintLocal(err)
	}
	return r.unreachable(name, err)
}

// unreachable says what to do when a repository doesn't answer for that file.
func (r repository) unreachable(name string, err error) error {
	repositories, _ := fs.Glob(os.DirFS(r.location), "*/"+path.Dir(name)) // no URL has any
	switch {
	case isURL(r.location):
		err = fault.Hint(err, "where no mirror can be reached, build the packages here: "+
			"run mosqbuild packages build, then mosqbuild image build --local")
	case len(repositories) > 0:
		err = fault.Hint(err, "it holds repositories: name these, or if it is a mirror that was never finished, go on with it: %s", mirrorTo(r.location))
	default:
		err = fault.Hint(err, "name a folder that holds ARCH/APKINDEX.tar.gz, or make one: mosqbuild packages build")
	}
	return fault.With(fault.Unreachable, err)
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer closeFile(f)
	return readAll(f, f.Size(), limit)
}

// readAll reads at most limit+1 bytes of a file that claims to have size bytes.
func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	data := make([]byte, 0, min(max(size, 0), limit)+1)
	for r = io.LimitReader(r, limit+1); ; {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}
