package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const secret = "0123456789abcdef0123456789abcdef"

func signer() tokens { return tokens{secret: []byte(secret), now: time.Now} }

// The server as it is in this folder, with fake providers.
func TestServer(t *testing.T) {
	first, second := mockllm.Start(t, nil), mockllm.Start(t, nil)
	t.Setenv("UPSTREAM_URL", first.URL+"/v1")
	t.Setenv("SECOND_UPSTREAM_URL", second.URL+"/v1")
	t.Setenv("BIND_ADDRESS", "127.0.0.1:0")
	var account bill
	server, err := build("config.toml", signer(), &account, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()

	ask := func(token string, status int, contains string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "http://"+server.Addr().String()+"/v1/chat/completions",
			strings.NewReader(`{"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status || !strings.Contains(string(body), contains) {
			t.Errorf("got %d %s, %v, want %d with %q", resp.StatusCode, body, err, status, contains)
		}
	}
	good := signer().sign("alice", time.Minute)
	ask(good, 200, "mock-model")
	ask(good, 200, "mock-model")
	ask("", 401, "missing_api_key")
	ask("not a token", 401, "not one of this gateway")
	ask(strings.Replace(good, "alice", "admin", 1), 401, "not one of this gateway")
	ask(signer().sign("alice", -time.Second), 401, "expired")
	ask(signer().sign("bob", time.Minute), 401, "does not exist")
	ask(tokens{secret: []byte("another"), now: time.Now}.sign("alice", time.Minute), 401, "not one of this gateway")

	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	var out bytes.Buffer
	if err := account.print(&out); err != nil || !strings.HasPrefix(out.String(), "alice: 2 requests, 0 failed, ") ||
		strings.Contains(out.String(), " 0 tokens") || strings.Contains(out.String(), "$0.0000") {
		t.Errorf("the bill is %q, %v", out.String(), err)
	}
	if n := len(first.Requests()) + len(second.Requests()); n < 2 {
		t.Errorf("the providers saw %d requests", n)
	}
}

func TestNewTokens(t *testing.T) {
	if _, err := newTokens("tooshort"); err == nil || strings.Contains(err.Error(), "tooshort") {
		t.Errorf("got %v", err)
	}
	if _, err := newTokens(secret); err != nil {
		t.Error(err)
	}
}

// While one backend is busy the other gets the request; of two busy ones, the
// one with more weight.
func TestLeastBusy(t *testing.T) {
	fleet := loadbalance.NewFleet(loadbalance.Options{})
	lb, err := fleet.Balancer(loadbalance.Config{
		Strategy: leastBusy{}, Listings: []loadbalance.Listing{{ID: "big", Weight: 3}, {ID: "small", Weight: 1.2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var picked []string
	var leases []*loadbalance.Lease
	for range 5 {
		l, err := lb.Pick(new(loadbalance.Request))
		if err != nil {
			t.Fatal(err)
		}
		picked, leases = append(picked, l.ID()), append(leases, l)
	}
	if got := strings.Join(picked, " "); got != "big big small big big" {
		t.Errorf("picked %s", got)
	}
	for _, l := range leases {
		l.Report(loadbalance.Outcome{Kind: loadbalance.Success})
	}
}

// Backends that are alike share the first requests.
func TestLeastBusyTies(t *testing.T) {
	fleet := loadbalance.NewFleet(loadbalance.Options{})
	lb, err := fleet.Balancer(loadbalance.Config{Strategy: leastBusy{}, Listings: []loadbalance.Listing{{ID: "a"}, {ID: "b"}, {ID: "c"}}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for range 300 {
		l, err := lb.Pick(new(loadbalance.Request))
		if err != nil {
			t.Fatal(err)
		}
		l.Report(loadbalance.Outcome{Kind: loadbalance.Success})
		got[l.ID()]++
	}
	for _, id := range []string{"a", "b", "c"} {
		if got[id] < 50 { // 6 standard deviations off 100
			t.Errorf("%s was picked %d times of 300", id, got[id])
		}
	}
}

func FuzzVerify(f *testing.F) {
	good := signer().sign("alice", time.Hour)
	f.Add(good)
	f.Add(strings.ToUpper(good))
	f.Add("..")
	f.Add("alice.1.")
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := signer().verify(token); err == nil && id != "alice" {
			t.Errorf("%q lets %q in", token, id)
		}
	})
}
