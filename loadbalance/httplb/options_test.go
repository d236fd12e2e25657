package httplb_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/loadbalance/httplb"
)

// Everything that is wrong is named, and no secret is.
func TestNewRefuses(t *testing.T) {
	const secret = "s3cret"
	f := func(o httplb.Options, want ...string) {
		t.Helper()
		_, err := httplb.New(o)
		if err == nil {
			t.Error("no error")
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q lacks %q", err, w)
			}
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q holds a secret", err)
		}
	}
	one := func(target httplb.Target) httplb.Options { return httplb.Options{Targets: []httplb.Target{target}} }
	header := func(name, value string) httplb.Options {
		return one(httplb.Target{URL: "https://a", Header: http.Header{name: {value}}})
	}
	f(httplb.Options{MaxAttempts: -1, FirstByteTimeout: -time.Second}, "no targets", "MaxAttempts is -1", "FirstByteTimeout is -1s")
	f(one(httplb.Target{URL: "a.example/v1"}), "target 0", `"a.example/v1"`)
	f(one(httplb.Target{URL: "ftp://a.example"}), "http://")
	f(one(httplb.Target{URL: "https:///v1"}), "http://")
	f(one(httplb.Target{URL: "https://user:" + secret + "@a"}), "Header")
	f(one(httplb.Target{URL: "https://a/%zz?key=" + secret}), "cannot be read")
	f(one(httplb.Target{URL: "https://a/#x"}), "fragment")
	f(header("Authorization", "Bearer "+secret+"\n"), `"Authorization"`)
	f(header("X Key", secret), `"X Key"`)
	f(header("", secret), "header")
	f(one(httplb.Target{URL: "https://a", HealthPath: "healthz"}), "health path")
	f(one(httplb.Target{URL: "https://a", HealthPath: "//other/healthz"}), "health path")
	f(one(httplb.Target{URL: "https://a", Listing: loadbalance.Listing{Weight: -1}}), "weight is -1")
	f(httplb.Options{Targets: []httplb.Target{{URL: "https://a/v1?key=" + secret}, {URL: "https://a/v1/"}, {URL: "ftp://a"}}},
		`target 1: there is a target "https://a/v1" already`, "target 2")
}

// What is given to New may be changed after it.
func TestNewCopies(t *testing.T) {
	w := newWorld(t, says(200, ""))
	w.options.Targets[0].Header = http.Header{"X-Key": {"before"}}
	w.start()
	w.options.Targets[0].Header.Set("X-Key", "after")
	w.options.Targets[0] = httplb.Target{}
	w.ask("GET", "http://lb/", "")
	if got := w.requests()[0].Header.Get("X-Key"); got != "before" {
		t.Errorf("got %q", got)
	}
}

// Two Transports over one fleet share what is known of a target.
func TestSharedFleet(t *testing.T) {
	w := newWorld(t, says(500, ""))
	w.options.Fleet = loadbalance.NewFleet(loadbalance.Options{})
	w.ask("GET", "http://lb/", "")
	w.ask("GET", "http://lb/", "")
	other, err := httplb.New(httplb.Options{Fleet: w.lb.Fleet(), Targets: []httplb.Target{
		{URL: "http://a.invalid", Listing: loadbalance.Listing{ID: "a"}}, {URL: "http://b.invalid"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var excluded []string
	for _, c := range other.Balancer().Snapshot() {
		excluded = append(excluded, c.ID+": "+c.Excluded)
	}
	if want := []string{"a: unhealthy", "http://b.invalid: "}; !slices.Equal(excluded, want) {
		t.Errorf("got %q, want %q", excluded, want)
	}
}
