package auth_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/PPKunOfficial/berry-api/core/auth"
)

// failTimes fails n times and expects each to be answered 401.
func failTimes(t *testing.T, g *auth.Guard, addr string, n int) {
	t.Helper()
	for i := range n {
		if v := g.Failed(netip.MustParseAddr(addr)); v != (auth.Verdict{}) {
			t.Fatalf("failure %d from %s: %+v, want the zero verdict", i+1, addr, v)
		}
	}
}

func expectVerdict(t *testing.T, g *auth.Guard, addr string, want auth.Verdict) {
	t.Helper()
	if got := g.Failed(netip.MustParseAddr(addr)); got != want {
		t.Errorf("failure from %s: %+v, want %+v", addr, got, want)
	}
}

func TestGuardBlocksAfterTen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := auth.NewGuard(nil)
		failTimes(t, g, "192.0.2.1", 9)
		time.Sleep(10 * time.Second)
		failTimes(t, g, "192.0.2.1", 1) // the tenth starts the block
		time.Sleep(20 * time.Second)
		expectVerdict(t, g, "192.0.2.1", auth.Verdict{Blocked: true, JustBlocked: true, RetryAfter: 40 * time.Second})
		for range 50 { // those refused neither prolong it nor are told again
			expectVerdict(t, g, "192.0.2.1", auth.Verdict{Blocked: true, RetryAfter: 40 * time.Second})
		}
		time.Sleep(40*time.Second - time.Nanosecond)
		expectVerdict(t, g, "192.0.2.1", auth.Verdict{Blocked: true, RetryAfter: time.Nanosecond})
		time.Sleep(time.Nanosecond)
		failTimes(t, g, "192.0.2.1", 10) // as if nothing had been
		expectVerdict(t, g, "192.0.2.1", auth.Verdict{Blocked: true, JustBlocked: true, RetryAfter: time.Minute})
	})
}

func TestGuardForgetsAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := auth.NewGuard(nil)
		for range 100 { // at 7 s apart there are never ten in less than a minute
			failTimes(t, g, "192.0.2.1", 1)
			time.Sleep(7 * time.Second)
		}
		time.Sleep(time.Minute)
		failTimes(t, g, "192.0.2.1", 9)
		time.Sleep(time.Minute)
		failTimes(t, g, "192.0.2.1", 10)
	})
}

// The minute slides: nine at its end and nine at the start of the next are 18 within seconds.
func TestGuardMinuteSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := auth.NewGuard(nil)
		failTimes(t, g, "192.0.2.1", 1)
		time.Sleep(59 * time.Second)
		failTimes(t, g, "192.0.2.1", 8)
		time.Sleep(2 * time.Second)
		failTimes(t, g, "192.0.2.1", 2)
		expectVerdict(t, g, "192.0.2.1", auth.Verdict{Blocked: true, JustBlocked: true, RetryAfter: time.Minute})
	})
}

func TestGuardAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		same := func(a, b string, want bool) {
			t.Helper()
			g := auth.NewGuard(nil)
			failTimes(t, g, a, 10)
			if got := g.Failed(netip.MustParseAddr(b)).Blocked; got != want {
				t.Errorf("ten failures from %s: %s blocked = %v, want %v", a, b, got, want)
			}
		}
		same("192.0.2.1", "192.0.2.1", true)
		same("192.0.2.1", "192.0.2.2", false)
		same("192.0.2.1", "::ffff:192.0.2.1", true) // as dual-stack sockets show it
		same("::ffff:192.0.2.1", "::ffff:192.0.2.2", false)
		same("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true)
		same("2001:db8:0:1::1", "2001:db8:0:2::1", false)
		same("fe80::1%eth0", "fe80::1%eth1", true) // or zones would be free addresses

		g := auth.NewGuard(nil)
		for range 10 {
			g.Failed(netip.Addr{})
		}
		if v := g.Failed(netip.Addr{}); !v.Blocked {
			t.Errorf("callers without an address: %+v, want Blocked", v)
		}
		if v := g.Failed(netip.IPv4Unspecified()); v.Blocked {
			t.Error("callers without an address count as 0.0.0.0")
		}
	})
}

// An attacker with very many addresses fills neither the memory, nor makes the
// guard forget an address that goes on failing.
func TestGuardManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := auth.NewGuard(nil)
		address := func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i), 1})
		}
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		const many = 200_000
		before := heap()
		blocked := false
		for i := range many {
			g.Failed(address(i))
			if i%4000 == 0 {
				blocked = g.Failed(netip.MustParseAddr("192.0.2.1")).Blocked
			}
		}
		after := heap()
		if !blocked {
			t.Error("an address that failed 50 times among many others is not blocked")
		}
		if after > before+8<<20 {
			t.Errorf("%d addresses take %d KiB", many, (after-before)>>10)
		}
		runtime.KeepAlive(g)
	})
}

func TestGuardJustBlockedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := auth.NewGuard(nil)
		var first, blocked atomic.Int32
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for range 100 {
					v := g.Failed(netip.MustParseAddr("192.0.2.1"))
					if v.JustBlocked {
						first.Add(1)
					}
					if v.Blocked {
						blocked.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if got := fmt.Sprint(first.Load(), blocked.Load()); got != fmt.Sprint(1, 32*100-10) {
			t.Errorf("JustBlocked and Blocked verdicts: %s, want 1 and %d", got, 32*100-10)
		}
	})
}
