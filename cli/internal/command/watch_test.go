package command

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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

// A server that is away for a while, as in a restart, is waited for; one that
// never answered is not.
func TestOutlastsARestart(t *testing.T) {
	const figures = `{"status":"healthy","timestamp":"2026-01-02T03:04:05Z","providers":{},"load_balancer":{"total_selections":0,"strategy_distribution":{}}}`
	const decisions = `{"newest":1,"decisions":[{"sequence":1,"request_id":"req_1","attempts":[],"outcome":"success","status":200}]}`
	f := func(answers string, want int, args ...string) (out, errs string) {
		t.Helper()
		ctx, interrupt := context.WithCancel(context.Background())
		defer interrupt()
		var mu sync.Mutex
		asked := 0
		next := func() byte {
			mu.Lock()
			defer mu.Unlock()
			if asked == len(answers) {
				interrupt()
				return 0 // whoever asks once more gets no answer
			}
			asked++
			return answers[asked-1]
		}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch answer := next(); {
			case answer == 0:
				<-r.Context().Done()
			case answer == '-':
				panic(http.ErrAbortHandler) // the connection ends without an answer
			case strings.HasPrefix(r.URL.Path, "/admin/"):
				_, _ = w.Write([]byte(decisions))
			default:
				_, _ = w.Write([]byte(figures))
			}
		}))
		defer srv.Close()
		srv.Config.SetKeepAlivesEnabled(false) // or the client itself would ask again
		var stdout, stderr bytes.Buffer
		code := Run(ctx, Process{
			Args: append(args, "--url", srv.URL, "--token", "t", "--json"), In: strings.NewReader(""), Out: &stdout, Err: &stderr,
			Getenv: func(string) string { return "" },
		})
		if code != want {
			t.Errorf("%q: exit code %d, want %d\n%s", args, code, want, stderr.String())
		}
		return stdout.String(), stderr.String()
	}
	const waiting = "is berry-api running there?; waiting for it"
	out, errs := f("+--+", exitGood, "metrics", "--watch")
	if out != figures+"\n"+figures+"\n" || strings.Count(errs, waiting) != 1 {
		t.Errorf("%s\n%s", out, errs)
	}
	out, errs = f("+-+", exitGood, "decisions", "--follow")
	if strings.Count(out, "req_1") != 2 || strings.Count(errs, waiting) != 1 {
		t.Errorf("%s\n%s", out, errs)
	}
	if _, errs := f("-", exitNotGood, "metrics", "--watch"); strings.Contains(errs, "waiting") {
		t.Error(errs)
	}
}
