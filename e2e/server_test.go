package e2e

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/process"
)

// patience bounds what must happen anyway, so that a failing test ends.
const patience = 60 * time.Second

// binary is the path of a berry-api to test: the one that BERRY_API names, else one built from this checkout.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "berry-e2e-")
	if err != nil {
		return "", err
	}
	built = dir
	return process.Build(dir)
})

// built is the folder that binary made, for TestMain to remove.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// A server is a running berry-api process.
type server struct {
	*process.Berry
	log process.Log // everything that it printed
}

// startServer runs berry-api with a configuration until the test ends. It must then stop on SIGTERM with exit code 0,
// and must not have printed one of the secrets.
func startServer(t *testing.T, config string, secrets []string) *server {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	file, err := process.File(t.TempDir(), config)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{}
	if s.Berry, err = process.Start(path, file, process.Options{Env: process.BareEnv(), Log: &s.log}); err != nil {
		s.check(t, secrets)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		s.check(t, secrets)
	})
	s.waitReady(t)
	return s
}

func (s *server) waitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the server at %s did not get ready: %v", s.URL(), err)
		}
	}
}

// check looks at the log when all is over, and shows it if the test failed.
func (s *server) check(t *testing.T, secrets []string) {
	t.Helper()
	log := s.log.String()
	for i, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("secret %d is in the server's log", i)
			log = strings.ReplaceAll(log, secret, "***")
		}
	}
	if t.Failed() {
		t.Logf("the server's log:\n%s", log)
	}
}

// baseURL is what a user gives to an SDK.
func (s *server) baseURL() string { return s.URL() + "/v1" }
