package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
)

func TestParseFilter(t *testing.T) {
	f := func(filter, want string, unknown ...string) {
		t.Helper()
		got, alien, err := parseFilter(filter)
		if err != nil {
			t.Fatal(err)
		}
		var s []string
		for i, l := range got {
			s = append(s, targetNames[i]+"="+strings.ToLower(l.String()))
		}
		if d := cmp.Diff(want, strings.Join(s, " ")); d != "" {
			t.Errorf("%q (-want +got):\n%s", filter, d)
		}
		if d := cmp.Diff(unknown, alien); d != "" {
			t.Errorf("%q: unknown (-want +got):\n%s", filter, d)
		}
	}
	f("", "api=info auth=info config=info loadbalance=info relay=info")
	f("debug", "api=debug auth=debug config=debug loadbalance=debug relay=debug")
	f("info,relay=debug", "api=info auth=info config=info loadbalance=info relay=debug")
	f("relay=debug , WARN", "api=warn auth=warn config=warn loadbalance=warn relay=debug")
	f("berry_api=trace", "api=trace auth=trace config=trace loadbalance=trace relay=trace")
	f("berry_loadbalance=debug,berry_relay=debug", "api=info auth=info config=info loadbalance=debug relay=debug")
	f("berry_api_api=debug", "api=debug auth=info config=info loadbalance=info relay=info")
	f("berry_api_relay=debug,berry_berry_relay=debug", "api=info auth=info config=info loadbalance=info relay=debug", "berry_berry_relay")
	f("berry_api::auth=off,hyper=warn", "api=info auth=off config=info loadbalance=info relay=info", "hyper")
	for _, bad := range []string{"loud", "relay=", "relay=loud", "="} {
		if _, _, err := parseFilter(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// The parts that the configuration may name are those that there are.
func TestLogParts(t *testing.T) {
	if d := cmp.Diff(config.LogParts(), targetNames[:]); d != "" {
		t.Errorf("(-config +log):\n%s", d)
	}
}

func TestSetsAll(t *testing.T) {
	for filter, want := range map[string]bool{"": false, "debug": true, "relay=debug": false, "relay=debug, warn": true, "berry_api=info": true, "berry_relay=debug": false} {
		if got := setsAll(filter); got != want {
			t.Errorf("%q: %t", filter, got)
		}
	}
}

func newTestLogger(sink *logSink, filter string) *logger {
	levels, _, _ := parseFilter(filter)
	return newLogger(sink, levels)
}

func TestLinesCannotBeForged(t *testing.T) {
	evil := "x\n{\"level\":\"ERROR\"}\r\x1b[31m\u2028\x00\xff\"\\"
	var out, text bytes.Buffer
	l := newTestLogger(newLogSink(&out, newConsole(&text, false)), "")
	n := l.line(targetAPI, levelInfo, "Request completed")
	n.fields.Str("model", evil)
	n.send()
	n = l.line(targetAPI, levelInfo, evil)
	n.send()
	for _, s := range []string{out.String(), text.String()} {
		if strings.Count(s, "\n") != 2 || strings.ContainsAny(s, "\r\x1b\x00") {
			t.Errorf("%q", s)
		}
	}
}

func TestConsole(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(&out, false)
	line := `{"timestamp":"2024-01-15T10:30:00.000000Z","level":"INFO","target":"berry_api::api","message":"Backend selected","fields":{"status":200,"user":"ann","error":"a b","model":"x"}}` + "\n"
	if _, err := c.Write([]byte(line + line)); err != nil {
		t.Fatal(err)
	}
	want := "2024-01-15T10:30:00.000000Z INFO  Backend selected error=\"a b\" model=x status=200 user=ann\n"
	if d := cmp.Diff(want+want, out.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := logOutput(&out, "auto"); got != &out {
		t.Errorf("auto, not a terminal: %T", got)
	}
	if _, ok := logOutput(&out, "console").(console); !ok {
		t.Error("console: something else")
	}
}

// gate is an output that a test can hold.
type gate struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	err  error
	hold chan struct{} // nil: open
}

func (g *gate) Write(p []byte) (int, error) {
	if g.hold != nil {
		<-g.hold
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.buf.Write(p)
	return len(p), g.err
}

func (g *gate) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.String()
}

func TestLinesShareWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gate{}
		s := newLogSink(out)
		l := newTestLogger(s, "")
		say := func(lv level, message string) {
			n := l.line(targetAPI, lv, message)
			n.send()
		}
		count := func() int {
			synctest.Wait()
			return strings.Count(out.String(), "\n")
		}
		say(levelInfo, "before") // nobody writes yet: at once
		if got := count(); got != 1 {
			t.Errorf("%d lines before run", got)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { s.run(ctx) })
		synctest.Wait()

		say(levelInfo, "one")
		say(levelInfo, "two")
		if got := count(); got != 1 {
			t.Errorf("%d lines at once", got)
		}
		time.Sleep(logDelay)
		if got := count(); got != 3 {
			t.Errorf("%d lines after the delay", got)
		}
		say(levelInfo, "three")
		say(levelWarn, "four") // takes the one that waits along
		if got := count(); got != 5 {
			t.Errorf("%d lines after a warning", got)
		}
		say(levelInfo, strings.Repeat("x", logEager)) // too much to wait
		if got := count(); got != 6 {
			t.Errorf("%d lines after a long one", got)
		}
		say(levelInfo, "five")
		cancel()
		wg.Wait()
		if got := count(); got != 7 {
			t.Errorf("%d lines at the end", got)
		}
		say(levelInfo, "after")
		if got := count(); got != 8 {
			t.Errorf("%d lines after run", got)
		}
	})
}

func TestBlockedOutputDropsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gate{hold: make(chan struct{})}
		s := newLogSink(out)
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { s.run(ctx) })
		synctest.Wait()
		line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
		for range 7 {
			_, _ = s.Write(line) // the first is being written, four wait
			synctest.Wait()
		}
		if got := s.dropped.Load(); got != 2 {
			t.Errorf("%d dropped", got)
		}
		close(out.hold)
		synctest.Wait()
		_, _ = s.Write([]byte("more\n"))
		cancel()
		wg.Wait()
		if !strings.Contains(out.String(), `"message":"Log lines dropped","fields":{"lines":2}}`) || !strings.HasSuffix(out.String(), "more\n") {
			t.Errorf("%d bytes, end %q", len(out.String()), out.String()[max(0, len(out.String())-200):])
		}
	})
}

func TestFailedWritesAreCounted(t *testing.T) {
	good := &gate{}
	s := newLogSink(&gate{err: errors.New("full")}, good)
	_, _ = s.Write([]byte("line\n"))
	if s.failed.Load() != 1 || good.String() != "line\n" {
		t.Errorf("%d failed, %q", s.failed.Load(), good)
	}
}

func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "berry-api.log")
	f, err := openLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.limit = 20
	for i := range 12 {
		if _, err := fmt.Fprintf(f, "line %2d 89012345\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	old, _ := filepath.Glob(path + ".*")
	if len(old) != logFilesKept {
		t.Errorf("%d old files, want %d", len(old), logFilesKept)
	}
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := read(path); got != "line 11 89012345\n" {
		t.Errorf("the file: %q", got)
	}
	if got := read(old[0]); got != "line  4 89012345\n" {
		t.Errorf("the oldest: %q", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("%v %v: others may read it", info.Mode(), err)
	}

	// A day later, and with a file that somebody moved away.
	f, err = openLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.born = time.Now().Add(-logFileAge)
	if _, err := f.Write([]byte("next day\n")); err != nil || read(path) != "next day\n" {
		t.Errorf("after a day: %v %q", err, read(path))
	}
	f.born = time.Now().Add(-logFileAge)
	_ = os.Remove(path)
	if _, err := f.Write([]byte("again\n")); err != nil || read(path) != "again\n" {
		t.Errorf("after it was removed: %v", err)
	}
	_ = f.Close()
}

func TestHintAndClip(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(hint("abcdefghijklmnop"), "abcd***mnop")
	f(hint("abcdefghijklmno"), "***")
	f(clip("short"), "short")
	f(clip(strings.Repeat("a", 201)), strings.Repeat("a", 200)+"...")
	f(clip("a"+strings.Repeat("ä", 100)), "a"+strings.Repeat("ä", 99)+"...")
}

// What is thrown away is not made pretty first: that costs more than the rest
// of a line.
func TestNothingIsNoTerminal(t *testing.T) {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if isTerminal(f) {
		t.Errorf("%s counts as a terminal", os.DevNull)
	}
}

func TestMillis(t *testing.T) {
	f := func(d time.Duration, want float64) {
		t.Helper()
		if got := millis(d); got != want {
			t.Errorf("%v: %v, want %v", d, got, want)
		}
	}
	f(0, 0)
	f(499, 0)
	f(500, 0.001)
	f(693*time.Millisecond, 693)
	f(692_999_959, 693) // 693 ms as a fleet's latency, whose seconds have seven digits
	f(693_000_011, 693)
	f(time.Hour+1500*time.Nanosecond, 3_600_000.002)
}
