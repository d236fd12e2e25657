package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/measure/upstream"
)

// The roles that this program plays in processes of its own: their first
// argument, then the address to listen on.
const (
	roleProvider = "play-provider"
	roleProxy    = "play-proxy"
)

// playsRole plays the role that the arguments name until SIGTERM. It is false
// if they name none.
func playsRole(args []string) bool {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case args[0] == roleProvider && len(args) == 2:
		err = playProvider(ctx, args[1])
	case args[0] == roleProxy && len(args) == 3:
		err = playProxy(ctx, args[1], args[2])
	default:
		return false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	return true
}

func playProvider(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	return upstream.Serve(l)
}

// playProxy is the yardstick: Go's own reverse proxy with a transport for many
// connections to one host, flushing each write, and nothing else.
func playProxy(ctx context.Context, address, to string) error {
	target := &url.URL{Scheme: "http", Host: to}
	buffers := &pool{}
	buffers.New = func() any { return make([]byte, 32<<10) }
	s := &http.Server{Addr: address, Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{
			MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096, IdleConnTimeout: 90 * time.Second,
			ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10, DisableCompression: true,
		},
		FlushInterval: -1,
		BufferPool:    buffers,
	}}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := s.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// pool lends the proxy its buffers.
type pool struct{ sync.Pool }

func (p *pool) Get() []byte  { return p.Pool.Get().([]byte) }
func (p *pool) Put(b []byte) { p.Pool.Put(b) } //nolint:staticcheck // a slice header is small beside a request
