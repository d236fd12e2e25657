package api

import (
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// built is a server for a configuration, that listens nowhere.
func built(t *testing.T, text string) *Server {
	t.Helper()
	cfg, err := config.Parse("test.toml", []byte(text), config.Env{Lookup: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
