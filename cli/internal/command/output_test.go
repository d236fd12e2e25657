package command

import (
	"testing"
	"time"
)

func TestShown(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := shown(d); got != want {
			t.Errorf("%v is shown as %q, want %q", d, got, want)
		}
	}
	f(0, "-")
	f(-time.Second, "-")
	f(time.Microsecond, "<1 ms")
	f(time.Millisecond, "1 ms")
	f(1999*time.Microsecond, "1 ms")
	f(9999*time.Millisecond, "9999 ms")
	f(10*time.Second, "10.0 s")
	f(61500*time.Millisecond, "61.5 s")
}

func TestMilliseconds(t *testing.T) {
	f := func(d time.Duration, want float64) {
		t.Helper()
		if got := milliseconds(d); got != want {
			t.Errorf("%v is %v ms, want %v", d, got, want)
		}
	}
	f(0, 0)
	f(1234567*time.Nanosecond, 1.234)
	f(2*time.Second, 2000)
}

func TestCount(t *testing.T) {
	f := func(n int, want string) {
		t.Helper()
		if got := count(n, "user"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	f(0, "0 users")
	f(1, "1 user")
	f(2, "2 users")
}
