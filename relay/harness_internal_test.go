package relay

import (
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// gatewayOf builds a gateway from a configuration file's text. Nothing runs it.
func gatewayOf(t testing.TB, toml string) *Gateway {
	t.Helper()
	loaded, err := config.Parse("test.toml", []byte(toml), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(loaded.Config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.connections.CloseUnless(nil) })
	return g
}
