package relay_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

func list(ids ...string) mockllm.Step { return mockllm.JSON(200, nil, mockllm.ModelList(ids...)) }

// changes hands a backend's transitions on.
type changes struct{ events chan loadbalance.Event }

func (changes) Selected(*relay.Record, *relay.Attempt)  {}
func (changes) Attempted(*relay.Record, *relay.Attempt) {}
func (changes) Finished(*relay.Record)                  {}
func (c changes) BackendChanged(e loadbalance.Event)    { c.events <- e }

// watchedChecks runs a gateway's checks of up:m1 at url; the result waits for the
// backend to become "healthy" or "unhealthy" and returns the event.
func watchedChecks(t *testing.T, url string) (become func(state string) loadbalance.Event) {
	t.Helper()
	loaded, err := config.Parse("t.toml", fmt.Appendf(nil, `
[settings]
health_check_interval_seconds = 0.02
recovery_check_interval_seconds = 0.02
health_check_timeout_seconds = 0.2
[providers.up]
base_url = %q
[models.m]
backends = [{ provider = "up", model = "m1" }]
`, url), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	observer := changes{make(chan loadbalance.Event, 64)} // far more than there are transitions
	gw, err := relay.New(loaded.Config, relay.Options{Observer: observer})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = gw.Run(ctx)
	}()
	t.Cleanup(func() {
		if state, _ := gw.Fleet().Backend("up:m1"); state.Requests != 0 {
			t.Errorf("checks counted as %d requests", state.Requests)
		}
		cancel()
		<-stopped
	})
	return func(state string) loadbalance.Event {
		t.Helper()
		for {
			select {
			case e := <-observer.events:
				if e.Subject == loadbalance.Health && e.To == state {
					return e
				}
			case <-ctx.Done():
				t.Fatalf("the backend did not become %s", state)
			}
		}
	}
}

// A provider goes wrong and is mended, without a request of a user.
func TestChecksFollowAProvider(t *testing.T) {
	f := func(down mockllm.Step, kind loadbalance.Kind) {
		t.Helper()
		good := mockllm.Always(list("m1"))
		s := mockllm.Start(t, good)
		become := watchedChecks(t, s.URL)
		if _, err := s.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		s.SetScript(mockllm.Always(down))
		if e := become("unhealthy"); e.ID != "up:m1" || e.Check != loadbalance.CheckList || e.Kind != kind {
			t.Errorf("it became unhealthy by %+v", e)
		}
		s.SetScript(good)
		become("healthy")
	}
	f(mockllm.JSON(500, nil, "{}"), loadbalance.Server)
	f(mockllm.Reset(), loadbalance.Network)
	f(mockllm.Hang(), loadbalance.Timeout)
	f(mockllm.JSON(401, nil, "{}"), loadbalance.Auth)
	f(list("m2"), loadbalance.Model)
}

// Where there is no list, connections are what tells.
func TestChecksFollowAProviderWithoutAList(t *testing.T) {
	noList := mockllm.Always(mockllm.JSON(404, nil, "{}"))
	s := mockllm.Start(t, noList)
	become := watchedChecks(t, s.URL)
	if _, err := s.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if e := become("unhealthy"); e.Kind != loadbalance.Network {
		t.Errorf("it became unhealthy by %+v", e)
	}
	again, err := net.Listen("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Skipf("the address was taken meanwhile: %v", err)
	}
	back, err := mockllm.Open(mockllm.Options{Listener: again, Script: noList})
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	become("healthy")
}
