package command

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// impatient is an output whose reader interrupts after some lines.
type impatient struct {
	bytes.Buffer
	lines     int
	interrupt context.CancelFunc
}

func (w *impatient) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if bytes.Count(w.Bytes(), []byte("\n")) >= w.lines {
		w.interrupt()
	}
	return n, err
}

// What goes on until it is interrupted ends well then, and has shown the
// answers one below the other.
func TestUntilInterrupted(t *testing.T) {
	const figures = `{"status":"healthy","timestamp":"2026-01-02T03:04:05Z","providers":{},"load_balancer":{"total_selections":0,"strategy_distribution":{}}}`
	const one = `{"sequence":1,"request_id":"req_1","attempts":[],"outcome":"success","status":200}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/metrics":
			_, _ = w.Write([]byte(figures))
		case r.URL.Query().Get("after") == "":
			_, _ = w.Write([]byte(`{"newest":1,"decisions":[` + one + `]}`))
		default:
			_, _ = w.Write([]byte(`{"newest":2,"decisions":[` + strings.ReplaceAll(one, "1", "2") + `]}`))
		}
	}))
	defer srv.Close()
	f := func(want string, args ...string) {
		t.Helper()
		ctx, interrupt := context.WithCancel(context.Background())
		defer interrupt()
		out := &impatient{lines: strings.Count(want, "\n"), interrupt: interrupt}
		var errs bytes.Buffer
		code := Run(ctx, Process{
			Args: append(args, "--url", srv.URL, "--token", "t"), In: strings.NewReader(""), Out: out, Err: &errs,
			Getenv: func(string) string { return "" },
		})
		if code != exitGood || out.String() != want || errs.Len() > 0 {
			t.Errorf("%q: exit code %d, printed\n%s\nwant\n%s\n%s", args, code, out.String(), want, errs.String())
		}
	}
	f(figures+"\n"+figures+"\n", "metrics", "--watch", "--json")
	f(one+"\n"+strings.ReplaceAll(one, "1", "2")+"\n", "decisions", "--follow", "--json")
}

func TestFit(t *testing.T) {
	f := func(page string, height int, want string) {
		t.Helper()
		if got := string(fit([]byte(page), height)); got != want {
			t.Errorf("%q in %d lines: %q, want %q", page, height, got, want)
		}
	}
	f("a\nb\nc\n", 4, "a\nb\nc\n")
	f("a\nb\nc\n", 3, "a\n... and 2 more lines; a larger window shows them\n")
	f("a\nb\nc\nd\ne\n", 5, "a\nb\nc\n... and 2 more lines; a larger window shows them\n")
	f("a\nb\nc\n", 2, "a\nb\nc\n")
	f("a\nb\nc\n", 0, "a\nb\nc\n") // a terminal that does not say
}
