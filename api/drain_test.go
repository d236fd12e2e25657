package api_test

import (
	"strings"
	"testing"
)

func (b *berry) drain(provider, model string) answer {
	b.t.Helper()
	return b.ask("POST", "/admin/backends/"+provider+"/"+model+"/drain", adminToken)
}

func TestDrainAndEnable(t *testing.T) {
	b := start(t, setup{})
	provider := func(want string) {
		t.Helper()
		if a := b.chat(annToken, hello("pool")); a.status != 200 || a.header.Get("X-Berry-Provider") != want {
			t.Errorf("%d from %q, want from %q", a.status, a.header.Get("X-Berry-Provider"), want)
		}
	}
	const health = `"provider":"one","model":"up-1","healthy":true,"breaker":"closed","consecutive_failures":0,"in_flight":0,"drained":%s,` +
		`"cool_down_until":null,"recovery_stage_percent":100,"latency_ms":null,"confidence":0.8,"last_error":null,"last_success":null,` +
		`"last_check":null,"next_check":null,"total_requests":0,"successful_requests":0,"failed_requests":0}`
	wantJSON(t, b.drain("one", "up-1"), 200, `{"timestamp":"TIME","backend":"one:up-1",`+replace(health, "true"))
	provider("two")
	wantJSON(t, b.drain("one", "up-1"), 200, `{"timestamp":"TIME","backend":"one:up-1",`+replace(health, "true"))

	// It survives a reload.
	next := strings.Replace(usual, "priority = 2", "priority = 3", 1)
	if err := b.srv.Reload(b.load(setup{config: next})); err != nil {
		t.Fatal(err)
	}
	provider("two")
	a := b.ask("POST", "/admin/backends/one/up-1/enable", adminToken)
	wantJSON(t, a, 200, `{"timestamp":"TIME","backend":"one:up-1",`+replace(health, "false"))
	provider("one")

	f := func(method, path, token string, status int, code string) {
		t.Helper()
		if a := b.ask(method, path, token); a.status != status || a.code() != code {
			t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		}
	}
	f("POST", "/admin/backends/one/nope/drain", adminToken, 404, "not_found")
	f("POST", "/admin/backends/nope/up-1/enable", adminToken, 404, "not_found")
	f("POST", "/admin/backends/one/up-1", adminToken, 404, "not_found")
	f("POST", "/admin/backends/one/up-1/", adminToken, 404, "not_found")
	f("GET", "/admin/backends/one/up-1/drain", adminToken, 405, "method_not_allowed")
	f("POST", "/admin/backends/one/up-1/drain", annToken, 403, "admin_required")
	provider("one")

	for message, want := range map[string]int{"Backend drained by hand": 2, "Backend enabled by hand": 1} {
		lines := b.lines(message)
		if len(lines) != want {
			t.Errorf("%s: %d lines, want %d", message, len(lines), want)
		}
		for _, n := range lines {
			if n.Level != "WARN" || n.Fields["user"] != "boss" || n.Fields["backend"] != "one:up-1" {
				t.Errorf("%+v", n)
			}
		}
	}
}

// Models with slashes and colons can be drained too.
func TestDrainAnyName(t *testing.T) {
	b := start(t, setup{config: `
[providers.a-b]
base_url = "%[1]s"
[providers.two]
base_url = "%[2]s"
[models.m]
backends = [{ provider = "a-b", model = "org/x:free" }]
[users.boss]
token = "` + adminToken + `"
tags = ["admin"]
`})
	for _, path := range []string{"a-b/org/x:free", "a-b/org%2Fx:free", "a-b/org/x%3Afree"} {
		if a := b.ask("POST", "/admin/backends/"+path+"/drain", adminToken); a.status != 200 || !strings.Contains(a.body, `"backend":"a-b:org/x:free"`) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
