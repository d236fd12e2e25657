package relay_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// Whoever could not be answered by any backend hears when to come back, also
// when no breaker is open yet and no provider said.
func TestF11EveryFailureSaysWhenToComeBack(t *testing.T) {
	f := func(a, bb mockllm.Script, more string, want int) {
		t.Helper()
		b := start(t, setup{scripts: two(a, bb), provider: func(_ string, p *config.Provider) { p.MaxRetries = 0 }})
		got := b.post(ask("pool", more))
		if b.fault(got); got.Status != want || got.Header.Get("Retry-After") != "1" {
			t.Errorf("%d %v, want %d and Retry-After 1", got.Status, got.Header, want)
		}
	}
	reset := always(mockllm.Reset())
	f(status(500, nil), status(500, nil), "", 502)
	f(status(500, nil), status(503, nil), "", 503)
	f(status(500, nil), status(504, nil), askStream, 504)
	f(reset, reset, askStream, 502)

	// A bad key gets no better by waiting.
	b := start(t, setup{scripts: two(status(401, nil), status(401, nil))})
	if a := b.post(ask("pool", "")); a.Header.Get("Retry-After") != "" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
}

// The only backend is waited for once, not once per attempt: its Retry-After
// of 2.6 s fits into the five seconds one time.
func TestOnlyOneBackendWaitsFiveSecondsInAll(t *testing.T) {
	b := start(t, setup{scripts: one(status(429, http.Header{"Retry-After-Ms": {"2600"}}))})
	if a := b.post(ask("gpt-a", "")); a.Status != 429 || a.Header.Get("Retry-After") != "3" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	b.attempts(2, 0)
}

// A content coding has two names for gzip, and its case means nothing.
func TestGzipUnderItsOtherNames(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(mockllm.Completion("zipped", 7, 2)))
	_ = z.Close()
	for _, name := range []string{"gzip", "GZip", "x-gzip"} {
		b := start(t, setup{scripts: one(always(mockllm.JSON(200, http.Header{"Content-Encoding": {name}}, packed.String())))})
		if a := b.post(ask("gpt-a", "")); a.Status != 200 || !strings.Contains(a.Body, "zipped") || a.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v %s", name, a.Status, a.Header, a.Body)
		}
	}
}

// An error that came as the first frame has a type that fits its status.
func TestP16FirstFrameBlamesTheRequest(t *testing.T) {
	b := start(t, setup{scripts: one(always(mockllm.SSE(`{"error":{"message":"bad","code":400}}`)))})
	a := b.post(ask("gpt-a", askStream))
	const want = `{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":"400"}}`
	if a.Status != 400 || a.Body != want {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// The billing line of Claude Code is one line: what stands below it in the same
// text is the client's.
func TestBillingLineIsOneLine(t *testing.T) {
	b := start(t, setup{scripts: one(good)})
	f := func(system, want string) {
		t.Helper()
		b.u["u1"].SetScript(good)
		if a := b.postTo(dialect.Messages, say("gpt-a", `,"system":`+system)); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		all := b.u["u1"].Requests()
		if got := string(all[len(all)-1].Body); !strings.Contains(got, `"messages":[`+want+`{"role":"user"`) {
			t.Errorf("%s: upstream %s", system, got)
		}
	}
	const kept = `{"role":"system","content":"You are one.\nAnd two."},`
	f(`"x-anthropic-billing-header: cch=1;\nYou are one.\nAnd two."`, kept)
	f(`[{"type":"text","text":"x-anthropic-billing-header: cch=2;"},{"type":"text","text":"You are one.\nAnd two."}]`, kept)
	f(`[{"type":"text","text":"x-anthropic-billing-header: cch=3;\nYou are one."},{"type":"text","text":"And two."}]`, kept)
	f(`"x-anthropic-billing-header: cch=4;"`, "")
}
