package peer

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/lively"
)

// Serve answers requests that come to l by h, over TLS where id isn't nil,
// until ctx is done; it closes l. Requests under way then have a moment to end.
// It returns nil after an end that ctx asked for.
func Serve(ctx context.Context, l net.Listener, id *Identity, h http.Handler) error {
	if id != nil {
		l = tls.NewListener(l, id.Server())
	}
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		// A handshake that failed is news for the one that began it.
		ErrorLog:    log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { lively.Set(c); return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), 200*time.Millisecond)
		defer cancel()
		if s.Shutdown(brief) != nil {
			s.Close()
		}
	})
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving at %s: %w", l.Addr(), err)
	}
	return nil
}

// Reply answers with v as JSON.
func Reply(w http.ResponseWriter, code int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(data) // whoever asked has gone
}

// Read reads the request's JSON into v. Fields that v lacks are a newer agent's,
// while the agents are being replaced. Where it can't, it has answered so and
// returns false.
func Read(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMessage))
	if err := dec.Decode(v); err != nil {
		http.Error(w, "reading the request: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}
